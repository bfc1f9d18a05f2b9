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
	// byHash is read without a lock. Whoever changes what is in it holds mu.
	byHash hashmap.Map[entry]

	mu     sync.Mutex
	grants []*heldGrant // by ID, in ascending order, as new ones come
}

// An entry is a credential, read without a lock, and what holds its grant.
type entry struct {
	credential Credential // never changes, not even when it is spent
	spent      atomic.Pointer[Spent]
	held       *heldGrant
}

// now returns the credential as it is at present.
func (e *entry) now() Credential {
	c := e.credential
	if spent := e.spent.Load(); spent != nil {
		c.SpentAt, c.Attempt = spent.At, spent.Attempt
	}
	return c
}

func (e *entry) isSpent() bool { return e.spent.Load() != nil }

// A heldGrant is a grant, read without a lock.
type heldGrant struct {
	grant     Grant // never changes, not even when it is revoked
	revokedAt atomic.Pointer[time.Time]
	issued    int // how many credentials are there
}

// now returns the grant as it is at present.
func (h *heldGrant) now() Grant {
	g := h.grant
	if at := h.revokedAt.Load(); at != nil {
		g.RevokedAt = *at
	}
	return g
}

func (h *heldGrant) isRevoked() bool { return h.revokedAt.Load() != nil }

// NewMemoryStore returns an empty store.
func NewMemoryStore() *MemoryStore { return new(MemoryStore) }

// CreateGrant implements Store.
func (s *MemoryStore) CreateGrant(ctx context.Context, g Grant, first ...Credential) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	at, exists := s.position(g.ID)
	if exists || s.taken(first) {
		return ErrExists
	}
	held := &heldGrant{grant: g.clone()}
	if !g.RevokedAt.IsZero() {
		at := g.RevokedAt
		held.revokedAt.Store(&at)
	}
	s.grants = slices.Insert(s.grants, at, held)
	s.add(held, first)
	return nil
}

// Lookup implements Store.
func (s *MemoryStore) Lookup(ctx context.Context, h Hash) (c Credential, g Grant, err error) {
	e, err := s.find(ctx, h)
	if err != nil {
		return c, g, err
	}
	return e.now().clone(), e.held.now().clone(), nil
}

// find returns what is there under a hash, to be looked at, or ErrNotFound.
func (s *MemoryStore) find(ctx context.Context, h Hash) (*entry, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	e := s.byHash.Load(h)
	if e == nil {
		return nil, ErrNotFound
	}
	return e, nil
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
	if before := e.spent.Load(); before != nil {
		return Spent{First: before.Attempt == spend.Attempt, Attempt: before.Attempt, At: before.At}, nil
	}
	switch {
	case e.held.isRevoked():
		return Spent{}, ErrRevoked
	case !spend.At.Before(e.held.grant.ExpiresAt), !spend.At.Before(e.credential.ExpiresAt):
		return Spent{}, ErrExpired
	}
	if s.taken(issue) {
		return Spent{}, ErrExists
	}
	// Lookup takes no lock: who finds this one spent must find what came of it.
	s.add(e.held, issue)
	spent := Spent{First: true, Attempt: spend.Attempt, At: spend.At}
	e.spent.Store(&spent)
	return spent, nil
}

// RevokeGrants implements Store.
func (s *MemoryStore) RevokeGrants(ctx context.Context, f Filter, at time.Time) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	grants := s.grants
	if i, found := s.position(f.GrantID); found {
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
		end, _ = s.position(page.Before)
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
	for e := range s.byHash.All() {
		if deleted < limit && e.credential.ExpiresAt.Before(before) {
			s.byHash.Delete(e.credential.Hash)
			e.held.issued--
			deleted++
		}
	}
	s.grants = slices.DeleteFunc(s.grants, func(held *heldGrant) bool {
		if deleted >= limit || held.issued > 0 || !held.grant.ExpiresAt.Before(before) {
			return false
		}
		deleted++
		return true
	})
	return deleted, nil
}

// position returns where the grant with this ID is, or would be.
func (s *MemoryStore) position(id string) (int, bool) {
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
		if s.byHash.Load(credentials[i].Hash) != nil {
			return true
		}
		for j := range i {
			if credentials[i].Hash == credentials[j].Hash {
				return true
			}
		}
	}
	return false
}

// add stores new credentials of a grant.
func (s *MemoryStore) add(held *heldGrant, credentials []Credential) {
	for i := range credentials {
		e := &entry{credential: credentials[i], held: held}
		e.credential.Resources = slices.Clone(e.credential.Resources)
		if c := &e.credential; !c.SpentAt.IsZero() {
			e.spent.Store(&Spent{Attempt: c.Attempt, At: c.SpentAt})
		}
		s.byHash.Store(e.credential.Hash, e)
		held.issued++
	}
}
