package apikey

import (
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
	holder *loaded   // the last one that points here; uses.mu guards it
	date   time.Time // midnight, at which the day begins
	ending int64     // when it ends, in nanoseconds since 1970

	counts [outcomes]atomic.Uint32
	last   atomic.Int64               // when the key was last used, in the same unit; only with addr
	addr   atomic.Pointer[netip.Addr] // from where; nil: it was not used

	mu    sync.Mutex    // for writing these two, and for the rest
	addrs [2]netip.Addr // the first of them, so that few cost no allocation; each is written once
	known int           // how many of them there are
}

const (
	// closed is far more than can be counted, and tells whoever counts too
	// late that it was in vain.
	closed = 1 << 31

	// moment is how much later than the last use another one must be to
	// replace it, unless it comes from another address and that is cheap.
	moment = int64(time.Millisecond)
)

// count counts an outcome, and reports false after close.
func (t *tally) count(at int64, addr netip.Addr, outcome Outcome) bool {
	if outcome == Allowed {
		t.touch(at, addr)
	}
	return t.counts[outcome].Add(1) < closed
}

// touch moves the last use to an instant that is not earlier.
func (t *tally) touch(at int64, addr netip.Addr) {
	last, from := t.last.Load(), t.addr.Load()
	if from != nil && at < last+moment && (at < last || *from == addr) {
		return
	}
	if !t.mu.TryLock() {
		return // somebody else is here at the same moment
	}
	defer t.mu.Unlock()
	last, from = t.last.Load(), t.addr.Load()
	switch {
	case from != nil && at < last:
		return
	case from == nil || *from != addr:
		if from = t.intern(addr, from == nil || at >= last+moment); from == nil {
			return
		}
		t.addr.Store(from)
	}
	t.last.Store(at)
}

// intern returns where an address stands that will not change any more, or nil if
// that would cost an allocation and must not. It wants the lock.
func (t *tally) intern(addr netip.Addr, allocate bool) *netip.Addr {
	for i := range t.known {
		if t.addrs[i] == addr {
			return &t.addrs[i]
		}
	}
	switch {
	case t.known < len(t.addrs):
		t.addrs[t.known] = addr
		t.known++
		return &t.addrs[t.known-1]
	case allocate:
		kept := new(netip.Addr) // addr itself would be on the heap in all cases
		*kept = addr
		return kept
	default:
		return nil
	}
}

// lastUse returns when the key was last used, and from where.
func (t *tally) lastUse() LastUse {
	t.mu.Lock()
	defer t.mu.Unlock()
	use := LastUse{KeyID: t.keyID}
	if from := t.addr.Load(); from != nil {
		use.At, use.Addr = time.Unix(0, t.last.Load()).UTC().Truncate(time.Microsecond), *from
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
