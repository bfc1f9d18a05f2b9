package clock

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// That somebody has set the wall clock is seen in a moment, whether forward or
// back.
func TestWallClock(t *testing.T) {
	for _, set := range []time.Duration{0, time.Hour, -time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			c := New(time.Now().Add(-time.Minute), nil)
			want := func(age, since time.Duration) {
				t.Helper()
				gotAge, gotSince := c.Instant()
				require.Equal(t, age, gotAge)
				require.Equal(t, since, gotSince)
				require.Equal(t, c.start.Add(since).UnixNano(), c.unix+int64(since))
				require.Equal(t, c.unix+int64(since), c.Unix(age))
				require.Equal(t, age, c.Age())
			}
			want(time.Minute, time.Minute)
			time.Sleep(lookEvery)
			want(time.Minute+lookEvery, time.Minute+lookEvery)
			require.Equal(t, time.Minute+lookEvery, c.Since(time.Now()))

			c.start = c.start.Add(-set) // as if it had been set since
			c.unix -= int64(set)
			time.Sleep(lookEvery - 1)
			want(time.Minute+2*lookEvery-1, time.Minute+2*lookEvery-1) // no second look yet
			time.Sleep(time.Nanosecond)
			want(time.Minute+2*lookEvery, time.Minute+2*lookEvery+set)
			time.Sleep(time.Hour)
			want(time.Minute+2*lookEvery+time.Hour, time.Minute+2*lookEvery+set+time.Hour)
			require.Equal(t, time.Now().UnixNano(), c.Unix(c.Age()))
		})
	}
}

func TestOwnClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := time.Now()
		now := base.AddDate(5, 0, 0)
		c := New(base, func() time.Time { return now })
		time.Sleep(time.Second)
		age, since := c.Instant()
		require.Equal(t, time.Second, age)
		require.Equal(t, now.Sub(base), since)
		require.Equal(t, now.UnixNano(), c.Unix(0))

		const farthest = time.Duration(1<<63 - 1)
		now = base.AddDate(5000, 0, 0)
		_, since = c.Instant()
		require.Equal(t, farthest, since)
		require.Equal(t, -farthest-1, c.Since(time.Time{}))
	})
}
