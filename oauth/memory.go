package oauth

import (
	"context"
	"slices"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/latchwork/latchwork/internal/hashmap"
)

// A MemoryStore keeps grants and credentials in memory, for tests and for
// services whose users sign in anew after every start. It is safe for
// concurrent use. The zero value is empty and ready.
type MemoryStore struct {
	// byHash is read without a lock. Whoever changes what is in it holds mu
	// and stores a new entry: an entry never changes.
	byHash hashmap.Map[entry]

	mu     sync.Mutex
	grants map[string]*heldGrant
	ids    []string // of the grants, in ascending order
}

// An entry is a credential, and what holds its grant.
type entry struct {
	credential Credential
	held       *heldGrant
}

// A heldGrant is a grant, read without a lock and replaced as a whole, and the
// hashes of what was issued for it.
type heldGrant struct {
	grant  atomic.Pointer[Grant]
	hashes []Hash
}

// NewMemoryStore returns an empty store.
func NewMemoryStore() *MemoryStore { return new(MemoryStore) }

// CreateGrant implements Store.
func (s *MemoryStore) CreateGrant(ctx context.Context, g Grant, first ...Credential) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.grants[g.ID] != nil || s.taken(first) {
		return ErrExists
	}
	if s.grants == nil {
		s.grants = map[string]*heldGrant{}
	}
	held, g := new(heldGrant), g.clone()
	held.grant.Store(&g)
	s.grants[g.ID] = held
	s.ids = slices.Insert(s.ids, sort.SearchStrings(s.ids, g.ID), g.ID)
	s.add(held, first)
	return nil
}

// Lookup implements Store.
func (s *MemoryStore) Lookup(ctx context.Context, h Hash) (c Credential, g Grant, err error) {
	if err := ctx.Err(); err != nil {
		return c, g, err
	}
	e := s.byHash.Load(h)
	if e == nil {
		return c, g, ErrNotFound
	}
	c, g = e.credential, *e.held.grant.Load()
	c.Resources, g.Resources = slices.Clone(c.Resources), slices.Clone(g.Resources)
	return c, g, nil
}

// Spend implements Store.
func (s *MemoryStore) Spend(ctx context.Context, spend Spend, issue ...Credential) (Spent, error) {
	if err := ctx.Err(); err != nil {
		return Spent{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.byHash.Load(spend.Hash)
	if e == nil || e.credential.ClientID != spend.ClientID {
		return Spent{}, ErrNotFound
	}
	c := e.credential
	if !c.SpentAt.IsZero() {
		return Spent{First: c.Attempt == spend.Attempt, Attempt: c.Attempt, At: c.SpentAt}, nil
	}
	if err := e.held.grant.Load().alive(spend.At); err != nil {
		return Spent{}, err
	}
	if !spend.At.Before(c.ExpiresAt) {
		return Spent{}, ErrExpired
	}
	if s.taken(issue) {
		return Spent{}, ErrExists
	}
	// Lookup takes no lock: who finds this one spent must find what came of it.
	s.add(e.held, issue)
	c.SpentAt, c.Attempt = spend.At, spend.Attempt
	s.byHash.Store(c.Hash, &entry{credential: c, held: e.held})
	return Spent{First: true, Attempt: c.Attempt, At: c.SpentAt}, nil
}

// RevokeGrants implements Store.
func (s *MemoryStore) RevokeGrants(ctx context.Context, f Filter, at time.Time) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if held := s.grants[f.GrantID]; held != nil {
		return held.revoke(f, at), nil
	}
	revoked := 0
	for _, held := range s.grants {
		revoked += held.revoke(f, at)
	}
	return revoked, nil
}

// revoke revokes the grant if the filter selects it, and counts.
func (h *heldGrant) revoke(f Filter, at time.Time) int {
	g := *h.grant.Load()
	if !f.Matches(g) || !g.RevokedAt.IsZero() {
		return 0
	}
	g.RevokedAt = at
	h.grant.Store(&g)
	return 1
}

// Grants implements Store.
func (s *MemoryStore) Grants(ctx context.Context, f Filter, page Page) ([]Grant, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	end := len(s.ids)
	if page.Before != "" {
		end = sort.SearchStrings(s.ids, page.Before)
	}
	grants := []Grant{}
	for i := end - 1; i >= 0 && len(grants) < page.Limit; i-- {
		if g := s.grants[s.ids[i]].grant.Load(); f.Matches(*g) {
			grants = append(grants, g.clone())
		}
	}
	return grants, nil
}

// DeleteExpired implements Store.
func (s *MemoryStore) DeleteExpired(ctx context.Context, before time.Time, limit int) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	deleted := 0
	for _, held := range s.grants {
		held.hashes = slices.DeleteFunc(held.hashes, func(h Hash) bool {
			if deleted >= limit || !s.byHash.Load(h).credential.ExpiresAt.Before(before) {
				return false
			}
			s.byHash.Delete(h)
			deleted++
			return true
		})
	}
	s.ids = slices.DeleteFunc(s.ids, func(id string) bool {
		held := s.grants[id]
		if deleted >= limit || len(held.hashes) > 0 || !held.grant.Load().ExpiresAt.Before(before) {
			return false
		}
		delete(s.grants, id)
		deleted++
		return true
	})
	return deleted, nil
}

// taken reports whether one of the hashes is there already, or stands twice.
func (s *MemoryStore) taken(credentials []Credential) bool {
	for i, c := range credentials {
		twice := slices.ContainsFunc(credentials[:i], func(o Credential) bool { return o.Hash == c.Hash })
		if twice || s.byHash.Load(c.Hash) != nil {
			return true
		}
	}
	return false
}

// add stores new credentials of a grant.
func (s *MemoryStore) add(held *heldGrant, credentials []Credential) {
	for _, c := range credentials {
		s.byHash.Store(c.Hash, &entry{credential: c.clone(), held: held})
		held.hashes = append(held.hashes, c.Hash)
	}
}
