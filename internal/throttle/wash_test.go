package throttle_test

import (
	"encoding/binary"
	"flag"
	"net/netip"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/internal/throttle"
)

// How many addresses spray. The long run of CI takes ten million.
var addresses = flag.Int("addresses", 100_000, "how many `addresses` spray")

func address(i int) netip.Addr {
	var a [16]byte
	a[0] = 0x20
	binary.BigEndian.PutUint32(a[4:], uint32(i))
	return netip.AddrFrom16(a)
}

// All of them are counted, most are forgotten, and nothing grows.
func TestMemoryIsFixed(t *testing.T) {
	h := throttle.NewHasher()
	l := throttle.NewLimiter(throttle.Limit{Burst: 5, Every: time.Minute}, 7168)
	used := func() uint64 {
		var stats runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	before := used()
	for i := range *addresses {
		if l.Take(h.Addr(address(i))) != 0 {
			require.Fail(t, "a new address has to wait")
		}
	}
	after := used()
	require.Less(t, int64(after)-int64(before), int64(16<<10), "of a table of 128 KiB")
	runtime.KeepAlive(l)
}

// What is sprayed replaces what was sprayed: nobody who is under attack is
// forgotten because of it, and waits as long as without.
func TestSprayingDoesNotWashOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const attacked, burst = 60, 5
		h := throttle.NewHasher()
		limit := throttle.Limit{Burst: burst, Every: 30 * time.Second}
		l := throttle.NewLimiter(limit, 7168)
		for i := range attacked {
			for range burst {
				require.Zero(t, l.Take(h.Addr(address(-1-i))))
			}
		}
		for i := range *addresses {
			l.Take(h.Addr(address(i)))
			if i%1000 == 0 {
				time.Sleep(time.Millisecond)
			}
			if i == *addresses/2 { // after ten seconds, with less left
				time.Sleep(10 * time.Second)
			}
		}
		for i := range attacked {
			k := h.Addr(address(-1 - i))
			require.Positive(t, l.Wait(k))
			require.LessOrEqual(t, l.Wait(k), 20*time.Second)
			require.Equal(t, l.Wait(k), l.Take(k))
		}
	})
}

// Up to as many new keys within an interval as half the table has entries, next
// to nothing is forgotten; up to a fifth, nothing at all.
func TestHowMuchIsForgotten(t *testing.T) {
	t.Parallel()
	const entries = 7 << 12
	for _, c := range []struct {
		load, lost float64
	}{{0.2, 0.002}, {0.5, 0.03}, {1, 0.2}} {
		h := throttle.NewHasher()
		l := throttle.NewLimiter(throttle.Limit{Burst: 1, Every: time.Hour}, entries)
		n := int(c.load * entries)
		for i := range n {
			l.Take(h.Addr(address(i)))
		}
		lost := 0
		for i := range n {
			if l.Wait(h.Addr(address(i))) == 0 {
				lost++
			}
		}
		t.Logf("%.0f %% of the table: %.3f %% forgotten", 100*c.load, 100*float64(lost)/float64(n))
		require.LessOrEqual(t, float64(lost)/float64(n), c.lost)
	}
}
