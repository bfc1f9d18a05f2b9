package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/internal/clock"
)

// A world is a cache in front of a store that answers with what it holds, after
// a while if it is slow.
type world struct {
	*Cache[int]

	mu     sync.Mutex
	holds  map[string]held
	err    error
	delay  time.Duration
	panics any
	reads  atomic.Int64
	closed atomic.Bool
	log    bytes.Buffer
}

type held struct{ version int64 }

func newWorld(edits ...func(*Options)) *world {
	w := &world{holds: map[string]held{}}
	o := Options{
		TTL: 5 * time.Second, MissTTL: time.Second, Size: 100, Loads: 16, Timeout: 2 * time.Second,
		Start: func(f func()) bool {
			if w.closed.Load() {
				return false
			}
			go f()
			return true
		},
		Clock: clock.New(time.Now(), nil), Log: slog.New(slog.NewTextHandler(&w.log, nil)),
	}
	for _, edit := range edits {
		edit(&o)
	}
	w.Cache = New[int](o)
	return w
}

func (w *world) set(secret string, version int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.holds[secret] = held{version}
}

func (w *world) drop(secret string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.holds, secret)
}

func (w *world) behave(delay time.Duration, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.delay, w.err = delay, err
}

// read answers with what the store held when it was asked.
func (w *world) read(secret string) Read[int] {
	return func(ctx context.Context) (*Entry[int], error) {
		w.reads.Add(1)
		w.mu.Lock()
		a, ok := w.holds[secret]
		err, delay, panics := w.err, w.delay, w.panics
		w.mu.Unlock()
		if panics != nil {
			panic(panics)
		}
		if delay > 0 {
			select {
			case <-time.After(delay):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		if err != nil || !ok {
			return nil, err
		}
		return &Entry[int]{ID: "id of " + secret, Version: a.version, Value: int(a.version)}, nil
	}
}

// ask is what a user of a Cache does. It returns 0 for nothing.
func (w *world) ask(ctx context.Context, secret string) (int, error) {
	if e := w.Find(secret); e != nil {
		switch w.Judge(e, w.Now()) {
		case Due:
			w.Refresh(w.Key(secret), w.read(secret))
			return e.Value, nil
		case Fresh:
			return e.Value, nil
		}
	}
	key := w.Key(secret)
	if w.Missed(key) {
		return 0, nil
	}
	e, err := w.Load(ctx, key, w.read(secret))
	if e == nil {
		return 0, err
	}
	return e.Value, err
}

func (w *world) is(t testing.TB, secret string, want int) {
	t.Helper()
	got, err := w.ask(context.Background(), secret)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func (w *world) fails(t testing.TB, secret string, want error) {
	t.Helper()
	got, err := w.ask(context.Background(), secret)
	require.ErrorIs(t, err, want)
	require.Zero(t, got)
}

// in runs a test where time passes at once.
func in(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, f)
}

func TestNothingIsUsedAfterItsTime(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld()
		w.set("a", 1)
		w.behave(time.Second, nil) // the answer is a second old when it comes
		w.is(t, "a", 1)
		w.set("a", 2)
		time.Sleep(time.Second)
		w.is(t, "a", 1)
		require.Equal(t, int64(1), w.reads.Load())
		time.Sleep(3*time.Second - time.Nanosecond) // nobody asks meanwhile
		w.closed.Store(true)                        // and nobody is there to refresh
		w.is(t, "a", 1)
		time.Sleep(time.Nanosecond)
		w.is(t, "a", 2)
		require.Equal(t, int64(2), w.reads.Load())
	})
}

// What is in use is read again before its time is over, once, and nobody waits.
func TestRefresh(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld()
		w.set("a", 1)
		w.is(t, "a", 1)
		w.set("a", 2)
		w.behave(time.Second, nil)
		for range 60 { // for a minute
			for range 1000 {
				start := time.Now()
				_, err := w.ask(t.Context(), "a")
				require.NoError(t, err)
				require.Zero(t, time.Since(start))
			}
			time.Sleep(time.Second)
		}
		w.is(t, "a", 2)
		require.GreaterOrEqual(t, w.reads.Load(), int64(60/5))
		require.LessOrEqual(t, w.reads.Load(), int64(60/2))
		time.Sleep(time.Second)
	})
}

