package cache

import "math/bits"

// queues decide who must go when the table is full, after S3-FIFO: newcomers
// stand in a short queue, and whoever was used there moves on to the long one;
// who comes back soon after leaving begins in the long one. So what is asked
// for once, be it a million times, passes through the short queue and pushes
// out nothing that is in use.
type queues struct {
	newcomers, regulars ring
	short               int // how long the short queue may get

	// left remembers who left, by fingerprint, about as many as fit the table.
	left []uint32
}

func newQueues(size int) queues {
	return queues{short: max(1, size/10), left: make([]uint32, 1<<bits.Len(uint(size-1)))}
}

// push adds a slot.
func (q *queues) push(slot int, sum [32]byte) {
	place, mark := fingerprint(sum)
	if seen := &q.left[place&uint64(len(q.left)-1)]; *seen == mark {
		*seen = 0
		q.regulars.push(slot)
		return
	}
	q.newcomers.push(slot)
}

// patience is how many are looked at at most until one goes, used or not.
// Without it a table full of what is in use would be a long walk.
const patience = 256

// pop takes the slot out that is worth least, going by what look says of it.
func (q *queues) pop(look func(slot int) (sum [32]byte, uses uint32), set func(slot int, uses uint32)) int {
	for looked := 1; ; looked++ {
		if q.newcomers.len > q.short || q.regulars.len == 0 {
			slot := q.newcomers.pop()
			sum, uses := look(slot)
			if uses == 0 || looked >= patience {
				place, mark := fingerprint(sum)
				q.left[place&uint64(len(q.left)-1)] = mark
				return slot
			}
			set(slot, 0)
			q.regulars.push(slot)
			continue
		}
		slot := q.regulars.pop()
		_, uses := look(slot)
		if uses == 0 || looked >= patience {
			return slot
		}
		set(slot, uses-1)
		q.regulars.push(slot)
	}
}

// A ring is a queue of slots that grows as it must.
type ring struct {
	slots      []uint32
	first, len int
}

func (r *ring) push(slot int) {
	if r.len == len(r.slots) {
		slots := make([]uint32, max(16, 2*r.len))
		n := copy(slots, r.slots[r.first:])
		copy(slots[n:], r.slots[:r.first])
		r.slots, r.first = slots, 0
	}
	r.slots[(r.first+r.len)%len(r.slots)] = uint32(slot)
	r.len++
}

func (r *ring) pop() int {
	slot := r.slots[r.first]
	r.first = (r.first + 1) % len(r.slots)
	r.len--
	return int(slot)
}
