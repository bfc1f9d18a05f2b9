package cache

import (
	"sync/atomic"
	"time"
)

// lookEvery is how often the wall clock is looked at.
const lookEvery = 10 * time.Millisecond

// A wall tells from a reading of the monotonic clock what the wall clock says, so
// that a request needs a single look at a clock. How far they are apart changes
// only when the wall clock is set, and that is seen within lookEvery. It is safe
// for concurrent use; make it with newWall.
type wall struct {
	base   time.Time    // from when on monotonic time counts
	start  time.Time    // base by the wall clock alone
	looked atomic.Int64 // when the wall clock was looked at, by monotonic time
	ahead  atomic.Int64 // by how much it had been set since base
}

func newWall(base time.Time) *wall { return &wall{base: base, start: base.Round(0)} }

// since returns how long ago start is by the wall clock when the monotonic one
// says age.
func (w *wall) since(age time.Duration) time.Duration {
	if int64(age) >= w.looked.Load()+int64(lookEvery) {
		w.look()
	}
	return age + time.Duration(w.ahead.Load())
}

func (w *wall) look() {
	now := time.Now()
	looked := now.Sub(w.base)
	w.ahead.Store(int64(now.Round(0).Sub(w.start) - looked))
	w.looked.Store(int64(looked))
}
