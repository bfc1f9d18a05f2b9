package password

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A crowd wants through a gate. What became of its members is counted.
type crowd struct {
	inside, done, busy, cancelled atomic.Int32
	group                         sync.WaitGroup
	leave                         chan struct{} // closed: whoever is inside goes
}

func (c *crowd) come(ctx context.Context, g gate, n int) {
	for range n {
		c.group.Go(func() {
			err := g.through(ctx, func() {
				c.inside.Add(1)
				<-c.leave
				c.inside.Add(-1)
			})
			switch {
			case err == nil:
				c.done.Add(1)
			case errors.Is(err, ErrBusy):
				c.busy.Add(1)
			case errors.Is(err, context.Canceled):
				c.cancelled.Add(1)
			}
		})
	}
	synctest.Wait()
}

func TestGateIsBoundedByNumber(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g, c := newGate(4, 64, 5*time.Second), crowd{leave: make(chan struct{})}
		start := time.Now()
		c.come(t.Context(), g, 68)
		require.EqualValues(t, 4, c.inside.Load())
		require.Len(t, g.waiting, 64)
		require.Zero(t, c.busy.Load(), "there is room for as many")
		c.come(t.Context(), g, 932)
		require.EqualValues(t, 932, c.busy.Load())
		require.Len(t, g.waiting, 64)
		require.Zero(t, time.Since(start), "who cannot wait is told at once")

		close(c.leave)
		c.group.Wait()
		require.EqualValues(t, 68, c.done.Load())
		require.Zero(t, len(g.waiting)+len(g.inside))
		require.Zero(t, time.Since(start))
	})
}

func TestGateIsBoundedByTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g, c := newGate(4, 64, 5*time.Second), crowd{leave: make(chan struct{})}
		c.come(t.Context(), g, 10)
		time.Sleep(5*time.Second - time.Nanosecond)
		synctest.Wait()
		require.Zero(t, c.busy.Load())
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		require.EqualValues(t, 6, c.busy.Load())
		require.Empty(t, g.waiting)
		require.EqualValues(t, 4, c.inside.Load(), "work that has begun is not bounded")
		c.come(t.Context(), g, 64)
		require.Len(t, g.waiting, 64, "the places are free again")
		close(c.leave)
		c.group.Wait()
	})
}

func TestGateIsLeftByTheCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g, c := newGate(1, 2, 5*time.Second), crowd{leave: make(chan struct{})}
		c.come(t.Context(), g, 1)
		ctx, cancel := context.WithCancel(t.Context())
		c.come(ctx, g, 2)
		c.come(t.Context(), g, 1)
		require.EqualValues(t, 1, c.busy.Load())
		cancel()
		synctest.Wait()
		require.EqualValues(t, 2, c.cancelled.Load())
		require.Empty(t, g.waiting)
		c.come(ctx, g, 1)
		require.EqualValues(t, 3, c.cancelled.Load(), "nobody comes who is gone already")
		c.come(t.Context(), g, 2)
		require.Len(t, g.waiting, 2, "their places are free")
		close(c.leave)
		c.group.Wait()
		require.EqualValues(t, 3, c.done.Load())
	})
}

func TestGateIsFirstComeFirstServed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g, turns := newGate(1, 20, time.Hour), make(chan int, 21)
		for i := range 21 {
			go func() {
				_ = g.through(t.Context(), func() {
					time.Sleep(time.Second)
					turns <- i
				})
			}()
			synctest.Wait()
		}
		for i := range 21 {
			require.Equal(t, i, <-turns)
		}
	})
}

func TestGateAfterAPanic(t *testing.T) {
	t.Parallel()
	g := newGate(1, 1, time.Hour)
	require.Panics(t, func() { _ = g.through(t.Context(), func() { panic("memory") }) })
	require.NoError(t, g.through(t.Context(), func() {}))
}

func TestGateOfTheZeroConfig(t *testing.T) {
	t.Parallel()
	h, err := New(Config{})
	require.NoError(t, err)
	cores := runtime.GOMAXPROCS(0)
	require.Equal(t, 2*cores, cap(h.gate.inside))
	require.Equal(t, 32*cores, cap(h.gate.waiting))
	require.Equal(t, 5*time.Second, h.gate.wait)
	h, err = New(Config{Concurrent: 3, Queue: 7, Wait: time.Second})
	require.NoError(t, err)
	require.Equal(t, []any{3, 7, time.Second}, []any{cap(h.gate.inside), cap(h.gate.waiting), h.gate.wait})
	h, err = New(Config{Concurrent: 3})
	require.NoError(t, err)
	require.Equal(t, 48, cap(h.gate.waiting))
}
