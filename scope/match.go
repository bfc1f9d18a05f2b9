package scope

import (
	"slices"
	"strings"
)

// A matcher tells whether one of its grants covers a text. Grants without a star
// are found by equal texts: a few by looking at each, more of them in a map. The
// others are in blocks.
type matcher struct {
	few    []string // nil: the others
	exact  map[string]struct{}
	blocks []block
}

const (
	maxFew    = 4
	blockSize = 64
)

func newMatcher(grants []string) matcher {
	// A block takes as long for one grant as for 64. If one is needed, and has
	// room for all grants, it saves the lookup in the map.
	if len(grants) <= blockSize && slices.ContainsFunc(grants, hasStar) {
		return matcher{blocks: []block{newBlock(grants)}}
	}
	if len(grants) <= maxFew {
		return matcher{few: grants}
	}
	m := matcher{exact: make(map[string]struct{}, len(grants))}
	var starred []string
	for _, g := range grants {
		if hasStar(g) {
			starred = append(starred, g)
		} else {
			m.exact[g] = struct{}{}
		}
	}
	for len(starred) > 0 {
		n := min(len(starred), blockSize)
		m.blocks = append(m.blocks, newBlock(starred[:n]))
		starred = starred[n:]
	}
	return m
}

func hasStar(grant string) bool { return strings.Contains(grant, "*") }

// covers reports whether a grant covers text, which is one of two things: a
// permission, not covered if it is malformed; or, if isGrant, a grant known to
// be well-formed, whose stars are segments that only stars cover.
func (m *matcher) covers(text string, isGrant bool) bool {
	if m.few != nil {
		return slices.Contains(m.few, text)
	}
	if m.exact != nil {
		if _, ok := m.exact[text]; ok {
			return true
		}
	}
	for i := range m.blocks {
		if m.blocks[i].covers(text, isGrant) {
			return true
		}
	}
	return false
}

// A block matches up to 64 grants at once. It goes through the segments of a
// text and keeps, in bit i of a mask, whether grant i agrees with it so far. So
// every segment is one step, wherever the grants have their stars.
type block struct{ first *level }

// A level is what the grants of a block have in one position.
type level struct {
	star  uint64            // grants with a star here and something behind it
	tail  uint64            // grants whose last segment is here, a star
	last  uint64            // grants whose last segment is here, a word
	words table             // grants by the word they have here, if it fits into a key
	long  map[string]uint64 // grants by the word they have here, if it does not
	next  *level
}

func newBlock(grants []string) block {
	var b block
	for i, g := range grants {
		bit := uint64(1) << i
		next := &b.first
		for more := true; more; {
			var segment string
			segment, g, more = strings.Cut(g, ".")
			if *next == nil {
				*next = &level{words: newTable()}
			}
			l := *next
			next = &l.next
			switch {
			case segment == "*" && more:
				l.star |= bit
				continue
			case segment == "*":
				l.tail |= bit
				continue
			case len(segment) > maxKey:
				if l.long == nil {
					l.long = make(map[string]uint64)
				}
				l.long[segment] |= bit
			default:
				key, _ := scan(segment, 0)
				l.words.add(key, bit)
			}
			if !more {
				l.last |= bit
			}
		}
	}
	return b
}

// covers is [matcher.covers] for the grants of the block.
//
// Every request goes through this loop. The levels are linked, and the calls
// kept out of its common path, so that what it works with stays in registers.
func (b *block) covers(text string, isGrant bool) bool {
	if len(text) > maxName {
		return false
	}
	alive := ^uint64(0)
	start := uint(0)
	for l := b.first; l != nil; l = l.next {
		if alive&l.tail != 0 {
			// A last star takes whatever follows, if that is well-formed.
			return isGrant || ValidPermission(text[start:])
		}
		key, end := scan(text, start)
		same := uint64(0) // the grants that have this very word here
		switch n := end - start; {
		case 1 <= n && n <= maxKey:
			same = l.words.find(key)
		case maxKey < n && n <= maxSegment:
			same = l.long[text[start:end]]
		case n == 0 && isGrant:
			end++ // a star
		default:
			return false
		}
		alive &= l.star | same
		if end == uint(len(text)) {
			return alive&l.last != 0
		}
		if alive == 0 || text[end] != '.' {
			return false
		}
		start = end + 1
	}
	return false
}

// A table maps the keys of words to masks. It is a hash table with linear probing
// and at most half full. It does without a secret seed: a block has at most 64
// words in one place, and chosen collisions cost no more than a look at each.
type table struct {
	slots []slot
	used  uint8
	shift uint8 // 64 less the number of bits of an index
}

type slot struct{ key, mask uint64 } // free if mask is 0

func newTable() table { return table{slots: make([]slot, 2), shift: 63} }

// index returns where to start looking for key. The factor is 2^64 divided by
// the golden ratio, which spreads keys that differ in a few bits.
func (t *table) index(key uint64) uint64 { return key * 0x9E3779B97F4A7C15 >> (t.shift & 63) }

// find returns the mask of key, 0 if the table does not have it.
func (t *table) find(key uint64) (mask uint64) {
	for i := t.index(key); ; i++ {
		s := &t.slots[i&uint64(len(t.slots)-1)]
		if s.key == key || s.mask == 0 {
			return s.mask
		}
	}
}

// add adds the bits of mask to the mask of key.
func (t *table) add(key, mask uint64) {
	i := t.index(key)
	for t.slots[i].mask != 0 && t.slots[i].key != key {
		i = (i + 1) & uint64(len(t.slots)-1)
	}
	if s := &t.slots[i]; s.mask != 0 {
		s.mask |= mask
		return
	}
	t.slots[i] = slot{key, mask}
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
