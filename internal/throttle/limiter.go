package throttle

import (
	"fmt"
	"sync/atomic"
	"time"
)

// A Limit is how often something may happen.
type Limit struct {
	Burst int           // so many times at once
	Every time.Duration // and then once in this time
}

// Validate says what is wrong with a Limit.
func (l Limit) Validate() error {
	const most, longest = 1_000_000, 30 * 24 * time.Hour
	if l.Burst < 1 || l.Burst > most {
		return fmt.Errorf("burst %d: want 1 to %d", l.Burst, most)
	}
	if l.Every < time.Microsecond || l.Every > longest || time.Duration(l.Burst) > 10*365*24*time.Hour/l.Every {
		return fmt.Errorf("burst %d, one every %v: want 1µs to %v, and ten years together at most", l.Burst, l.Every, longest)
	}
	return nil
}

// A Limiter counts per Key. It is safe for concurrent use. Make it with
// NewLimiter.
type Limiter struct {
	table

	every, tolerance int64
}

// NewLimiter returns a Limiter that keeps at least this many keys. It panics if
// the Limit is not valid.
func NewLimiter(limit Limit, entries int) *Limiter {
	if err := limit.Validate(); err != nil {
		panic("throttle: " + err.Error())
	}
	every := int64(limit.Every)
	return &Limiter{newTable(entries), every, every * int64(limit.Burst)}
}

// Take counts the key once and returns 0, or it counts nothing and returns how
// long to wait until it would count: never more than one interval.
func (l *Limiter) Take(k Key) time.Duration { return l.take(k, l.now()) }

func (l *Limiter) take(k Key, now int64) time.Duration {
	b := l.bucket(k)
	b.seen.Store(now)
	until := b.find(k)
	if until == nil {
		if until = l.enter(b, k, now); until == nil {
			return 0
		}
	}
	for {
		before := until.Load()
		if wait := l.wait(before, now); wait > 0 {
			return wait
		}
		if until.CompareAndSwap(before, max(before, now)+l.every) {
			return 0
		}
	}
}

// enter brings in a key that was counted once, or returns its instant if somebody
// else was faster.
func (l *Limiter) enter(b *bucket, k Key, now int64) *atomic.Int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if until := b.find(k); until != nil {
		return until
	}
	b.add(k, now+l.every)
	return nil
}

// wait is how long a key that is forgotten at some instant has to wait.
func (l *Limiter) wait(until, now int64) time.Duration {
	return time.Duration(max(0, max(until, now)+l.every-l.tolerance-now))
}

// Wait returns what Take would return, and counts nothing. It looks at the clock
// only for a key that had to wait when something was counted last.
func (l *Limiter) Wait(k Key) time.Duration {
	b := l.bucket(k)
	until := b.find(k)
	if until == nil {
		return 0
	}
	at := until.Load()
	if l.wait(at, b.seen.Load()) == 0 {
		return 0
	}
	return l.wait(at, l.now())
}

// Return takes back what one Take counted.
func (l *Limiter) Return(k Key) {
	b := l.bucket(k)
	b.mu.Lock()
	defer b.mu.Unlock()
	if until := b.find(k); until != nil {
		until.Add(-l.every)
	}
}

// Clear forgets what was counted.
func (l *Limiter) Clear(k Key) {
	b := l.bucket(k)
	b.mu.Lock()
	defer b.mu.Unlock()
	if until := b.find(k); until != nil {
		until.Store(0)
	}
}
