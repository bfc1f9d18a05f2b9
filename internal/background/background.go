// Package background has the goroutines that outlive the call which started
// them, so that whoever owns them can wait for their end.
package background

import (
	"context"
	"log/slog"
	"runtime/debug"
	"sync"
)

// A Group owns goroutines. Those who start one see to it that there are never
// many of a kind. It is safe for concurrent use, and ready when it has a Log.
type Group struct {
	Log *slog.Logger // hears of panics

	mu      sync.Mutex
	running int
	closed  bool
	idle    chan struct{} // after Close: closed when nothing runs any more
	stops   map[*context.CancelFunc]struct{}
}

// Start runs f in a goroutine of its own, and reports false, without running
// it, after Close. A panic in f is logged.
func (g *Group) Start(f func()) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.running++
	go func() {
		defer g.ended()
		defer func() {
			if p := recover(); p != nil {
				g.Log.Error("panic in the background", "panic", p, "stack", string(debug.Stack()))
			}
		}()
		f()
	}()
	return true
}

func (g *Group) ended() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running--
	if g.closed && g.running == 0 {
		close(g.idle)
	}
}

// Serve is Start for what only ends when it is told to: Close ends the context
// of f.
func (g *Group) Serve(ctx context.Context, f func(context.Context)) bool {
	ctx, cancel := context.WithCancel(ctx)
	g.mu.Lock()
	if g.stops == nil {
		g.stops = map[*context.CancelFunc]struct{}{}
	}
	g.stops[&cancel] = struct{}{}
	g.mu.Unlock()

	stop := func() {
		g.mu.Lock()
		delete(g.stops, &cancel)
		g.mu.Unlock()
		cancel()
	}
	started := g.Start(func() {
		defer stop()
		f(ctx)
	})
	if !started {
		stop()
	}
	return started
}

// Close lets nothing start any more and waits until everything has ended, or
// until the context has.
func (g *Group) Close(ctx context.Context) error {
	g.mu.Lock()
	if !g.closed {
		g.closed, g.idle = true, make(chan struct{})
		if g.running == 0 {
			close(g.idle)
		}
	}
	for stop := range g.stops {
		(*stop)()
	}
	g.mu.Unlock()

	select {
	case <-g.idle:
		return nil
	default:
	}
	select {
	case <-g.idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
