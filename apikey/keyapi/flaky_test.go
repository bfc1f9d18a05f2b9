package keyapi_test

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/apikey/apikeytest"
)

// A flaky store fails when it is told to.
type flaky struct {
	*apikey.MemoryStore

	// afterGet, if there is one, happens once: after the next Get.
	afterGet func()

	lastUsed atomic.Int64 // calls
	sight    int          // of apikeytest.Spy

	mu    sync.Mutex
	err   error
	calls []string // that are to fail; none: all
}

func (s *flaky) fail(err error, calls ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err, s.calls = err, calls
}

func (s *flaky) failing(call string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.calls) > 0 && !slices.Contains(s.calls, call) {
		return nil
	}
	return s.err
}

func (s *flaky) Create(ctx context.Context, r apikey.Record, e apikey.Event) error {
	if err := s.failing("create"); err != nil {
		return err
	}
	return s.MemoryStore.Create(ctx, r, e)
}

func (s *flaky) Get(ctx context.Context, id string) (apikey.Record, error) {
	if err := s.failing("get"); err != nil {
		return apikey.Record{}, err
	}
	r, err := s.MemoryStore.Get(ctx, id)
	if then := s.afterGet; then != nil {
		s.afterGet = nil
		then()
	}
	return r, err
}

func (s *flaky) List(ctx context.Context, q apikey.Query) (apikey.Listing, error) {
	if err := s.failing("list"); err != nil {
		return apikey.Listing{}, err
	}
	spy := apikeytest.NewSpy(s.MemoryStore)
	spy.Sight(s.sight)
	return spy.List(ctx, q)
}

func (s *flaky) Update(ctx context.Context, r apikey.Record, e apikey.Event) error {
	if err := s.failing("update"); err != nil {
		return err
	}
	return s.MemoryStore.Update(ctx, r, e)
}

func (s *flaky) Events(ctx context.Context, keyID string, page apikey.Page) ([]apikey.Event, error) {
	if err := s.failing("events"); err != nil {
		return nil, err
	}
	return s.MemoryStore.Events(ctx, keyID, page)
}

func (s *flaky) Usage(ctx context.Context, keyID string, since time.Time) ([]apikey.Day, error) {
	if err := s.failing("usage"); err != nil {
		return nil, err
	}
	return s.MemoryStore.Usage(ctx, keyID, since)
}

func (s *flaky) LastUsed(ctx context.Context, keyIDs []string) ([]apikey.LastUse, error) {
	s.lastUsed.Add(1)
	if err := s.failing("last used"); err != nil {
		return nil, err
	}
	return s.MemoryStore.LastUsed(ctx, keyIDs)
}

// A logBuffer is a log that may be written to and read concurrently.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
