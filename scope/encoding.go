package scope

import (
	"encoding/json"
	"errors"
	"fmt"
)

// MarshalJSON encodes the set as an array of its grants, sorted; the empty set
// is [].
func (s Set) MarshalJSON() ([]byte, error) { return json.Marshal(s.Strings()) }

// UnmarshalJSON replaces s by the set that an array of strings holds, read as
// [ParseSet] does. null, anything else than an array, and an element that is
// not a string are errors; after an error s is unchanged.
func (s *Set) UnmarshalJSON(data []byte) error {
	var entries []*string // pointers tell null from ""
	if err := json.Unmarshal(data, &entries); err != nil {
		return fmt.Errorf("scope: %w", err)
	}
	if entries == nil {
		return errors.New("scope: null is not an array of strings")
	}
	grants := make([]string, len(entries))
	for i, entry := range entries {
		if entry == nil {
			return &GrantError{Index: i, Text: "null", Reason: "not a string"}
		}
		grants[i] = *entry
	}
	parsed, err := ParseSet(grants...)
	if err != nil {
		return err
	}
	*s = parsed
	return nil
}

// MarshalText encodes the set as its grants, sorted and separated by spaces;
// the empty set is the empty text.
func (s Set) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText replaces s by the set that text holds: grants, which may have
// stars, separated by single spaces. It reads what MarshalText writes, with
// the errors of [ParseSet]; after an error s is unchanged.
func (s *Set) UnmarshalText(text []byte) error {
	entries, err := splitEntries(string(text))
	if err != nil {
		return err
	}
	parsed, err := ParseSet(entries...)
	if err != nil {
		return err
	}
	*s = parsed
	return nil
}
