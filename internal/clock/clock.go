// Package clock tells requests the time from a single look at a clock.
package clock

import (
	"sync/atomic"
	"time"
)

// lookEvery is how often the wall clock is looked at.
const lookEvery = 10 * time.Millisecond

// A Clock has two times: the monotonic one, by which things age, and the one that
// says when something ends, which is the owner's or else the wall clock's. The
// latter is told from a reading of the former: how far they are apart changes
// only when the wall clock is set, and that is seen within 10 ms. Both are
// durations since the Clock's base. It is safe for concurrent use; make it with
// New.
type Clock struct {
	base  time.Time
	start time.Time        // base by the wall clock alone
	unix  int64            // the same in nanoseconds since 1970
	now   func() time.Time // nil: the wall clock

	looked atomic.Int64 // when the wall clock was looked at, by monotonic time
	ahead  atomic.Int64 // by how much it had been set since base
}

// New returns a Clock with a base that time.Now returned, or near that. A nil now
// is the wall clock.
func New(base time.Time, now func() time.Time) *Clock {
	c := &Clock{base: base, start: base.Round(0), unix: base.UnixNano(), now: now}
	c.look()
	return c
}

// Age returns the monotonic time.
func (c *Clock) Age() time.Duration { return time.Since(c.base) }

// Instant returns the present by both times.
func (c *Clock) Instant() (age, since time.Duration) {
	age = c.Age()
	if c.now != nil {
		return age, c.Since(c.now())
	}
	return age, c.wall(age)
}

// Since returns the time by which something ends as Instant does. What is too far
// away for that is as far away as possible.
func (c *Clock) Since(t time.Time) time.Duration { return t.Round(0).Sub(c.start) }

// Unix returns the nanoseconds since 1970 when the monotonic time was age, or of
// the present, if the clock is the owner's, which knows no other.
func (c *Clock) Unix(age time.Duration) int64 {
	if c.now != nil {
		return c.now().UnixNano()
	}
	return c.unix + int64(c.wall(age))
}

// wall returns the wall clock's time when the monotonic one was age.
func (c *Clock) wall(age time.Duration) time.Duration {
	if int64(age) >= c.looked.Load()+int64(lookEvery) {
		c.look()
	}
	return age + time.Duration(c.ahead.Load())
}

// look looks at both clocks.
func (c *Clock) look() {
	now := time.Now()
	age := now.Sub(c.base)
	c.ahead.Store(int64(now.Round(0).Sub(c.start) - age))
	c.looked.Store(int64(age))
}
