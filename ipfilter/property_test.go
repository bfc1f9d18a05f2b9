package ipfilter_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/ipfilter"
)

// naive is what the lists are compared with: ranges in no order, and a loop.
type naive [][2]netip.Addr

// naively reads entries that ParseList accepted.
func naively(entries []string) naive {
	var n naive
	for _, entry := range entries {
		entry = strings.Trim(entry, " \t")
		if from, to, ok := strings.Cut(entry, "-"); ok {
			n = append(n, [2]netip.Addr{
				netip.MustParseAddr(strings.Trim(from, " \t")).Unmap(),
				netip.MustParseAddr(strings.Trim(to, " \t")).Unmap(),
			})
			continue
		}
		address, length, ok := strings.Cut(entry, "/")
		first := netip.MustParseAddr(address)
		last := first.As16()
		if ok {
			bits, _ := strconv.Atoi(length)
			for i := 128 - first.BitLen() + bits; i < 128; i++ {
				last[i/8] |= 1 << (7 - i%8)
			}
		}
		n = append(n, [2]netip.Addr{first.Unmap(), netip.AddrFrom16(last).Unmap()})
	}
	return n
}

func (n naive) contains(addr netip.Addr) bool {
	return slices.ContainsFunc(n, func(r [2]netip.Addr) bool {
		return r[0].BitLen() == addr.BitLen() && r[0].Compare(addr) <= 0 && addr.Compare(r[1]) <= 0
	})
}

// probes returns every edge of the ranges and both its neighbours.
func (n naive) probes() []netip.Addr {
	var out []netip.Addr
	for _, r := range n {
		for _, a := range r {
			out = append(out, a, a.Prev(), a.Next()) // the zero Addr beyond the ends of a family
		}
	}
	return out
}

func v4(x uint32) netip.Addr {
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, x)))
}

func v6(hi, lo uint64) netip.Addr {
	b := binary.BigEndian.AppendUint64(nil, hi)
	return netip.AddrFrom16([16]byte(binary.BigEndian.AppendUint64(b, lo)))
}

// shapes are the ways in which the addresses of a list may be spread.
var shapes = map[string]func(r *rand.Rand, i int) string{
	"random v4": func(r *rand.Rand, _ int) string {
		return netip.PrefixFrom(v4(r.Uint32()), 8+r.IntN(25)).Masked().String()
	},
	"random v6": func(r *rand.Rand, _ int) string {
		return netip.PrefixFrom(v6(r.Uint64(), r.Uint64()), 8+r.IntN(121)).Masked().String()
	},
	"sparse v4": func(r *rand.Rand, _ int) string { return v4(r.Uint32()).String() },
	"sparse v6": func(r *rand.Rand, _ int) string { return v6(r.Uint64(), r.Uint64()).String() },
	"narrow v4": func(r *rand.Rand, _ int) string { return v4(0x0aff_ff00 + r.Uint32N(4096)).String() },
	"narrow v6": func(r *rand.Rand, _ int) string { return v6(0x2001_0db8<<32, r.Uint64N(1<<14)).String() },
	"around a half": func(r *rand.Rand, _ int) string {
		return v6(0x2001_0db8<<32-1+r.Uint64N(2), 1<<64-1<<12+r.Uint64N(1<<13)).String()
	},
	"64 and 4 bits":   wide(4),
	"64 and 6 bits":   wide(6),
	"64 and 8 bits":   wide(8),
	"64 and 10 bits":  wide(10),
	"every second v4": func(_ *rand.Rand, i int) string { return v4(0x0a00_0000 + 2*uint32(i)).String() },
	"every second v6": func(_ *rand.Rand, i int) string { return v6(0x2001_0db8<<32, 2*uint64(i)).String() },
	"every second network": func(_ *rand.Rand, i int) string {
		return netip.PrefixFrom(v6(0x2001_0db8<<32+2*uint64(i), 0), 64).String()
	},
	"a crowd and two far away v4": func(r *rand.Rand, i int) string {
		return v4([]uint32{1, 0xdfff_ffff, 0x0a00_0000 + r.Uint32N(1<<16)}[min(i, 2)]).String()
	},
	"a crowd and two far away v6": func(r *rand.Rand, i int) string {
		return v6([]uint64{0, 0xfdff << 48, 0x2001_0db8 << 32}[min(i, 2)], 2+r.Uint64N(1<<16)).String()
	},
	"powers of two v4": func(_ *rand.Rand, i int) string { return v4(1 << (i % 31)).String() },
	"powers of two v6": func(_ *rand.Rand, i int) string {
		hi, lo := uint64(1)<<(i%64), uint64(0)
		return [2]netip.Addr{v6(lo, hi), v6(hi, lo)}[i/64%2].String()
	},
	"ranges": func(r *rand.Rand, _ int) string {
		a, b := r.Uint32(), r.Uint32()
		return v4(min(a, b)/2).String() + "-" + v4(min(a, b)/2+max(a, b)>>8).String()
	},
	"both": func(r *rand.Rand, _ int) string {
		if r.IntN(2) == 0 {
			return v4(r.Uint32()).String()
		}
		a := r.Uint64()
		return v6(a, r.Uint64()).String() + "-" + v6(a+a>>8, r.Uint64()).String()
	},
}

