package cache

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

// A Read asks the store what is under one key, and returns an Entry with ID,
// Version and Value. Nil without an error: nothing.
type Read[V any] func(ctx context.Context) (*Entry[V], error)

// A flight is one read that is under way, and whoever waits for it.
type flight[V any] struct {
	landed chan struct{}   // closed when all the rest is there to be read
	ended  <-chan struct{} // closed when its time is over
	cancel context.CancelFunc
	entry  *Entry[V]
	err    error
	began  time.Duration

	key   Key
	seats *int // as one of which it counts until it has landed

	// Under the lock of the Cache.
	turn     uint64 // of notes, when the read began
	appeared bool   // since then
}

var errNoAnswer = errors.New("the read ended without an answer")

// Load returns what is under a key: an entry that is good, or nil without an
// error when there is nothing. It asks the store unless somebody is doing so
// already, and does not stop asking when ctx ends, because others may wait,
// too. Errors are those of the read, ErrBusy, ErrOutdated, and those of ctx.
func (c *Cache[V]) Load(ctx context.Context, key Key, read Read[V]) (*Entry[V], error) {
	if c.o.TTL <= 0 {
		return c.loadAlone(ctx, read)
	}
	arrived := c.Now()
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		f, known, err := c.board(ctx, key, read)
		if f == nil {
			return known, err
		}
		if err := f.wait(ctx); err != nil {
			return nil, err
		}
		// What was read for others is not for those to whom it is too old.
		if f.err != nil || f.began >= arrived || c.Now()-f.began < f.ttl(c.o) {
			return f.entry, f.err
		}
	}
}

// ttl is how long what was found may be used.
func (f *flight[V]) ttl(o Options) time.Duration {
	if f.entry == nil {
		return o.MissTTL
	}
	return o.TTL
}

func (f *flight[V]) wait(ctx context.Context) error {
	select {
	case <-f.landed:
		return nil
	case <-ctx.Done():
	case <-f.ended:
		// The store does not keep to its context, or has just made it.
		select {
		case <-f.landed:
			return nil
		case <-ctx.Done():
		default:
			return context.DeadlineExceeded
		}
	}
	return ctx.Err()
}

// board joins the flight of a key, or begins one. Without a flight, the
// answer is known already.
func (c *Cache[V]) board(ctx context.Context, key Key, read Read[V]) (*flight[V], *Entry[V], error) {
	c.mu.Lock()
	// Somebody may have landed since the caller looked.
	if t := c.table.Load(); t != nil {
		if e := t.peek(key); e != nil && c.Now() < e.loaded+c.o.TTL {
			c.mu.Unlock()
			return nil, e, nil
		}
	}
	if c.Missed(key) {
		c.mu.Unlock()
		return nil, nil, nil
	}
	if f := c.flights[key.sum]; f != nil && !f.overdue() {
		c.mu.Unlock()
		return f, nil, nil
	}
	if c.waited+c.refreshes >= c.o.Loads || c.waited >= c.o.Loads-c.o.Loads/8 {
		c.mu.Unlock()
		c.busy.Add(1)
		return nil, nil, ErrBusy
	}
	f, run := c.takeOff(context.WithoutCancel(ctx), key, read, &c.waited)
	started := c.o.Start(run)
	c.mu.Unlock()
	if !started {
		run()
	}
	return f, nil, nil
}

func (f *flight[V]) overdue() bool {
	select {
	case <-f.ended:
		return true
	default:
		return false
	}
}

// Refresh reads again in the background what is about to become too old,
// unless there is no room for that.
func (c *Cache[V]) Refresh(key Key, read Read[V]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flights[key.sum] != nil || c.waited+c.refreshes >= c.o.Loads || c.refreshes >= (c.o.Loads+1)/2 {
		return
	}
	f, run := c.takeOff(context.Background(), key, read, &c.refreshes)
	if !c.o.Start(run) {
		c.land(f)
	}
}

