package sqlkit

import (
	"encoding/json"
	"fmt"
	"sync"

	"github.com/latchwork/latchwork/scope"
)

const (
	maxInterned     = 4096    // values
	maxInternedText = 1 << 20 // bytes of what they were read from
)

// An Intern reads texts into immutable values and remembers them: many rows
// have the same permissions, and reading them takes longer than the database
// did. It is bounded, and safe for concurrent use.
type Intern[T any] struct {
	parse func(text []byte) (T, error)

	mu     sync.RWMutex
	values map[string]T
	size   int
}

// NewIntern returns an Intern of what parse reads.
func NewIntern[T any](parse func(text []byte) (T, error)) *Intern[T] {
	return &Intern[T]{parse: parse, values: map[string]T{}}
}

// A Cell is where a column is read into through an Intern.
type Cell[T any] struct {
	Intern *Intern[T]
	Value  T
}

// Scan implements sql.Scanner. NULL is an error: nothing that is read this way
// may be lost.
func (c *Cell[T]) Scan(src any) (err error) {
	switch text := src.(type) {
	case string:
		c.Value, err = c.Intern.get(text)
	case []byte:
		in := c.Intern
		in.mu.RLock()
		value, known := in.values[string(text)] // which does not allocate
		in.mu.RUnlock()
		if known {
			c.Value = value
			return nil
		}
		c.Value, err = in.get(string(text))
	default:
		err = fmt.Errorf("want a text, have %T", src)
	}
	return err
}

func (in *Intern[T]) get(text string) (T, error) {
	in.mu.RLock()
	value, known := in.values[text]
	in.mu.RUnlock()
	if known {
		return value, nil
	}
	value, err := in.parse([]byte(text))
	if err != nil {
		return value, err
	}
	if len(text) > maxInternedText/64 {
		return value, nil
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(in.values) >= maxInterned || in.size+len(text) > maxInternedText {
		clear(in.values)
		in.size = 0
	}
	if _, known := in.values[text]; !known {
		in.values[text] = value
		in.size += len(text)
	}
	return value, nil
}

// ParseSet reads the JSON array of a set.
func ParseSet(text []byte) (set scope.Set, err error) {
	err = json.Unmarshal(text, &set)
	return set, err
}