// wide spreads addresses over 2^(64+bits), at which widths the index changes from
// whole addresses to their upper halves.
func wide(bits int) func(*rand.Rand, int) string {
	return func(r *rand.Rand, _ int) string {
		return v6(0x2001_0db8<<32+r.Uint64N(1<<bits), r.Uint64()).String()
	}
}

func TestListAgreesWithALoop(t *testing.T) {
	sizes := []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 40, 64, 100, 256, 1000}
	for name, shape := range shapes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(1, 2))
			for _, size := range sizes {
				for range 1 + 30/size {
					entries := accepted(r, shape, size)
					l, err := ipfilter.ParseList(entries, size)
					require.NoError(t, err)
					requireAgree(t, r, l, naively(entries))
				}
			}
		})
	}
}

// accepted returns entries of a shape that ParseList accepts one by one.
func accepted(r *rand.Rand, shape func(*rand.Rand, int) string, size int) []string {
	var entries []string
	for i := 0; len(entries) < size; i++ {
		entry := shape(r, i)
		if _, err := ipfilter.ParseList([]string{entry}, 0); err == nil {
			entries = append(entries, entry)
		}
	}
	return entries
}

func requireAgree(t *testing.T, r *rand.Rand, l ipfilter.List, n naive) {
	t.Helper()
	probes := append(n.probes(), netip.IPv6Unspecified(), v4(0), v4(1<<32-1), v6(1<<64-1, 1<<64-1))
	for range 100 {
		near := probes[r.IntN(len(probes))]
		probes = append(probes, v4(r.Uint32()), v6(r.Uint64(), r.Uint64()))
		if near.Is6() {
			b := near.As16()
			hi, lo := binary.BigEndian.Uint64(b[:]), binary.BigEndian.Uint64(b[8:])
			probes = append(probes, v6(hi, r.Uint64()), v6(hi, lo+r.Uint64N(16)), v6(hi^1<<r.IntN(64), lo))
		}
	}
	r.Shuffle(len(probes), func(i, j int) { probes[i], probes[j] = probes[j], probes[i] })
	for _, addr := range probes[:min(len(probes), 1500)] {
		if addr.Is4In6() {
			addr = addr.Unmap()
		}
		if l.Contains(addr) != n.contains(addr) {
			require.Fail(t, "disagreement", "Contains(%v) = %v, %v", addr, l.Contains(addr), l)
		}
		if addr.Is4() && l.Contains(netip.AddrFrom16(addr.As16())) != l.Contains(addr) {
			require.Fail(t, "disagreement", "mapped %v, %v", addr, l)
		}
	}
	again, err := ipfilter.ParseList(l.Strings(), 1<<20)
	require.NoError(t, err)
	require.True(t, again.Equal(l))
	require.Equal(t, l.Strings(), again.Strings())
}

// In a world of sixteen addresses of each family every question can be asked of
// every address.
func TestSetOperationsAgreeWithALoop(t *testing.T) {
	var world []netip.Addr
	for i := range 16 {
		world = append(world, v4(0xffff_fff0+uint32(i)), v6(0x2001_0db8<<32, uint64(i)))
	}
	r := rand.New(rand.NewPCG(3, 4))
	random := func() ipfilter.List {
		var entries []string
		for range r.IntN(6) {
			family := r.IntN(2)
			a, b := r.IntN(16), r.IntN(16)
			entries = append(entries, fmt.Sprintf("%v-%v", world[2*min(a, b)+family], world[2*max(a, b)+family]))
		}
		l, _ := ipfilter.ParseList(entries, 0)
		return l
	}
	for range 5000 {
		l, other := random(), random()
		var excess []netip.Addr
		same := true
		for _, addr := range world {
			if other.Contains(addr) && !l.Contains(addr) {
				excess = append(excess, addr)
			}
			same = same && other.Contains(addr) == l.Contains(addr)
		}
		require.Equal(t, len(excess) == 0, l.Covers(other), "%v; %v", l, other)
		require.Equal(t, same, l.Equal(other), "%v; %v", l, other)
		n := naively(l.Excess(other))
		for _, addr := range world {
			require.Equal(t, slices.Contains(excess, addr), n.contains(addr), "%v; %v", l, other)
		}
	}
}
