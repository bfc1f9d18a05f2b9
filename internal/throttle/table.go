package throttle

import (
	"math/bits"
	"sync"
	"sync/atomic"
	"time"
)

// ways is how many entries share a bucket: as many keys as fill a cache line with
// their lock.
const ways = 7

// A table maps keys to instants, in nanoseconds since it was made. What lies in
// the past is the same as nothing.
type table struct {
	buckets []bucket
	shift   int // what is left of a key beyond it is the number of its bucket
	start   time.Time
}

// A bucket is two cache lines, of which the first one says whether a key is there:
// most that are asked for are not.
//
// Counting needs no lock; bringing in a key and taking back do. Of two that race for
// an entry, the one counting may count for a key that has just taken the place of
// its own. So a key may begin with one too many, and what is counted of a key that
// stays is never lost.
type bucket struct {
	keys [ways]atomic.Uint64
	mu   sync.Mutex

	untils [ways]atomic.Int64 // of the keys
	seen   atomic.Int64       // when something was counted here last
}

// newTable returns a table for at least this many entries.
func newTable(entries int) table {
	buckets := max(1, (entries+ways-1)/ways)
	exponent := bits.Len(uint(buckets - 1))
	return table{buckets: make([]bucket, 1<<exponent), shift: 64 - exponent, start: time.Now()}
}

func (t *table) now() int64 { return int64(time.Since(t.start)) }

func (t *table) bucket(k Key) *bucket { return &t.buckets[k>>t.shift] }

// find returns the instant of a key, or nil. As long as the bucket is locked, it is
// that of the key.
func (b *bucket) find(k Key) *atomic.Int64 {
	for i := range b.keys {
		if b.keys[i].Load() == uint64(k) {
			return &b.untils[i]
		}
	}
	return nil
}

// add brings in a key, in the place of the one that has least to forget. The bucket
// is locked, and the key is not in it.
func (b *bucket) add(k Key, until int64) {
	for {
		least, earliest := 0, b.untils[0].Load()
		for i := 1; i < ways; i++ {
			if u := b.untils[i].Load(); u < earliest {
				least, earliest = i, u
			}
		}
		if b.untils[least].CompareAndSwap(earliest, until) { // nobody has counted there meanwhile
			b.keys[least].Store(uint64(k))
			return
		}
	}
}
