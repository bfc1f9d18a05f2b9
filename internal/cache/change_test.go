package cache

import (
	"context"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// during runs f while a read of the secret is under way that has its answer
// already, and returns what the read came to.
func (w *world) during(secret string, f func()) (value int, err error) {
	w.behave(500*time.Millisecond, nil)
	type result struct {
		value int
		err   error
	}
	done := make(chan result)
	go func() {
		v, err := w.ask(context.Background(), secret)
		done <- result{v, err}
	}()
	synctest.Wait()
	f()
	r := <-done
	w.behave(0, nil)
	return r.value, r.err
}

func TestWroteIsInEffectAtOnce(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld()
		w.set("a", 1)
		w.set("b", 1)
		w.is(t, "a", 1)
		w.is(t, "b", 1)
		w.set("a", 2)
		w.Wrote("id of a", 2)
		w.is(t, "a", 2)
		require.Equal(t, int64(3), w.reads.Load())
		w.Wrote("id of a", 2)
		w.Wrote("id of a", 1)
		w.is(t, "a", 2)
		w.is(t, "b", 1)
		require.Equal(t, int64(3), w.reads.Load(), "nothing newer, and nobody else")
		require.Equal(t, 2, w.Stats().Entries)
	})
}

// What was read before a change is not kept, and nobody who asked afterwards is
// told of it.
func TestReadsThatBeganBefore(t *testing.T) {
	for name, tell := range map[string]func(*world){
		"wrote":   func(w *world) { w.Wrote("id of a", 2) },
		"heard":   func(w *world) { w.Heard("id of a", 2) },
		"doubt":   func(w *world) { w.Doubt("id of a") },
		"dropped": func(w *world) { w.Drop() },
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T) {
				w := newWorld()
				w.set("a", 1)
				start := time.Now()
				v, err := w.during("a", func() {
					w.set("a", 2)
					tell(w)
				})
				require.NoError(t, err)
				require.Equal(t, 2, v)
				require.Equal(t, time.Second, time.Since(start), "it was read again")
				w.is(t, "a", 2)
				require.Equal(t, int64(2), w.reads.Load())

				// One that found what came of the change already is as good as
				// one that began afterwards.
				w.set("b", 2)
				before := w.reads.Load()
				_, err = w.during("b", func() { w.Heard("id of b", 2) })
				require.NoError(t, err)
				require.Equal(t, before+1, w.reads.Load())
			})
		})
	}
}

// There is an end to reading again.
func TestReadsThatAlwaysBeganBefore(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld()
		w.set("a", 1)
		_, err := w.Load(t.Context(), w.Key("a"), func(ctx context.Context) (*Entry[int], error) {
			time.Sleep(150 * time.Millisecond)
			w.Doubt("id of a")
			return w.read("a")(ctx)
		})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Less(t, w.reads.Load(), int64(25))
		time.Sleep(time.Second)
		w.is(t, "a", 1)
	})
}

// A store that lags cannot bring back what was changed here, for twice the TTL.
func TestOutdatedAnswersAreRefused(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld()
		w.set("a", 1)
		w.is(t, "a", 1)
		w.Wrote("id of a", 3)
		w.fails(t, "a", ErrOutdated)
		w.set("a", 2)
		w.fails(t, "a", ErrOutdated)
		require.Zero(t, w.Find("a").Value, "nothing of it is kept")
		time.Sleep(10*time.Second - time.Nanosecond)
		w.fails(t, "a", ErrOutdated)
		w.set("a", 3)
		w.is(t, "a", 3)
		w.set("a", 2)
		time.Sleep(time.Second)
		w.Doubt("id of a")
		w.is(t, "a", 2) // nothing is known of it any more
	})
}

// Whoever only says that something was changed cannot keep it from being used.
func TestHearsayOnlyDelays(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld()
		w.set("a", 1)
		w.is(t, "a", 1)
		for i := range 10 {
			w.Heard("id of a", 1<<60)
			w.Heard("id of "+strconv.Itoa(i), 5)
			w.is(t, "a", 1)
		}
		require.Equal(t, int64(11), w.reads.Load())
		w.Heard("id of a", 1)
		w.Heard("id of a", -5)
		w.is(t, "a", 1)
		require.Equal(t, int64(11), w.reads.Load())

		// Hearsay of the past does not take away what was written here.
		w.Wrote("id of a", 4)
		w.Heard("id of a", 2)
		w.fails(t, "a", ErrOutdated)
	})
}

