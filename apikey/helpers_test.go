package apikey_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/apikey/apikeytest"
	"github.com/latchwork/latchwork/ipfilter"
	"github.com/latchwork/latchwork/scope"
)

// A house is a Manager on a store that counts, fails and hangs on demand, with
// a clock that stands and an ear for events.
type house struct {
	*apikey.Manager

	spy   *apikeytest.Spy
	store *apikey.MemoryStore // behind the Spy
	clock *apikeytest.Clock
	heard *heard
}

type heard struct {
	mu     sync.Mutex
	events []apikey.Event
}

func (h *heard) hear(e apikey.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, e)
}

// kinds returns what has been heard since the last call.
func (h *heard) kinds() []apikey.EventKind {
	h.mu.Lock()
	defer h.mu.Unlock()
	kinds := []apikey.EventKind{}
	for _, e := range h.events {
		kinds = append(kinds, e.Kind)
	}
	h.events = nil
	return kinds
}

func newHouse(t testing.TB, edits ...func(*apikey.Config)) *house {
	t.Helper()
	store := apikey.NewMemoryStore()
	return newHouseOn(t, store, edits...)
}

// newHouseOn puts another Manager in front of a store that may hold keys.
func newHouseOn(t testing.TB, store *apikey.MemoryStore, edits ...func(*apikey.Config)) *house {
	t.Helper()
	h := &house{store: store, spy: apikeytest.NewSpy(store), clock: new(apikeytest.Clock), heard: new(heard)}
	cfg := apikey.Config{
		Prefix: "paym", Types: []string{"admin", "reseller"},
		ForeignFormats: []apikey.ForeignFormat{apikey.Paymenter()},
		Activity:       store, Now: h.clock.Now, OnEvent: h.heard.hear,
	}
	for _, edit := range edits {
		edit(&cfg)
	}
	m, err := apikey.New(h.spy, cfg)
	require.NoError(t, err)
	h.Manager = m
	return h
}

// uncached makes every verification see what is in the store.
func uncached(c *apikey.Config) { c.CacheTTL = -1 }

func set(grants ...string) scope.Set { return scope.MustParseSet(grants...) }

func list(entries ...string) *ipfilter.List {
	l := ipfilter.MustParseList(entries...)
	return &l
}

// spec is one that nothing is wrong with, but for the edits.
func spec(edits ...func(*apikey.Spec)) apikey.Spec {
	s := apikey.Spec{Name: "CI", Type: "admin", Permissions: set("users.view")}
	for _, edit := range edits {
		edit(&s)
	}
	return s
}

// issue creates a key as the operator.
func (h *house) issue(t testing.TB, edits ...func(*apikey.Spec)) apikey.Issued {
	t.Helper()
	issued, err := h.Create(t.Context(), spec(edits...))
	require.NoError(t, err)
	return issued
}

// opens asserts that a secret opens the key with this ID.
func (h *house) opens(t testing.TB, secret apikey.Secret, id string) apikey.Verified {
	t.Helper()
	v, err := h.Verify(t.Context(), secret.Reveal())
	require.NoError(t, err)
	require.Equal(t, id, v.Key().ID)
	require.Equal(t, v.Key().Type, v.Type())
	require.True(t, v.Key().Permissions.Equal(v.Permissions()))
	return v
}

// denies asserts that a secret opens nothing, for this reason.
func (h *house) denies(t testing.TB, secret apikey.Secret, reason error) {
	t.Helper()
	h.deniesText(t, secret.Reveal(), reason)
}

func (h *house) deniesText(t testing.TB, presented string, reason error) {
	t.Helper()
	v, err := h.Verify(t.Context(), presented)
	require.ErrorIs(t, err, reason)
	require.Equal(t, apikey.Verified{}, v)
}

// key returns what the store has of a key.
func (h *house) key(t testing.TB, id string) apikey.Key {
	t.Helper()
	return h.record(t, id).Key
}

func (h *house) record(t testing.TB, id string) apikey.Record {
	t.Helper()
	r, err := h.store.Get(context.WithoutCancel(t.Context()), id)
	require.NoError(t, err)
	return r
}

// plant changes a record in the store behind the Manager's back.
func (h *house) plant(t testing.TB, id string, edit func(*apikey.Record)) {
	t.Helper()
	r := h.record(t, id)
	edit(&r)
	r.Key.Version++
	require.NoError(t, h.store.Update(t.Context(), r, apikey.Event{ID: "planted", KeyID: id}))
}

// actor is one with a wide ceiling, but for the edits.
func actor(edits ...func(*apikey.Actor)) apikey.Actor {
	a := apikey.Actor{ID: "user:1", Ceiling: apikey.Ceiling{Permissions: set("*"), Types: []string{"admin", "reseller"}}}
	for _, edit := range edits {
		edit(&a)
	}
	return a
}

// exceeds asserts that an error names exactly these fields.
func exceeds(t testing.TB, err error, fields ...string) {
	t.Helper()
	var e *apikey.ExceedsError
	require.ErrorAs(t, err, &e)
	var got []string
	for _, x := range e.Exceeded {
		require.NotEmpty(t, x.Values)
		got = append(got, x.Field)
	}
	require.ElementsMatch(t, fields, got)
}

// faults asserts that an error names exactly these fields, and returns the
// reasons by field.
func faults(t testing.TB, err error, fields ...string) map[string]string {
	t.Helper()
	var e *apikey.SpecError
	require.ErrorAs(t, err, &e)
	reasons := map[string]string{}
	var got []string
	for _, f := range e.Fields {
		require.NotEmpty(t, f.Reason)
		reasons[f.Field] += f.Reason + "\n"
		if !slices.Contains(got, f.Field) {
			got = append(got, f.Field)
		}
	}
	require.ElementsMatch(t, fields, got, "%v", err)
	return reasons
}

// in returns the instant after d.
func (h *house) in(d time.Duration) time.Time { return h.clock.Now().Add(d) }

type ctx = context.Context
