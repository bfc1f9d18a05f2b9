package oauth

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/latchwork/latchwork/internal/hashmap"
)

// A MemoryStore keeps grants and credentials in memory, for tests and for
// services whose users sign in anew after every start. It is safe for
// concurrent use. The zero value is empty and ready. What has expired stays
// until DeleteExpired is called.
type MemoryStore struct {
	// byHash is read without a lock. Whoever changes what is in it holds mu
	// and stores a new entry: an entry never changes.
	byHash hashmap.Map[entry]

	mu     sync.Mutex
	grants []*heldGrant // by ID, in ascending order, as new ones come
}

// An entry is a credential, and what holds its grant.
type entry struct {
	credential Credential
	held       *heldGrant
}

// A heldGrant is a grant, read without a lock, and the hashes of what was
// issued for it.
type heldGrant struct {
	grant     Grant // never changes, not even when it is revoked
	revokedAt atomic.Pointer[time.Time]
	hashes    []Hash
}

// now returns the grant as it is at present.
func (h *heldGrant) now() Grant {
	g := h.grant
	if at := h.revokedAt.Load(); at != nil {
		g.RevokedAt = *at
	}
	return g
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
	at, exists := s.find(g.ID)
	if exists || s.taken(first) {
		return ErrExists
	}
	held := &heldGrant{grant: g.clone(), hashes: make([]Hash, 0, len(first))}
	if !g.RevokedAt.IsZero() {
		held.revokedAt.Store(&g.RevokedAt)
	}
	s.grants = slices.Insert(s.grants, at, held)
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
	c, g = e.credential, e.held.grant // large: no more copies than this one
	if at := e.held.revokedAt.Load(); at != nil {
		g.RevokedAt = *at
	}
	if c.Resources != nil || g.Resources != nil {
		c.Resources, g.Resources = slices.Clone(c.Resources), slices.Clone(g.Resources)
	}
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
	if err := e.held.now().alive(spend.At); err != nil {
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
	grants := s.grants
	if i, found := s.find(f.GrantID); found {
		grants = grants[i : i+1]
	}
	revoked := 0
	for _, held := range grants {
		if g := held.now(); f.Matches(g) && g.RevokedAt.IsZero() {
			held.revokedAt.Store(&at)
			revoked++
		}
	}
	return revoked, nil
}

// Grants implements Store.
func (s *MemoryStore) Grants(ctx context.Context, f Filter, page Page) ([]Grant, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	end := len(s.grants)
	if page.Before != "" {
		end, _ = s.find(page.Before)
	}
	grants := []Grant{}
	for i := end - 1; i >= 0 && len(grants) < page.Limit; i-- {
		if g := s.grants[i].now(); f.Matches(g) {
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
	s.grants = slices.DeleteFunc(s.grants, func(held *heldGrant) bool {
		if deleted >= limit || len(held.hashes) > 0 || !held.grant.ExpiresAt.Before(before) {
			return false
		}
		deleted++
		return true
	})
	return deleted, nil
}

// find returns where the grant with this ID is, or would be.
func (s *MemoryStore) find(id string) (int, bool) {
	if n := len(s.grants); n > 0 && s.grants[n-1].grant.ID < id {
		return n, false // as with every new one
	}
	return slices.BinarySearchFunc(s.grants, id, func(held *heldGrant, id string) int {
		return strings.Compare(held.grant.ID, id)
	})
}

// taken reports whether one of the hashes is there already, or stands twice.
func (s *MemoryStore) taken(credentials []Credential) bool {
	for i := range credentials {
		h := credentials[i].Hash
		twice := slices.ContainsFunc(credentials[:i], func(c Credential) bool { return c.Hash == h })
		if twice || s.byHash.Load(h) != nil {
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
