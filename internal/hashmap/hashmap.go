// Package hashmap has a map from SHA-256 hashes whose readers take no lock.
package hashmap

import (
	"encoding/binary"
	"iter"
	"sync/atomic"
)

const minSlots = 64

// A Map holds pointers under 32-byte keys that are hashes already: their first
// bytes say where to look. Any number of goroutines may Load at any time; those
// that change the map must exclude each other. V is no empty struct. The zero Map
// is empty and ready.
type Map[V any] struct {
	table atomic.Pointer[table[V]]
	count int
}

// A table is probed linearly, and at most three quarters of it are used.
type table[V any] struct {
	slots   []slot[V] // a power of two of them
	used    int
	deleted *V // the value of what is deleted
}

// A slot is free as long as its value is nil. From then on its key never changes,
// not even when it is deleted: that is why readers need no lock.
type slot[V any] struct {
	key   [32]byte
	value atomic.Pointer[V]
}

// find returns the slot of the key, or the free one where it would be.
func (t *table[V]) find(key *[32]byte) (s *slot[V], value *V) {
	mask := uint64(len(t.slots) - 1)
	for i := binary.LittleEndian.Uint64(key[:]); ; i++ {
		s = &t.slots[i&mask]
		if value = s.value.Load(); value == nil || s.key == *key {
			return s, value
		}
	}
}

// Load returns what is stored under the key, or nil.
func (m *Map[V]) Load(key [32]byte) *V {
	t := m.table.Load()
	if t == nil {
		return nil
	}
	_, value := t.find(&key)
	if value == t.deleted {
		return nil
	}
	return value
}

// Store puts a value under the key. It must not be nil.
func (m *Map[V]) Store(key [32]byte, value *V) {
	t := m.table.Load()
	if t == nil || 4*t.used >= 3*len(t.slots) {
		t = m.rebuild(t)
	}
	s, before := t.find(&key)
	if before == nil {
		s.key = key
		t.used++
	}
	if before == nil || before == t.deleted {
		m.count++
	}
	s.value.Store(value)
}

// Delete removes what is stored under the key, if anything.
func (m *Map[V]) Delete(key [32]byte) {
	t := m.table.Load()
	if t == nil {
		return
	}
	if s, before := t.find(&key); before != nil && before != t.deleted {
		s.value.Store(t.deleted)
		m.count--
	}
}

// All yields what is stored, in no order. Meanwhile entries may be deleted, and
// nothing else be changed.
func (m *Map[V]) All() iter.Seq[*V] {
	return func(yield func(*V) bool) {
		t := m.table.Load()
		if t == nil {
			return
		}
		for i := range t.slots {
			value := t.slots[i].value.Load()
			if value != nil && value != t.deleted && !yield(value) {
				return
			}
		}
	}
}

// Len returns the number of entries. It counts as a change.
func (m *Map[V]) Len() int { return m.count }

// rebuild publishes a table without what is deleted, at most half full. Readers
// go on in the old one, which is left as it is.
func (m *Map[V]) rebuild(old *table[V]) *table[V] {
	size := minSlots
	for size < 2*m.count {
		size *= 2
	}
	t := &table[V]{slots: make([]slot[V], size), deleted: new(V)}
	if old != nil {
		for i := range old.slots {
			value := old.slots[i].value.Load()
			if value == nil || value == old.deleted {
				continue
			}
			s, _ := t.find(&old.slots[i].key)
			s.key = old.slots[i].key
			s.value.Store(value)
			t.used++
		}
	}
	m.table.Store(t)
	return t
}
