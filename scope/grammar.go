package scope

import (
	"fmt"
	"strings"
)

const (
	maxSegment = 64  // bytes in a segment
	maxName    = 255 // bytes in a permission or grant
	maxGrants  = 256 // grants in a set that was parsed
)

// ValidPermission reports whether name is a well-formed permission: something
// that can be asked for, so without a star. See the package documentation for
// the grammar. It does not allocate.
func ValidPermission(name string) bool {
	if len(name) > maxName {
		return false
	}
	segment := 0 // bytes since the last dot
	for i := range len(name) {
		switch c := name[i]; {
		case c == '.' && segment > 0:
			segment = 0
		case isSegmentByte(c) && segment < maxSegment:
			segment++
		default:
			return false
		}
	}
	return segment > 0
}

func isSegmentByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-'
}

// A GrantError describes one entry of a list that is not a grant.
// The parsers return one for each bad entry, joined; errors.As finds the first.
type GrantError struct {
	Index  int    // position in the list, from 0
	Text   string // the entry as given, in full
	Reason string // what is wrong with it, for people
}

// Error names the entry and what is wrong with it. A long entry is cut short.
func (e *GrantError) Error() string {
	return fmt.Sprintf("scope: grant %d (%s): %s", e.Index, quote(e.Text), e.Reason)
}

// quote makes text fit for an error message, however long or strange it is.
func quote(text string) string {
	const limit = 80
	if len(text) > limit {
		return fmt.Sprintf("%q...", text[:limit])
	}
	return fmt.Sprintf("%q", text)
}

// grantFault says what keeps text from being a grant; "" if nothing does.
func grantFault(text string) string {
	switch {
	case text == "":
		return "empty"
	case len(text) > maxName:
		return fmt.Sprintf("longer than %d bytes", maxName)
	}
	for segment := range strings.SplitSeq(text, ".") {
		if reason := segmentFault(segment); reason != "" {
			return reason
		}
	}
	return ""
}

func segmentFault(segment string) string {
	switch {
	case segment == "*":
		return ""
	case segment == "":
		return "empty segment: a dot stands between two segments"
	case strings.Contains(segment, "*"):
		return "a '*' must be a whole segment"
	case len(segment) > maxSegment:
		return fmt.Sprintf("segment longer than %d bytes", maxSegment)
	}
	for _, r := range segment {
		if r > 0x7f || !isSegmentByte(byte(r)) {
			return fmt.Sprintf("%q is not an ASCII letter, digit, '_' or '-'", r)
		}
	}
	return ""
}
