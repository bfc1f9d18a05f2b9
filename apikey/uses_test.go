package apikey

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/internal/background"
	"github.com/latchwork/latchwork/internal/clock"
)

// A ledger is an Activity that adds up what it is given, and fails on demand.
type ledger struct {
	Activity

	mu     sync.Mutex
	calls  []int // how many uses each call had
	counts map[keyDay]Counts
	last   map[string]LastUse
	fail   func(ctx context.Context, uses []Use) error // asked first; ErrUncertain records all the same
}

func (l *ledger) Record(ctx context.Context, uses []Use) error {
	l.mu.Lock()
	fail := l.fail
	l.mu.Unlock()
	var err error
	if fail != nil {
		if err = fail(ctx, uses); err != nil && !errors.Is(err, ErrUncertain) {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = append(l.calls, len(uses))
	if l.counts == nil {
		l.counts, l.last = map[keyDay]Counts{}, map[string]LastUse{}
	}
	for _, use := range uses {
		l.counts[use.at()] = l.counts[use.at()].Add(use.Day.Counts)
		l.last[use.KeyID] = later(l.last[use.KeyID], LastUse{KeyID: use.KeyID, At: use.LastAt, Addr: use.LastAddr})
	}
	return err
}

func (l *ledger) failing(fail func(context.Context, []Use) error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fail = fail
}

// sum returns everything that was counted, on all days.
func (l *ledger) sum() (sum Counts) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.counts {
		sum = sum.Add(c)
	}
	return sum
}

// batches returns how many uses each call had.
func (l *ledger) batches() []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.calls)
}

// state returns whether a flush is to come, and how much is there for it.
func (u *uses) state() (timer bool, open, failed int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.timer != nil, len(u.open), len(u.failed)
}

func (u *uses) waits() bool {
	timer, _, _ := u.state()
	return timer
}

func collect(l *ledger) (*uses, *background.Group) {
	b := &background.Group{Log: slog.New(slog.DiscardHandler)}
	return newUses(bounded(l), clock.New(time.Now().Add(-time.Hour), nil), b.Log, b), b
}

func keyOf(n int) *loaded { return &loaded{key: Key{ID: fmt.Sprintf("key %d", n)}} }

func address(n int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}) }

func end(t *testing.T, u *uses, b *background.Group) {
	t.Helper()
	require.NoError(t, u.end(t.Context()))
	require.NoError(t, b.Close(t.Context()))
	timer, open, failed := u.state()
	require.False(t, timer)
	require.Zero(t, open)
	require.Zero(t, failed)
}

// There is a timer only while there is something to flush.
func TestUsesAreFlushedEveryTenSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := new(ledger)
		u, b := collect(l)
		require.False(t, u.waits())
		for range 3 {
			for i := range 100 {
				u.record(keyOf(i%2), 0, address(i), Allowed)
				time.Sleep(time.Millisecond)
			}
			require.True(t, u.waits())
			time.Sleep(flushInterval - 101*time.Millisecond)
			synctest.Wait()
			calls := l.batches()
			time.Sleep(time.Millisecond)
			synctest.Wait()
			calls = append(calls, 2)
			require.Equal(t, calls, l.batches(), "ten seconds after the first")
			require.False(t, u.waits())
			time.Sleep(time.Hour)
			synctest.Wait()
			require.Equal(t, calls, l.batches())
		}
		require.Equal(t, Counts{Allowed: 300}, l.sum())
		end(t, u, b)
		require.Len(t, l.batches(), 3, "nothing was left")
	})
}

// A key that stays in the cache does not keep what was flushed.
func TestFlushedTalliesAreForgotten(t *testing.T) {
	t.Parallel()
	l := new(ledger)
	u, b := collect(l)
	k := keyOf(1)
	for range 3 {
		u.record(k, 0, address(1), Allowed)
		require.NotNil(t, k.tally.Load())
		require.NoError(t, u.flush(t.Context()))
		require.Nil(t, k.tally.Load())
	}
	again := keyOf(1) // the same key, read anew
	u.record(k, 0, address(1), Allowed)
	u.record(again, 0, address(1), Allowed)
	require.NoError(t, u.flush(t.Context()))
	require.Nil(t, again.tally.Load())
	u.record(k, 0, address(1), Allowed)
	end(t, u, b)
	require.Equal(t, Counts{Allowed: 6}, l.sum())
}

