package cache

import (
	"encoding/binary"
	"sync/atomic"
	"time"
)

// misses remember under which secrets there is nothing. They are few, and who
// asks for many others has them overwritten, which costs nobody else anything.
// Reading takes no lock; writing wants that of the owner.
type misses [4096]atomic.Pointer[miss]

type miss struct {
	sum  [32]byte
	read time.Duration // when the read began that found nothing
}

func (m *misses) at(sum [32]byte) *atomic.Pointer[miss] {
	return &m[binary.LittleEndian.Uint64(sum[:])%uint64(len(m))]
}

// has reports whether a read that began after oldest found nothing.
func (m *misses) has(sum [32]byte, oldest time.Duration) bool {
	known := m.at(sum).Load()
	return known != nil && known.read > oldest && known.sum == sum
}

func (m *misses) add(sum [32]byte, read time.Duration) {
	m.at(sum).Store(&miss{sum: sum, read: read})
}

func (m *misses) remove(sum [32]byte) {
	at := m.at(sum)
	if known := at.Load(); known != nil && known.sum == sum {
		at.Store(nil)
	}
}
