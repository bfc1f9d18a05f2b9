package cache

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"sync/atomic"
	"time"

	"github.com/latchwork/latchwork/internal/credential"
)

const (
	// ways is how many entries a line has room for, so that it fills one line
	// of the processor's cache.
	ways = 7

	// load is how many entries there are to a line when the table is full.
	load = 4

	// reach is by how many lines an entry may miss its home.
	reach = 7

	// spillOne counts in the eighth byte of the tags.
	spillOne = 1 << (8 * ways)
)

// A line is one set of the table.
type line[V any] struct {
	// tags has eight bits of the hash of each entry, 0 where there is none, and
	// in its last byte the number of entries that should be here and are in one
	// of the lines behind.
	tags    atomic.Uint64
	entries [ways]atomic.Pointer[Entry[V]]
}

// A table finds entries by secret, without a lock, and by id. It holds a fixed
// number of them. Everything but find wants the lock of whoever owns the table.
//
// Entries are found by a keyed hash of the secret that costs next to nothing,
// and known by its SHA-256, which is only computed when there is something to
// compare it with.
type table[V any] struct {
	seed  maphash.Seed
	lines []line[V]
	size  int

	queues queues
	count  int

	// Slots whose entries' ids have the same hash are a chain. Slots count
	// from 1 here, so that 0 is the end.
	heads, nexts []uint32
}

func newTable[V any](size int, seed maphash.Seed) *table[V] {
	homes := size/load + 1
	t := &table[V]{
		seed:  seed,
		lines: make([]line[V], homes+reach),
		size:  size,
		heads: make([]uint32, 1<<bits.Len(uint(size-1))),
	}
	t.nexts = make([]uint32, len(t.lines)*ways)
	t.queues = newQueues(size)
	return t
}

// find returns the entry of a secret with this hash, or nil, and counts a use
// of it.
func (t *table[V]) find(h uint64, secret string) *Entry[V] {
	var sum [32]byte
	hashed := false
	home, tag := t.home(h), tagOf(h)
	for at := home; ; at++ {
		l := &t.lines[at]
		tags := l.tags.Load()
		for m := matches(tags, tag); m != 0; m &= m - 1 {
			e := l.entries[bits.TrailingZeros64(m)/8].Load()
			if e == nil {
				continue
			}
			// The entry comes out of memory while the secret is hashed.
			uses := e.uses.Load()
			if !hashed {
				sum, hashed = credential.Sum(secret), true
			}
			if e.sum == sum {
				e.used(uses)
				return e
			}
		}
		if at == home && tags < spillOne || at == home+reach {
			return nil
		}
	}
}

// home is the line in which an entry belongs.
func (t *table[V]) home(h uint64) int {
	high, _ := bits.Mul64(h, uint64(len(t.lines)-reach))
	return int(high)
}

// tagOf takes bits that home hardly looks at, and never 0.
func tagOf(h uint64) uint64 { return max(1, h&0xff) }

// matches marks, in the highest bit of each byte, the ways that may have this
// tag. The first one marked has it; those behind need not.
func matches(tags, tag uint64) uint64 {
	const ones, highs = 0x01010101010101, 0x80808080808080
	x := (tags ^ tag*ones) & (1<<(8*ways) - 1)
	return (x - ones) &^ x & highs
}

// put adds an entry, in the place of the one under the same key if there is
// one, and reports how many had to go for it. Those that were loaded before
// oldest go first.
func (t *table[V]) put(key Key, e *Entry[V], oldest time.Duration) (evicted int) {
	home := t.home(key.hash)
	if slot, found := t.slotOf(key); found {
		old := t.at(slot).Load()
		e.uses.Store(old.uses.Load())
		t.replace(slot, old, e)
		return 0
	}
	if t.count >= t.size {
		t.evict(oldest)
		evicted = 1
	}
	slot, free := t.freeSlot(home)
	if !free {
		slot = t.leastUsed(home, oldest)
		t.remove(slot)
		t.fill(slot, home, key.hash, e) // in the place of the other in its queue, too
		return evicted + 1
	}
	t.fill(slot, home, key.hash, e)
	t.queues.push(slot, e.sum)
	return evicted
}

// at is the place of a slot.
func (t *table[V]) at(slot int) *atomic.Pointer[Entry[V]] {
	return &t.lines[slot/ways].entries[slot%ways]
}

