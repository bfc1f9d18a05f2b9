package ipfilter

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	// MaxEntries is the most entries that the list of a key may have.
	MaxEntries = 256

	// maxList bounds every list, whatever limit it was parsed with.
	maxList = 1 << 20
)

// A List is an immutable set of IP addresses. The zero List contains nothing;
// every other one comes from [ParseList] and contains something. A List is one
// pointer, may be copied, and is safe for concurrent use. Lists are compared
// with [List.Equal], not with ==.
type List struct{ set *set }

// ParseList makes a list of what a person typed: single addresses, prefixes
// such as "10.0.0.0/8" and ranges such as "10.0.0.1-10.0.0.9". The package
// documentation says what an entry may look like.
//
// A list may have limit entries; 0 stands for [MaxEntries], and no limit goes
// beyond 1,048,576.
//
// The error joins all mistakes (see [errors.Join]): an *[EntryError] for each bad
// entry, and a *[ListError] for what no single entry is to blame for: no
// entries, too many of them, a negative limit, or entries that only together
// cover every address of a family. After 256 bad entries it stops with such an
// error, too.
func ParseList(entries []string, limit int) (List, error) {
	switch {
	case limit < 0:
		return refuse("negative limit " + strconv.Itoa(limit))
	case limit == 0:
		limit = MaxEntries
	}
	switch limit = min(limit, maxList); {
	case len(entries) == 0:
		return refuse("empty list")
	case len(entries) > limit:
		return refuse(fmt.Sprintf("too many entries: %d, and the limit is %d", len(entries), limit))
	}
	var errs []error
	spans := make([]span, 0, len(entries))
	for i, text := range entries {
		s, err := parseEntry(text)
		if err == nil {
			spans = append(spans, s)
			continue
		}
		if len(errs) == MaxEntries {
			errs = append(errs, &ListError{"too many bad entries: the others were not read"})
			return List{}, errors.Join(errs...)
		}
		err.Index, err.Text = i, printable(text)
		errs = append(errs, err)
	}
	spans = merge(spans)
	if family := wholeFamily(spans); family != "" {
		errs = append(errs, &ListError{"the entries together cover every " + family + " address"})
	}
	if errs != nil {
		return List{}, errors.Join(errs...)
	}
	return List{compile(spans, strings.Join(entries, "\n"))}, nil
}

func refuse(reason string) (List, error) {
	return List{}, errors.Join(&ListError{reason})
}

// MustParseList is ParseList with the limit [MaxEntries] for lists that are
// written in a program. It panics where ParseList returns an error.
func MustParseList(entries ...string) List {
	l, err := ParseList(entries, 0)
	if err != nil {
		panic(err)
	}
	return l
}

func (l List) spans() []span {
	if l.set == nil {
		return nil
	}
	return l.set.spans()
}

// Covers reports whether every address of other is in l. The empty list is
// covered by any.
func (l List) Covers(other List) bool {
	return len(subtract(other.spans(), l.spans())) == 0
}

// Excess returns what other contains beyond l, as canonical texts in the order
// of [List.Strings]. It is nil if l covers other.
func (l List) Excess(other List) []string {
	if rest := subtract(other.spans(), l.spans()); len(rest) > 0 {
		return texts(rest)
	}
	return nil
}

// IsEmpty reports whether l is the zero List.
func (l List) IsEmpty() bool { return l.set == nil }

// Len returns the number of ranges that are left of the entries once those that
// overlap or touch are merged. It is the length of [List.Strings].
func (l List) Len() int {
	if l.set == nil {
		return 0
	}
	return l.set.len()
}

// Equal reports whether both lists contain the same addresses. How they were
// typed does not matter.
func (l List) Equal(other List) bool { return slices.Equal(l.spans(), other.spans()) }

// Strings returns the canonical text of the list, IPv4 before IPv6 and in
// ascending order: each range as "a" if it is one address, as "a/n" if it is a
// prefix, else as "a-b". Given a sufficient limit, ParseList makes an equal list
// of it. It is never nil.
func (l List) Strings() []string { return texts(l.spans()) }

// Typed returns the entries exactly as they were given to [ParseList], for
// display. It is never nil.
func (l List) Typed() []string {
	if l.set == nil {
		return []string{}
	}
	return strings.Split(l.set.typed, "\n")
}

// String returns the texts of [List.Strings], separated by ", ".
func (l List) String() string { return strings.Join(l.Strings(), ", ") }

// MarshalJSON returns the texts of [List.Strings] as an array.
func (l List) MarshalJSON() ([]byte, error) { return json.Marshal(l.Strings()) }

// UnmarshalJSON reads an array of entries. It refuses whatever [ParseList]
// refuses, the empty array and null among it, so that no list is made of lost
// data; a list may have 1,048,576 entries, which none that was marshalled
// exceeds. After an error l is what it was.
func (l *List) UnmarshalJSON(data []byte) error {
	var entries []string
	if err := json.Unmarshal(data, &entries); err != nil {
		return fmt.Errorf("ipfilter: a list is an array of strings: %w", err)
	}
	list, err := ParseList(entries, maxList)
	if err != nil {
		return err
	}
	*l = list
	return nil
}

// An EntryError says why an entry of a list was refused.
type EntryError struct {
	Index  int    // its position in the list, from 0
	Text   string // the entry, cut after 128 bytes, with control characters escaped
	Reason string // one of a few fixed phrases, none of which repeats the entry

	// Suggestion is what was probably meant: an entry that ParseList accepts
	// or, if several were written as one, all of them separated by ", ". It is
	// empty if that cannot be told.
	Suggestion string
}

// Error returns everything in one line.
func (e *EntryError) Error() string {
	text := fmt.Sprintf(`ipfilter: entry %d "%s": %s`, e.Index, e.Text, e.Reason)
	if e.Suggestion == "" {
		return text
	}
	return text + `; did you mean "` + strings.ReplaceAll(e.Suggestion, ", ", `", "`) + `"?`
}

// A ListError says why a list was refused that no single entry is to blame for.
type ListError struct {
	Reason string
}

// Error returns the reason.
func (e *ListError) Error() string { return "ipfilter: " + e.Reason }

// printable makes text from outside fit for errors and logs.
func printable(text string) string {
	if len(text) > maxText {
		end := maxText
		for end > maxText-utf8.UTFMax && !utf8.RuneStart(text[end]) {
			end--
		}
		text = text[:end] + "..."
	}
	quoted := strconv.Quote(text)
	return quoted[1 : len(quoted)-1]
}
