package ipfilter

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

// A span is every address from first to last. Both are of one family, unmapped
// and without a zone.
type span struct{ first, last netip.Addr }

// merge sorts spans, IPv4 first, and joins those that touch. It works in place.
func merge(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int { return a.first.Compare(b.first) })
	merged := spans[:0]
	for _, s := range spans {
		if n := len(merged); n > 0 {
			// The last address of a family has no next one: Next is then
			// the zero Addr, which touches nothing.
			before := &merged[n-1]
			if !before.last.Less(s.first) || before.last.Next() == s.first {
				if before.last.Less(s.last) {
					before.last = s.last
				}
				continue
			}
		}
		merged = append(merged, s)
	}
	return merged
}

// subtract returns what from holds beyond what. Both are merged.
func subtract(from, what []span) []span {
	var rest []span
	for _, s := range from {
		for len(what) > 0 && what[0].last.Less(s.first) {
			what = what[1:]
		}
		for _, w := range what {
			if s.last.Less(w.first) {
				break
			}
			if s.first.Less(w.first) {
				rest = append(rest, span{s.first, w.first.Prev()})
			}
			if !w.last.Less(s.last) {
				s = span{}
				break
			}
			s.first = w.last.Next()
		}
		if s != (span{}) {
			rest = append(rest, s)
		}
	}
	return rest
}

// overlaps reports whether an address is in both.
func (s span) overlaps(t span) bool {
	return !s.last.Less(t.first) && !t.last.Less(s.first)
}

// String returns one address as "a", a prefix as "a/n" and anything else as "a-b".
func (s span) String() string {
	if s.first == s.last {
		return s.first.String()
	}
	first, last := key(s.first), key(s.last)
	host := uint128{first.hi ^ last.hi, first.lo ^ last.lo}.len()
	p := netip.PrefixFrom(s.first, s.first.BitLen()-host)
	if p == p.Masked() && lastOf(p) == s.last {
		return p.String()
	}
	return s.first.String() + "-" + s.last.String()
}

// texts returns the text of each span, and never nil.
func texts(spans []span) []string {
	out := make([]string, len(spans))
	for i, s := range spans {
		out[i] = s.String()
	}
	return out
}

// wholeFamily names the family of which spans, which are merged, leave no
// client out. It is empty if there is none.
func wholeFamily(spans []span) string {
	v4, v6 := clients4(), clients6()
	switch {
	case len(subtract(v4[:], spans)) == 0:
		return "IPv4"
	case len(subtract(v6[:], spans)) == 0:
		return "IPv6"
	}
	return ""
}

// coversFamily reports whether s leaves no client of its family out.
func (s span) coversFamily() bool {
	clients := clients4()
	if s.first.Is6() {
		clients = clients6()
	}
	return !clients[0].first.Less(s.first) && !s.last.Less(clients[1].last)
}

// clients4 and clients6 are the addresses that a client can have: all but the
// unspecified one, multicast, broadcast and the IPv4-mapped ones.
func clients4() [2]span {
	return [2]span{
		{addr4(1), addr4(0xdfff_ffff)},
		{addr4(0xf000_0000), addr4(0xffff_fffe)},
	}
}

func clients6() [2]span {
	return [2]span{
		{addr6(uint128{0, 1}), addr6(uint128{0, 0xfffe_ffff_ffff})},
		{addr6(uint128{0, 1 << 48}), addr6(uint128{0xfeff_ffff_ffff_ffff, 1<<64 - 1})},
	}
}

// neverClient reports whether no client can have addr, which is unmapped.
func neverClient(addr netip.Addr) bool {
	return addr.IsUnspecified() || addr.IsMulticast() || addr == addr4(0xffff_ffff)
}

func addr4(x uint32) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(x >> 24), byte(x >> 16), byte(x >> 8), byte(x)})
}

func addr6(x uint128) netip.Addr {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], x.hi)
	binary.BigEndian.PutUint64(b[8:], x.lo)
	return netip.AddrFrom16(b)
}
