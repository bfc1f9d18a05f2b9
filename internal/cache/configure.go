package cache

import (
	"cmp"
	"fmt"
	"time"
)

// Timeout is how long a read that requests wait for may take.
const Timeout = 2 * time.Second

const (
	defaultSize  = 100_000
	defaultLoads = 64
	maxSize      = 100_000_000
	maxTTL       = 24 * time.Hour
	missTTL      = time.Second
)

// Configure returns the Options that follow from what a host says, without
// those that only the owner of the Cache can know: Start, Clock and Log. A zero
// size or number of loads is the default. The faults are everything that is wrong.
func Configure(ttl time.Duration, size, loads int) (o Options, faults []error) {
	if ttl > maxTTL {
		faults = append(faults, fmt.Errorf("cache TTL %v: at most %v", ttl, maxTTL))
	}
	if size < 0 || size > maxSize {
		faults = append(faults, fmt.Errorf("cache size %d: want 1 to %d, or 0 for %d", size, maxSize, defaultSize))
	}
	if loads < 0 {
		faults = append(faults, fmt.Errorf("%d loads at most: want 1 or more, or 0 for %d", loads, defaultLoads))
	}
	return Options{
		TTL: ttl, MissTTL: missTTL, Size: cmp.Or(size, defaultSize), Loads: cmp.Or(loads, defaultLoads), Timeout: Timeout,
	}, faults
}
