package oauthtest_test

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/latchwork/latchwork/oauth"
	"github.com/latchwork/latchwork/oauth/oauthtest"
)

// A ledger is a plain and right store, of which every decision can be replaced
// by a wrong one.
type ledger struct {
	mu          sync.Mutex
	grants      map[string]oauth.Grant
	credentials map[oauth.Hash]oauth.Credential
	second      oauth.Store // the other handle; nil: the ledger

	// What the methods do. They lock mu themselves.
	createGrant   func(context.Context, oauth.Grant, []oauth.Credential) error
	lookup        func(context.Context, oauth.Hash) (oauth.Credential, oauth.Grant, error)
	spend         func(context.Context, oauth.Spend, []oauth.Credential) (oauth.Spent, error)
	revoke        func(context.Context, oauth.Filter, time.Time) (int, error)
	list          func(context.Context, oauth.Filter, oauth.Page) ([]oauth.Grant, error)
	deleteExpired func(context.Context, time.Time, int) (int, error)

	// What they decide by, with mu held.
	heeds   func(context.Context) error
	taken   func([]oauth.Credential) bool
	mine    func(oauth.Credential, oauth.Spend) bool
	judge   func(oauth.Credential, oauth.Grant, oauth.Spend) (*oauth.Spent, error)
	expired func(expires, at time.Time) bool // of what is to be spent
	revoked func(oauth.Grant, time.Time) bool
	matches func(oauth.Filter, oauth.Grant) bool
	old     func(expires, before time.Time) bool // of what is to be deleted
	order   func(a, b oauth.Grant) int

	// What they keep and give. They copy.
	keepGrant, giveGrant           func(oauth.Grant) oauth.Grant
	keepCredential, giveCredential func(oauth.Credential) oauth.Credential

	// What happens between two of their steps, with mu held.
	judged, checked, marked func()
}

func newLedger() *ledger {
	l := &ledger{grants: map[string]oauth.Grant{}, credentials: map[oauth.Hash]oauth.Credential{}}
	l.createGrant, l.lookup, l.spend = l.rightCreateGrant, l.rightLookup, l.rightSpend
	l.revoke, l.list, l.deleteExpired = l.rightRevoke, l.rightList, l.rightDelete
	l.heeds, l.taken, l.judge = context.Context.Err, l.rightTaken, l.rightJudge
	l.mine = func(c oauth.Credential, s oauth.Spend) bool { return c.ClientID == s.ClientID }
	l.expired = func(expires, at time.Time) bool { return !at.Before(expires) }
	l.revoked = func(g oauth.Grant, _ time.Time) bool { return !g.RevokedAt.IsZero() }
	l.matches = func(f oauth.Filter, g oauth.Grant) bool { return f.Matches(g) }
	l.old = func(expires, before time.Time) bool { return expires.Before(before) }
	l.order = func(a, b oauth.Grant) int { return cmp.Compare(b.ID, a.ID) }
	l.keepGrant, l.giveGrant, l.keepCredential, l.giveCredential = cloneGrant, cloneGrant, cloneCredential, cloneCredential
	l.judged, l.checked, l.marked = func() {}, func() {}, func() {}
	return l
}

func cloneGrant(g oauth.Grant) oauth.Grant {
	g.Resources = slices.Clone(g.Resources)
	return g
}

func cloneCredential(c oauth.Credential) oauth.Credential {
	c.Resources = slices.Clone(c.Resources)
	return c
}

const window = time.Millisecond // in which a careless store loses a race

// pause lets others in.
func (l *ledger) pause() {
	l.mu.Unlock()
	time.Sleep(window)
	l.mu.Lock()
}

func (l *ledger) backend() oauthtest.Backend { return oauthtest.Backend{Store: l, Second: l.second} }

func (l *ledger) CreateGrant(ctx context.Context, g oauth.Grant, first ...oauth.Credential) error {
	return l.createGrant(ctx, g, first)
}

func (l *ledger) Lookup(ctx context.Context, h oauth.Hash) (oauth.Credential, oauth.Grant, error) {
	return l.lookup(ctx, h)
}

func (l *ledger) Spend(ctx context.Context, s oauth.Spend, issue ...oauth.Credential) (oauth.Spent, error) {
	return l.spend(ctx, s, issue)
}

func (l *ledger) RevokeGrants(ctx context.Context, f oauth.Filter, at time.Time) (int, error) {
	return l.revoke(ctx, f, at)
}

func (l *ledger) Grants(ctx context.Context, f oauth.Filter, page oauth.Page) ([]oauth.Grant, error) {
	return l.list(ctx, f, page)
}

func (l *ledger) DeleteExpired(ctx context.Context, before time.Time, limit int) (int, error) {
	return l.deleteExpired(ctx, before, limit)
}

