package apikeytest_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/apikey/apikeytest"
)

// An overlay is a MemoryStore with some of its methods replaced. The state that
// a replacement needs lives in its closure, so every backend has its own.
type overlay struct {
	*apikey.MemoryStore

	create func(context.Context, apikey.Record, apikey.Event) error
	find   func(context.Context, []apikey.Hash) (apikey.Record, error)
	get    func(context.Context, string) (apikey.Record, error)
	list   func(context.Context, apikey.Query) ([]apikey.Key, error)
	update func(context.Context, apikey.Record, apikey.Event) error
	rehash func(context.Context, string, apikey.Hash, apikey.SecretHash) error
	events func(context.Context, string, apikey.Page) ([]apikey.Event, error)

	// next is the Next of a page with these keys.
	next func(apikey.Query, []apikey.Key) string

	record   func(context.Context, []apikey.Use) error
	lastUsed func(context.Context, []string) ([]apikey.LastUse, error)
	usage    func(context.Context, string, time.Time) ([]apikey.Day, error)
	purge    func(context.Context, time.Time, int) (int, error)
	changes  func(context.Context, apikey.Cursor) ([]apikey.Change, apikey.Cursor, error)
}

func newOverlay() *overlay {
	mem := apikey.NewMemoryStore()
	o := &overlay{
		MemoryStore: mem,
		create:      mem.Create, find: mem.Find, get: mem.Get, next: nextPage,
		update: mem.Update, rehash: mem.Rehash, events: mem.Events,
		record: mem.Record, lastUsed: mem.LastUsed, usage: mem.Usage, purge: mem.Purge, changes: mem.Changes,
	}
	o.list = o.keys
	return o
}

// keys is the List of the MemoryStore, without what comes next.
func (o *overlay) keys(ctx context.Context, q apikey.Query) ([]apikey.Key, error) {
	page, err := o.MemoryStore.List(ctx, q)
	return page.Keys, err
}

// nextPage says that a full page is not the last, without knowing.
func nextPage(q apikey.Query, keys []apikey.Key) string {
	if len(keys) == 0 || len(keys) < q.Limit {
		return ""
	}
	return keys[len(keys)-1].ID
}

func (o *overlay) Create(ctx context.Context, r apikey.Record, e apikey.Event) error {
	return o.create(ctx, r, e)
}

func (o *overlay) Find(ctx context.Context, hashes []apikey.Hash) (apikey.Record, error) {
	return o.find(ctx, hashes)
}

func (o *overlay) Get(ctx context.Context, id string) (apikey.Record, error) { return o.get(ctx, id) }

func (o *overlay) List(ctx context.Context, q apikey.Query) (apikey.Listing, error) {
	keys, err := o.list(ctx, q)
	if err != nil {
		return apikey.Listing{}, err
	}
	return apikey.Listing{Keys: keys, Next: o.next(q, keys)}, nil
}

func (o *overlay) Update(ctx context.Context, r apikey.Record, e apikey.Event) error {
	return o.update(ctx, r, e)
}

func (o *overlay) Rehash(ctx context.Context, id string, old apikey.Hash, secret apikey.SecretHash) error {
	return o.rehash(ctx, id, old, secret)
}

func (o *overlay) Events(ctx context.Context, id string, page apikey.Page) ([]apikey.Event, error) {
	return o.events(ctx, id, page)
}

func (o *overlay) Record(ctx context.Context, uses []apikey.Use) error { return o.record(ctx, uses) }

func (o *overlay) LastUsed(ctx context.Context, ids []string) ([]apikey.LastUse, error) {
	return o.lastUsed(ctx, ids)
}

func (o *overlay) Usage(ctx context.Context, id string, since time.Time) ([]apikey.Day, error) {
	return o.usage(ctx, id, since)
}

func (o *overlay) Purge(ctx context.Context, before time.Time, limit int) (int, error) {
	return o.purge(ctx, before, limit)
}

func (o *overlay) Changes(ctx context.Context, after apikey.Cursor) ([]apikey.Change, apikey.Cursor, error) {
	return o.changes(ctx, after)
}

func (o *overlay) backend() apikeytest.Backend {
	return apikeytest.Backend{Store: o, Activity: o, Feed: o}
}

