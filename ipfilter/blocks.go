package ipfilter

import "math/bits"

// Blocks are a map of the IPv4 space: a bit for each 1,024th of it, set if a
// range reaches into it. A map with more than an eighth of its bits set is filled
// up, because what it says could not be foreseen, and a processor that guesses
// wrong takes longer than one that compares.
type blocks [1 << blockBits / 64]uint64

const blockBits = 10

func newBlocks(ranges []range4) blocks {
	var b blocks
	for _, r := range ranges {
		for i := r.first >> (32 - blockBits); i <= (r.first+r.size-1)>>(32-blockBits); i++ {
			b[i/64] |= 1 << (i % 64)
		}
	}
	set := 0
	for _, word := range b {
		set += bits.OnesCount64(word)
	}
	if set > 1<<blockBits/8 {
		for i := range b {
			b[i] = ^uint64(0)
		}
	}
	return b
}

// has reports whether x is in a block that a range may reach into.
func (b *blocks) has(x uint32) bool {
	i := x >> (32 - blockBits)
	return b[i/64]>>(i%64)&1 != 0
}
