package throttle

import "time"

// A Recent remembers Keys for a time. When it is full, the ones that were added
// first are forgotten early. It is safe for concurrent use. Make it with
// NewRecent.
type Recent struct {
	table

	keep int64
}

// NewRecent returns a Recent that remembers at least this many keys.
func NewRecent(keep time.Duration, entries int) *Recent {
	return &Recent{newTable(entries), int64(keep)}
}

// Add remembers a key from now on.
func (r *Recent) Add(k Key) {
	b, until := r.bucket(k), r.now()+r.keep
	b.mu.Lock()
	defer b.mu.Unlock()
	if known := b.find(k); known != nil {
		known.Store(until)
		return
	}
	b.add(k, until)
}

// Has reports whether a key is remembered. One that is not costs not even a look
// at the clock.
func (r *Recent) Has(k Key) bool {
	until := r.bucket(k).find(k)
	return until != nil && until.Load() > r.now()
}

// Remove forgets a key, and reports whether it was remembered. Of several that
// remove it at once, one is told so.
func (r *Recent) Remove(k Key) bool {
	b := r.bucket(k)
	b.mu.Lock()
	defer b.mu.Unlock()
	until := b.find(k)
	return until != nil && until.Swap(0) > r.now()
}