// read passes every record and key that is read through change.
func (o *overlay) read(change func(*apikey.Record)) {
	o.find = func(ctx context.Context, hashes []apikey.Hash) (apikey.Record, error) {
		r, err := o.MemoryStore.Find(ctx, hashes)
		if err == nil {
			change(&r)
		}
		return r, err
	}
	o.get = func(ctx context.Context, id string) (apikey.Record, error) {
		r, err := o.MemoryStore.Get(ctx, id)
		if err == nil {
			change(&r)
		}
		return r, err
	}
	o.list = func(ctx context.Context, q apikey.Query) ([]apikey.Key, error) {
		keys, err := o.keys(ctx, q)
		for i := range keys {
			r := apikey.Record{Key: keys[i]}
			change(&r)
			keys[i] = r.Key
		}
		return keys, err
	}
}

// write passes every record that is written through change.
func (o *overlay) write(change func(*apikey.Record)) {
	o.create = func(ctx context.Context, r apikey.Record, e apikey.Event) error {
		r = r.Clone()
		change(&r)
		return o.MemoryStore.Create(ctx, r, e)
	}
	o.update = func(ctx context.Context, r apikey.Record, e apikey.Event) error {
		r = r.Clone()
		change(&r)
		return o.MemoryStore.Update(ctx, r, e)
	}
}

// times passes every time of what is written through change.
func (o *overlay) times(change func(time.Time) time.Time) {
	o.write(func(r *apikey.Record) {
		k := &r.Key
		for _, at := range []*time.Time{&k.CreatedAt, &k.UpdatedAt, &k.ExpiresAt, &k.RevokedAt} {
			*at = change(*at)
		}
		for i := range r.Secrets {
			r.Secrets[i].Deadline = change(r.Secrets[i].Deadline)
		}
	})
}

// force stores a record whatever its version.
func (o *overlay) force(ctx context.Context, r apikey.Record, e apikey.Event) error {
	for {
		now, err := o.MemoryStore.Get(ctx, r.Key.ID)
		if err != nil {
			return err
		}
		r.Key.Version = now.Key.Version + 1
		if err := o.MemoryStore.Update(ctx, r, e); !errors.Is(err, apikey.ErrConflict) {
			return err
		}
	}
}

// all returns the keys that match q without regard to page and order.
func (o *overlay) all(ctx context.Context, q apikey.Query) ([]apikey.Key, error) {
	q.Limit, q.Before = 1<<20, ""
	return o.keys(ctx, q)
}

// selecting replaces List by one that goes through all keys that match what is
// left of a query, and keeps those that pass.
func (o *overlay) selecting(relax func(*apikey.Query), pass func(apikey.Query, apikey.Key) bool) {
	o.list = func(ctx context.Context, q apikey.Query) ([]apikey.Key, error) {
		wider := q
		relax(&wider)
		keys, err := o.all(ctx, wider)
		keys = slices.DeleteFunc(keys, func(k apikey.Key) bool {
			return !pass(q, k) || (q.Before != "" && k.ID >= q.Before)
		})
		return keys[:min(q.Limit, len(keys))], err
	}
}

// A shelf is a map that many may use.
type shelf[K comparable, V any] struct {
	mu sync.Mutex
	m  map[K]V
}

func (s *shelf[K, V]) put(k K, v V) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m == nil {
		s.m = map[K]V{}
	}
	s.m[k] = v
}

func (s *shelf[K, V]) take(k K) (V, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.m[k]
	return v, ok
}

// keepsGiven makes a store that reads back the very values that it was given.
func keepsGiven(o *overlay, atCreate bool) {
	var given shelf[string, apikey.Record]
	o.create = func(ctx context.Context, r apikey.Record, e apikey.Event) error {
		err := o.MemoryStore.Create(ctx, r, e)
		if err == nil && atCreate {
			given.put(r.Key.ID, r)
		}
		return err
	}
	o.update = func(ctx context.Context, r apikey.Record, e apikey.Event) error {
		err := o.MemoryStore.Update(ctx, r, e)
		if err == nil && atCreate {
			given.put(r.Key.ID, r.Clone())
		} else if err == nil {
			given.put(r.Key.ID, r)
		}
		return err
	}
	o.read(func(r *apikey.Record) {
		if kept, ok := given.take(r.Key.ID); ok {
			kept = kept.Clone()
			if !slices.Equal(kept.Secrets, r.Secrets) || r.Secrets == nil {
				*r = kept
			}
		}
	})
}
