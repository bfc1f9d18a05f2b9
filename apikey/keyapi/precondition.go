package keyapi

import (
	"strconv"
	"strings"
)

// etag is the entity tag of a key: its version.
func etag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// expected holds If-Match (RFC 9110 section 13.1.1) against the version that a
// key is at. It returns the version that a change must find, 0 for any, and
// whether the condition holds. One that is malformed does not.
func expected(values []string, version int64) (int64, bool) {
	if len(values) == 0 {
		return 0, true
	}
	list := strings.Join(values, ",")
	if strings.Trim(list, " \t") == "*" {
		return 0, true
	}
	matches := false
	for rest := nextElement(list); rest != ""; rest = nextElement(rest) {
		tag, after, ok := cutTag(rest)
		if !ok {
			return 0, false
		}
		// A weak tag has its W/ in front and so equals none of ours.
		matches = matches || tag == etag(version)
		rest = after
	}
	return version, matches
}

// nextElement drops what stands before the next element of a list, empty
// elements included (RFC 9110 section 5.6.1.2).
func nextElement(list string) string { return strings.TrimLeft(list, ", \t") }

// cutTag cuts the entity tag (RFC 9110 section 8.8.3) off which a list begins
// with. It must be the last element or be followed by a comma.
func cutTag(list string) (tag, rest string, ok bool) {
	quoted := strings.TrimPrefix(list, "W/")
	if quoted == "" || quoted[0] != '"' {
		return "", "", false
	}
	end := strings.IndexByte(quoted[1:], '"')
	if end < 0 || strings.ContainsFunc(quoted[1:1+end], isNoTagCharacter) {
		return "", "", false
	}
	rest = strings.TrimLeft(quoted[end+2:], " \t")
	tag = list[:len(list)-len(quoted[end+2:])]
	return tag, rest, rest == "" || rest[0] == ','
}

func isNoTagCharacter(r rune) bool { return r <= ' ' || r == 0x7f }
