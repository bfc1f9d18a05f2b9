package scope

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Permission is an entry of a [Catalog]: a permission that a service checks,
// and how to show it to people.
type Permission struct {
	// Name is what is asked for, such as "users.view".
	Name string

	// Group is the heading that it is shown under. Empty: its first segment.
	Group string

	// Label says what it permits. Empty: words made of the name, the last
	// segment first, such as "View users".
	Label string
}

// A Group is the permissions of a [Catalog] that have the same Group.
type Group struct {
	Name        string
	Permissions []Permission
}

// A Catalog lists the permissions that a service knows, so that grants can be
// checked against them and offered for choice. It is immutable and safe for
// concurrent use. A nil Catalog knows nothing, like one without entries.
type Catalog struct {
	entries []Permission
	names   map[string]struct{}
}

// NewCatalog returns a catalogue of the entries, in their order. It is an error
// if a name is not a permission or appears twice; every such entry is named.
func NewCatalog(entries ...Permission) (*Catalog, error) {
	c := &Catalog{entries: slices.Clone(entries), names: make(map[string]struct{}, len(entries))}
	var faults []error
	for i := range c.entries {
		e := &c.entries[i]
		reason := checkGrant(e.Name)
		if reason == "" && !ValidPermission(e.Name) {
			reason = "a permission cannot have a '*'"
		}
		if reason == "" && c.Has(e.Name) {
			reason = "listed twice"
		}
		if reason != "" {
			faults = append(faults, fmt.Errorf("scope: catalog entry %d (%s): %s", i, quote(e.Name), reason))
			continue
		}
		c.names[e.Name] = struct{}{}
		if e.Group == "" {
			e.Group, _, _ = strings.Cut(e.Name, ".")
		}
		if e.Label == "" {
			e.Label = label(e.Name)
		}
	}
	if faults != nil {
		return nil, errors.Join(faults...)
	}
	return c, nil
}

// Has reports whether name is a permission of the catalogue.
func (c *Catalog) Has(name string) bool {
	if c == nil {
		return false
	}
	_, ok := c.names[name]
	return ok
}

// Groups returns the permissions by group, groups and permissions in the order
// of the entries. The slices are the caller's own.
func (c *Catalog) Groups() []Group {
	if c == nil {
		return nil
	}
	var groups []Group
	index := make(map[string]int)
	for _, e := range c.entries {
		i, ok := index[e.Group]
		if !ok {
			i = len(groups)
			index[e.Group] = i
			groups = append(groups, Group{Name: e.Group})
		}
		groups[i].Permissions = append(groups[i].Permissions, e)
	}
	return groups
}

// An UnknownError describes a grant that covers no permission of a [Catalog].
type UnknownError struct {
	Grant      string // the grant
	Suggestion string // one that covers something and is much like it, or empty
}

// Error names the grant and the suggestion, if there is one.
func (e *UnknownError) Error() string {
	text := fmt.Sprintf("scope: unknown permission %q", e.Grant)
	if strings.Contains(e.Grant, "*") {
		text = fmt.Sprintf("scope: no known permission is covered by %q", e.Grant)
	}
	if e.Suggestion != "" {
		text += fmt.Sprintf(": did you mean %q?", e.Suggestion)
	}
	return text
}

// Validate returns an error if s has grants that cover no permission of the
// catalogue, which joins an [*UnknownError] for each: for "user.view" where it
// is "users.view", and for "ghosts.*" where there are no ghosts. "*" is fine
// if the catalogue has any entry at all. The empty set is always fine.
func (c *Catalog) Validate(s Set) error {
	var faults []error
	for _, grant := range s.grants() {
		if !c.coveredBy(grant) {
			suggestion, _ := c.Suggest(grant)
			faults = append(faults, &UnknownError{Grant: grant, Suggestion: suggestion})
		}
	}
	return errors.Join(faults...)
}

// coveredBy reports whether grant covers an entry of the catalogue.
func (c *Catalog) coveredBy(grant string) bool {
	if c == nil || !strings.Contains(grant, "*") {
		return c.Has(grant)
	}
	set := newSet([]string{grant})
	return slices.ContainsFunc(c.entries, func(e Permission) bool { return set.Allows(e.Name) })
}
