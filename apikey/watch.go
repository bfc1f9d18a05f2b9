package apikey

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

const (
	watchEvery = time.Second

	// maxPages is how often the Feed is asked without a pause for what comes
	// next.
	maxPages = 100
)

// watch is the state of Manager.Watch.
type watch struct {
	mu       sync.Mutex
	running  bool
	answered time.Time
}

func (w *watch) age() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.answered.IsZero() {
		return 0
	}
	return time.Since(w.answered)
}

// Watch asks Config.Feed every second in the background what changed, until ctx
// is done or Close is called, so that the changes of other nodes are in effect
// here after about a second. A Feed that fails is asked again; as long as it
// does, and without Watch, CacheTTL is what counts. Watch returns at once: an
// error if there is no Feed, if it is watched already, or after Close.
func (m *Manager) Watch(ctx context.Context) error {
	if m.feed == nil {
		return errors.New("apikey: watch: there is no Config.Feed")
	}
	m.watch.mu.Lock()
	defer m.watch.mu.Unlock()
	if m.watch.running {
		return errors.New("apikey: watch: the feed is watched already")
	}
	m.watch.running = m.background.Serve(ctx, func(ctx context.Context) {
		m.follow(ctx)
		m.watch.mu.Lock()
		defer m.watch.mu.Unlock()
		m.watch.running, m.watch.answered = false, time.Time{}
	})
	if !m.watch.running {
		return errors.New("apikey: watch: the manager is closed")
	}
	return nil
}

// follow asks the feed until the context is done.
func (m *Manager) follow(ctx context.Context) {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	var cursor Cursor
	for {
		next, err := m.poll(ctx, cursor)
		switch {
		case err == nil:
		case errors.Is(err, ErrCursor):
			m.cache.Drop()
			fallthrough
		default:
			if ctx.Err() == nil {
				m.log.WarnContext(ctx, "apikey: the feed failed", "error", err)
			}
		}
		cursor = next
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// poll asks the feed for everything that came after the cursor, and returns
// where to go on.
func (m *Manager) poll(ctx context.Context, after Cursor) (Cursor, error) {
	for range maxPages {
		changes, next, err := m.changes(ctx, after)
		if errors.Is(err, ErrCursor) {
			return "", err
		}
		if err != nil {
			return after, err
		}
		m.watch.mu.Lock()
		m.watch.answered = time.Now()
		m.watch.mu.Unlock()
		if after == "" {
			// What changed before this moment will not be heard of.
			m.cache.Drop()
		}
		for _, c := range changes {
			m.cache.Heard(c.KeyID, c.Version)
		}
		if len(changes) == 0 || next == after {
			return next, nil
		}
		after = next
	}
	return after, nil
}

// changes is one call of the feed. A panic is an error.
func (m *Manager) changes(ctx context.Context, after Cursor) (changes []Change, next Cursor, err error) {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			m.log.ErrorContext(ctx, "apikey: panic in the feed", "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic in the feed: %v", p)
		}
	}()
	return m.feed.Changes(ctx, after)
}