// An older answer does not take the place of a newer one that is still good.
func TestNewerStays(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld()
		w.set("a", 2)
		w.is(t, "a", 2)
		w.set("a", 1)
		time.Sleep(4 * time.Second)
		w.is(t, "a", 2)
		synctest.Wait()
		require.Equal(t, int64(2), w.reads.Load())
		w.is(t, "a", 2)
		time.Sleep(time.Second)
		w.is(t, "a", 1) // the store may have been restored from a copy
	})
}

func TestDrop(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld()
		w.set("a", 1)
		w.is(t, "a", 1)
		w.is(t, "b", 0)
		w.set("a", 2)
		w.set("b", 2)
		w.Drop()
		require.Zero(t, w.Stats().Entries)
		w.is(t, "a", 2)
		w.is(t, "b", 2)

		// A read that is under way is made again.
		w.Drop()
		w.behave(500*time.Millisecond, nil)
		go func() { _, _ = w.ask(context.Background(), "a") }()
		synctest.Wait()
		w.set("a", 3)
		w.Drop()
		w.is(t, "a", 3)
		w.is(t, "a", 3)
	})
}

// Notes are bounded; reads that began before one that had to go are not kept.
func TestNotesAreBounded(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld()
		w.set("a", 1)
		v, err := w.during("a", func() {
			w.set("a", 2)
			w.Wrote("id of a", 2)
			for i := range maxNotes + 10 {
				w.Wrote("id of "+strconv.Itoa(i), 1)
			}
			require.NotContains(t, w.notes.byID, "id of a")
			require.Len(t, w.notes.byID, maxNotes)
		})
		require.NoError(t, err)
		require.Equal(t, 2, v)

		// And they go with time.
		time.Sleep(10 * time.Second)
		w.Wrote("id of a", 2)
		require.Len(t, w.notes.byID, 1)
		require.LessOrEqual(t, len(w.notes.queue), 2)
		for range 3 * maxNotes {
			w.Wrote("id of a", 2)
		}
		require.Len(t, w.notes.byID, 1)
		require.LessOrEqual(t, len(w.notes.queue), 3*maxNotes)
	})
}

// A read that has been judged has ended: who comes after a change is not told what
// was before, however long it takes those who waited for it to wake up.
func TestNobodyJoinsWhatIsSettled(t *testing.T) {
	for name, test := range map[string]struct {
		before, after int64
		change        func(*world)
	}{
		"wrote":    {1, 2, func(w *world) { w.Wrote("id of a", 2) }},
		"heard":    {1, 2, func(w *world) { w.Heard("id of a", 2) }},
		"doubt":    {1, 2, func(w *world) { w.Doubt("id of a") }},
		"dropped":  {1, 2, func(w *world) { w.Drop() }},
		"appeared": {0, 1, func(w *world) { w.Appeared(w.Key("a").sum) }},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T) {
				w := newWorld()
				if test.before > 0 {
					w.set("a", test.before)
				}
				w.Cache.mu.Lock()
				f, _ := w.takeOff(t.Context(), w.Key("a"), nil, &w.waited)
				f.began = w.Now()
				w.Cache.mu.Unlock()
				e, err := w.read("a")(t.Context())
				require.True(t, w.settle(t.Context(), f, e, err))

				w.set("a", test.after)
				test.change(w)
				w.is(t, "a", int(test.after))
				require.Zero(t, w.waited)
				require.Empty(t, w.flights)
			})
		})
	}
}

// What was written here is known for twice the TTL, under any id.
func TestWritten(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newWorld()
		require.Zero(t, w.Written("x"))
		w.Wrote("x", 7)
		w.Heard("x", 9)
		w.Doubt("y")
		for range 2 {
			require.Equal(t, int64(7), w.Written("x"))
			require.Zero(t, w.Written("y"))
			time.Sleep(2*w.o.TTL - time.Nanosecond)
		}
		require.Zero(t, w.Written("x"))
	})
}
