package ipfilter

import (
	"math/bits"
	"slices"
)

// A set is what a list is compiled to. Most lists are short: with their ranges
// beside the tables, a request finds them in one place of memory.
type set struct {
	few4  [fewRanges]range4 // the ranges of v4, unless they are too many
	v4    table4
	few6  [fewRanges]range6
	v6    table6
	typed string // the entries, joined by line feeds, which no entry contains
}

// A table holds the ranges of a family in ascending order, none touching
// another, then an empty one, and an index of them: a power of two of buckets of
// equal width, from base on. Few buckets see more than two ranges, so that it
// nearly always suffices to compare with the range that a bucket names and the
// one after it. Comparing with both costs less than guessing wrong which one it
// is. An address beyond the index may look into any bucket, as no range holds it.
//
// Most strangers come from nowhere near a range and are told so before any
// comparison: the space of IPv4 is small enough for a map, and in that of IPv6
// a bucket knows which of its eighths are empty.
//
// Up to one range needs no index.
type table4 struct {
	near   blocks
	base   uint32
	shift  uint8 // a bucket is 2^shift addresses wide
	index  []bucket
	ranges []range4
}

type table6 struct {
	base   uint128
	shift  uint8
	fine   uint8 // an eighth is 2^fine addresses wide
	index  []bucket
	ranges []range6
}

// A bucket has a bit for each of its eighths, set if a range reaches into it, and
// above them the number of the first range that reaches into the bucket or, if
// none does, of the next one.
type bucket uint32

// occupied reports on the eighth whose number modulo 8 is that of n.
func (b bucket) occupied(n uint64) bool { return b>>(n&7)&1 != 0 }

func (b bucket) first() uint64 { return uint64(b >> 8) }

// The size of a range cannot overflow: no list covers a whole family.
type (
	range4 struct{ first, size uint32 }
	range6 struct{ first, size uint128 }
)

const (
	// crowded marks, as a part of its number, a bucket that more than two ranges
	// reach into; the first of them is in the lower bits. Without it the number
	// is a position, which maxList keeps far below.
	crowded = 1 << 23

	// indexBytes is what the index of a table may take for each range. With
	// 4 bytes a bucket there are three to six buckets for a range.
	indexBytes = 24

	// fewRanges is how many ranges have their place in the set itself, with the
	// empty one.
	fewRanges = 2
)

// compile makes a set of merged spans.
func compile(spans []span, typed string) *set {
	v6 := slices.IndexFunc(spans, func(s span) bool { return s.first.Is6() })
	if v6 < 0 {
		v6 = len(spans)
	}
	s := &set{typed: typed}
	s.v4 = newTable4(spans[:v6], s.few4[:0])
	s.v6 = newTable6(spans[v6:], s.few6[:0])
	return s
}

func newTable4(spans []span, ranges []range4) table4 {
	ranges = slices.Grow(ranges, len(spans)+1)
	for _, s := range spans {
		first, last := uint32(key(s.first).lo), uint32(key(s.last).lo)
		ranges = append(ranges, range4{first, last - first + 1})
	}
	i := newIndex(spans)
	return table4{newBlocks(ranges), uint32(i.base.lo), i.shift, i.buckets, append(ranges, range4{})}
}

func newTable6(spans []span, ranges []range6) table6 {
	ranges = slices.Grow(ranges, len(spans)+1)
	for _, s := range spans {
		first, last := key(s.first), key(s.last)
		ranges = append(ranges, range6{first, last.minus(first).plus(uint128{lo: 1})})
	}
	i := newIndex(spans)
	return table6{i.base, i.shift, i.fine, i.buckets, append(ranges, range6{})}
}

// An index is what tables of both families know of their buckets.
type index struct {
	base        uint128
	shift, fine uint8
	buckets     []bucket
}

// newIndex makes the index of a family, unless there is nothing to find.
func newIndex(spans []span) index {
	if len(spans) < 2 {
		return index{}
	}
	base, last := key(spans[0].first), key(spans[len(spans)-1].last)
	n := bits.Len(uint(len(spans)*indexBytes/4)) - 1
	if last.minus(base).len()-n-3 >= 64 {
		// Eighths are told apart by the upper half of an address alone,
		// which saves Contains the lower one.
		base.lo = 0
	}
	width := last.minus(base).len()
	n = min(n, width)
	shift := uint8(width - n)
	x := index{base, shift, shift - min(shift, 3), make([]bucket, 1<<n)}
	next := uint64(0) // the first bucket that has no number yet
	for i, s := range spans {
		first, last := key(s.first).minus(base).rsh(shift), key(s.last).minus(base).rsh(shift)
		if first < next && uint64(i) > x.buckets[first].first()+1 {
			x.buckets[first] |= crowded << 8
		}
		for ; next <= last; next++ {
			x.buckets[next] |= bucket(i) << 8
		}
		first, last = key(s.first).minus(base).rsh(x.fine), key(s.last).minus(base).rsh(x.fine)
		for e := first; e <= last; e++ {
			x.buckets[e>>(shift-x.fine)] |= 1 << (e & 7)
		}
	}
	for ; next < uint64(len(x.buckets)); next++ {
		x.buckets[next] |= bucket(len(spans)-1) << 8
	}
	return x
}

// len returns the number of ranges.
func (s *set) len() int { return len(s.v4.ranges) + len(s.v6.ranges) - 2 }

// spans returns what s was compiled from.
func (s *set) spans() []span {
	spans := make([]span, 0, s.len())
	for _, r := range s.v4.ranges[:len(s.v4.ranges)-1] {
		spans = append(spans, span{addr4(r.first), addr4(r.first + r.size - 1)})
	}
	for _, r := range s.v6.ranges[:len(s.v6.ranges)-1] {
		spans = append(spans, span{addr6(r.first), addr6(r.first.plus(r.size).minus(uint128{lo: 1}))})
	}
	return spans
}