// While the store is down, what is cached lives to its time; reads are tried
// again now and then, and what they answer is not kept.
func TestRefreshWhileTheStoreIsDown(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld()
		w.set("a", 1)
		w.is(t, "a", 1)
		boom := errors.New("boom")
		w.behave(0, boom)
		for range 5000 {
			w.is(t, "a", 1)
			time.Sleep(time.Millisecond)
		}
		require.Greater(t, w.reads.Load(), int64(2))
		require.Less(t, w.reads.Load(), int64(12))
		w.fails(t, "a", boom)
		w.behave(0, nil)
		w.is(t, "a", 1)
	})
}

// Entries of one moment are not all due at one moment.
func TestRefreshesAreSpread(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld()
		due := map[int64]bool{}
		for i := range 100 {
			s := strconv.Itoa(i)
			w.set(s, 1)
			w.is(t, s, 1)
			at := w.Find(s).refresh.Load()
			require.GreaterOrEqual(t, at, int64(2500*time.Millisecond))
			require.Less(t, at, int64(3750*time.Millisecond))
			due[at] = true
		}
		require.Greater(t, len(due), 50)
	})
}

func TestOneReadForAll(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld()
		w.set("a", 1)
		w.behave(time.Second, nil)
		var callers sync.WaitGroup
		for range 1000 {
			callers.Go(func() {
				v, err := w.ask(context.Background(), "a")
				if v != 1 || err != nil {
					panic(fmt.Sprint(v, err))
				}
			})
		}
		callers.Wait()
		require.Equal(t, int64(1), w.reads.Load())
		require.Equal(t, uint64(1), w.Stats().Reads)
	})
}

// Whoever gives up does not take the others along, not even if it came first.
func TestCallersGiveUpAlone(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld()
		w.set("a", 1)
		w.behave(time.Second, nil)
		first, cancel := context.WithCancel(context.WithValue(t.Context(), ctxKey{}, "kept"))
		var callers sync.WaitGroup
		callers.Go(func() {
			_, err := w.ask(first, "a")
			if !errors.Is(err, context.Canceled) {
				panic(err)
			}
		})
		synctest.Wait()
		for range 10 {
			callers.Go(func() {
				if v, err := w.ask(context.Background(), "a"); v != 1 || err != nil {
					panic(fmt.Sprint(v, err))
				}
			})
		}
		synctest.Wait()
		cancel()
		callers.Wait()
		require.Equal(t, int64(1), w.reads.Load())

		// And whoever has given up already does not even begin.
		_, err := w.ask(first, "b")
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, int64(1), w.reads.Load())
	})
}

type ctxKey struct{}

// What hangs is given up after two seconds, whether it keeps to its context or
// not, and does not stand in the way of the next attempt.
func TestHangingReads(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld()
		w.set("a", 1)
		w.behave(time.Hour, nil)
		start := time.Now()
		w.fails(t, "a", context.DeadlineExceeded)
		require.Equal(t, 2*time.Second, time.Since(start))
		synctest.Wait()

		deaf := make(chan struct{})
		hang := func(context.Context) (*Entry[int], error) {
			<-deaf
			return &Entry[int]{ID: "id of a", Version: 7, Value: 7}, nil
		}
		_, err := w.Load(t.Context(), w.Key("a"), hang)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 4*time.Second, time.Since(start))
		w.behave(0, nil)
		w.is(t, "a", 1)
		require.Empty(t, w.flights)
		require.Equal(t, 1, w.waited, "the one that hangs still counts")

		// What it brings in the end is of no use.
		close(deaf)
		synctest.Wait()
		require.Zero(t, w.waited)
		w.is(t, "a", 1)
	})
}

