package throttle

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The clock of the process never goes back, but should it, nothing is refilled,
// nobody panics, and when it is where it was, all is as before.
func TestClockThatJumps(t *testing.T) {
	t.Parallel()
	const every = int64(30 * time.Second)
	hour := int64(time.Hour)
	l := NewLimiter(Limit{2, 30 * time.Second}, 100)
	require.Zero(t, l.take(1, hour))
	require.Zero(t, l.take(1, hour))
	for _, now := range []int64{hour, hour - 1, hour / 2, 1, 0, -hour, hour} {
		require.Equal(t, time.Duration(hour+every-now), l.take(1, now))
	}
	require.Zero(t, l.take(1, hour+every))
	require.Positive(t, l.take(1, hour+every))

	for range 2 { // a jump ahead is as good as waiting, and no better
		require.Zero(t, l.take(1, 1000*hour))
	}
	require.Positive(t, l.take(1, 1000*hour))
	require.NotPanics(t, func() {
		for _, now := range []int64{math.MinInt64 / 2, math.MaxInt64 / 2} {
			for range 3 {
				l.take(2, now)
			}
		}
	})
}

func TestSizes(t *testing.T) {
	t.Parallel()
	for entries, buckets := range map[int]int{-1: 1, 0: 1, 1: 1, 7: 1, 8: 2, 14: 2, 15: 4, 57344: 8192, 57345: 16384} {
		r := NewRecent(time.Hour, entries)
		require.Len(t, r.buckets, buckets)
		r.Add(0)
		r.Add(math.MaxUint64)
		require.True(t, r.Has(0))
		require.True(t, r.Has(math.MaxUint64))
	}
}
