package apikey

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/latchwork/latchwork/internal/background"
	"github.com/latchwork/latchwork/internal/clock"
)

const (
	flushInterval = 10 * time.Second

	// maxTallies is how many keys are counted at once, a day of each, and how
	// many may wait for another try.
	maxTallies = 1 << 16
)

// uses collects what is counted until the Activity has recorded it. It is safe
// for concurrent use, and takes a lock only for a key that has not been used
// since the last flush.
type uses struct {
	activity   Activity // nil: nothing is collected
	room       int      // maxTallies
	log        *slog.Logger
	background *background.Group
	clock      *clock.Clock

	wide    atomic.Int32  // tallies with stripes
	full    atomic.Bool   // until the next flush
	ended   atomic.Bool   // nothing is collected any more
	dropped atomic.Uint64 // requests that are in no statistics

	flushing chan struct{} // holds a token of the one who flushes

	shut *stripes // for tallies that are closed

	mu     sync.Mutex // guards what follows
	open   map[keyDay]*tally
	failed map[keyDay]Use // being recorded, or waiting for another try
	timer  *time.Timer    // only while something waits to be flushed
}

// A keyDay is what is counted together.
type keyDay struct {
	keyID string
	date  int64 // seconds since 1970
}

// newUses collects for an Activity, or for nobody.
func newUses(activity Activity, c *clock.Clock, log *slog.Logger, b *background.Group) *uses {
	return &uses{
		activity: activity, room: maxTallies, log: log, background: b, clock: c,
		flushing: make(chan struct{}, 1), shut: closedStripes(), open: map[keyDay]*tally{}, failed: map[keyDay]Use{},
	}
}

// instant returns the time in nanoseconds since 1970 of an instant on the
// monotonic clock, or with 0, of the present.
func (u *uses) instant(at time.Duration) int64 {
	if at == 0 {
		at = u.clock.Age()
	}
	return u.clock.Unix(at)
}

// record counts how a request ended.
func (u *uses) record(k *loaded, at time.Duration, addr netip.Addr, outcome Outcome) {
	if u == nil || u.activity == nil {
		return
	}
	instant := u.instant(at)
	t := k.tally.Load()
	for t == nil || instant >= t.ending || !t.count(instant, addr, outcome, &u.wide) {
		if u.ended.Load() {
			return
		}
		if t = u.tally(k, instant); t == nil {
			u.dropped.Add(1)
			return
		}
	}
}

// tally returns where a key is counted on the day of this instant, or nil when
// there is no room.
func (u *uses) tally(k *loaded, instant int64) *tally {
	if u.full.Load() {
		return nil
	}
	date := midnight(time.Unix(0, instant))
	at := keyDay{k.key.ID, date.Unix()}
	u.mu.Lock()
	defer u.mu.Unlock()
	t := u.open[at]
	if t == nil {
		if len(u.open) >= u.room {
			u.full.Store(true)
			u.flushSoon(0)
			return nil
		}
		t = &tally{keyID: k.key.ID, ending: date.AddDate(0, 0, 1).UnixNano()}
		u.open[at] = t
		u.flushSoon(flushInterval)
	}
	k.tally.Store(t)
	t.holder = k
	return t
}

// midnight returns when the day began, in UTC.
func midnight(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

// waiting returns the last use of a key that the Activity may not know of, yet:
// one of today or yesterday.
func (u *uses) waiting(keyID string) LastUse {
	var last LastUse
	today := midnight(time.Unix(0, u.instant(0)))
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, date := range []time.Time{today, today.AddDate(0, 0, -1)} {
		at := keyDay{keyID, date.Unix()}
		if t := u.open[at]; t != nil {
			last = later(last, t.lastUse())
		}
		if use, waits := u.failed[at]; waits {
			last = later(last, LastUse{KeyID: keyID, At: use.LastAt, Addr: use.LastAddr})
		}
	}
	return last
}

// later returns the later one of two last uses.
func later(a, b LastUse) LastUse {
	if b.At.After(a.At) {
		return b
	}
	return a
}

// flushSoon makes sure that there will be a flush, at the latest after d. It
// wants the lock.
func (u *uses) flushSoon(d time.Duration) {
	switch {
	case u.ended.Load():
	case u.timer == nil:
		u.timer = time.AfterFunc(d, func() { u.background.Start(func() { _ = u.flush(context.Background()) }) })
	case d == 0 && u.timer.Stop():
		u.timer.Reset(0)
	}
}