func TestPanicIsAnError(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld()
		w.set("a", 1)
		w.panics = "boom"
		var callers sync.WaitGroup
		for range 100 {
			callers.Go(func() {
				if _, err := w.ask(context.Background(), "a"); err == nil {
					panic("no error")
				}
			})
		}
		callers.Wait()
		require.Contains(t, w.log.String(), "boom")
		require.Contains(t, w.log.String(), "load_test.go")
		w.panics = nil
		w.is(t, "a", 1)

		// Nor does the end of its goroutine leave anybody waiting.
		_, err := w.Load(t.Context(), w.Key("b"), func(context.Context) (*Entry[int], error) {
			runtime.Goexit()
			return nil, nil
		})
		require.ErrorIs(t, err, errNoAnswer)
		require.Zero(t, w.waited)
	})
}

func TestBusy(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld()
		w.set("hot", 1)
		w.is(t, "hot", 1)
		time.Sleep(4 * time.Second) // it is due
		w.set("hot", 2)
		w.behave(time.Second, nil)
		var callers sync.WaitGroup
		load := func(secret string) {
			callers.Go(func() {
				if _, err := w.ask(context.Background(), secret); err != nil {
					panic(err)
				}
			})
		}
		for i := range 14 {
			load("many " + strconv.Itoa(i))
		}
		synctest.Wait()
		w.fails(t, "one too many", ErrBusy)
		load("many 3") // whoever waits for what is read already is no burden
		require.Equal(t, uint64(1), w.Stats().Busy)

		// There is still room for what is in use.
		w.is(t, "hot", 1)
		callers.Wait()
		synctest.Wait()
		w.is(t, "hot", 2)
		w.is(t, "one too many", 0)
		require.Equal(t, int64(1+14+1+1), w.reads.Load())
	})
}

// Refreshes take no more than half of the room, and what is left is not more.
func TestRefreshesLeaveRoom(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld()
		for i := range 20 {
			w.set(strconv.Itoa(i), 1)
			w.is(t, strconv.Itoa(i), 1)
		}
		time.Sleep(4 * time.Second)
		w.behave(500*time.Millisecond, nil)
		for i := range 20 {
			w.is(t, strconv.Itoa(i), 1)
		}
		synctest.Wait()
		require.Equal(t, 8, w.refreshes)
		var callers sync.WaitGroup
		for i := range 8 {
			another := "another " + strconv.Itoa(i)
			w.set(another, 1)
			callers.Go(func() { w.is(t, another, 1) })
		}
		synctest.Wait()
		require.Equal(t, 8, w.waited)
		w.fails(t, "one too many", ErrBusy)
		callers.Wait()
		synctest.Wait()
		require.Zero(t, w.refreshes+w.waited)
	})
}

func TestErrorsAreNotKept(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld()
		w.set("a", 1)
		boom := errors.New("boom")
		w.behave(0, boom)
		w.fails(t, "a", boom)
		w.fails(t, "b", boom)
		w.behave(0, nil)
		w.is(t, "a", 1)
		w.set("b", 1)
		w.is(t, "b", 1)
	})
}

// That there is nothing is remembered for a second, from the start of the read
// on.
func TestMisses(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld()
		w.behave(400*time.Millisecond, nil)
		w.is(t, "a", 0)
		w.set("a", 1)
		time.Sleep(600*time.Millisecond - time.Nanosecond)
		w.is(t, "a", 0)
		require.Equal(t, int64(1), w.reads.Load())
		time.Sleep(time.Nanosecond)
		w.is(t, "a", 1)

		// Gone from the store, and found out by a refresh.
		w.drop("a")
		time.Sleep(4 * time.Second)
		w.is(t, "a", 1)
		time.Sleep(500 * time.Millisecond)
		w.is(t, "a", 0)
	})
}

// Whoever looked a moment too early does not read again what is there by now.
func TestLoadOfWhatIsKnown(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld()
		w.set("a", 1)
		w.is(t, "a", 1)
		w.is(t, "b", 0)
		for range 2 {
			e, err := w.Load(t.Context(), w.Key("a"), w.read("a"))
			require.NoError(t, err)
			require.Equal(t, 1, e.Value)
			e, err = w.Load(t.Context(), w.Key("b"), w.read("b"))
			require.NoError(t, err)
			require.Nil(t, e)
		}
		require.Equal(t, int64(2), w.reads.Load())
	})
}