// A key that several cores are busy with is counted in several places, and no
// more such keys than there is room for.
func TestStripes(t *testing.T) {
	t.Parallel()
	l := new(ledger)
	u, b := collect(l)
	k := keyOf(1)
	u.record(k, 0, address(1), Allowed)
	k.tally.Load().wide.Store(new(stripes))
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			u.record(k, 0, address(1), Allowed)
			u.record(k, 0, address(1), DeniedType)
		})
	}
	all.Wait()
	open := k.tally.Load()
	require.Equal(t, uint32(1), open.counts[Allowed].Load(), "what came before")
	require.NoError(t, u.flush(t.Context()))
	require.Equal(t, Counts{Allowed: 101, DeniedType: 100}, l.sum())

	// Too late, with and without stripes.
	require.False(t, open.count(u.instant(0), address(1), Allowed, &u.wide))
	u.record(k, 0, address(1), Allowed)
	narrow := k.tally.Load()
	require.NoError(t, u.flush(t.Context()))
	require.Same(t, u.shut, narrow.wide.Load())
	require.False(t, narrow.count(u.instant(0), address(1), Allowed, &u.wide))
	end(t, u, b)
	require.Equal(t, Counts{Allowed: 102, DeniedType: 100}, l.sum())
}

// What every request reads does not lie beside what it writes.
func TestLayoutOfTallies(t *testing.T) {
	t.Parallel()
	const line = 64
	require.Zero(t, unsafe.Offsetof(tally{}.counts)%line)
	require.Equal(t, unsafe.Offsetof(tally{}.counts)+line, unsafe.Sizeof(tally{}))
	require.LessOrEqual(t, unsafe.Offsetof(tally{}.wide)+8, uintptr(line))
	require.Equal(t, uintptr(2*line), unsafe.Sizeof(stripes{}[0]))
}

// What was counted is recorded or dropped, once, whatever happens at the same
// time.
func TestNoUseIsLostOrCountedTwice(t *testing.T) {
	t.Parallel()
	for name, keys := range map[string]int{"one hot key": 1, "many keys": 40} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testNoUseIsLost(t, keys)
		})
	}
}

func testNoUseIsLost(t *testing.T, keys int) {
	const goroutines, each = 8, 20_000
	l := new(ledger)
	u, b := collect(l)
	shared := make([]*loaded, keys)
	for i := range shared {
		shared[i] = keyOf(i)
	}
	var fails atomic.Int64
	l.failing(func(context.Context, []Use) error {
		if fails.Add(1)%3 == 0 {
			return errors.New("boom")
		}
		return nil
	})
	var recorders, flusher sync.WaitGroup
	var over atomic.Bool
	flusher.Go(func() {
		for !over.Load() {
			_ = u.flush(context.Background())
		}
	})
	for g := range goroutines {
		recorders.Go(func() {
			for i := range each {
				k := shared[(g+i)%keys]
				if i%10 == 0 {
					k = keyOf((g + i) % keys) // read anew
				}
				u.record(k, 0, address(g), Outcome(1+i%int(outcomes-1)))
			}
		})
	}
	recorders.Wait()
	over.Store(true)
	flusher.Wait()
	l.failing(nil)
	end(t, u, b)
	sum := l.sum()
	require.Equal(t, int64(goroutines*each), sum.Allowed+sum.Denied())
	require.Zero(t, u.dropped.Load())
	require.InDelta(t, goroutines*each/int(outcomes-1), sum.DeniedState, goroutines)
}

func TestUsesSplitAtMidnight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := new(ledger)
		u, b := collect(l)
		first := midnight(time.Now())
		second := first.AddDate(0, 0, 1)
		time.Sleep(time.Until(second) - 2*time.Nanosecond)
		k := keyOf(1)
		for range 4 {
			u.record(k, 0, address(1), Allowed) // two on either side
			time.Sleep(time.Nanosecond)
		}
		other := keyOf(1) // another read of the same key
		u.record(other, 0, address(2), DeniedType)
		end(t, u, b)
		require.Equal(t, map[keyDay]Counts{
			{"key 1", first.Unix()}:  {Allowed: 2},
			{"key 1", second.Unix()}: {Allowed: 2, DeniedType: 1},
		}, l.counts)
	})
}