// slotOf finds the slot of a key.
func (t *table[V]) slotOf(key Key) (slot int, found bool) {
	home, tag := t.home(key.hash), tagOf(key.hash)
	for at := home; ; at++ {
		tags := t.lines[at].tags.Load()
		for m := matches(tags, tag); m != 0; m &= m - 1 {
			slot := at*ways + bits.TrailingZeros64(m)/8
			if e := t.at(slot).Load(); e != nil && e.sum == key.sum {
				return slot, true
			}
		}
		if at == home && tags < spillOne || at == home+reach {
			return 0, false
		}
	}
}

func (t *table[V]) freeSlot(home int) (slot int, found bool) {
	for at := home; at <= home+reach; at++ {
		if m := matches(t.lines[at].tags.Load(), 0); m != 0 {
			return at*ways + bits.TrailingZeros64(m)/8, true
		}
	}
	return 0, false
}

// leastUsed chooses who must go although the table is not full: in one of a
// million cases all lines within reach are.
func (t *table[V]) leastUsed(home int, oldest time.Duration) (slot int) {
	least := uint32(maxUses + 1)
	for s := home * ways; s < (home+1)*ways; s++ {
		if uses := worth(t.at(s).Load(), oldest); uses < least {
			slot, least = s, uses
		}
	}
	return slot
}

// worth is how often an entry was used, if it is good for anything.
func worth[V any](e *Entry[V], oldest time.Duration) uint32 {
	if e.loaded < oldest {
		return 0
	}
	return e.uses.Load()
}

// fill puts an entry into a free slot. Its tag comes last, so that whoever sees
// the tag sees the entry.
func (t *table[V]) fill(slot, home int, h uint64, e *Entry[V]) {
	at := slot / ways
	e.spilled = uint32(at - home)
	t.at(slot).Store(e)
	t.lines[at].tags.Add(tagOf(h) << (8 * (slot % ways)))
	if at != home {
		t.lines[home].tags.Add(spillOne)
	}
	t.count++
	t.link(slot, e.ID)
}

// replace puts an entry into the slot of another one under the same secret.
func (t *table[V]) replace(slot int, old, e *Entry[V]) {
	e.spilled = old.spilled
	if old.ID != e.ID {
		t.unlink(slot, old.ID)
		t.link(slot, e.ID)
	}
	t.at(slot).Store(e)
}

// remove empties a slot, but for its place in the queues.
func (t *table[V]) remove(slot int) {
	at, way := slot/ways, slot%ways
	e := t.at(slot).Load()
	tags := &t.lines[at].tags
	tags.And(^(0xff << (8 * way)))
	t.at(slot).Store(nil)
	if e.spilled > 0 {
		t.lines[at-int(e.spilled)].tags.Add(^uint64(spillOne - 1))
	}
	t.count--
	t.unlink(slot, e.ID)
}

// evict empties the slot of the entry that is worth least.
func (t *table[V]) evict(oldest time.Duration) {
	slot := t.queues.pop(func(slot int) (sum [32]byte, uses uint32) {
		e := t.at(slot).Load()
		return e.sum, worth(e, oldest)
	}, func(slot int, uses uint32) { t.at(slot).Load().uses.Store(uses) })
	t.remove(slot)
}

func (t *table[V]) head(id string) *uint32 {
	return &t.heads[maphash.String(t.seed, id)&uint64(len(t.heads)-1)]
}

// link makes a slot findable by id.
func (t *table[V]) link(slot int, id string) {
	if id == "" {
		return
	}
	head := t.head(id)
	t.nexts[slot], *head = *head, uint32(slot+1)
}

func (t *table[V]) unlink(slot int, id string) {
	if id == "" {
		return
	}
	for link := t.head(id); *link != 0; link = &t.nexts[*link-1] {
		if *link == uint32(slot+1) {
			*link = t.nexts[slot]
			return
		}
	}
}

// invalidate hollows out what was found under an id in a lesser version.
func (t *table[V]) invalidate(id string, version int64) {
	for next := *t.head(id); next != 0; {
		slot := int(next - 1)
		next = t.nexts[slot]
		if e := t.at(slot).Load(); e.ID == id && e.Version < version {
			t.replace(slot, e, e.hollow())
		}
	}
}

// peek is find without counting a use.
func (t *table[V]) peek(key Key) *Entry[V] {
	if slot, found := t.slotOf(key); found {
		return t.at(slot).Load()
	}
	return nil
}

// hollow hollows out what is under a key.
func (t *table[V]) hollow(key Key) {
	if slot, found := t.slotOf(key); found {
		e := t.at(slot).Load()
		t.replace(slot, e, e.hollow())
	}
}

// fingerprint is what is remembered of a secret that had to go.
func fingerprint(sum [32]byte) (place uint64, mark uint32) {
	return binary.LittleEndian.Uint64(sum[:]), binary.LittleEndian.Uint32(sum[8:]) | 1
}
