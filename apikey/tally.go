package apikey

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/latchwork/latchwork/internal/counter"
)

// A tally counts how requests with one key ended on one day, until it is closed.
// It is safe for concurrent use. What every request reads lies in other cache
// lines than what it writes.
type tally struct {
	ending int64                      // when the day ends, in nanoseconds since 1970
	last   atomic.Int64               // when the key was last used, in the same unit; only with addr
	addr   atomic.Pointer[netip.Addr] // from where; nil: it was not used
	wide   atomic.Pointer[stripes]    // nil: counts are enough

	addrs [2]netip.Addr // the first addresses, so that few cost no allocation; each is written once
	known uint64        // how many of them there are
	mu    sync.Mutex    // for writing last, addr and the two before

	keyID  string
	holder *loaded // the last one that points here; uses.mu guards it
	_      [8]byte

	counts [outcomes]atomic.Uint32
	_      [64 - 4*outcomes]byte
}

// stripes are the counts of a key that several cores are busy with, each mostly
// in a place of its own.
type stripes [8]struct {
	counts [outcomes]atomic.Uint32
	_      [128 - 4*outcomes]byte // two cache lines, see the package counter
}

const (
	// closed is far more than can be counted, and tells whoever counts too
	// late that it was in vain.
	closed = 1 << 31

	// maxWide is how many keys may have stripes at once.
	maxWide = 1024

	// moment is how much later than the last use another one must be to
	// replace it, unless it comes from another address and that is cheap.
	moment = int64(time.Millisecond)
)

// closedStripes returns some in which everything is counted in vain.
func closedStripes() *stripes {
	s := new(stripes)
	for i := range s {
		for o := range s[i].counts {
			s[i].counts[o].Store(closed)
		}
	}
	return s
}

// mine returns the counts for this goroutine.
func (s *stripes) mine() *[outcomes]atomic.Uint32 {
	return &s[counter.Stripe()/(counter.Stripes/uint64(len(s)))].counts
}

// count counts an outcome, and reports false after close. A tally at which two
// cores meet gets stripes, if wide of them are not too many.
func (t *tally) count(at int64, addr netip.Addr, outcome Outcome, wide *atomic.Int32) bool {
	if outcome == Allowed {
		t.touch(at, addr)
	}
	if s := t.wide.Load(); s != nil {
		return s.mine()[outcome].Add(1) < closed
	}
	before := t.counts[outcome].Load()
	if t.counts[outcome].CompareAndSwap(before, before+1) {
		return before < closed
	}
	if wide.Load() < maxWide && t.wide.CompareAndSwap(nil, new(stripes)) {
		wide.Add(1)
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
	case t.known < uint64(len(t.addrs)):
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

// close returns what was counted, for good. Whoever finds no stripes from then on
// finds these, which are closed.
func (t *tally) close(shut *stripes) Use {
	var s *stripes
	if !t.wide.CompareAndSwap(nil, shut) {
		s = t.wide.Load()
	}
	n := func(o Outcome) int64 {
		sum := int64(t.counts[o].Swap(closed))
		if s != nil {
			for i := range s {
				sum += int64(s[i].counts[o].Swap(closed))
			}
		}
		return sum
	}
	counts := Counts{
		Allowed: n(Allowed), DeniedState: n(deniedState), DeniedAddress: n(DeniedAddress),
		DeniedType: n(DeniedType), DeniedPermission: n(DeniedPermission), DeniedRequest: n(DeniedRequest),
	}
	// After the counts: whoever counted has touched before.
	last := t.lastUse()
	date := time.Unix(0, t.ending).UTC().AddDate(0, 0, -1)
	return Use{KeyID: t.keyID, Day: Day{Date: date, Counts: counts}, LastAt: last.At, LastAddr: last.Addr}
}