// Addresses change with the latest use, never with an earlier one or a refusal.
func TestLastUseIsTheLatest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := new(ledger)
		u, b := collect(l)
		k := keyOf(1)
		u.record(k, 0, address(1), DeniedAddress)
		require.Equal(t, LastUse{KeyID: "key 1"}, u.open[keyDay{"key 1", midnight(time.Now()).Unix()}].lastUse())
		earlier := u.clock.Age()
		time.Sleep(time.Second)
		u.record(k, 0, address(2), Allowed)
		used := time.Now()
		time.Sleep(time.Duration(moment) / 2)
		u.record(k, 0, address(2), Allowed) // the same moment, and the same address
		require.Equal(t, LastUse{KeyID: "key 1", At: used.UTC(), Addr: address(2)}, u.waiting("key 1"))
		u.record(k, 0, address(3), Allowed) // the same moment, and another address
		used = time.Now()
		u.record(k, earlier, address(4), Allowed)
		time.Sleep(time.Second)
		u.record(k, 0, address(5), DeniedPermission)
		require.Equal(t, LastUse{KeyID: "key 1", At: used.UTC(), Addr: address(3)}, u.waiting("key 1"))
		u.record(k, 0, netip.Addr{}, Allowed)
		require.Equal(t, LastUse{KeyID: "key 1", At: time.Now().UTC()}, u.waiting("key 1"), "not known from where")
		require.Equal(t, LastUse{}, u.waiting("key 2"))
		for n := range 10 { // many addresses in one moment: one of them
			u.record(k, 0, address(10+n), Allowed)
		}
		require.Equal(t, time.Now().UTC(), u.waiting("key 1").At)
		time.Sleep(time.Duration(moment))
		for n := range 10 {
			u.record(k, 0, address(10+n), Allowed)
		}
		require.Equal(t, LastUse{KeyID: "key 1", At: time.Now().UTC(), Addr: address(10)}, u.waiting("key 1"), "the first after that")
		time.Sleep(time.Second)
		u.record(k, 0, netip.Addr{}, Allowed)
		end(t, u, b)
		require.Equal(t, LastUse{KeyID: "key 1", At: time.Now().UTC()}, l.last["key 1"])
	})
}

// A failed flush waits for the next one, together with what came since.
func TestFlushIsTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var logs bytes.Buffer
		l := new(ledger)
		u, b := collect(l)
		u.log = slog.New(slog.NewTextHandler(&logs, nil))
		var tries []time.Duration
		start := time.Now()
		l.failing(func(context.Context, []Use) error {
			tries = append(tries, time.Since(start))
			return errors.New("connection refused")
		})
		k := keyOf(1)
		for range 4 {
			u.record(k, 0, address(1), Allowed)
			time.Sleep(flushInterval)
			synctest.Wait()
		}
		require.Equal(t, []time.Duration{flushInterval, 2 * flushInterval, 3 * flushInterval, 4 * flushInterval}, tries)
		require.Contains(t, logs.String(), "connection refused")
		require.False(t, u.waiting("key 1").At.IsZero(), "known here all the same")
		l.failing(nil)
		time.Sleep(flushInterval)
		synctest.Wait()
		require.Equal(t, Counts{Allowed: 4}, l.sum())
		require.Equal(t, []int{1}, l.batches(), "merged")
		require.Zero(t, u.dropped.Load())
		end(t, u, b)
	})
}

// What may have been recorded is not sent again, but for the last use.
func TestUncertainFlushIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func(context.Context, []Use) error{
		"an answer that was lost": func(context.Context, []Use) error { return fmt.Errorf("commit: %w", ErrUncertain) },
		"a panic":                 func(context.Context, []Use) error { panic("boom") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := new(ledger)
				u, b := collect(l)
				l.failing(fail)
				u.record(keyOf(1), 0, address(1), Allowed)
				u.record(keyOf(1), 0, address(1), DeniedType)
				used := time.Now().UTC()
				time.Sleep(flushInterval)
				synctest.Wait()
				require.Equal(t, uint64(2), u.dropped.Load())
				l.failing(nil)
				before := l.sum()
				time.Sleep(flushInterval)
				synctest.Wait()
				require.Equal(t, before, l.sum())
				require.Equal(t, LastUse{KeyID: "key 1", At: used, Addr: address(1)}, l.last["key 1"])
				end(t, u, b)
			})
		})
	}
}

