package apikey

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/latchwork/latchwork/ipfilter"
	"github.com/latchwork/latchwork/scope"
)

const (
	maxName       = 255 // characters, of Name and RevokedReason
	maxOwner      = 255 // bytes, of Owner and Actor.ID
	maxIdentifier = 32
	maxGrants     = 256 // of a set that scope.ParseSet reads
)

// A Spec is what a key is created from, and what Update may change of it.
// The zero value of each field is the strict one, unless its comment says
// otherwise.
type Spec struct {
	Name string // 1 to 255 characters, no control characters
	Type string // one of Config.Types

	// Owner ties the key to an account of the host, at most 255 bytes. It
	// cannot be changed. Creating as an Actor with an Owner sets that one.
	Owner string

	// Permissions are the grants; with a Config.Catalog, of what it knows.
	Permissions scope.Set

	// AllowedIPs are the addresses the key may be used from. Nil: any
	// address. An empty list is refused.
	AllowedIPs *ipfilter.List

	// Metadata is the host's own. It cannot be changed.
	Metadata Metadata

	// ExpiresAt is the first instant at which the key no longer works, cut to
	// microseconds. Zero: never, which a Config.MaxLifetime refuses.
	ExpiresAt time.Time

	// Disabled switches the key off.
	Disabled bool
}

// validate reports everything that is wrong with s. Fields that equal those of
// before are left alone: a key that was made under older rules can still be
// renamed.
func (m *Manager) validate(s Spec, before *Spec) error {
	var faults SpecError
	if before == nil || s.Name != before.Name {
		if reason := badText(s.Name, 1, maxName); reason != "" {
			faults.add("name", reason)
		}
	}
	if (before == nil || s.Type != before.Type) && !slices.Contains(m.types, s.Type) {
		faults.add("type", fmt.Sprintf("must be one of %s", strings.Join(m.types, ", ")))
	}
	if before == nil || !s.Permissions.Equal(before.Permissions) {
		switch {
		case s.Permissions.Len() > maxGrants: // as Intersect can make them
			faults.add("permissions", fmt.Sprintf("must not have more than %d grants", maxGrants))
		case m.catalog != nil:
			for _, err := range split(m.catalog.Validate(s.Permissions)) {
				faults.add("permissions", trimPackage(err.Error()))
			}
		}
	}
	if s.AllowedIPs != nil && (before == nil || before.AllowedIPs == nil || !s.AllowedIPs.Equal(*before.AllowedIPs)) {
		switch {
		case s.AllowedIPs.IsEmpty():
			faults.add("allowed_ips", "must not be empty: without a list the key works from anywhere")
		case s.AllowedIPs.Len() > ipfilter.MaxEntries:
			faults.add("allowed_ips", fmt.Sprintf("must not have more than %d entries", ipfilter.MaxEntries))
		}
	}
	if before == nil || !s.ExpiresAt.Equal(before.ExpiresAt) {
		switch tooLong := m.livesTooLong(s.ExpiresAt); {
		case !s.ExpiresAt.IsZero() && !s.ExpiresAt.After(m.now()):
			faults.add("expires_at", "must be in the future")
		case tooLong != "":
			faults.add("expires_at", tooLong)
		case s.ExpiresAt.Year() > 9999:
			faults.add("expires_at", "must not lie beyond the year 9999")
		}
	}
	switch {
	case before != nil && s.Owner != before.Owner:
		faults.add("owner", "cannot be changed")
	case before == nil && (len(s.Owner) > maxOwner || !isText(s.Owner)):
		faults.add("owner", fmt.Sprintf("must be text of at most %d bytes", maxOwner))
	}
	if before != nil && !s.Metadata.Equal(before.Metadata) {
		faults.add("metadata", "cannot be changed")
	}
	return faults.orNil()
}

// livesTooLong says why a key must not have this expiry from now on, or "".
func (m *Manager) livesTooLong(expiry time.Time) string {
	if m.lifetime == 0 || (!expiry.IsZero() && !expiry.After(m.now().Add(m.lifetime))) {
		return ""
	}
	what := "must be set, and not lie more than %s ahead"
	if !expiry.IsZero() {
		what = "must not lie more than %s ahead"
	}
	length := m.lifetime.String()
	if day := 24 * time.Hour; m.lifetime%day == 0 && m.lifetime > day {
		length = fmt.Sprintf("%d days", m.lifetime/day)
	}
	return fmt.Sprintf(what, length)
}

// badText says what is wrong with a text that people read, or "".
func badText(s string, atLeast, atMost int) string {
	switch n := utf8.RuneCountInString(s); {
	case !utf8.ValidString(s):
		return "must be valid UTF-8"
	case n < atLeast || (atLeast > 0 && !strings.ContainsFunc(s, isVisible)):
		return "must not be empty"
	case n > atMost:
		return fmt.Sprintf("must not have more than %d characters", atMost)
	case strings.ContainsFunc(s, unicode.IsControl):
		return "must not contain control characters"
	default:
		return ""
	}
}

// isVisible reports whether r leaves a mark, as neither a space nor a
// zero-width joiner does.
func isVisible(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) }

// isIdentifier reports whether s is [a-z0-9_]{1,32}.
func isIdentifier(s string) bool {
	if s == "" || len(s) > maxIdentifier {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z')
	})
}

// split takes joined errors apart.
func split(err error) []error {
	if err == nil {
		return nil
	}
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		return joined.Unwrap()
	}
	return []error{err}
}

// trimPackage drops the "scope: " in front of a reason that people read.
func trimPackage(text string) string {
	_, reason, found := strings.Cut(text, ": ")
	if !found {
		return text
	}
	return reason
}
