// Package hashmap has a map from SHA-256 hashes whose readers take no lock.
package hashmap

import (
	"encoding/binary"
	"sync/atomic"
)

const minBuckets = 64

// A Map holds pointers under 32-byte keys that are hashes already: their first
// bytes pick the bucket. Any number of goroutines may Load at any time; those
// that change the map must exclude each other. The zero Map is empty and
// ready.
type Map[V any] struct {
	table atomic.Pointer[table[V]]
	count int
}

type table[V any] struct {
	buckets []atomic.Pointer[node[V]] // a power of two of them
}

// A node is one entry in the chain of a bucket. Its key never changes.
type node[V any] struct {
	key   [32]byte
	value atomic.Pointer[V]
	next  atomic.Pointer[node[V]]
}

func (t *table[V]) bucket(key *[32]byte) *atomic.Pointer[node[V]] {
	return &t.buckets[binary.LittleEndian.Uint64(key[:])&uint64(len(t.buckets)-1)]
}

// Load returns what is stored under the key, or nil.
func (m *Map[V]) Load(key [32]byte) *V {
	t := m.table.Load()
	if t == nil {
		return nil
	}
	for n := t.bucket(&key).Load(); n != nil; n = n.next.Load() {
		if n.key == key {
			return n.value.Load()
		}
	}
	return nil
}

// Store puts a value under the key. It must not be nil.
func (m *Map[V]) Store(key [32]byte, value *V) {
	t := m.table.Load()
	if t == nil || m.count >= len(t.buckets) {
		t = m.grow(t)
	}
	head := t.bucket(&key)
	for n := head.Load(); n != nil; n = n.next.Load() {
		if n.key == key {
			n.value.Store(value)
			return
		}
	}
	t.add(key, value)
	m.count++
}

// Delete removes what is stored under the key, if anything.
func (m *Map[V]) Delete(key [32]byte) {
	t := m.table.Load()
	if t == nil {
		return
	}
	link := t.bucket(&key)
	for n := link.Load(); n != nil; n = link.Load() {
		if n.key == key {
			link.Store(n.next.Load())
			m.count--
			return
		}
		link = &n.next
	}
}

// Len returns the number of entries. It counts as a change.
func (m *Map[V]) Len() int { return m.count }

// grow publishes a table of twice the size. Readers go on in the old one, whose
// chains are left as they are.
func (m *Map[V]) grow(old *table[V]) *table[V] {
	size := minBuckets
	if old != nil {
		size = 2 * len(old.buckets)
	}
	bigger := &table[V]{buckets: make([]atomic.Pointer[node[V]], size)}
	if old != nil {
		for i := range old.buckets {
			for n := old.buckets[i].Load(); n != nil; n = n.next.Load() {
				bigger.add(n.key, n.value.Load())
			}
		}
	}
	m.table.Store(bigger)
	return bigger
}

// add puts a new node in front of its chain.
func (t *table[V]) add(key [32]byte, value *V) {
	head := t.bucket(&key)
	n := &node[V]{key: key}
	n.value.Store(value)
	n.next.Store(head.Load())
	head.Store(n)
}
