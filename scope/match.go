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
// permission, not covered if it is malformed; or, if valid, a grant known to be
// well-formed, whose stars are segments that only stars cover.
func (m *matcher) covers(text string, valid bool) bool {
	if m.few != nil {
		return slices.Contains(m.few, text)
	}
	if m.exact != nil {
		if _, ok := m.exact[text]; ok {
			return true
		}
	}
	for i := range m.blocks {
		if m.blocks[i].covers(text, valid) {
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
	words table             // grants by the word they have here, if a key holds it
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
				k, _ := cut(segment, 0)
				l.words.add(k, bit)
			}
			if !more {
				l.last |= bit
			}
		}
	}
	return b
}

// covers is [matcher.covers] for the grants of the block. A word that a grant has
// is well-formed, so that only what is left to stars has to be looked at.
func (b *block) covers(text string, valid bool) bool {
	if len(text) > maxName {
		return false
	}
	alive := ^uint64(0)
	start := uint(0)
	for l := b.first; l != nil; l = l.next {
		if alive&l.tail != 0 {
			return valid || validFrom(text, start) // a last star takes whatever follows
		}
		k, end := cut(text, start)
		var same uint64 // the grants that have this very word here
		if end-start <= maxKey {
			same = l.words.find(k)
		} else {
			same = l.long[text[start:end]]
		}
		alive &= l.star | same
		if alive == 0 {
			return false
		}
		if n := end - start; same == 0 && !valid {
			// Bytes behind a short segment are looked at with it: they have to be
			// well-formed, too.
			if n == 0 || !inAlphabet(load(text, start)) || n > 8 && !ValidPermission(text[start:end]) {
				return false
			}
		}
		if end == uint(len(text)) {
			return alive&l.last != 0
		}
		start = end + 1
	}
	return false
}
