package oauthtest

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/latchwork/latchwork/oauth"
	"github.com/latchwork/latchwork/scope"
)

// A trial is one run of a check: the backend, and records that nobody had
// before. Later grants have greater IDs.
type trial struct {
	Backend

	grants, hashes, attempts atomic.Int64
}

// start is when the first grant begins.
func start() time.Time { return time.Date(2026, time.February, 3, 4, 5, 6, 789_012_000, time.UTC) }

// now is when credentials are spent, unless a check says otherwise: all grants
// have begun, and nothing has expired.
func now() time.Time { return start().Add(24 * time.Hour) }

// grant returns a new grant of the user "ada" for the client "app".
func (t *trial) grant(edits ...func(*oauth.Grant)) oauth.Grant {
	n := t.grants.Add(1)
	at := start().Add(time.Duration(n) * time.Second)
	g := oauth.Grant{
		ID:        fmt.Sprintf("019b0000-0000-7abc-8def-%012x", 0xabc000+n),
		Subject:   oauth.Subject{Kind: oauth.SubjectUser, ID: "ada"},
		ClientID:  "app",
		Scope:     scope.MustParseSet("invoices", "profile"),
		Resources: []string{"https://api.example/"},
		CreatedAt: at, ExpiresAt: at.Add(90 * 24 * time.Hour),
	}
	for _, edit := range edits {
		edit(&g)
	}
	return g
}

// credential returns a new credential of a grant.
func (t *trial) credential(g oauth.Grant, kind oauth.CredentialKind, edits ...func(*oauth.Credential)) oauth.Credential {
	h := t.hash()
	c := oauth.Credential{
		ID: fmt.Sprintf("%x", h[:8]), Hash: h, Kind: kind, GrantID: g.ID, ClientID: g.ClientID,
		Scope: scope.MustParseSet("profile"), Resources: []string{"https://api.example/me"},
		CreatedAt: g.CreatedAt, ExpiresAt: g.CreatedAt.Add(14 * 24 * time.Hour),
	}
	for _, edit := range edits {
		edit(&c)
	}
	return c
}

// pair returns a new access token and a new refresh token of a grant.
func (t *trial) pair(g oauth.Grant) []oauth.Credential {
	return []oauth.Credential{t.credential(g, oauth.KindAccess), t.credential(g, oauth.KindRefresh)}
}

// hash returns a hash that no credential has had before.
func (t *trial) hash() oauth.Hash {
	return sha256.Sum256(fmt.Append(nil, "oauthtest ", t.hashes.Add(1)))
}

// attempt returns an attempt that nobody has made before.
func (t *trial) attempt() (a oauth.Attempt) {
	binary.BigEndian.PutUint64(a[8:], uint64(t.attempts.Add(1)))
	return a
}

// spend returns a new attempt to spend a credential.
func (t *trial) spend(c oauth.Credential, edits ...func(*oauth.Spend)) oauth.Spend {
	s := oauth.Spend{Hash: c.Hash, ClientID: c.ClientID, At: now(), Attempt: t.attempt()}
	for _, edit := range edits {
		edit(&s)
	}
	return s
}

// spent returns what a credential is after it was spent.
func spent(c oauth.Credential, s oauth.Spend) oauth.Credential {
	c.SpentAt, c.Attempt = s.At, s.Attempt
	return c
}

// create stores a grant and its first credentials.
func (t *trial) create(ctx context.Context, g oauth.Grant, first ...oauth.Credential) error {
	return wrap("CreateGrant", t.Store.CreateGrant(ctx, g, first...))
}

// begin stores a new grant with an access token and a refresh token.
func (t *trial) begin(ctx context.Context, edits ...func(*oauth.Grant)) (g oauth.Grant, access, refresh oauth.Credential, err error) {
	g = t.grant(edits...)
	first := t.pair(g)
	return g, first[0], first[1], t.create(ctx, g, first...)
}

// takesEffect checks that this attempt is the first.
func (t *trial) takesEffect(ctx context.Context, s oauth.Spend, issue ...oauth.Credential) error {
	got, err := t.Store.Spend(ctx, s, issue...)
	if err != nil {
		return fmt.Errorf("Spend: %w", err)
	}
	return wrap("Spend", sameSpent(got, oauth.Spent{First: true, Attempt: s.Attempt, At: s.At}))
}

// is checks that the store has exactly this grant and these credentials of it,
// wherever one looks.
func (t *trial) is(ctx context.Context, g oauth.Grant, credentials ...oauth.Credential) error {
	grants, err := t.Store.Grants(ctx, oauth.Filter{GrantID: g.ID}, oauth.Page{Limit: 10})
	if err != nil {
		return fmt.Errorf("Grants: %w", err)
	}
	if len(grants) != 1 {
		return fmt.Errorf("Grants: %d grants with the ID %.60q, want 1", len(grants), g.ID)
	}
	if err := sameGrant(grants[0], g); err != nil {
		return fmt.Errorf("Grants: %w", err)
	}
	for i, want := range credentials {
		c, of, err := t.Store.Lookup(ctx, want.Hash)
		if err == nil {
			err = errors.Join(sameCredential(c, want), wrap("the grant's", sameGrant(of, g)))
		}
		if err != nil {
			return fmt.Errorf("Lookup of credential %d, %s: %w", i+1, want.Kind, err)
		}
	}
	return nil
}

// hasNo checks that the store has none of these credentials.
func (t *trial) hasNo(ctx context.Context, credentials ...oauth.Credential) error {
	for i, c := range credentials {
		got, _, err := t.Store.Lookup(ctx, c.Hash)
		switch {
		case err == nil && got.Hash == c.Hash:
			return fmt.Errorf("Lookup of credential %d, %s: it is there, want ErrNotFound", i+1, c.Kind)
		case err == nil:
			return errors.New("Lookup: a miss returned no error, want ErrNotFound")
		case !errors.Is(err, oauth.ErrNotFound):
			return fmt.Errorf("Lookup: returned the error %w, want ErrNotFound", err)
		}
	}
	return nil
}

// hasNoGrant checks that the store has no grant with this ID.
func (t *trial) hasNoGrant(ctx context.Context, id string) error {
	grants, err := t.Store.Grants(ctx, oauth.Filter{GrantID: id}, oauth.Page{Limit: 10})
	if err != nil || len(grants) > 0 {
		return fmt.Errorf("Grants with the ID %.60q: %d, %w, want none", id, len(grants), orNone(err))
	}
	return nil
}

// fails checks that a call failed with this error.
func fails(call string, got, want error) error {
	if !errors.Is(got, want) {
		return fmt.Errorf("%s: returned %w, want %w", call, orNone(got), want)
	}
	return nil
}

// noneError stands for no error in texts.
type noneError struct{}

func (noneError) Error() string { return "no error" }

func orNone(err error) error {
	if err == nil {
		return noneError{}
	}
	return err
}

// wrap is fmt.Errorf for errors that may be nil.
func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

// race runs n calls at once and returns their errors. A call that panics is an
// error, too.
func race(n int, call func(i int) error) []error {
	errs := make([]error, n)
	ready := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-ready
			errs[i] = protect(func() error { return call(i) })
		})
	}
	close(ready)
	all.Wait()
	return errs
}
