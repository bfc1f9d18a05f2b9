package cache

import (
	"math"
	"sync/atomic"
	"time"
)

// An Entry is what one read found under one secret. Readers hold it without a
// lock, so nothing that they look at ever changes, but for the atomics.
type Entry[V any] struct {
	sum     [32]byte      // SHA-256 of the secret
	loaded  time.Duration // when the read began
	refresh atomic.Int64  // from when on a hit asks for another read

	// uses counts up to maxUses since the entry was last looked over.
	uses atomic.Uint32

	spilled uint32 // by how many lines it missed its home

	// ID is by what changes are noted of what was found, and Version how many
	// there were.
	ID      string
	Version int64
	Value   V
}

const (
	maxUses = 3

	// gone is when the read of a hollow entry began: too long ago for every
	// purpose.
	gone = time.Duration(math.MinInt64 / 2)
)

// hollow returns an entry that holds the place of e, and nothing else.
func (e *Entry[V]) hollow() *Entry[V] {
	h := &Entry[V]{sum: e.sum, loaded: gone, spilled: e.spilled}
	h.uses.Store(e.uses.Load())
	return h
}

// used counts a use, given how many there were. It seldom writes: an entry
// that all cores use stays in all their caches.
func (e *Entry[V]) used(before uint32) {
	if before < maxUses {
		e.uses.Store(before + 1)
	}
}
