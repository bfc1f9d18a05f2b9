package main

import (
	"fmt"
	"math/rand/v2"
	"net/netip"

	"github.com/gaissmai/bart"

	"github.com/latchwork/latchwork/internal/bench/fixture"
	"github.com/latchwork/latchwork/internal/bench/ratio"
	"github.com/latchwork/latchwork/ipfilter"
)

// A spread says how the prefixes of a list are drawn.
type spread struct {
	name  string
	limit float64
	draw  func(*rand.Rand) netip.Prefix
}

var spreads = []spread{
	{"v4 random", 0.7, func(r *rand.Rand) netip.Prefix { return fixture.Prefix4(r, 0, 16) }},
	{"v6 random", 0.7, func(r *rand.Rand) netip.Prefix { return fixture.Prefix6(r, []byte{0x20 | byte(r.IntN(32))}, 32) }},
	{"v4 shared 8 bits", 1, func(r *rand.Rand) netip.Prefix { return fixture.Prefix4(r, 10, 24) }},
	{"v6 shared 32 bits", 1, func(r *rand.Rand) netip.Prefix { return fixture.Prefix6(r, []byte{0x20, 0x01, 0x0d, 0xb8}, 48) }},
}

// The worst that can be done to an index: all but two addresses in a corner of
// what they span. Reported, not judged.
var crowds = []spread{
	{"v4 crowd", 0, func(r *rand.Rand) netip.Prefix {
		b := [4]byte{10, byte(r.IntN(16)), byte(r.IntN(256)), byte(r.IntN(256))}
		return single(netip.AddrFrom4(b), netip.AddrFrom4([4]byte{1}), netip.AddrFrom4([4]byte{223}), r)
	}},
	{"v6 crowd", 0, func(r *rand.Rand) netip.Prefix {
		p := fixture.Prefix6(r, []byte{0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0}, 128)
		return single(p.Addr(), netip.AddrFrom16([16]byte{15: 1}), netip.AddrFrom16([16]byte{0xfd}), r)
	}},
}

// ipfilterCases asks List.Contains and the fastest peer the same addresses:
// bart's Lite from 8 entries on, and a plain scan for a single one.
func ipfilterCases() []ratio.Case {
	var cases []ratio.Case
	for _, s := range spreads {
		list := drawList(s, 1)
		cases = append(cases, list.scanned("hit", list.hit), list.scanned("near miss", list.near), list.scanned("far miss", list.far))
		for _, n := range []int{8, 32, 256, 1000, 100_000} {
			list := drawList(s, n)
			cases = append(cases,
				list.looked("hit", s.limit, list.hit),
				list.looked("near miss", s.limit, list.near),
				list.looked("far miss", s.limit, list.far))
		}
	}
	for _, s := range crowds {
		for _, n := range []int{32, 256, 1000, 100_000} {
			list := drawList(s, n)
			cases = append(cases, list.looked("hit", 0, list.hit), list.looked("near miss", 0, list.near))
		}
	}
	return cases
}

// A drawnList is one list in three forms, and how to draw addresses for it.
type drawnList struct {
	name     string
	draw     func(*rand.Rand) netip.Prefix
	prefixes []netip.Prefix
	list     ipfilter.List
	lite     *bart.Lite
}

func drawList(s spread, n int) *drawnList {
	l := &drawnList{name: fmt.Sprintf("ipfilter/%s %d", s.name, n), draw: s.draw, lite: new(bart.Lite)}
	r := rand.New(rand.NewPCG(1, uint64(n)))
	var entries []string
	for len(entries) < n {
		p := s.draw(r)
		if _, err := ipfilter.ParseList([]string{p.String()}, 0); err != nil {
			continue // multicast, for example
		}
		l.prefixes = append(l.prefixes, p)
		entries = append(entries, p.String())
		l.lite.Insert(p)
	}
	list, err := ipfilter.ParseList(entries, n)
	if err != nil {
		panic(err)
	}
	l.list = list
	return l
}

// hit draws an address of a listed prefix.
func (l *drawnList) hit(r *rand.Rand) netip.Addr {
	return fixture.Within(r, l.prefixes[r.IntN(len(l.prefixes))])
}

// near draws an address beside a listed prefix, of its sibling network.
func (l *drawnList) near(r *rand.Rand) netip.Addr {
	return l.missed(func() netip.Addr {
		p := l.prefixes[r.IntN(len(l.prefixes))]
		b := p.Addr().AsSlice()
		fixture.Flip(b, p.Bits()-1)
		addr, _ := netip.AddrFromSlice(b)
		return fixture.Within(r, netip.PrefixFrom(addr, p.Bits()))
	})
}

// far draws an address from where the list was drawn.
func (l *drawnList) far(r *rand.Rand) netip.Addr {
	return l.missed(func() netip.Addr { return fixture.Within(r, l.draw(r)) })
}

func (l *drawnList) missed(draw func() netip.Addr) netip.Addr {
	for {
		if addr := draw(); !l.lite.Contains(addr) {
			return addr
		}
	}
}

// addrs draws so many addresses that a processor cannot learn them by heart.
func (l *drawnList) addrs(draw func(*rand.Rand) netip.Addr) []netip.Addr {
	r := rand.New(rand.NewPCG(2, uint64(len(l.prefixes))))
	addrs := make([]netip.Addr, 1<<14)
	for i := range addrs {
		addrs[i] = draw(r)
		if l.list.Contains(addrs[i]) != l.lite.Contains(addrs[i]) {
			panic(fmt.Sprintf("%s: %v", l.name, addrs[i]))
		}
	}
	return addrs
}

// looked measures the list against bart's Lite.
func (l *drawnList) looked(what string, limit float64, draw func(*rand.Rand) netip.Addr) ratio.Case {
	addrs := l.addrs(draw)
	return ratio.Case{
		Name: l.name + " " + what, Limit: limit,
		Subject: func(n int) {
			for i := range n {
				contained = l.list.Contains(addrs[i%(1<<14)])
			}
		},
		Reference: func(n int) {
			for i := range n {
				contained = l.lite.Contains(addrs[i%(1<<14)])
			}
		},
	}
}

// scanned measures the list against a loop over its prefixes.
func (l *drawnList) scanned(what string, draw func(*rand.Rand) netip.Addr) ratio.Case {
	c := l.looked(what, 1, draw)
	addrs := l.addrs(draw)
	c.Reference = func(n int) {
		for i := range n {
			contained = scan(l.prefixes, addrs[i%(1<<14)])
		}
	}
	return c
}

func scan(prefixes []netip.Prefix, addr netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// single returns addr as a prefix, and once in sixteen times one of the two ends.
func single(addr, low, high netip.Addr, r *rand.Rand) netip.Prefix {
	switch r.IntN(32) {
	case 0:
		addr = low
	case 1:
		addr = high
	}
	return netip.PrefixFrom(addr, addr.BitLen())
}

// contained keeps the compiler from leaving out what nobody reads.
var contained bool
