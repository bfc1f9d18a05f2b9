package apikey

import (
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	maxMetadataEntries = 16
	maxMetadataBytes   = 4096
)

// Metadata are the host's own notes on a key. They are immutable and safe to
// share. The zero value is empty.
type Metadata struct {
	entries map[string]string
}

// NewMetadata copies the entries: at most 16, names not empty, valid UTF-8
// without NUL, all names and values together at most 4096 bytes.
func NewMetadata(entries map[string]string) (Metadata, error) {
	if len(entries) > maxMetadataEntries {
		return Metadata{}, fmt.Errorf("apikey: metadata: %d entries, at most %d are allowed", len(entries), maxMetadataEntries)
	}
	size := 0
	for name, value := range entries {
		if name == "" || !isText(name) || !isText(value) {
			return Metadata{}, fmt.Errorf("apikey: metadata: %.40q: names must not be empty, and all must be valid UTF-8 without NUL", name)
		}
		size += len(name) + len(value)
	}
	if size > maxMetadataBytes {
		return Metadata{}, fmt.Errorf("apikey: metadata: %d bytes, at most %d are allowed", size, maxMetadataBytes)
	}
	return Metadata{entries: maps.Clone(entries)}, nil
}

// isText reports whether every store can keep s.
func isText(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// Get returns the value under a name, and whether there is one.
func (m Metadata) Get(name string) (string, bool) {
	value, ok := m.entries[name]
	return value, ok
}

// Len returns the number of entries.
func (m Metadata) Len() int { return len(m.entries) }

// All iterates over the entries in the order of their names.
func (m Metadata) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, name := range slices.Sorted(maps.Keys(m.entries)) {
			if !yield(name, m.entries[name]) {
				return
			}
		}
	}
}

// Equal reports whether both hold the same entries.
func (m Metadata) Equal(other Metadata) bool { return maps.Equal(m.entries, other.entries) }

// MarshalJSON returns a JSON object, {} when empty.
func (m Metadata) MarshalJSON() ([]byte, error) {
	if m.entries == nil {
		return []byte("{}"), nil
	}
	return json.Marshal(m.entries)
}

// UnmarshalJSON reads a JSON object of strings within the limits of
// NewMetadata.
func (m *Metadata) UnmarshalJSON(data []byte) error {
	var entries map[string]string
	if err := json.Unmarshal(data, &entries); err != nil || entries == nil {
		return fmt.Errorf("apikey: metadata: want an object of strings, have %.40q", data)
	}
	read, err := NewMetadata(entries)
	if err != nil {
		return err
	}
	*m = read
	return nil
}
