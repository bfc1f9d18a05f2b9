package scope

import (
	"encoding/binary"
	"math/bits"
)

// The functions of this file work on eight bytes of a text at a time, as one
// little-endian word, because Set.Allows is called for every request.

// dots says where the segments of a text end: bit i is set where byte i is a
// dot, and at the end of the text.
type dots [4]uint64

// each repeats a byte in all eight bytes of a word.
const (
	each = 0x0101010101010101
	high = 0x80 * each
)

// split finds the dots of text, which must not be longer than maxName, and
// reports whether text is a permission. It finds the dots of a grant too.
func (d *dots) split(text string) (ok bool) {
	var bad uint64
	for i := 0; i < len(text); i += 8 {
		w := word(text, i)
		dot := zero(w ^ '.'*each)
		inside := uint64(1)<<(8*uint(len(text)-i)) - 1
		bad |= ^(segmentBytes(w) | dot) & inside & high
		d[i>>6&3] |= (dot >> 7) * 0x0102040810204080 >> 56 << (uint(i) & 63)
	}
	d[len(text)>>6&3] |= 1 << (uint(len(text)) & 63)
	if bad != 0 {
		return false
	}
	before := uint64(1)
	for i := 0; i <= len(text)>>6; i++ {
		bad |= d[i&3] & (d[i&3]<<1 | before)
		before = d[i&3] >> 63
	}
	return bad == 0
}

// next returns the end of the segment that starts at i.
func (d *dots) next(i int) int {
	if w := d[i>>6&3] >> (uint(i) & 63); w != 0 {
		return i + bits.TrailingZeros64(w)
	}
	for j := i>>6 + 1; j < 4; j++ {
		if d[j] != 0 {
			return j<<6 + bits.TrailingZeros64(d[j])
		}
	}
	return i
}

// word returns the eight bytes of text from i on, 0 behind its end.
func word(text string, i int) uint64 {
	if len(text) < 8 {
		return shortWord(text, i)
	}
	from := min(i, len(text)-8)
	return binary.LittleEndian.Uint64([]byte(text[from:from+8])) >> (8 * uint(i-from))
}

func shortWord(text string, i int) uint64 {
	var w uint64
	for j := len(text); j > i; j-- {
		w = w<<8 | uint64(text[j-1])
	}
	return w
}

// zero marks the bytes of w that are 0, by their high bit. Bytes must be ASCII.
func zero(w uint64) uint64 { return ^(w + 0x7f*each) & high }

func between(w uint64, lo, hi uint64) uint64 {
	return (w + (0x80-lo)*each) &^ (w + (0x7f-hi)*each)
}

// segmentBytes marks the bytes of w that may stand in a segment.
func segmentBytes(w uint64) uint64 {
	return (between(w|0x20*each, 'a', 'z') | between(w, '0', '9') | zero(w^'-'*each) | zero(w^'_'*each)) &^ w
}

// key packs a segment
func key(text string, at, end int) uint64 {
	k := word(text, at) & (1<<(8*uint(end-at)) - 1)
	if end-at > 8 {
		k = (k ^ bits.RotateLeft64(word(text, end-8), 29)) | longKey
	}
	return k
}

const longKey = 1 << 63
