package scope

import (
	"strings"
)

// matcher answers whether one of its grants covers a text. Grants without a
// star are looked up in a map. The others go through blocks, 64 to a block,
// because a block keeps track of its grants in the bits of one word.
type matcher struct {
	exact  map[string]struct{}
	blocks []block
}

// newMatcher makes a matcher of valid grants.
func newMatcher(grants []string) matcher {
	var exact, starred []string
	for _, g := range grants {
		if strings.Contains(g, "*") {
			starred = append(starred, g)
		} else {
			exact = append(exact, g)
		}
	}
	// A walk through a block costs the same for one grant as for 64. If there
	// has to be one, and there is room, it saves the look into the map.
	if len(starred) > 0 && len(grants) <= blockSize {
		return matcher{blocks: []block{newBlock(grants)}}
	}
	var m matcher
	if len(exact) > 0 {
		m.exact = make(map[string]struct{}, len(exact))
		for _, g := range exact {
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

// covers reports whether a grant covers text. Text is a permission, perhaps a
// malformed one, which nothing covers; or it isGrant, and valid: then its
// stars are segments like others, which only a star covers.
func (m *matcher) covers(text string, isGrant bool) bool {
	if _, ok := m.exact[text]; ok {
		return true
	}
	if len(m.blocks) == 0 || len(text) > maxName {
		return false
	}
	var d dots
	if !d.split(text) && !isGrant {
		return false
	}
	for i := range m.blocks {
		if m.blocks[i].covers(text, &d) {
			return true
		}
	}
	return false
}

const blockSize = 64

// A block matches up to 64 grants at once, segment by segment. Bit i of every
// mask stands for its grant i. What a segment rules out is cleared from a mask
// of all grants, so a walk takes one step a segment, however the stars lie.
type block []level

// A level is what the grants of a block have at one position.
type level struct {
	star  uint64 // grants with a star here, and more behind it
	tail  uint64 // grants that end in a star here
	last  uint64 // grants that end in a word here
	words table  // grants with that word here
}

func newBlock(grants []string) block {
	var b block
	for i, g := range grants {
		mask := uint64(1) << i
		for at, pos := 0, 0; at <= len(g); pos++ {
			if pos == len(b) {
				b = append(b, level{words: newTable()})
			}
			l := &b[pos]
			end := at
			for end < len(g) && g[end] != '.' {
				end++
			}
			switch {
			case g[at:] == "*":
				l.tail |= mask
			case g[at:end] == "*":
				l.star |= mask
			default:
				l.words.add(key(g, at, end), g[at:end], mask)
				if end == len(g) {
					l.last |= mask
				}
			}
			at = end + 1
		}
	}
	return b
}

func (b block) covers(text string, d *dots) bool {
	alive := ^uint64(0)
	at := 0
	for i := range b {
		l := &b[i]
		if alive&l.tail != 0 {
			return true
		}
		end := d.next(at)
		alive &= l.star | l.words.find(key(text, at, end), text[at:end])
		if end == len(text) {
			return alive&l.last != 0
		}
		if alive == 0 {
			return false
		}
		at = end + 1
	}
	return false
}

// A table maps words to masks. It is a hash table with linear probing, never
// more than half full. It has no seed: 64 words are the most there can be, and
// so the most that a lookup compares.
type table struct {
	slots []slot
	used  int
	shift uint8 // 64 less the bits of an index
}

type slot struct {
	key  uint64
	mask uint64 // 0 in a free slot
	word string
}

func newTable() table { return table{slots: make([]slot, 2), shift: 63} }

// index is where the search for key starts: the top bits of a product with
// 2^64 divided by the golden ratio, which spreads what differs in few bits.
func (t *table) index(key uint64) uint64 { return key * 0x9E3779B97F4A7C15 >> (t.shift & 63) }

func (t *table) find(key uint64, word string) uint64 {
	for i := t.index(key); ; i++ {
		s := &t.slots[i&uint64(len(t.slots)-1)]
		if s.key == key && (key < longKey || s.word == word) || s.mask == 0 {
			return s.mask
		}
	}
}

func (t *table) add(key uint64, word string, mask uint64) {
	for i := t.index(key); ; i++ {
		s := &t.slots[i&uint64(len(t.slots)-1)]
		if s.mask == 0 {
			*s = slot{key: key, word: word}
			t.used++
		}
		if s.key == key && s.word == word {
			s.mask |= mask
			break
		}
	}
	if 2*t.used > len(t.slots) {
		old := t.slots
		t.slots, t.shift, t.used = make([]slot, 2*len(old)), t.shift-1, 0
		for _, s := range old {
			if s.mask != 0 {
				t.add(s.key, s.word, s.mask)
			}
		}
	}
}
