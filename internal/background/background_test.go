package background

import (
	"bytes"
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// What was started has ended when Close returns; nothing starts afterwards.
func TestBackgroundIsJoined(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g Group
		var ended atomic.Int32
		for range 10 {
			require.True(t, g.Start(func() {
				time.Sleep(time.Second)
				ended.Add(1)
			}))
			require.True(t, g.Serve(t.Context(), func(ctx context.Context) {
				<-ctx.Done()
				ended.Add(1)
			}))
		}
		start := time.Now()
		require.NoError(t, g.Close(t.Context()))
		require.Equal(t, int32(20), ended.Load())
		require.Equal(t, time.Second, time.Since(start))
		require.Empty(t, g.stops)

		require.False(t, g.Start(func() { panic("started") }))
		require.False(t, g.Serve(t.Context(), func(context.Context) { panic("started") }))
		require.Empty(t, g.stops)
		require.NoError(t, g.Close(t.Context()), "again")
	})
}

// What was served ends with its own context, too, and leaves nothing behind.
func TestServedUntilItsContextEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g Group
		ctx, cancel := context.WithCancel(t.Context())
		require.True(t, g.Serve(ctx, func(ctx context.Context) { <-ctx.Done() }))
		cancel()
		synctest.Wait()
		require.Empty(t, g.stops)
		require.NoError(t, g.Close(t.Context()))
	})
}

// Close waits no longer than its context, and can be asked again.
func TestCloseGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g Group
		require.True(t, g.Start(func() { time.Sleep(time.Minute) }))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, g.Close(ctx), context.DeadlineExceeded)
		require.NoError(t, g.Close(t.Context()))

		// Whose time is over learns at least that all is well.
		require.NoError(t, g.Close(ctx))
	})
}

func TestPanicInTheBackgroundIsLogged(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	g := Group{Log: slog.New(slog.NewTextHandler(&log, nil))}
	require.True(t, g.Start(func() { panic("boom") }))
	require.NoError(t, g.Close(t.Context()))
	require.Contains(t, log.String(), "boom")
	require.Contains(t, log.String(), "background_test.go")
}
