package throttle_test

import (
	"fmt"
	"math"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/internal/throttle"
)

func TestBurstThenOneForEachInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := throttle.NewLimiter(throttle.Limit{Burst: 3, Every: 10 * time.Second}, 100)
		for range 3 {
			require.Zero(t, l.Wait(1))
			require.Zero(t, l.Take(1))
		}
		require.Equal(t, 10*time.Second, l.Take(1))
		time.Sleep(4 * time.Second)
		require.Equal(t, 6*time.Second, l.Take(1), "what was refused does not count")
		require.Equal(t, 6*time.Second, l.Wait(1))
		require.Zero(t, l.Take(2), "another key")

		time.Sleep(6*time.Second - time.Nanosecond)
		require.Equal(t, time.Nanosecond, l.Take(1))
		time.Sleep(time.Nanosecond)
		require.Zero(t, l.Take(1), "waiting exactly that long is enough")
		require.Equal(t, 10*time.Second, l.Take(1))

		time.Sleep(time.Hour)
		for range 3 {
			require.Zero(t, l.Take(1))
		}
		require.Equal(t, 10*time.Second, l.Take(1), "never more than the burst")
	})
}

func TestReturnAndClear(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := throttle.NewLimiter(throttle.Limit{Burst: 2, Every: time.Second}, 100)
		l.Return(1)
		l.Clear(1)
		require.Zero(t, l.Take(1))
		l.Return(1)
		l.Return(1)
		require.Zero(t, l.Take(1))
		require.Zero(t, l.Take(1))
		require.Equal(t, time.Second, l.Take(1), "nobody can pay in advance")
		l.Return(1)
		require.Zero(t, l.Take(1))
		require.Equal(t, time.Second, l.Wait(1))
		l.Clear(1)
		require.Zero(t, l.Take(1))
		require.Zero(t, l.Take(1))
		require.Equal(t, time.Second, l.Wait(1))
	})
}

func TestLimits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		limit throttle.Limit
		valid bool
	}{
		{throttle.Limit{Burst: 1, Every: time.Microsecond}, true},
		{throttle.Limit{Burst: 1_000_000, Every: time.Second}, true},
		{throttle.Limit{Burst: 100, Every: 30 * 24 * time.Hour}, true},
		{throttle.Limit{}, false},
		{throttle.Limit{Burst: -1, Every: time.Second}, false},
		{throttle.Limit{Burst: 1_000_001, Every: time.Second}, false},
		{throttle.Limit{Burst: 1, Every: -time.Second}, false},
		{throttle.Limit{Burst: 1, Every: time.Microsecond - 1}, false},
		{throttle.Limit{Burst: 1, Every: math.MaxInt64}, false},
		{throttle.Limit{Burst: 1_000_000, Every: time.Hour}, false},
	} {
		require.Equal(t, c.valid, c.limit.Validate() == nil, "%+v", c.limit)
		if c.valid {
			l := throttle.NewLimiter(c.limit, 0)
			require.Zero(t, l.Take(0))
			require.GreaterOrEqual(t, l.Wait(0), time.Duration(0))
		} else {
			require.Panics(t, func() { throttle.NewLimiter(c.limit, 1) })
		}
	}
}

// However many try at once, and whatever comes and goes beside them, a key that
// stays in the table gets its burst and nothing more.
func TestTogether(t *testing.T) {
	t.Parallel()
	const burst, workers = 64, 8
	l := throttle.NewLimiter(throttle.Limit{Burst: burst, Every: time.Hour}, 7*64)
	h := throttle.NewHasher()
	for round := range 50 {
		k := h.Text(fmt.Sprint("under attack", round))
		for range burst / 2 { // more than what is sprayed
			require.Zero(t, l.Take(k))
		}
		var taken atomic.Int64
		var done sync.WaitGroup
		for worker := range workers {
			done.Go(func() {
				for i := range 100 {
					if l.Take(k) == 0 {
						taken.Add(1)
					}
					l.Take(h.Text(fmt.Sprint("spray", round, worker, i)))
					l.Return(h.Text(fmt.Sprint("spray", round, worker, i-1)))
				}
			})
		}
		done.Wait()
		require.Equal(t, int64(burst/2), taken.Load())
		require.Positive(t, l.Wait(k))
		l.Clear(k)
	}
}

// However hard they try, not one counts in vain.
func TestCountingTogether(t *testing.T) {
	t.Parallel()
	const burst, workers = 1_000_000, 4
	l := throttle.NewLimiter(throttle.Limit{Burst: burst, Every: 5 * time.Minute}, 7)
	require.Equal(t, burst, takenBy(workers, func(yield func()) {
		for range burst/2 + 1 {
			if l.Take(1) == 0 {
				yield()
			}
		}
	}))
}

// Of those that come with a new key at once, one brings it in.
func TestNewKeysTogether(t *testing.T) {
	t.Parallel()
	const buckets, ways, workers = 8192, 7, 4
	l := throttle.NewLimiter(throttle.Limit{Burst: 1, Every: time.Hour}, buckets*ways)
	require.Equal(t, buckets*ways, takenBy(workers, func(yield func()) {
		for way := range throttle.Key(ways) {
			for bucket := range throttle.Key(buckets) {
				if l.Take(bucket<<51|way) == 0 {
					yield()
				}
			}
		}
	}))
}