// takeOff registers a flight, which counts as one of seats until it has landed.
// It wants the lock; run does not.
func (c *Cache[V]) takeOff(ctx context.Context, key Key, read Read[V], seats *int) (f *flight[V], run func()) {
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeout) //nolint:gosec // land calls cancel
	f = &flight[V]{
		landed: make(chan struct{}), ended: ctx.Done(), cancel: cancel, err: errNoAnswer, key: key, seats: seats,
	}
	c.flights[key.sum] = f
	*seats++
	return f, func() {
		landed := false
		defer func() {
			if !landed { // the read has ended its goroutine
				c.mu.Lock()
				defer c.mu.Unlock()
				c.land(f)
			}
		}()
		for !landed {
			c.mu.Lock()
			f.turn, f.appeared, f.began = c.notes.turn, false, c.Now()
			c.mu.Unlock()
			e, err := c.ask(ctx, read)
			landed = c.settle(ctx, f, e, err)
		}
	}
}

// land ends a flight. It wants the lock.
func (c *Cache[V]) land(f *flight[V]) {
	*f.seats--
	if c.flights[f.key.sum] == f {
		delete(c.flights, f.key.sum)
	}
	close(f.landed)
	f.cancel()
}

// ask is one read. A panic is an error.
func (c *Cache[V]) ask(ctx context.Context, read Read[V]) (e *Entry[V], err error) {
	c.reads.Add(1)
	defer func() {
		if p := recover(); p != nil {
			c.o.Log.ErrorContext(ctx, "cache: panic in a read", "panic", p, "stack", string(debug.Stack()))
			e, err = nil, fmt.Errorf("panic in a read: %v", p)
		}
	}()
	return read(ctx)
}

// settle ends a flight with an answer, unless the store has to be asked again. It
// does both under one lock: whoever comes after the next change must not find the
// flight, which may have been told what was before.
func (c *Cache[V]) settle(ctx context.Context, f *flight[V], e *Entry[V], err error) (landed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.take(ctx, f, e, err) {
		return false
	}
	c.land(f)
	return true
}

// take takes an answer for what the flight found, and keeps it; or says that
// the store has to be asked again, because it answered before something was
// changed. It wants the lock.
func (c *Cache[V]) take(ctx context.Context, f *flight[V], e *Entry[V], err error) (again bool) {
	again = ctx.Err() == nil
	switch {
	case err != nil:
		f.err = err
		return false
	case ctx.Err() != nil:
		// Notes may have been forgotten meanwhile.
		f.err = ctx.Err()
		return false
	case f.turn < c.emptied:
		return again
	case e == nil:
		if f.appeared {
			return again
		}
		f.err = nil
		c.keepNone(f.key, f.began)
		return false
	}
	switch c.notes.judge(e.ID, e.Version, f.turn, c.Now()) {
	case outdated:
		return again
	case refused:
		f.err = ErrOutdated
		return false
	}
	c.date(e, f.key, f.began)
	f.err, f.entry = nil, c.keep(f.key, e)
	return false
}

// date says under which key an entry was found, and when. It is due between a
// half and three quarters of its time, entries of one moment at different ones.
func (c *Cache[V]) date(e *Entry[V], key Key, began time.Duration) {
	e.sum, e.loaded = key.sum, began
	e.refresh.Store(int64(began + c.o.TTL/2 + c.o.TTL/4*time.Duration(key.sum[31])/256))
}

// keep puts an entry into the table and returns it; or the one that is there, if
// that is good and newer.
func (c *Cache[V]) keep(key Key, e *Entry[V]) *Entry[V] {
	t := c.table.Load()
	if t == nil {
		t = newTable[V](c.o.Size, c.seed)
		c.table.Store(t)
	}
	oldest := c.Now() - c.o.TTL
	if old := t.peek(key); old != nil && old.ID == e.ID && old.Version > e.Version && old.loaded > oldest {
		return old
	}
	c.evictions.Add(uint64(t.put(key, e, oldest)))
	return e
}

// keepNone remembers that there is nothing.
func (c *Cache[V]) keepNone(key Key, began time.Duration) {
	if t := c.table.Load(); t != nil {
		t.hollow(key)
	}
	n := c.none.Load()
	if n == nil {
		n = new(misses)
		c.none.Store(n)
	}
	n.add(key.sum, began)
}

// loadAlone is Load without a cache: one read for one caller.
func (c *Cache[V]) loadAlone(ctx context.Context, read Read[V]) (*Entry[V], error) {
	c.mu.Lock()
	if c.waited >= c.o.Loads {
		c.mu.Unlock()
		c.busy.Add(1)
		return nil, ErrBusy
	}
	c.waited++
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		c.waited--
		c.mu.Unlock()
	}()
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	return c.ask(ctx, read)
}
