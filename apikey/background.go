package apikey

import (
	"context"
	"log/slog"
	"runtime/debug"
	"sync"
)

// background owns the goroutines of a Manager. Those who start one see to it
// that there are never many of a kind. It is safe for concurrent use.
type background struct {
	log *slog.Logger

	mu      sync.Mutex
	running int
	closed  bool
	idle    chan struct{} // after close: closed when nothing runs any more
	stops   map[*context.CancelFunc]struct{}
}

// start runs f in a goroutine of its own, and reports false, without running
// it, after close. A panic in f is logged.
func (b *background) start(f func()) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	b.running++
	go func() {
		defer b.ended()
		defer func() {
			if p := recover(); p != nil {
				b.log.Error("apikey: panic in the background", "panic", p, "stack", string(debug.Stack()))
			}
		}()
		f()
	}()
	return true
}

func (b *background) ended() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.running--
	if b.closed && b.running == 0 {
		close(b.idle)
	}
}

// serve is start for what only ends when it is told to: close ends the context
// of f.
func (b *background) serve(ctx context.Context, f func(context.Context)) bool {
	ctx, cancel := context.WithCancel(ctx)
	b.mu.Lock()
	if b.stops == nil {
		b.stops = map[*context.CancelFunc]struct{}{}
	}
	b.stops[&cancel] = struct{}{}
	b.mu.Unlock()

	stop := func() {
		b.mu.Lock()
		delete(b.stops, &cancel)
		b.mu.Unlock()
		cancel()
	}
	started := b.start(func() {
		defer stop()
		f(ctx)
	})
	if !started {
		stop()
	}
	return started
}

// close lets nothing start any more and waits until everything has ended, or
// until the context has.
func (b *background) close(ctx context.Context) error {
	b.mu.Lock()
	if !b.closed {
		b.closed, b.idle = true, make(chan struct{})
		if b.running == 0 {
			close(b.idle)
		}
	}
	for stop := range b.stops {
		(*stop)()
	}
	b.mu.Unlock()

	select {
	case <-b.idle:
		return nil
	default:
	}
	select {
	case <-b.idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
