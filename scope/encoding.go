package scope

import (
	"encoding/json"
	"errors"
	"fmt"
)

// MarshalJSON encodes the set as an array of its grants, sorted. The empty set
// is [].
func (s Set) MarshalJSON() ([]byte, error) { return json.Marshal(s.Strings()) }

// UnmarshalJSON replaces s with the set of an array of grants. Whatever is no
// array is an error, null as well, and so is an element that is no string.
// Otherwise errors are those of [ParseSet]; after one, s is what it was.
func (s *Set) UnmarshalJSON(data []byte) error {
	var elements []json.RawMessage
	if err := json.Unmarshal(data, &elements); err != nil {
		return fmt.Errorf("scope: %w", err)
	}
	if elements == nil {
		return errors.New("scope: null is not an array of strings")
	}
	if len(elements) > maxGrants {
		return errTooMany
	}
	grants := make([]string, len(elements))
	var faults []error
	for i, element := range elements {
		if element[0] != '"' {
			faults = append(faults, &GrantError{Index: i, Text: string(element), Reason: "not a string"})
			continue
		}
		faults = append(faults, json.Unmarshal(element, &grants[i]))
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	parsed, err := ParseSet(grants...)
	if err != nil {
		return err
	}
	*s = parsed
	return nil
}

// MarshalText encodes the set as its grants, sorted, with spaces between them.
// The empty set is the empty text.
func (s Set) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText replaces s with the set that text stands for: grants, with or
// without stars, separated by single spaces. Errors are those of [ParseSet];
// after one, s is what it was.
func (s *Set) UnmarshalText(text []byte) error {
	parsed, err := parseText(string(text), checkGrant)
	if err != nil {
		return err
	}
	*s = parsed
	return nil
}
