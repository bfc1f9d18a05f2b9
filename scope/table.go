package scope

// maxKey is how many bytes of a segment a key can hold.
const maxKey = 16

// A key holds the bytes of a segment, the first in the lowest bits, and a dot
// behind them in a word that they do not fill. So it is another one for each
// segment of at most maxKey bytes, whatever bytes those are.
type key struct{ low, high uint64 }

// cut returns the segment of text from start on as a key, and where it ends: at
// a dot or with the text. The key is of no use if the segment is too long for one.
func cut(text string, start uint) (k key, end uint) {
	k.low = load(text, start)
	if dot := findDot(k.low); dot != 0 {
		k.low &= dot ^ (dot - 1)
		return k, start + place(dot)
	}
	end = start + 8
	if end == uint(len(text)) || text[end] == '.' {
		return k, end
	}
	k.high = load(text, end)
	if dot := findDot(k.high); dot != 0 {
		k.high &= dot ^ (dot - 1)
		return k, end + place(dot)
	}
	for end += 8; end < uint(len(text)) && text[end] != '.'; end++ {
	}
	return k, end
}

// A table maps the keys of words to masks. It is a hash table with linear probing
// and at most half full. It does without a secret seed: a block has at most 64
// words in one place, and chosen collisions cost no more than a look at each.
type table struct {
	slots []slot
	used  uint8
	shift uint8 // 64 less the number of bits of an index
}

// A slot is free if its mask is 0.
type slot struct {
	key
	mask uint64
}

func newTable() table { return table{slots: make([]slot, 2), shift: 63} }

// index returns where to start looking for a key. The factor is 2^64 divided by
// the golden ratio, which spreads keys that differ in a few bits.
func (t *table) index(k key) uint64 {
	return (k.low + k.high) * 0x9E3779B97F4A7C15 >> (t.shift & 63)
}

// find returns the mask of a key, 0 if the table does not have it.
func (t *table) find(k key) (mask uint64) {
	for i := t.index(k); ; i++ {
		s := &t.slots[i&uint64(len(t.slots)-1)]
		if s.key == k || s.mask == 0 {
			return s.mask
		}
	}
}

// add adds the bits of mask to the mask of a key.
func (t *table) add(k key, mask uint64) {
	i := t.index(k)
	for t.slots[i].mask != 0 && t.slots[i].key != k {
		i = (i + 1) & uint64(len(t.slots)-1)
	}
	if s := &t.slots[i]; s.mask != 0 {
		s.mask |= mask
		return
	}
	t.slots[i] = slot{k, mask}
	t.used++
	if old := t.slots; 2*int(t.used) > len(old) {
		*t = table{slots: make([]slot, 2*len(old)), shift: t.shift - 1}
		for _, s := range old {
			if s.mask != 0 {
				t.add(s.key, s.mask)
			}
		}
	}
}