// That there is nothing under one secret says nothing about another, although
// more are remembered than there is room for.
func TestMissesOfOthers(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld()
		for i := range 5 * len(misses{}) {
			w.is(t, "nobody "+strconv.Itoa(i), 0)
		}
		for i := range 50 {
			secret := "somebody " + strconv.Itoa(i)
			w.set(secret, 1)
			w.is(t, secret, 1)
		}
	})
}

// Nobody is told that there is nothing if it appeared before they asked.
func TestAppeared(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld()
		w.is(t, "a", 0)
		w.set("a", 1)
		w.Appeared(w.Key("a").sum)
		w.is(t, "a", 1)

		// While a read is under way that found nothing.
		w.behave(500*time.Millisecond, nil)
		go func() { _, _ = w.ask(context.Background(), "b") }()
		synctest.Wait()
		w.set("b", 1)
		w.Appeared(w.Key("b").sum)
		w.is(t, "b", 1)
		w.is(t, "b", 1)
		w.Appeared(w.Key("nobody asked").sum)
	})
}

// Whoever comes while a slow read is under way is not told what it found if
// that is too old by then.
func TestLatecomersGetNothingTooOld(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld(func(o *Options) { o.TTL = time.Second })
		w.set("a", 1)
		w.behave(1500*time.Millisecond, nil)
		start := time.Now()
		var first sync.WaitGroup
		first.Go(func() { w.is(t, "a", 1) }) // it was so when it asked
		time.Sleep(400 * time.Millisecond)
		w.set("a", 2)
		w.is(t, "a", 2)
		require.Equal(t, 3*time.Second, time.Since(start))
		first.Wait()

		// The same for nothing.
		w.is(t, "b", 0)
		require.Equal(t, int64(3), w.reads.Load())
	})
}

func TestWithoutACache(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld(func(o *Options) { o.TTL, o.Loads = -1, 2 })
		w.set("a", 1)
		w.is(t, "a", 1)
		w.set("a", 2)
		w.is(t, "a", 2)
		w.is(t, "b", 0)
		w.Wrote("id of a", 9)
		w.is(t, "a", 2)
		require.Equal(t, int64(4), w.reads.Load())
		require.Zero(t, w.Stats().Entries)

		w.behave(time.Second, nil)
		var callers sync.WaitGroup
		for range 2 {
			callers.Go(func() { w.is(t, "a", 2) })
		}
		synctest.Wait()
		w.fails(t, "a", ErrBusy)
		callers.Wait()
		w.behave(time.Hour, nil)
		w.fails(t, "a", context.DeadlineExceeded)
		w.panics = "boom"
		_, err := w.ask(t.Context(), "a")
		require.ErrorContains(t, err, "boom")
	})
}

// After the end of everything in the background, callers read for themselves.
func TestWithoutBackground(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld()
		w.closed.Store(true)
		w.set("a", 1)
		w.is(t, "a", 1)
		time.Sleep(4 * time.Second)
		w.is(t, "a", 1)
		require.Equal(t, int64(1), w.reads.Load(), "no refresh")
		require.Zero(t, w.refreshes)
		require.Empty(t, w.flights)
		time.Sleep(time.Second)
		w.is(t, "a", 1)
		require.Equal(t, int64(2), w.reads.Load())
	})
}

func TestEvictionsAreCounted(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld(func(o *Options) { o.Size = 10 })
		for i := range 25 {
			w.set(strconv.Itoa(i), 1)
			w.is(t, strconv.Itoa(i), 1)
		}
		s := w.Stats()
		require.LessOrEqual(t, s.Entries, 10)
		require.Equal(t, uint64(25-s.Entries), s.Evictions)
		require.Equal(t, uint64(25), s.Reads)
	})
}
