package cache

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// That somebody has set the wall clock is seen in a moment, whether forward or
// back.
func TestWall(t *testing.T) {
	for _, set := range []time.Duration{0, time.Hour, -time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			base := time.Now()
			w := newWall(base)
			since := func() time.Duration { return w.since(time.Since(base)) }
			require.Zero(t, since())
			time.Sleep(lookEvery)
			require.Equal(t, lookEvery, since())

			w.start = w.start.Add(-set) // as if it had been set since
			time.Sleep(lookEvery - 1)
			require.Equal(t, 2*lookEvery-1, since(), "no second look yet")
			time.Sleep(time.Nanosecond)
			require.Equal(t, 2*lookEvery+set, since())
			time.Sleep(time.Hour)
			require.Equal(t, 2*lookEvery+set+time.Hour, since())
		})
	}
}
