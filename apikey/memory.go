package apikey

import (
	"context"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/latchwork/latchwork/internal/hashmap"
)

// A MemoryStore keeps records in memory, for tests and for services that make
// their keys anew at every start. It implements Store, Activity and Feed and is
// safe for concurrent use. The zero value is empty and ready.
type MemoryStore struct {
	// byHash is read without a lock. Whoever changes what is in it holds mu
	// and stores a new record: a record never changes.
	byHash hashmap.Map[Record]

	mu       sync.Mutex
	byID     map[string]*Record
	ids      []string // in ascending order
	activity memoryActivity
	feed     memoryFeed
}

// NewMemoryStore returns an empty store.
func NewMemoryStore() *MemoryStore { return new(MemoryStore) }

// Create implements Store.
func (s *MemoryStore) Create(ctx context.Context, r Record, e Event) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.byID[r.Key.ID]; taken || s.hashTaken(r) {
		return ErrExists
	}
	if s.byID == nil {
		s.byID = map[string]*Record{}
	}
	at := sort.SearchStrings(s.ids, r.Key.ID)
	s.ids = slices.Insert(s.ids, at, r.Key.ID)
	s.put(nil, r.Clone(), e)
	return nil
}

// Find implements Store.
func (s *MemoryStore) Find(ctx context.Context, hashes []Hash) (Record, error) {
	if err := ctx.Err(); err != nil {
		return Record{}, err
	}
	for _, h := range hashes {
		if r := s.byHash.Load(h); r != nil {
			return r.Clone(), nil
		}
	}
	return Record{}, ErrNotFound
}

// Get implements Store.
func (s *MemoryStore) Get(ctx context.Context, id string) (Record, error) {
	if err := ctx.Err(); err != nil {
		return Record{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.byID[id]
	if !ok {
		return Record{}, ErrNotFound
	}
	return r.Clone(), nil
}

// List implements Store.
func (s *MemoryStore) List(ctx context.Context, q Query) (Listing, error) {
	if err := ctx.Err(); err != nil {
		return Listing{}, err
	}
	page := Listing{Keys: []Key{}}
	if q.Limit <= 0 {
		return page, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	end := len(s.ids)
	if q.Before != "" {
		end = sort.SearchStrings(s.ids, q.Before)
	}
	for _, id := range slices.Backward(s.ids[:end]) {
		r := s.byID[id]
		if !q.selects(r.Key) {
			continue
		}
		if len(page.Keys) == q.Limit {
			page.Next = page.Keys[q.Limit-1].ID
			break
		}
		page.Keys = append(page.Keys, r.Clone().Key)
	}
	return page, nil
}

// selects reports whether the query is after this key, but for Before and
// Limit.
func (q Query) selects(k Key) bool {
	switch {
	case q.Owner != "" && q.Owner != k.Owner,
		q.CreatedBy != "" && q.CreatedBy != k.CreatedBy,
		q.Type != "" && q.Type != k.Type,
		q.State != "" && q.State != k.State(q.Now):
		return false
	case q.Search == "" || q.Search == k.ID || q.Search == k.Hint:
		return true
	default:
		return strings.Contains(lowerASCII(k.Name), lowerASCII(q.Search))
	}
}

func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// Update implements Store.
func (s *MemoryStore) Update(ctx context.Context, r Record, e Event) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old, ok := s.byID[r.Key.ID]
	switch {
	case !ok:
		return ErrNotFound
	case old.Key.Version != r.Key.Version-1:
		return ErrConflict
	case s.hashTaken(r):
		return ErrExists
	}
	s.put(old, r.Clone(), e)
	return nil
}

// Rehash implements Store.
func (s *MemoryStore) Rehash(ctx context.Context, id string, old Hash, secret SecretHash) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	before, ok := s.byID[id]
	if !ok {
		return nil
	}
	i := slices.IndexFunc(before.Secrets, func(h SecretHash) bool { return h.Hash == old })
	if i < 0 {
		return nil
	}
	r := before.Clone()
	secret.Deadline = r.Secrets[i].Deadline
	r.Secrets[i] = secret
	if s.hashTaken(r) {
		return ErrExists
	}
	s.replace(before, r)
	return nil
}

// hashTaken reports whether a hash of r belongs to another key, or stands
// twice in r itself.
func (s *MemoryStore) hashTaken(r Record) bool {
	own := map[Hash]bool{}
	for _, secret := range r.Secrets {
		other := s.byHash.Load(secret.Hash)
		if own[secret.Hash] || (other != nil && other.Key.ID != r.Key.ID) {
			return true
		}
		own[secret.Hash] = true
	}
	return false
}

// put stores a record in the place of old, and tells of it.
func (s *MemoryStore) put(old *Record, r Record, e Event) {
	s.replace(old, r)
	s.activity.add(r.Key.ID, e)
	s.feed.add(Change{KeyID: r.Key.ID, Version: r.Key.Version})
}

// replace publishes r under its hashes before it takes the old ones away, so
// that a secret which both have is found at every moment.
func (s *MemoryStore) replace(old *Record, r Record) {
	s.byID[r.Key.ID] = &r
	kept := map[Hash]bool{}
	for _, secret := range r.Secrets {
		s.byHash.Store(secret.Hash, &r)
		kept[secret.Hash] = true
	}
	if old == nil {
		return
	}
	for _, secret := range old.Secrets {
		if !kept[secret.Hash] {
			s.byHash.Delete(secret.Hash)
		}
	}
}
