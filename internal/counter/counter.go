// Package counter has counters that many cores may add to at once, each
// without slowing the others down.
package counter

import (
	"sync/atomic"
	"unsafe"
)

const (
	// Kinds is how many different things a Set counts.
	Kinds = 16

	// Stripes is how many numbers Stripe returns.
	Stripes = 64
)

// A Set holds counters for up to Kinds kinds of things. It is safe for
// concurrent use, and the zero Set has counted nothing. It is large: make one
// for a whole object, not one for each of many.
type Set struct {
	// A stripe fills two cache lines, because processors fetch them in pairs.
	stripes [Stripes][Kinds]atomic.Uint64
}

// Add counts one of this kind.
func (s *Set) Add(kind int) { s.stripes[Stripe()][kind].Add(1) }

// Sum returns how many of this kind were counted.
func (s *Set) Sum(kind int) uint64 {
	var sum uint64
	for i := range s.stripes {
		sum += s.stripes[i][kind].Load()
	}
	return sum
}

// Stripe returns a number below Stripes that differs between most goroutines and
// seldom changes for one: where its stack lies. That is no more than a guess at
// which core this is, but it costs nothing, and a wrong guess costs only time.
func Stripe() uint64 {
	var here byte
	page := uint64(uintptr(unsafe.Pointer(&here))) >> 11 //nolint:gosec // only a number; stacks have 2 KiB at least
	return page * 0x9e3779b97f4a7c15 >> 58
}
