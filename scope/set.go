package scope

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Set is what a credential may do: an immutable set of grants. The zero Set
// is empty and allows nothing. Sets are as cheap to copy as a pointer, and safe
// for concurrent use.
//
// Compare sets with [Set.Equal]; they cannot be compared with ==.
type Set struct {
	_ [0]func() // not comparable: == would compare pointers
	p *set      // nil when the set is empty
}

type set struct {
	grants  []string // sorted, each once
	matcher matcher
}

// ParseSet reads grants, each a permission or a pattern such as "users.*".
// Duplicates are dropped; without arguments the set is empty.
//
// If any entry is bad there is no set, and the error joins one [*GrantError]
// for each. More than 256 entries are an error.
func ParseSet(grants ...string) (Set, error) {
	if len(grants) > maxGrants {
		return Set{}, fmt.Errorf("scope: %d grants, more than %d", len(grants), maxGrants)
	}
	var faults []error
	for i, text := range grants {
		if reason := grantFault(text); reason != "" {
			faults = append(faults, &GrantError{Index: i, Text: text, Reason: reason})
		}
	}
	if faults != nil {
		return Set{}, errors.Join(faults...)
	}
	return newSet(slices.Clone(grants)), nil
}

// MustParseSet is [ParseSet] for grants written in the program: it panics where
// ParseSet returns an error.
func MustParseSet(grants ...string) Set {
	s, err := ParseSet(grants...)
	if err != nil {
		panic(err)
	}
	return s
}

// ParseScope reads the scope parameter of OAuth 2.0 (RFC 6749 section 3.3):
// permissions separated by single spaces. Stars are errors, so a client cannot
// ask for everything. The empty string is the empty set; a space at either end
// and two in a row are errors.
//
// As with [ParseSet], every bad entry is a [*GrantError] and more than 256
// entries are an error.
func ParseScope(s string) (Set, error) {
	entries, err := splitEntries(s)
	if err != nil {
		return Set{}, err
	}
	var faults []error
	for i, text := range entries {
		reason := grantFault(text)
		if strings.Contains(text, "*") {
			reason = "a '*' cannot be asked for"
		}
		if reason != "" {
			faults = append(faults, &GrantError{Index: i, Text: text, Reason: reason})
		}
	}
	if faults != nil {
		return Set{}, errors.Join(faults...)
	}
	return newSet(entries), nil
}

func splitEntries(s string) ([]string, error) {
	if s == "" {
		return nil, nil
	}
	if n := strings.Count(s, " ") + 1; n > maxGrants {
		return nil, fmt.Errorf("scope: %d grants, more than %d", n, maxGrants)
	}
	return strings.Split(s, " "), nil
}

// newSet makes a Set of valid grants. It keeps the slice.
func newSet(grants []string) Set {
	if len(grants) == 0 {
		return Set{}
	}
	slices.Sort(grants)
	grants = slices.Compact(grants)
	return Set{p: &set{grants: grants, matcher: newMatcher(grants)}}
}

func (s Set) list() []string {
	if s.p == nil {
		return nil
	}
	return s.p.grants
}

// Allows reports whether a grant of the set covers permission. A malformed
// permission and one that holds a star are never allowed. It does not allocate.
func (s Set) Allows(permission string) bool {
	return s.p != nil && s.p.matcher.covers(permission, false)
}

// Missing returns the permissions that the set does not allow, in the order
// asked, and nil when it allows them all. Asked for none, it returns nil:
// a caller whose list could be empty has to decide what that means.
// It allocates only when something is missing.
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
func (s Set) Len() int { return len(s.list()) }

// IsEmpty reports whether the set has no grants and so allows nothing.
func (s Set) IsEmpty() bool { return s.p == nil }

// Equal reports whether both sets consist of the same grants. Sets that allow
// the same by different grants, such as "*" and "*" with "users.view", are not
// equal.
func (s Set) Equal(other Set) bool { return slices.Equal(s.list(), other.list()) }

// Strings returns the grants, sorted, in a slice of the caller's own that is
// never nil. [ParseSet] reads them back.
func (s Set) Strings() []string { return append([]string{}, s.list()...) }

// String returns the grants, sorted and separated by spaces.
func (s Set) String() string { return strings.Join(s.list(), " ") }
