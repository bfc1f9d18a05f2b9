package ipfilter_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/ipfilter"
)

func TestContainsDoesNotAllocate(t *testing.T) {
	crowd := accepted(rand.New(rand.NewPCG(1, 2)), shapes["a crowd and two far away v6"], 200)
	addrs := []netip.Addr{
		{},
		v4(0x0a00_0001), v4(0xc000_0207), v6(0x2001_0db8<<32, 7), v6(0, 0xffff_0a00_0001),
		netip.MustParseAddr("fe80::1%eth0"),
	}
	for _, l := range []ipfilter.List{
		{},
		list("10.0.0.0/8"), list("10.0.0.0/8 192.0.2.7 2001:db8::/32 fe80::/10"), list("::1"),
		ipfilter.MustParseList(crowd...),
	} {
		require.Zero(t, testing.AllocsPerRun(100, func() {
			for _, addr := range addrs {
				l.Contains(addr)
			}
		}))
	}
}

func TestResolverDoesNotAllocate(t *testing.T) {
	for _, peer := range []string{"198.51.100.7:5000", "198.51.100.7", "[2001:db8::7]:5000", "2001:db8::7", "[::ffff:198.51.100.7]:1"} {
		r := &http.Request{RemoteAddr: peer}
		require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = new(ipfilter.Resolver).Addr(r) }), peer)
	}
}

// A list takes at most 64 bytes an entry and 1 KiB, besides the text.
func TestMemory(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	for _, size := range []int{1, 8, 32, 256, 1000, 1024, 100_000} {
		for _, shape := range []string{"sparse v4", "sparse v6", "every second v6", "both"} {
			entries := accepted(random, shapes[shape], size)
			text := 0
			for _, entry := range entries {
				text += len(entry)
			}
			lists := make([]ipfilter.List, max(1, 2000/size))
			before := heap()
			for i := range lists {
				lists[i], _ = ipfilter.ParseList(entries, size)
			}
			used := (heap()-before)/len(lists) - text
			require.False(t, lists[0].IsEmpty())
			require.LessOrEqual(t, used, 64*size+1024, "%d entries, %s", size, shape)
			t.Logf("%7d entries, %-16s %8d bytes, %5.1f an entry", size, shape, used, float64(used)/float64(size))
			runtime.KeepAlive(lists)
			runtime.KeepAlive(entries)
		}
	}
}

func heap() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

func BenchmarkContains(b *testing.B) {
	random := rand.New(rand.NewPCG(9, 10))
	for _, shape := range []string{"random v4", "random v6", "a crowd and two far away v4", "a crowd and two far away v6"} {
		for _, size := range []int{1, 100, 10_000} {
			entries := accepted(random, shapes[shape], size)
			l, err := ipfilter.ParseList(entries, size)
			require.NoError(b, err)
			var addrs [1 << 12]netip.Addr
			for i := range addrs {
				addrs[i] = naively(entries[random.IntN(size):])[0][random.IntN(2)]
			}
			b.Run(fmt.Sprintf("%s/%d", shape, size), func(b *testing.B) {
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					l.Contains(addrs[i%len(addrs)])
				}
			})
		}
	}
}

func BenchmarkParseList(b *testing.B) {
	random := rand.New(rand.NewPCG(11, 12))
	for _, size := range []int{1, 256} {
		entries := accepted(random, shapes["both"], size)
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = ipfilter.ParseList(entries, 0)
			}
		})
	}
}

func BenchmarkResolverAddr(b *testing.B) {
	for _, peer := range []string{"198.51.100.7:5000", "[2001:db8::7]:5000"} {
		r := &http.Request{RemoteAddr: peer}
		b.Run(peer, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = new(ipfilter.Resolver).Addr(r)
			}
		})
	}
}
