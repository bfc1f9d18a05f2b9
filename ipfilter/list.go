package ipfilter

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// MaxEntries is the most entries the list of a key may have.
const MaxEntries = 256

const hardLimit = 1 << 20

// A List is an immutable set of addresses.
type List struct{ set *set }

type set struct {
	spans []span
	typed []string
}

// ParseList reads entries.
func ParseList(entries []string, limit int) (List, error) {
	if limit < 0 {
		return List{}, errors.Join(&ListError{fmt.Sprintf("negative limit %d", limit)})
	}
	if limit == 0 {
		limit = MaxEntries
	}
	limit = min(limit, hardLimit)
	switch {
	case len(entries) == 0:
		return List{}, errors.Join(&ListError{"empty list"})
	case len(entries) > limit:
		return List{}, errors.Join(&ListError{fmt.Sprintf("too many entries: %d, at most %d", len(entries), limit)})
	}
	var errs []error
	spans := make([]span, 0, len(entries))
	for i, text := range entries {
		s, p := parseEntry(text)
		if p != nil {
			errs = append(errs, &EntryError{i, printable(text), p.reason, p.suggestion})
			continue
		}
		spans = append(spans, s)
	}
	spans = merge(spans)
	for _, family := range []struct {
		name    string
		clients []span
	}{{"IPv4", clients4()}, {"IPv6", clients6()}} {
		if len(subtract(family.clients, spans)) == 0 {
			errs = append(errs, &ListError{"the entries together cover every " + family.name + " address"})
		}
	}
	if errs != nil {
		return List{}, errors.Join(errs...)
	}
	return List{&set{spans, slices.Clone(entries)}}, nil
}

// MustParseList is like ParseList and panics.
func MustParseList(entries ...string) List {
	l, err := ParseList(entries, 0)
	if err != nil {
		panic(err)
	}
	return l
}

// Contains reports whether addr is in the list.
func (l List) Contains(addr netip.Addr) bool {
	if l.set == nil || !addr.IsValid() {
		return false
	}
	addr = addr.Unmap().WithZone("")
	i, found := slices.BinarySearchFunc(l.set.spans, addr, func(s span, a netip.Addr) int { return s.first.Compare(a) })
	return found || i > 0 && addr.Compare(l.set.spans[i-1].last) <= 0
}

func (l List) spans() []span {
	if l.set == nil {
		return nil
	}
	return l.set.spans
}

// Covers reports whether every address of other is in l.
func (l List) Covers(other List) bool { return len(subtract(other.spans(), l.spans())) == 0 }

// Excess names what other holds beyond l.
func (l List) Excess(other List) []string {
	rest := subtract(other.spans(), l.spans())
	if len(rest) == 0 {
		return nil
	}
	return texts(rest)
}

// IsEmpty reports whether l contains nothing.
func (l List) IsEmpty() bool { return l.set == nil }

// Len returns the number of merged ranges.
func (l List) Len() int { return len(l.spans()) }

// Equal reports whether both contain the same addresses.
func (l List) Equal(other List) bool { return slices.Equal(l.spans(), other.spans()) }

// Strings returns the canonical text.
func (l List) Strings() []string { return texts(l.spans()) }

// Typed returns what was typed.
func (l List) Typed() []string {
	if l.set == nil {
		return []string{}
	}
	return slices.Clone(l.set.typed)
}

func (l List) String() string { return strings.Join(l.Strings(), ", ") }

// MarshalJSON writes an array of canonical texts.
func (l List) MarshalJSON() ([]byte, error) { return json.Marshal(l.Strings()) }

// UnmarshalJSON reads an array of strings.
func (l *List) UnmarshalJSON(data []byte) error {
	var entries []string
	if err := json.Unmarshal(data, &entries); err != nil {
		return fmt.Errorf("ipfilter: a list is an array of strings: %w", err)
	}
	list, err := ParseList(entries, hardLimit)
	if err != nil {
		return err
	}
	*l = list
	return nil
}
