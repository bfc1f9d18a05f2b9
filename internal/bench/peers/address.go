package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"

	"github.com/gaissmai/bart"
	"github.com/yl2chen/cidranger"
	"go4.org/netipx"

	"github.com/latchwork/latchwork/internal/bench/fixture"
	"github.com/latchwork/latchwork/ipfilter"
)

// addressTable asks for addresses of the listed prefixes, which are drawn at
// random.
func addressTable(family string, n int) table {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	draw := func() netip.Prefix { return fixture.Prefix4(r, 0, 16) }
	if family == "IPv6" {
		draw = func() netip.Prefix { return fixture.Prefix6(r, []byte{0x20 | byte(r.IntN(32))}, 32) }
	}
	var (
		prefixes []netip.Prefix
		entries  []string
		lite     bart.Lite
		routes   bart.Table[struct{}]
		builder  netipx.IPSetBuilder
		ranger   = cidranger.NewPCTrieRanger()
	)
	for len(prefixes) < n {
		p := draw()
		if _, err := ipfilter.ParseList([]string{p.String()}, 0); err != nil {
			continue // multicast, for example
		}
		prefixes, entries = append(prefixes, p), append(entries, p.String())
		lite.Insert(p)
		routes.Insert(p, struct{}{})
		builder.AddPrefix(p)
		mustBeNil(ranger.Insert(cidranger.NewBasicRangerEntry(*netipx.PrefixIPNet(p))))
	}
	list := fixture.Must(ipfilter.ParseList(entries, n))
	set := fixture.Must(builder.IPSet())
	addrs := make([]netip.Addr, 1<<14)
	for i := range addrs {
		addrs[i] = fixture.Within(r, prefixes[r.IntN(n)])
	}
	contains := func(f func(netip.Addr) bool) func(n int) {
		return func(n int) {
			for i := range n {
				if !f(addrs[i%len(addrs)]) {
					panic(addrs[i%len(addrs)])
				}
			}
		}
	}
	t := table{job: fmt.Sprintf("Is this address on a list of %d random %s prefixes?", n, family), rows: []row{
		{who: "Latchwork `ipfilter.List.Contains`", work: contains(list.Contains)},
		{who: "by hand: a loop over netip.Prefix", work: contains(func(addr netip.Addr) bool {
			for _, p := range prefixes {
				if p.Contains(addr) {
					return true
				}
			}
			return false
		})},
		{who: "gaissmai/bart Lite", brief: "bart", work: contains(lite.Contains)},
		{who: "gaissmai/bart Table", work: contains(routes.Contains)},
		{who: "netipx IPSet", brief: "netipx", work: contains(set.Contains)},
		{who: "yl2chen/cidranger", brief: "cidranger", work: contains(func(addr netip.Addr) bool {
			ok, err := ranger.Contains(net.IP(addr.AsSlice()))
			return ok && err == nil
		})},
	}}
	if family == "IPv4" && n == 1000 {
		t.brief = "an address against a list of 1,000 prefixes"
	}
	return t
}
