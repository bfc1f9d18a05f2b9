package scope

import (
	"encoding/binary"
	"math/bits"
)

// A word is eight bytes of a text, the first in the lowest bits. What is done to
// all eight of them at once takes no longer than what is done to one.

const (
	ones = 0x0101010101010101 // times a byte: that byte eight times
	tops = 0x80 * ones
	dots = '.' * ones
)

// load returns the word that starts at a place of text, with dots behind the end.
func load(text string, at uint) uint64 {
	if at+8 <= uint(len(text)) {
		return binary.LittleEndian.Uint64([]byte(text[at : at+8]))
	}
	return loadLast(text, at)
}

// loadLast is load near the end, apart so that the compiler can inline the rest.
//
//go:noinline
func loadLast(text string, at uint) uint64 {
	if n := uint(len(text)); n >= 8 {
		beyond := 8 * (at + 8 - n)
		return binary.LittleEndian.Uint64([]byte(text[n-8:]))>>beyond | dots<<(64-beyond)
	}
	word := uint64(dots)
	for i := uint(len(text)); i > at; i-- {
		word = word<<8 | uint64(text[i-1])
	}
	return word
}

// findDot returns 0 if no byte is a dot. The lowest bit of what it returns else is
// the top bit of the first dot.
func findDot(word uint64) uint64 {
	word ^= dots
	return (word - ones) &^ word & tops
}

// place returns which byte the lowest bit of marks is in, from 0.
func place(marks uint64) uint { return uint(bits.TrailingZeros64(marks)) / 8 }

// inAlphabet reports whether each byte is a dot or one that may be in a segment.
func inAlphabet(word uint64) bool {
	// Added to a byte below 0x80, these set its top bit if it is in the range. What
	// other bytes make of their neighbours does not matter: the answer is no.
	const (
		fromA    = (0x80 - 'a') * ones
		beyondZ  = (0x80 - 'z' - 1) * ones
		fromDash = (0x80 - '-') * ones
		beyond9  = (0x80 - '9' - 1) * ones
	)
	lower := word | 0x20*ones
	letter := (lower + fromA) &^ (lower + beyondZ)
	other := (word + fromDash) &^ (word + beyond9) &^ (tops - (word ^ '/'*ones)) // all between are digits and the dot
	line := tops - (word ^ '_'*ones)
	return (word|^(letter|other|line))&tops == 0
}
