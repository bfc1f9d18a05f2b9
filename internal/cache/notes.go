package cache

import (
	"math"
	"slices"
	"time"
)

const (
	// anyVersion is greater than every version there is.
	anyVersion = math.MaxInt64

	// maxNotes is how many notes are kept. Past that the oldest go early; reads
	// that began before such a one are not kept at all.
	maxNotes = 1 << 16
)

// notes remember what was heard of changes, so that reads which began before
// them, and lagging stores, cannot bring back what was.
type notes struct {
	keep   time.Duration
	turn   uint64 // grows with every note
	byID   map[string]note
	queue  []noted // by age
	gone   int     // how many of the queue are forgotten
	forgot uint64  // the newest turn that is forgotten
}

type note struct {
	turn    uint64
	at      time.Duration
	version int64 // the greatest that was heard of
	written int64 // the greatest that was written here
}

type noted struct {
	id   string
	turn uint64
	at   time.Duration
}

func newNotes(keep time.Duration) notes {
	return notes{keep: keep, byID: map[string]note{}}
}

// next begins a turn.
func (n *notes) next() uint64 {
	n.turn++
	return n.turn
}

func (n *notes) add(id string, version int64, written bool, now time.Duration) {
	old := n.at(id, now)
	entry := note{turn: n.next(), at: now, version: max(old.version, version), written: old.written}
	if written {
		entry.written = max(old.written, version)
	}
	n.byID[id] = entry
	n.queue = append(n.queue, noted{id: id, turn: entry.turn, at: now})
	n.forget(now)
}

// at returns the note on an id, or none.
func (n *notes) at(id string, now time.Duration) note {
	entry := n.byID[id]
	if entry.at+n.keep <= now {
		return note{}
	}
	return entry
}

// forget drops what is old, and what is too much.
func (n *notes) forget(now time.Duration) {
	for ; n.gone < len(n.queue); n.gone++ {
		oldest := n.queue[n.gone]
		if oldest.at+n.keep > now && len(n.queue)-n.gone <= maxNotes {
			break
		}
		if n.byID[oldest.id].turn == oldest.turn {
			delete(n.byID, oldest.id)
			n.forgot = oldest.turn
		}
	}
	if 2*n.gone > len(n.queue) {
		n.queue, n.gone = slices.Delete(n.queue, 0, n.gone), 0
	}
}

// A standing is what notes say of something that was read.
type standing int

const (
	accepted standing = iota
	outdated          // the read began before it was changed: read again
	refused           // the store is behind what was written here
)

// judge says whether a version under an id may be kept which was found by a
// read that began after this turn.
func (n *notes) judge(id string, version int64, began uint64, now time.Duration) standing {
	entry := n.at(id, now)
	switch {
	case began < n.forgot:
		return outdated
	case version >= entry.version:
		return accepted
	case began < entry.turn:
		return outdated
	case version < entry.written:
		return refused
	default:
		return accepted
	}
}
