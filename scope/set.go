package scope

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Set says what a credential may do: it is an immutable set of grants. The
// zero Set is empty and allows nothing. A Set is as cheap to copy as a pointer
// and safe for concurrent use.
//
// Sets are compared with [Set.Equal]; == does not compile.
type Set struct {
	_ [0]func() // == would compare the pointers
	p *set      // nil: no grants
}

type set struct {
	grants  []string // sorted, each once
	matcher matcher
}

// ParseSet returns the set of the given grants, each a permission or a pattern
// such as "users.*". Duplicates count once; without grants the set is empty.
//
// A bad entry is an error, never a smaller set: the error joins a [*GrantError]
// for each. More than 256 entries are an error too.
func ParseSet(grants ...string) (Set, error) {
	return parse(slices.Clone(grants), checkGrant)
}

// MustParseSet is [ParseSet] for grants that are written in the program. It
// panics where ParseSet returns an error.
func MustParseSet(grants ...string) Set {
	s, err := ParseSet(grants...)
	if err != nil {
		panic(err)
	}
	return s
}

// ParseScope returns the set that an OAuth 2.0 scope parameter stands for (RFC
// 6749 section 3.3): permissions, separated by single spaces. A star is an
// error, so that no client can ask for everything. Spaces at the ends, and two
// in a row, are errors; the empty string is the empty set.
//
// Errors are those of [ParseSet].
func ParseScope(s string) (Set, error) {
	return parseText(s, func(text string) string {
		if strings.Contains(text, "*") {
			return "a scope cannot have a '*'"
		}
		return checkGrant(text)
	})
}

func parseText(s string, check func(text string) (reason string)) (Set, error) {
	if s == "" {
		return Set{}, nil
	}
	// One entry more than there may be is enough to find that out.
	return parse(strings.SplitN(s, " ", min(strings.Count(s, " "), maxGrants)+1), check)
}

// parse makes a Set in the slice that it is given.
func parse(grants []string, check func(text string) (reason string)) (Set, error) {
	if len(grants) > maxGrants {
		return Set{}, errTooMany
	}
	var faults []error
	for i, text := range grants {
		if reason := check(text); reason != "" {
			faults = append(faults, &GrantError{Index: i, Text: text, Reason: reason})
		}
	}
	if faults != nil {
		return Set{}, errors.Join(faults...)
	}
	return newSet(grants), nil
}

var errTooMany = fmt.Errorf("scope: more than %d grants", maxGrants)

// newSet makes a Set of valid grants, in the slice that it is given.
func newSet(grants []string) Set {
	if len(grants) == 0 {
		return Set{}
	}
	slices.Sort(grants)
	grants = slices.Compact(grants)
	return Set{p: &set{grants: grants, matcher: newMatcher(grants)}}
}

// Allows reports whether a grant of the set covers permission. A malformed
// permission is never allowed, nor is one with a star, whatever the set holds.
// Allows does not allocate.
func (s Set) Allows(permission string) bool {
	return s.p != nil && s.p.matcher.covers(permission, false)
}

// Missing returns those of the permissions that the set does not allow, in the
// order asked. It is nil, and nothing is allocated, when none is missing.
//
// Asked for nothing, it misses nothing: whoever asks with a list that may be
// empty has to decide what that means.
func (s Set) Missing(permissions ...string) []string {
	var missing []string
	for _, p := range permissions {
		if !s.Allows(p) {
			missing = append(missing, p)
		}
	}
	return missing
}

// Len returns the number of grants.
func (s Set) Len() int { return len(s.grants()) }

// IsEmpty reports whether the set has no grants, and so allows nothing.
func (s Set) IsEmpty() bool { return s.p == nil }

// HasStars reports whether a grant of the set has a star, so that the set stands
// for permissions that it does not name.
func (s Set) HasStars() bool { return s.p != nil && len(s.p.matcher.blocks) > 0 }

// Equal reports whether both sets have the same grants. Sets that allow the
// same by different grants are not equal: "*" alone is not "*" and "users.*".
func (s Set) Equal(other Set) bool { return slices.Equal(s.grants(), other.grants()) }

// Strings returns the grants, sorted, in a slice that is the caller's own and
// never nil. [ParseSet] makes an equal set of them.
func (s Set) Strings() []string { return append([]string{}, s.grants()...) }

// String returns the grants, sorted, with spaces between them.
func (s Set) String() string { return strings.Join(s.grants(), " ") }

func (s Set) grants() []string {
	if s.p == nil {
		return nil
	}
	return s.p.grants
}
