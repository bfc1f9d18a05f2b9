package apikeytest

import (
	"sync"
	"time"
)

// A Clock tells the time that a test gives it. Its Now goes into
// [apikey.Config]. It is safe for concurrent use. The zero Clock stands at the
// beginning of the year 2026, UTC, until it is advanced.
type Clock struct {
	mu   sync.Mutex
	gone time.Duration
}

// Now returns the time of the clock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC).Add(c.gone)
}

// Advance moves the clock on by d, or back if d is negative.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone += d
}
