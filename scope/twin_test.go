package scope_test

import (
	"regexp"
	"slices"
	"strings"

	"github.com/latchwork/latchwork/scope"
)

// What the tests compare the package with: the grammar and the matching as the
// documentation has them, with no thought for speed.

var (
	permissionSyntax = regexp.MustCompile(`\A[A-Za-z0-9_-]{1,64}(\.[A-Za-z0-9_-]{1,64})*\z`)
	grantSyntax      = regexp.MustCompile(`\A([A-Za-z0-9_-]{1,64}|\*)(\.([A-Za-z0-9_-]{1,64}|\*))*\z`)
)

func isPermission(s string) bool { return len(s) <= 255 && permissionSyntax.MatchString(s) }
func isGrant(s string) bool      { return len(s) <= 255 && grantSyntax.MatchString(s) }

// slowAllows is Set.Allows.
func slowAllows(grants []string, permission string) bool {
	return isPermission(permission) && slices.ContainsFunc(grants, func(g string) bool {
		return slowCovers(strings.Split(g, "."), strings.Split(permission, "."))
	})
}

// slowCovers says whether a grant covers a text, segment by segment. A star of
// the text is a segment that only stars cover.
func slowCovers(grant, text []string) bool {
	switch {
	case len(grant) == 0 || len(text) == 0:
		return len(grant) == len(text)
	case len(grant) == 1 && grant[0] == "*":
		return true
	default:
		return (grant[0] == "*" || grant[0] == text[0]) && slowCovers(grant[1:], text[1:])
	}
}

// words are the segments of the grants and names that tests make up. The matcher
// has a path for each of the lengths from 8 on.
var words = []string{"a", "b", "of-eight", "of-sixteen-bytes", "of-seventeen-byte"}

// everyName returns the names of up to four segments, of the words and of one
// more that no grant has: what is so about them is so about all names, as far
// as grants of up to four segments can tell.
func everyName() []string { return combine(append([]string{"other"}, words...), 4) }

// combine returns all texts of 1 to depth segments.
func combine(segments []string, depth int) []string {
	all := slices.Clone(segments)
	for longest := all; depth > 1; depth-- {
		var longer []string
		for _, l := range longest {
			for _, s := range segments {
				longer = append(longer, l+"."+s)
			}
		}
		all, longest = append(all, longer...), longer
	}
	return all
}

// someGrants makes grants of up to four segments from arbitrary bytes, one
// segment from each byte that is not 0.
func someGrants(data []byte) []string {
	segments := append([]string{"*", "*"}, words...)
	var grants []string
	for field := range strings.SplitSeq(string(data), "\x00") {
		var g []string
		for _, b := range []byte(field[:min(len(field), 4)]) {
			g = append(g, segments[int(b)%len(segments)])
		}
		if len(g) > 0 && len(grants) < 256 {
			grants = append(grants, strings.Join(g, "."))
		}
	}
	return grants
}

// allowed returns those of the names that the set allows.
func allowed(s scope.Set, names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !s.Allows(n) })
}
