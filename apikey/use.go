package apikey

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// An Outcome says how a request ended that came with a key. The zero Outcome
// stands for none and is not recorded.
type Outcome uint8

// The outcomes, see Counts. That a key was disabled, expired or revoked, Verify
// records itself.
const (
	Allowed          Outcome = 1 + iota // the only one that is a use: it moves LastUse
	DeniedAddress                       // not from this address, or the address was not known
	DeniedType                          // another type of key was needed
	DeniedPermission                    // a permission was missing
	DeniedRequest                       // it asked for something that there is not

	deniedState
	outcomes // how many there are, and the zero one
)

// RecordUse counts how a request ended, once for each request and at its end;
// the Guard of the package middleware does. It costs a few nanoseconds and
// never fails: what is counted is recorded in Config.Activity within ten
// seconds, or by Close, and when there is too much of it or the Activity fails,
// it is the statistics that suffer. Without an Activity nothing is recorded.
func (m *Manager) RecordUse(v Verified, addr netip.Addr, outcome Outcome) {
	if v.key == nil || outcome == 0 || outcome >= deniedState {
		return
	}
	m.uses.record(v.key, v.at, addr, outcome)
}

// A tally counts how requests with one key ended on one day, until it is
// closed. It is safe for concurrent use. Many cores may be at it at once, so
// a request adds to one number and seldom writes more.
type tally struct {
	keyID  string
	date   time.Time // midnight, at which the day begins
	ending int64     // when it ends, in nanoseconds since 1970

	counts [outcomes]atomic.Uint32
	last   atomic.Int64  // when the key was last used, in the same unit; 0: not
	from   atomic.Uint64 // from where, see mark

	mu   sync.Mutex // for writing these two, and for addr
	addr netip.Addr
}

const (
	// closed is far more than can be counted, and tells whoever counts too
	// late that it was in vain.
	closed = 1 << 31

	// moment is how much later than the last use another one from the same
	// address must be to replace it.
	moment = int64(time.Millisecond)
)

// mark tells addresses apart, but for a few.
func mark(addr netip.Addr) uint64 {
	b := addr.As16()
	return binary.LittleEndian.Uint64(b[:8])*0x9e3779b97f4a7c15 ^ binary.LittleEndian.Uint64(b[8:])
}

// count counts an outcome, and reports false after close.
func (t *tally) count(at int64, addr netip.Addr, outcome Outcome) bool {
	if outcome == Allowed {
		t.touch(at, addr)
	}
	return t.counts[outcome].Add(1) < closed
}

// touch moves the last use to an instant that is not earlier.
func (t *tally) touch(at int64, addr netip.Addr) {
	from := mark(addr)
	if last := t.last.Load(); last != 0 && at < last+moment && (at < last || from == t.from.Load()) {
		return
	}
	if !t.mu.TryLock() {
		return // somebody else is here at the same moment
	}
	defer t.mu.Unlock()
	if last := t.last.Load(); last == 0 || at >= last {
		t.last.Store(at)
		t.from.Store(from)
		t.addr = addr
	}
}

// lastUse returns when the key was last used, and from where.
func (t *tally) lastUse() LastUse {
	t.mu.Lock()
	defer t.mu.Unlock()
	use := LastUse{KeyID: t.keyID, Addr: t.addr}
	if last := t.last.Load(); last != 0 {
		use.At = time.Unix(0, last).UTC().Truncate(time.Microsecond)
	}
	return use
}

// close returns what was counted, for good.
func (t *tally) close() Use {
	n := func(o Outcome) int64 { return int64(t.counts[o].Swap(closed)) }
	counts := Counts{
		Allowed: n(Allowed), DeniedState: n(deniedState), DeniedAddress: n(DeniedAddress),
		DeniedType: n(DeniedType), DeniedPermission: n(DeniedPermission), DeniedRequest: n(DeniedRequest),
	}
	// After the counts: whoever counted has touched before.
	last := t.lastUse()
	return Use{KeyID: t.keyID, Day: Day{Date: t.date, Counts: counts}, LastAt: last.At, LastAddr: last.Addr}
}
