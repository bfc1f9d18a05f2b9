package apikey

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

// What was started has ended when close returns; nothing starts afterwards.
func TestBackgroundIsJoined(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var b background
		var ended atomic.Int32
		for range 10 {
			require.True(t, b.start(func() {
				time.Sleep(time.Second)
				ended.Add(1)
			}))
			require.True(t, b.serve(t.Context(), func(ctx context.Context) {
				<-ctx.Done()
				ended.Add(1)
			}))
		}
		start := time.Now()
		require.NoError(t, b.close(t.Context()))
		require.Equal(t, int32(20), ended.Load())
		require.Equal(t, time.Second, time.Since(start))
		require.Empty(t, b.stops)

		require.False(t, b.start(func() { panic("started") }))
		require.False(t, b.serve(t.Context(), func(context.Context) { panic("started") }))
		require.Empty(t, b.stops)
		require.NoError(t, b.close(t.Context()), "again")
	})
}

// What was served ends with its own context, too, and leaves nothing behind.
func TestServedUntilItsContextEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var b background
		ctx, cancel := context.WithCancel(t.Context())
		require.True(t, b.serve(ctx, func(ctx context.Context) { <-ctx.Done() }))
		cancel()
		synctest.Wait()
		require.Empty(t, b.stops)
		require.NoError(t, b.close(t.Context()))
	})
}

// close waits no longer than its context, and can be asked again.
func TestCloseGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var b background
		require.True(t, b.start(func() { time.Sleep(time.Minute) }))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, b.close(ctx), context.DeadlineExceeded)
		require.NoError(t, b.close(t.Context()))

		// Whose time is over learns at least that all is well.
		require.NoError(t, b.close(ctx))
	})
}

func TestPanicInTheBackgroundIsLogged(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	b := background{log: slog.New(slog.NewTextHandler(&log, nil))}
	require.True(t, b.start(func() { panic("boom") }))
	require.NoError(t, b.close(t.Context()))
	require.Contains(t, log.String(), "boom")
	require.Contains(t, log.String(), "background_test.go")
}
