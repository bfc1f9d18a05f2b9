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

// alphabet has the bytes that may stand in a segment.
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

// ValidPermission reports whether name is a permission: something that can be
// asked for, so without a star. It does not allocate.
func ValidPermission(name string) bool { return len(name) <= maxName && validFrom(name, 0) }

// validFrom reports whether the text from start on is one or more segments.
func validFrom(text string, start uint) bool {
	for at := start; ; {
		word := load(text, at)
		if !inAlphabet(word) {
			return false
		}
		dot := findDot(word)
		if dot == 0 {
			at += 8
			continue
		}
		at += place(dot)
		switch {
		case at == start || at-start > maxSegment:
			return false
		case at == uint(len(text)):
			return true
		}
		at++
		start = at
	}
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
	if !ValidPermission(segment) {
		for _, r := range segment {
			if !strings.ContainsRune(alphabet, r) {
				return fmt.Sprintf("%+q is not an ASCII letter, digit, '_' or '-'", r)
			}
		}
	}
	return ""
}
