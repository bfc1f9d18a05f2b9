package scope

import (
	"slices"
	"strings"
)

// Suggest returns the name in the catalogue that is nearest to name, which is
// name itself if the catalogue has it, and false if none is near. For a grant
// with stars it returns the nearest grant that covers an entry.
//
// Near means one mistake for four characters, at most three: a character that
// is wrong, missing, too many, or swapped with the next. Case does not count.
// Of names that are equally near it returns the first in byte order.
func (c *Catalog) Suggest(name string) (nearest string, ok bool) {
	const most = 3
	if c == nil || len(name) > maxName+most {
		return "", false
	}
	if c.Has(name) {
		return name, true
	}
	wanted, limit := strings.ToLower(name), min(most, len(name)/4)
	for _, e := range c.entries {
		candidate, fits := withStars(e.Name, name)
		if !fits {
			continue
		}
		n := typos(wanted, strings.ToLower(candidate), limit)
		if n < limit || n == limit && (!ok || candidate < nearest) {
			nearest, ok, limit = candidate, true, n
		}
	}
	return nearest, ok
}

// withStars returns name with stars where grant has them, which makes it a
// grant that covers name; false if the two do not have as many segments, a star
// at the end of grant being one or more.
func withStars(name, grant string) (string, bool) {
	if !strings.Contains(grant, "*") {
		return name, true
	}
	segments, pattern := strings.Split(name, "."), strings.Split(grant, ".")
	if pattern[len(pattern)-1] == "*" && len(segments) > len(pattern) {
		segments = segments[:len(pattern)]
	}
	if len(segments) != len(pattern) {
		return "", false
	}
	for i, segment := range pattern {
		if segment == "*" {
			segments[i] = "*"
		}
	}
	return strings.Join(segments, "."), true
}

// typos returns how many mistakes lead from a to b, or limit+1 if more than limit
// do. It tries each kind of mistake where the two differ, so the limit is to be
// small.
func typos(a, b string, limit int) int {
	for a != "" && b != "" && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	switch gap := max(len(a)-len(b), len(b)-len(a)); {
	case gap > limit:
		return limit + 1
	case a == "" || b == "":
		return gap
	case limit == 0:
		return 1
	}
	n := min(
		typos(a[1:], b[1:], limit-1), // wrong
		typos(a[1:], b, limit-1),     // too many
		typos(a, b[1:], limit-1),     // missing
	)
	if len(a) > 1 && len(b) > 1 && a[0] == b[1] && a[1] == b[0] {
		n = min(n, typos(a[2:], b[2:], limit-1)) // swapped
	}
	return n + 1
}

// label makes words of a name. What is done stands last in a name and first in
// a sentence, so "users.viewAny" becomes "View any users".
func label(name string) string {
	path := strings.Split(name, ".")
	last := len(path) - 1
	var words []byte
	for _, segment := range slices.Concat(path[last:], path[:last]) {
		words = append(words, ' ')
		wasLower := false
		for _, c := range []byte(segment) {
			isUpper := 'A' <= c && c <= 'Z'
			switch {
			case c == '_' || c == '-':
				c = ' '
			case isUpper && wasLower: // the hump of a camel
				words = append(words, ' ')
			}
			words = append(words, c)
			wasLower = !isUpper
		}
	}
	text := strings.ToLower(strings.Join(strings.Fields(string(words)), " "))
	if text == "" {
		return name // nothing but underscores and hyphens
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
