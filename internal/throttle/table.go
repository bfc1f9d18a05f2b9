package throttle

import (
	"math/bits"
	"sync"
	"sync/atomic"
	"time"
)

// ways is how many entries share a bucket: as many as fill two cache lines with
// their lock.
const ways = 7

// A table maps keys to instants, in nanoseconds since it was made. What lies in
// the past is the same as nothing.
type table struct {
	buckets []bucket
	shift   int // what is left of a key beyond it is the number of its bucket
	start   time.Time
}

// In a bucket, counting needs no lock; bringing in a key and taking back do. Of
// two that race for an entry, the one counting may count for a key that has just
// taken the place of its own. So a key may begin with one too many, and what is
// counted of a key that stays is never lost.
type bucket struct {
	entries [ways]entry
	mu      sync.Mutex
	seen    atomic.Int64 // when something was counted here last
}

type entry struct {
	key   atomic.Uint64
	until atomic.Int64
}

// newTable returns a table for at least this many entries.
func newTable(entries int) table {
	buckets := max(1, (entries+ways-1)/ways)
	exponent := bits.Len(uint(buckets - 1))
	return table{buckets: make([]bucket, 1<<exponent), shift: 64 - exponent, start: time.Now()}
}

func (t *table) now() int64 { return int64(time.Since(t.start)) }

func (t *table) bucket(k Key) *bucket { return &t.buckets[k>>t.shift] }

// find returns the entry of a key, or nil. As long as the bucket is locked, the
// entry is that of the key.
func (b *bucket) find(k Key) *entry {
	for i := range b.entries {
		if e := &b.entries[i]; e.key.Load() == uint64(k) {
			return e
		}
	}
	return nil
}

// add brings in a key, in the place of the entry that has least to forget. The
// bucket is locked, and the key is not in it.
func (b *bucket) add(k Key, until int64) {
	for {
		least, earliest := &b.entries[0], b.entries[0].until.Load()
		for i := 1; i < ways; i++ {
			if u := b.entries[i].until.Load(); u < earliest {
				least, earliest = &b.entries[i], u
			}
		}
		if least.until.CompareAndSwap(earliest, until) { // nobody has counted there meanwhile
			least.key.Store(uint64(k))
			return
		}
	}
}