func (l *ledger) put(credentials ...oauth.Credential) {
	for _, c := range credentials {
		l.credentials[c.Hash] = l.keepCredential(c)
	}
}

func (l *ledger) rightTaken(credentials []oauth.Credential) bool {
	hashes := map[oauth.Hash]bool{}
	for _, c := range credentials {
		if _, there := l.credentials[c.Hash]; there || hashes[c.Hash] {
			return true
		}
		hashes[c.Hash] = true
	}
	return false
}

func (l *ledger) rightCreateGrant(ctx context.Context, g oauth.Grant, first []oauth.Credential) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.heeds(ctx); err != nil {
		return err
	}
	if _, there := l.grants[g.ID]; there || l.taken(first) {
		return oauth.ErrExists
	}
	l.checked()
	l.grants[g.ID] = l.keepGrant(g)
	l.put(first...)
	return nil
}

func (l *ledger) rightLookup(ctx context.Context, h oauth.Hash) (oauth.Credential, oauth.Grant, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.heeds(ctx); err != nil {
		return oauth.Credential{}, oauth.Grant{}, err
	}
	c, there := l.credentials[h]
	if !there {
		return oauth.Credential{}, oauth.Grant{}, oauth.ErrNotFound
	}
	return l.giveCredential(c), l.giveGrant(l.grants[c.GrantID]), nil
}

func (l *ledger) rightSpend(ctx context.Context, s oauth.Spend, issue []oauth.Credential) (oauth.Spent, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.heeds(ctx); err != nil {
		return oauth.Spent{}, err
	}
	c, there := l.credentials[s.Hash]
	if !there || !l.mine(c, s) {
		return oauth.Spent{}, oauth.ErrNotFound
	}
	if spent, err := l.judge(c, l.grants[c.GrantID], s); spent != nil || err != nil {
		return *cmp.Or(spent, &oauth.Spent{}), err
	}
	l.judged()
	if l.taken(issue) {
		return oauth.Spent{}, oauth.ErrExists
	}
	l.checked()
	c.SpentAt, c.Attempt = s.At, s.Attempt
	l.put(c)
	l.marked()
	l.put(issue...)
	return oauth.Spent{First: true, Attempt: s.Attempt, At: s.At}, nil
}

func (l *ledger) rightJudge(c oauth.Credential, g oauth.Grant, s oauth.Spend) (*oauth.Spent, error) {
	switch {
	case !c.SpentAt.IsZero():
		return &oauth.Spent{First: c.Attempt == s.Attempt, Attempt: c.Attempt, At: c.SpentAt}, nil
	case l.revoked(g, s.At):
		return nil, oauth.ErrRevoked
	case l.expired(c.ExpiresAt, s.At), l.expired(g.ExpiresAt, s.At):
		return nil, oauth.ErrExpired
	default:
		return nil, nil
	}
}

func (l *ledger) rightRevoke(ctx context.Context, f oauth.Filter, at time.Time) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.heeds(ctx); err != nil {
		return 0, err
	}
	var found []string
	for id, g := range l.grants {
		if l.matches(f, g) && !l.revoked(g, at) {
			found = append(found, id)
		}
	}
	l.checked()
	for _, id := range found {
		g := l.grants[id]
		g.RevokedAt = at
		l.grants[id] = l.keepGrant(g)
	}
	return len(found), nil
}

func (l *ledger) rightList(ctx context.Context, f oauth.Filter, page oauth.Page) ([]oauth.Grant, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.heeds(ctx); err != nil {
		return nil, err
	}
	var grants []oauth.Grant
	for _, g := range l.grants {
		if l.matches(f, g) && (page.Before == "" || g.ID < page.Before) {
			grants = append(grants, l.giveGrant(g))
		}
	}
	slices.SortFunc(grants, l.order)
	return grants[:min(page.Limit, len(grants))], nil
}

func (l *ledger) rightDelete(ctx context.Context, before time.Time, limit int) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.heeds(ctx); err != nil {
		return 0, err
	}
	var credentials []oauth.Hash
	left := map[string]int{}
	for h, c := range l.credentials {
		if l.old(c.ExpiresAt, before) && len(credentials) < limit {
			credentials = append(credentials, h)
		} else {
			left[c.GrantID]++
		}
	}
	var grants []string
	for id, g := range l.grants {
		if l.old(g.ExpiresAt, before) && left[id] == 0 && len(credentials)+len(grants) < limit {
			grants = append(grants, id)
		}
	}
	l.checked()
	for _, h := range credentials {
		delete(l.credentials, h)
	}
	for _, id := range grants {
		delete(l.grants, id)
	}
	return len(credentials) + len(grants), nil
}
