package throttle

import (
	"encoding/binary"
	"hash/maphash"
	"net/netip"
)

// A Key stands for what is limited: a hash under the seed of a Hasher, from
// which nothing can be read.
type Key uint64

// A Hasher makes Keys, with seeds of its own. Nobody outside of the process can
// tell which texts share a Key or a bucket. Make it with NewHasher. It is safe
// for concurrent use.
type Hasher struct {
	seed, four maphash.Seed // four: of IPv4 addresses
}

// NewHasher returns a Hasher with new seeds.
func NewHasher() Hasher { return Hasher{seed: maphash.MakeSeed(), four: maphash.MakeSeed()} }

// Text returns the Key of a text.
func (h Hasher) Text(text string) Key { return Key(maphash.String(h.seed, text)) }

// Addr returns the Key of where something comes from: an IPv4 address, mapped or
// not, or the first 64 bits of an IPv6 address, since whoever has one address of
// such a network has all of them. The zero Addr has a Key, too.
func (h Hasher) Addr(addr netip.Addr) Key {
	source := addr.As16() // of IPv4, the mapped one
	switch {
	case addr.Is4(), addr.Is4In6():
		return Key(maphash.Comparable(h.four, uint64(binary.BigEndian.Uint32(source[12:]))))
	case addr.Is6():
		return Key(maphash.Comparable(h.seed, binary.BigEndian.Uint64(source[:8])))
	default:
		return Key(maphash.Comparable(h.four, uint64(1)<<32)) // none of the above
	}
}

// Pair returns the Key of two things together. Their order matters.
func (h Hasher) Pair(a, b Key) Key {
	var both [16]byte
	for i := range 8 {
		both[i], both[8+i] = byte(a>>(8*i)), byte(b>>(8*i))
	}
	return Key(maphash.Bytes(h.seed, both[:]))
}

// Within returns the Key of a member of a group. All of a group share one
// bucket, so that whoever makes many of them replaces his own, and those of the
// few groups that are there by chance.
func (h Hasher) Within(group, member Key) Key {
	const low = 1<<32 - 1
	return group&^low | h.Pair(group, member)&low
}