// takenBy runs work several times at once and adds up what it yields.
func takenBy(workers int, work func(yield func())) int {
	var taken atomic.Int64
	var ready, done sync.WaitGroup
	ready.Add(workers)
	for range workers {
		done.Go(func() {
			ready.Done()
			ready.Wait()
			mine := 0
			work(func() { mine++ })
			taken.Add(int64(mine))
		})
	}
	done.Wait()
	return int(taken.Load())
}

// A success gives back what it took, however many there are at once.
func TestReturnTogether(t *testing.T) {
	t.Parallel()
	l := throttle.NewLimiter(throttle.Limit{Burst: 5, Every: 24 * time.Hour}, 100)
	require.Zero(t, l.Take(1))
	var done sync.WaitGroup
	for range 4 {
		done.Go(func() {
			for range 1000 {
				if l.Take(1) != 0 {
					t.Error("four at once have room beside one")
					return
				}
				l.Return(1)
			}
		})
	}
	done.Wait()
	for range 4 {
		require.Zero(t, l.Take(1))
	}
	require.Positive(t, l.Take(1))
}

func TestRecent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := throttle.NewRecent(time.Minute, 7)
		require.False(t, r.Has(1))
		require.False(t, r.Remove(1))
		r.Add(1)
		require.True(t, r.Has(1))
		time.Sleep(time.Minute - time.Nanosecond)
		require.True(t, r.Has(1))
		r.Add(1)
		time.Sleep(time.Minute - time.Nanosecond)
		require.True(t, r.Has(1), "once more is longer")
		time.Sleep(time.Nanosecond)
		require.False(t, r.Has(1))
		require.False(t, r.Remove(1))
		r.Add(1)
		require.True(t, r.Remove(1))
		require.False(t, r.Remove(1), "only once")
		require.False(t, r.Has(1))

		for k := range throttle.Key(8) {
			time.Sleep(time.Nanosecond)
			r.Add(10 + k)
		}
		require.False(t, r.Has(10), "the oldest makes room")
		for k := range throttle.Key(7) {
			require.True(t, r.Has(11+k))
		}
	})
}

func TestRemoveTogether(t *testing.T) {
	t.Parallel()
	r := throttle.NewRecent(time.Minute, 7)
	for range 1000 {
		r.Add(1)
		var removed atomic.Int64
		var done sync.WaitGroup
		for range 4 {
			done.Go(func() {
				if r.Remove(1) {
					removed.Add(1)
				}
			})
		}
		done.Wait()
		require.Equal(t, int64(1), removed.Load())
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	h := throttle.NewHasher()
	addr := func(text string) throttle.Key { return h.Addr(netip.MustParseAddr(text)) }
	require.Equal(t, addr("192.0.2.1"), addr("::ffff:192.0.2.1"))
	require.Equal(t, addr("2001:db8:0:1::"), addr("2001:db8:0:1:ffff:ffff:ffff:ffff"))
	require.Equal(t, addr("fe80::1%eth0"), addr("fe80::2"))
	different := []throttle.Key{
		h.Addr(netip.Addr{}), addr("192.0.2.1"), addr("192.0.2.2"), addr("0.0.0.0"), addr("::1"), addr("2001:db8:0:1::1"), addr("2001:db8:0:2::1"),
		h.Text(""), h.Text("ada"), h.Text("Ada"), h.Pair(1, 2), h.Pair(2, 1), throttle.NewHasher().Text("ada"),
	}
	for i, a := range different {
		for _, b := range different[:i] {
			require.NotEqual(t, a, b)
		}
	}
	require.NotEqual(t, h.Within(1<<40, 2), h.Within(1<<40, 3))
	require.NotEqual(t, h.Within(1<<40, 2), h.Within(2<<40, 2))
}

// A group that grows without end replaces its own and no more than the few that
// are in its bucket by chance.
func TestWithin(t *testing.T) {
	t.Parallel()
	h := throttle.NewHasher()
	r := throttle.NewRecent(time.Hour, 7*1024)
	for group := range 500 {
		k := h.Text(fmt.Sprint(group))
		r.Add(h.Within(k, k))
	}
	greedy := h.Text("greedy")
	for i := range 100_000 {
		r.Add(h.Within(greedy, throttle.Key(i)))
	}
	lost := 0
	for group := range 500 {
		k := h.Text(fmt.Sprint(group))
		if !r.Has(h.Within(k, k)) {
			lost++
		}
	}
	require.LessOrEqual(t, lost, 7)
}

func TestNothingIsAllocated(t *testing.T) {
	h := throttle.NewHasher()
	l := throttle.NewLimiter(throttle.Limit{Burst: 5, Every: time.Minute}, 7000)
	r := throttle.NewRecent(time.Hour, 7000)
	addr, i := netip.MustParseAddr("2001:db8::1"), throttle.Key(0)
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		i++
		k := h.Pair(h.Text("ada@example.com"), h.Addr(addr)+i)
		l.Wait(k)
		l.Take(k)
		l.Take(k)
		l.Return(k)
		l.Clear(k)
		r.Add(k)
		r.Has(k)
		r.Remove(k)
	}))
}
