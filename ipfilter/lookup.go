package ipfilter

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// Contains reports whether addr is in the list. A zone is ignored, and an
// IPv4-mapped address is the IPv4 address it stands for. The zero Addr is in no
// list. Contains does not allocate.
func (l List) Contains(addr netip.Addr) bool {
	// Every request comes through here. It is one function because a call for
	// each family would add a third to its cost, and whatever can be computed is
	// not branched on, since a wrong guess costs as much as all the rest. AsSlice
	// stays on the stack; As16 takes twice as long, because its array is written
	// in halves and then copied whole.
	if l.set == nil {
		return false
	}
	var x uint32
	if addr.Is4() {
		b := addr.As4()
		x = binary.BigEndian.Uint32(b[:])
	} else {
		b := addr.AsSlice()
		if len(b) != 16 {
			return false
		}
		y := uint128{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}
		if !y.isMapped() {
			t := &l.set.v6
			if len(t.index) == 0 {
				return t.ranges[0].holds(y) != 0
			}
			d := y.hi - t.base.hi
			at, part := d>>(t.shift&63), d>>(t.fine&63)
			if t.fine < 64 {
				d := y.minus(t.base)
				at, part = d.rsh(t.shift), d.rsh(t.fine)
			}
			at &= uint64(len(t.index) - 1)
			b := t.index[at]
			if !b.occupied(part) {
				return false
			}
			i := b.first()
			if i+1 >= uint64(len(t.ranges)) { // crowded
				return t.search(y, at)
			}
			return t.ranges[i].holds(y)|t.ranges[i+1].holds(y) != 0
		}
		x = uint32(y.lo)
	}
	t := &l.set.v4
	if len(t.index) == 0 {
		return t.ranges[0].holds(x) != 0
	}
	if !t.near.has(x) {
		return false
	}
	at := uint64((x-t.base)>>(t.shift&31)) & uint64(len(t.index)-1)
	i := t.index[at].first()
	if i+1 >= uint64(len(t.ranges)) { // crowded
		return t.search(x, at)
	}
	return t.ranges[i].holds(x)|t.ranges[i+1].holds(x) != 0
}

// holds is 1 if x is in r, else 0.
func (r *range4) holds(x uint32) uint64 {
	return (uint64(x-r.first) - uint64(r.size)) >> 63
}

// holds is 1 if x is in r, else 0.
func (r *range6) holds(x uint128) uint64 {
	return x.minus(r.first).less(r.size)
}

// above is 1 if r begins after x, else 0.
func (r *range4) above(x uint32) uint64 {
	return (uint64(x) - uint64(r.first)) >> 63
}

// above is 1 if r begins after x, else 0.
func (r *range6) above(x uint128) uint64 {
	return x.less(r.first)
}

// search looks for x in a crowded bucket. Which half to take cannot be guessed,
// so it is computed, not branched on.
func (t *table4) search(x uint32, at uint64) bool {
	i, n := crowd(t.index, at, len(t.ranges))
	for n > 1 {
		half := n / 2
		i += half &^ -t.ranges[i+half].above(x)
		n -= half
	}
	return t.ranges[i].holds(x) != 0
}

func (t *table6) search(x uint128, at uint64) bool {
	i, n := crowd(t.index, at, len(t.ranges))
	for n > 1 {
		half := n / 2
		i += half &^ -t.ranges[i+half].above(x)
		n -= half
	}
	return t.ranges[i].holds(x) != 0
}

// crowd returns which ranges reach into a bucket: n from i on.
func crowd(index []bucket, at uint64, ranges int) (i, n uint64) {
	i, end := index[at].first()&^crowded, uint64(ranges-1)
	if at+1 < uint64(len(index)) {
		end = index[at+1].first()&^crowded + 1
	}
	return i, end - i
}

// A uint128 holds the bits of an address, those of an IPv4 address in the
// IPv4-mapped form.
type uint128 struct{ hi, lo uint64 }

func key(addr netip.Addr) uint128 {
	b := addr.As16()
	return uint128{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

func (a uint128) isMapped() bool { return a.hi == 0 && a.lo>>32 == 0xffff }

// less is 1 if a < b, else 0.
func (a uint128) less(b uint128) uint64 {
	_, borrow := bits.Sub64(a.lo, b.lo, 0)
	_, borrow = bits.Sub64(a.hi, b.hi, borrow)
	return borrow
}

func (a uint128) minus(b uint128) uint128 {
	lo, borrow := bits.Sub64(a.lo, b.lo, 0)
	hi, _ := bits.Sub64(a.hi, b.hi, borrow)
	return uint128{hi, lo}
}

func (a uint128) plus(b uint128) uint128 {
	lo, carry := bits.Add64(a.lo, b.lo, 0)
	hi, _ := bits.Add64(a.hi, b.hi, carry)
	return uint128{hi, lo}
}

// rsh returns the lowest 64 bits of a >> n.
func (a uint128) rsh(n uint8) uint64 {
	if n >= 64 {
		return a.hi >> (n - 64)
	}
	return a.hi<<(64-n) | a.lo>>n
}

// len returns how many bits it takes to write a.
func (a uint128) len() int {
	if a.hi != 0 {
		return 64 + bits.Len64(a.hi)
	}
	return bits.Len64(a.lo)
}
