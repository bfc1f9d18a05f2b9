// Package cache keeps what was read from a store about secrets, keyed by their
// SHA-256, for a time that no reader ever sees exceeded.
//
// Finding an entry takes no lock and allocates nothing. Everything that is read
// from the store goes through Load, which shares reads, bounds them, and keeps
// what they find only if nothing was heard meanwhile that makes it out of date.
package cache

import (
	"errors"
	"hash/maphash"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/latchwork/latchwork/internal/clock"
	"github.com/latchwork/latchwork/internal/credential"
)

// Options are what a Cache is made with. All of them but Remember are needed.
type Options struct {
	// TTL is how old an entry may become, counted from the start of the read
	// that found it. Zero or less: nothing is kept, and no read is shared.
	TTL time.Duration

	// MissTTL is how long it is remembered that there is nothing under a
	// secret. No longer than TTL in any case.
	MissTTL time.Duration

	// Size is how many entries there are at most.
	Size int

	// Loads is how many reads may be under way.
	Loads int

	// Timeout is how long one may take.
	Timeout time.Duration

	// Remember is how long the store is not believed what is older than was
	// written here. Zero or less: twice the TTL. No longer than that in any
	// case, and as long as a read may take at least.
	Remember time.Duration

	// Start runs a function in the background and reports true, or reports
	// false without running it.
	Start func(func()) bool

	// Clock is by what entries age.
	Clock *clock.Clock

	// Log hears of panics.
	Log *slog.Logger
}

// What Load answers beside what a read does.
var (
	ErrBusy     = errors.New("too many reads are under way")
	ErrOutdated = errors.New("the store answers with an older version than was written here")
)

// A Cache holds entries of one kind. It is safe for concurrent use; make it
// with New.
type Cache[V any] struct {
	o     Options
	seed  maphash.Seed
	table atomic.Pointer[table[V]]
	none  atomic.Pointer[misses]

	// What happened so far.
	reads, busy, evictions atomic.Uint64

	mu        sync.Mutex
	flights   map[[32]byte]*flight[V]
	waited    int // flights that somebody waits for, from the beginning
	refreshes int // the others
	notes     notes
	emptied   uint64 // at which turn of notes everything was dropped
}

// New returns an empty Cache.
func New[V any](o Options) *Cache[V] {
	o.MissTTL = min(o.TTL, o.MissTTL)
	remember := 2 * o.TTL
	if o.Remember > 0 {
		remember = min(remember, o.Remember)
	}
	return &Cache[V]{
		o: o, seed: maphash.MakeSeed(), flights: map[[32]byte]*flight[V]{},
		notes: newNotes(max(remember, o.Timeout)), // a read that began before must have ended
	}
}

// Find returns the entry of a secret, or nil. Whether it is still good is for
// Judge to say.
func (c *Cache[V]) Find(secret string) *Entry[V] {
	t := c.table.Load()
	if t == nil {
		return nil
	}
	return t.find(maphash.String(c.seed, secret), secret)
}

// A Key stands for a secret where the secret itself is not to be kept.
type Key struct {
	hash uint64
	sum  [32]byte
}

// Key returns the key of a secret.
func (c *Cache[V]) Key(secret string) Key {
	return Key{hash: maphash.String(c.seed, secret), sum: credential.Sum(secret)}
}

// Now returns the monotonic time.
func (c *Cache[V]) Now() time.Duration { return c.o.Clock.Age() }

// A Verdict says what an entry is good for.
type Verdict int

// The verdicts.
const (
	Old   Verdict = iota // not to be used any more
	Fresh                // good
	Due                  // good, and it is for this caller alone to call Refresh
)

// Judge says what an entry is good for at a monotonic time.
func (c *Cache[V]) Judge(e *Entry[V], now time.Duration) Verdict {
	due := e.refresh.Load()
	if now < time.Duration(due) {
		return Fresh
	}
	end := e.loaded + c.o.TTL
	if now >= end {
		return Old
	}
	// If nothing comes of it, somebody else may try in a while.
	if e.refresh.CompareAndSwap(due, int64(min(end, now+c.o.TTL/16))) {
		return Due
	}
	return Fresh
}

// Missed reports whether it is known that there is nothing under a key.
func (c *Cache[V]) Missed(key Key) bool {
	n := c.none.Load()
	return n != nil && n.has(key.sum, c.Now()-c.o.MissTTL)
}

// Wrote notes that what has this id was written here, with this version, or is
// known to have it: nothing older is used or accepted any more.
func (c *Cache[V]) Wrote(id string, version int64) { c.note(id, version, true) }

// Written returns the greatest version that Wrote noted lately, as long as it is
// remembered, or zero. What a Read finds may have more than the one ID of its
// Entry: about the rest it asks here.
func (c *Cache[V]) Written(id string) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.notes.at(id, c.Now()).written
}

// Heard notes that somebody says so: nothing older is used any more, and reads
// that began before are not accepted.
func (c *Cache[V]) Heard(id string, version int64) { c.note(id, version, false) }

// Doubt notes that what has this id may have been changed here: what was read
// so far is not used any more.
func (c *Cache[V]) Doubt(id string) { c.note(id, anyVersion, false) }

func (c *Cache[V]) note(id string, version int64, written bool) {
	if c.o.TTL <= 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if written || len(c.flights) > 0 {
		c.notes.add(id, version, written, c.Now())
	}
	if t := c.table.Load(); t != nil {
		t.invalidate(id, version)
	}
}

// Appeared notes that from now on something may be under the secret with this
// SHA-256.
func (c *Cache[V]) Appeared(sum [32]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.none.Load(); n != nil {
		n.remove(sum)
	}
	if f := c.flights[sum]; f != nil {
		f.appeared = true
	}
}

// Drop empties the cache, and lets nothing into it that was read before.
func (c *Cache[V]) Drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.emptied = c.notes.next()
	c.table.Store(nil)
	c.none.Store(nil)
}

// Stats say what happened in a Cache.
type Stats struct {
	Reads, Busy, Evictions uint64
	Entries                int
}

// Stats returns what happened so far.
func (c *Cache[V]) Stats() Stats {
	s := Stats{Reads: c.reads.Load(), Busy: c.busy.Load(), Evictions: c.evictions.Load()}
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.table.Load(); t != nil {
		s.Entries = t.count
	}
	return s
}