// With more keys than there is room for, nothing grows without bound, a flush
// comes early, and what is missing is counted.
func TestUsesAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const room = 2500
		const keys = room + 500
		l := new(ledger)
		u, b := collect(l)
		u.room = room
		known := keyOf(0)
		for i := range keys {
			u.record(keyOf(i), 0, address(1), Allowed)
		}
		u.record(known, 0, address(1), Allowed)
		_, open, _ := u.state()
		require.LessOrEqual(t, open, room)
		require.Equal(t, uint64(keys-room+1), u.dropped.Load())
		synctest.Wait()
		require.Equal(t, Counts{Allowed: room}, l.sum(), "at once")
		require.Len(t, l.batches(), (room+maxBatch-1)/maxBatch)
		require.False(t, u.waits())
		u.record(known, 0, address(1), Allowed)
		require.Equal(t, uint64(keys-room+1), u.dropped.Load(), "there is room again")

		l.failing(func(context.Context, []Use) error { return errors.New("boom") })
		dropped := u.dropped.Load()
		for round := range 3 {
			for i := range room - 1 {
				u.record(keyOf(i+1+round*room), 0, address(1), Allowed)
			}
			time.Sleep(flushInterval)
			synctest.Wait()
			_, _, failed := u.state()
			require.LessOrEqual(t, failed, room)
		}
		require.Equal(t, dropped+2*(room-1), u.dropped.Load(), "a failing Activity fills no more memory than that")
		require.Error(t, u.end(t.Context()))
		require.Equal(t, uint64(keys+1+3*(room-1)), uint64(l.sum().Allowed)+u.dropped.Load()-1)
		require.NoError(t, b.Close(t.Context()))
		require.Empty(t, u.failed)
	})
}

// An Activity that hangs costs statistics and holds up nothing.
func TestFlushIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := new(ledger)
		u, b := collect(l)
		l.failing(func(ctx context.Context, _ []Use) error { <-ctx.Done(); return ctx.Err() })
		k := keyOf(1)
		u.record(k, 0, address(1), Allowed)
		time.Sleep(flushInterval)
		synctest.Wait()
		start := time.Now()
		u.record(k, 0, address(1), Allowed)
		require.Equal(t, start, time.Now(), "a flush that hangs holds up no request")
		require.ErrorIs(t, u.end(t.Context()), context.DeadlineExceeded)
		require.Equal(t, 2*manageTimeout, time.Since(start), "the one that hung, and the last")
		require.Equal(t, uint64(2), u.dropped.Load())
		require.NoError(t, b.Close(t.Context()))
	})
}

func TestNothingIsCollectedAfterTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := new(ledger)
		u, b := collect(l)
		k := keyOf(1)
		u.record(k, 0, address(1), Allowed)
		end(t, u, b)
		u.record(k, 0, address(1), Allowed)
		u.record(keyOf(2), 0, address(1), Allowed)
		time.Sleep(time.Hour)
		end(t, u, b)
		require.Equal(t, Counts{Allowed: 1}, l.sum())
		require.Equal(t, []int{1}, l.batches())
		require.Zero(t, u.dropped.Load())
	})
}

// A clock of one's own dates the uses.
func TestUsesFollowTheClock(t *testing.T) {
	t.Parallel()
	l := new(ledger)
	now := time.Date(2031, 12, 31, 23, 59, 59, 123_456_789, time.UTC)
	b := &background.Group{Log: slog.New(slog.DiscardHandler)}
	u := newUses(l, clock.New(time.Now(), func() time.Time { return now }), b.Log, b)
	u.record(keyOf(1), 0, address(1), Allowed)
	now = now.Add(time.Second)
	u.record(keyOf(1), u.clock.Age(), address(1), Allowed)
	end(t, u, b)
	require.Equal(t, map[keyDay]Counts{
		{"key 1", time.Date(2031, 12, 31, 0, 0, 0, 0, time.UTC).Unix()}: {Allowed: 1},
		{"key 1", time.Date(2032, 1, 1, 0, 0, 0, 0, time.UTC).Unix()}:   {Allowed: 1},
	}, l.counts)
	require.Equal(t, now.Truncate(time.Microsecond), l.last["key 1"].At)
}

// Nobody to record, nothing to collect.
func TestNoActivityNoUses(t *testing.T) {
	t.Parallel()
	b := &background.Group{Log: slog.New(slog.DiscardHandler)}
	u := newUses(nil, nil, b.Log, b)
	u.record(keyOf(1), 0, address(1), Allowed)
	require.Empty(t, u.open)
	require.False(t, u.waits())
	require.NoError(t, u.end(t.Context()))
	var none *uses
	none.record(keyOf(1), 0, address(1), Allowed)
	require.NoError(t, none.end(t.Context()))
}
