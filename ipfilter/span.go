package ipfilter

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"slices"
	"strconv"
)

// A span is every address from first to last, both unmapped, without a zone
// and of one family.
type span struct{ first, last netip.Addr }

// merge sorts spans, IPv4 first, and joins those that touch. It works in place.
func merge(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int { return a.first.Compare(b.first) })
	merged := spans[:0]
	for _, s := range spans {
		if n := len(merged); n > 0 {
			// The last address of a family has no next one: Next is then
			// the zero Addr, which touches nothing.
			prev := &merged[n-1]
			if s.first.Compare(prev.last) <= 0 || s.first == prev.last.Next() {
				if prev.last.Less(s.last) {
					prev.last = s.last
				}
				continue
			}
		}
		merged = append(merged, s)
	}
	return merged
}

// subtract returns what from holds beyond what, both merged.
func subtract(from, what []span) []span {
	var rest []span
	for _, s := range from {
		for len(what) > 0 && what[0].last.Less(s.first) {
			what = what[1:]
		}
		left := true
		for _, w := range what {
			if s.last.Less(w.first) {
				break
			}
			if s.first.Less(w.first) {
				rest = append(rest, span{s.first, w.first.Prev()})
			}
			if left = w.last.Less(s.last); !left {
				break
			}
			s.first = w.last.Next()
		}
		if left {
			rest = append(rest, s)
		}
	}
	return rest
}

// texts returns the canonical text of each span, and never nil.
func texts(spans []span) []string {
	out := make([]string, len(spans))
	for i, s := range spans {
		out[i] = s.String()
	}
	return out
}

// String returns one address as "a", a prefix as "a/n" and anything else as "a-b".
func (s span) String() string {
	if s.first == s.last {
		return s.first.String()
	}
	firstHi, firstLo := split(s.first)
	lastHi, lastLo := split(s.last)
	hi, lo := firstHi^lastHi, firstLo^lastLo
	// A prefix ends in bits that are all clear in its first address and all
	// set in its last one.
	host := bits.Len64(lo)
	if hi != 0 {
		host = 64 + bits.Len64(hi)
	}
	ones := bits.OnesCount64(hi) + bits.OnesCount64(lo)
	if ones == host && firstHi&hi == 0 && firstLo&lo == 0 {
		return s.first.String() + "/" + strconv.Itoa(s.first.BitLen()-host)
	}
	return s.first.String() + "-" + s.last.String()
}

// split returns the 128 bits of addr; those of an IPv4 address are mapped.
func split(addr netip.Addr) (hi, lo uint64) {
	b := addr.As16()
	return binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
}
