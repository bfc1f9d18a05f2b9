package scope

import (
	"fmt"
	"strings"
)

const (
	maxSegment = 64  // bytes in a segment
	maxName    = 255 // bytes in a permission or grant
	maxGrants  = 256 // entries in a list that is parsed
)

// ValidPermission reports whether name is a permission: something that can be
// asked for, so without a star. It does not allocate.
func ValidPermission(name string) bool {
	if len(name) > maxName {
		return false
	}
	for start := uint(0); ; {
		_, end := scan(name, start)
		switch {
		case end == start || end-start > maxSegment:
			return false
		case end == uint(len(name)):
			return true
		case name[end] != '.':
			return false
		}
		start = end + 1
	}
}

// alphabet maps a byte that may stand in a segment to itself and every other to
// a dot, in lines of 32.
const alphabet = "" +
	"................................" +
	".............-..0123456789......" +
	".ABCDEFGHIJKLMNOPQRSTUVWXYZ...._" +
	".abcdefghijklmnopqrstuvwxyz....." +
	"................................" +
	"................................" +
	"................................" +
	"................................"

// maxKey is how many bytes of a segment fit into a key, at 7 bits each.
const maxKey = 9

// scan reads a segment from start on and returns where it ends: before the first
// byte that cannot be in one, or with the text. It packs what it reads into a
// key, a different one for each segment of 1 to maxKey bytes.
//
// All that Set.Allows does to the bytes of a name it does in this loop.
func scan(text string, start uint) (key uint64, end uint) {
	for end = start; end < uint(len(text)); end++ {
		c := alphabet[text[end]]
		if c == '.' {
			break
		}
		key = key<<7 | uint64(c)
	}
	return key, end
}

// A GrantError describes an entry of a list that is not a grant. Parsers
// return one for every bad entry, joined; errors.As finds the first.
type GrantError struct {
	Index  int    // the position in the list, from 0
	Text   string // the entry as given, in full
	Reason string // what is wrong with it, for people
}

// Error names the entry, cut short if it is long, and the reason.
func (e *GrantError) Error() string {
	return fmt.Sprintf("scope: grant %d (%s): %s", e.Index, quote(e.Text), e.Reason)
}

// quote makes text fit for an error message, however long or strange it is.
func quote(text string) string {
	const limit = 80
	if len(text) > limit {
		return fmt.Sprintf("%+q...", text[:limit])
	}
	return fmt.Sprintf("%+q", text)
}

// checkGrant returns what keeps text from being a grant; "" if nothing does.
func checkGrant(text string) (reason string) {
	switch {
	case text == "":
		return "empty"
	case len(text) > maxName:
		return fmt.Sprintf("longer than %d bytes", maxName)
	}
	for segment := range strings.SplitSeq(text, ".") {
		if reason := checkSegment(segment); reason != "" {
			return reason
		}
	}
	return ""
}

func checkSegment(segment string) (reason string) {
	switch {
	case segment == "*":
		return ""
	case segment == "":
		return "a dot must stand between two segments"
	case strings.Contains(segment, "*"):
		return "a '*' must be a whole segment"
	case len(segment) > maxSegment:
		return fmt.Sprintf("segment longer than %d bytes", maxSegment)
	}
	if _, end := scan(segment, 0); end < uint(len(segment)) {
		for _, r := range segment[end:] {
			return fmt.Sprintf("%+q is not an ASCII letter, digit, '_' or '-'", r)
		}
	}
	return ""
}
