package apikey_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/apikey/apikeytest"
)

func TestMemoryStore(t *testing.T) {
	t.Parallel()
	apikeytest.TestStore(t, func(*testing.T) apikeytest.Backend {
		store := new(apikey.MemoryStore)
		return apikeytest.Backend{Store: store, Activity: store, Feed: store}
	})
}

// A MemoryStore does not grow with the changes of one key.
func TestMemoryStoreForgetsOldEvents(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	id := h.issue(t).Key.ID
	for i := range 1100 {
		_, err := h.Update(t.Context(), id, 0, func(s *apikey.Spec) { s.Disabled = i%2 == 0 })
		require.NoError(t, err)
	}
	events, err := h.store.Events(t.Context(), id, apikey.Page{Limit: 5000})
	require.NoError(t, err)
	require.Len(t, events, 1000)
	require.Equal(t, apikey.Enabled, events[0].Kind, "the newest are kept")
}

// A lister keeps the query that it was asked.
type lister struct {
	apikey.Store

	query apikey.Query
	page  apikey.Listing
	err   error
}

func (s *lister) List(_ ctx, q apikey.Query) (apikey.Listing, error) {
	s.query = q
	return s.page, s.err
}

func TestListIsClamped(t *testing.T) {
	t.Parallel()
	store, clock := &lister{Store: apikey.NewMemoryStore()}, new(apikeytest.Clock)
	m, err := apikey.New(store, apikey.Config{Prefix: "paym", Now: clock.Now})
	require.NoError(t, err)
	for asked, want := range map[int]int{0: 100, -1: 100, -1 << 40: 100, 1: 1, 999: 999, 1000: 1000, 1001: 1000, 1_000_000_000: 1000} {
		q := apikey.Query{Search: "x", Before: "y", State: apikey.StateActive, Limit: asked, Now: time.Unix(1, 0)}
		_, err := m.List(t.Context(), q)
		require.NoError(t, err)
		q.Limit, q.Now = want, clock.Now()
		require.Equal(t, q, store.query)
	}
	store.err = errors.New("boom")
	_, err = m.List(t.Context(), apikey.Query{})
	require.ErrorIs(t, err, store.err)
	require.ErrorContains(t, err, "apikey: list: ")
}

func TestList(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	var keys []apikey.Key
	for _, name := range []string{"Alpha", "beta", "100% sure"} {
		keys = append([]apikey.Key{h.issue(t, func(s *apikey.Spec) { s.Name = name }).Key}, keys...)
	}
	got, err := h.List(t.Context(), apikey.Query{})
	require.NoError(t, err)
	require.Equal(t, apikey.Listing{Keys: keys}, got, "the newest first")
	got, err = h.List(t.Context(), apikey.Query{Before: keys[0].ID, Limit: 1})
	require.NoError(t, err)
	require.Equal(t, apikey.Listing{Keys: keys[1:2], Next: keys[1].ID}, got)
	for search, want := range map[string][]apikey.Key{"ALPHA": keys[2:], "%": keys[:1], "_": {}, keys[1].ID: keys[1:2], keys[1].Hint: keys[1:2]} {
		got, err = h.List(t.Context(), apikey.Query{Search: search})
		require.NoError(t, err)
		require.Equal(t, apikey.Listing{Keys: want}, got, search)
	}
}

// Where keys that match are rare, pages are short: whoever goes on finds them.
func TestShortPages(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	var rare []apikey.Key
	for i := range 20 {
		k := h.issue(t, func(s *apikey.Spec) { s.Disabled = i%6 == 0 }).Key
		if i%6 == 0 {
			rare = append([]apikey.Key{k}, rare...)
		}
	}
	h.spy.Sight(4)
	q := apikey.Query{State: apikey.StateDisabled, Limit: 2}
	page, err := h.List(t.Context(), q)
	require.NoError(t, err)
	require.Equal(t, rare[:1], page.Keys)
	require.NotEmpty(t, page.Next)

	var got []apikey.Key
	for k, err := range h.All(t.Context(), q) {
		require.NoError(t, err)
		got = append(got, k)
	}
	require.Equal(t, rare, got)
	for k, err := range h.All(t.Context(), q) { // as far as one likes
		require.NoError(t, err)
		require.Equal(t, rare[0], k)
		break
	}
	unused, err := h.Unused(t.Context(), h.in(time.Hour), q)
	require.NoError(t, err)
	require.Equal(t, rare[:2], unused)
	p, err := h.PepperHashes(t.Context(), apikey.Page{Limit: 10})
	require.NoError(t, err)
	require.NotEmpty(t, p.Next)
	require.Equal(t, map[string]int{"": 4}, p.Under)
}

// Who goes on from page to page does not go in circles.
func TestPagesThatLeadNowhere(t *testing.T) {
	t.Parallel()
	store := &lister{Store: apikey.NewMemoryStore(), page: apikey.Listing{Next: "x"}}
	m, err := apikey.New(store, apikey.Config{Prefix: "paym"})
	require.NoError(t, err)
	var errs []error
	for k, err := range m.All(t.Context(), apikey.Query{}) {
		require.Empty(t, k)
		errs = append(errs, err)
	}
	require.Len(t, errs, 1)
	require.ErrorContains(t, errs[0], "apikey: list: the next page does not come after this one")
}

// When the context is done, nothing is done and everybody is told.
func TestDoneContext(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	issued := h.issue(t)
	done, cancel := context.WithCancel(t.Context())
	cancel()
	h.heard.kinds()
	for _, m := range []management{h.Manager, h.As(actor())} {
		for name, err := range everything(t, done, m, issued.Key.ID) {
			require.ErrorIs(t, err, context.Canceled, name)
		}
	}
	_, err := h.Verify(done, issued.Secret.Reveal())
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, apikey.ErrInvalid)
	_, err = h.ActorOf(done, issued.Key.ID)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, issued.Key, h.key(t, issued.Key.ID))
	require.Empty(t, h.heard.kinds())
	keys, err := h.List(t.Context(), apikey.Query{})
	require.NoError(t, err)
	require.Len(t, keys.Keys, 1)
}

// A key acts, and its request is cancelled right after the store has made the
// child: nobody got the secret, so the child is not left alive.
func TestCancelledCreatorLeavesNothingAlive(t *testing.T) {
	t.Parallel()
	request, cancel := context.WithCancel(t.Context())
	defer cancel()
	h := newHouse(t, func(c *apikey.Config) {
		c.OnEvent = func(e apikey.Event) {
			if e.Actor != "operator" {
				cancel()
			}
		}
	})
	parent := h.issue(t)
	_, err := h.acts(t, parent.Key.ID).Create(request, spec())
	require.ErrorIs(t, err, context.Canceled)
	keys, err := h.List(t.Context(), apikey.Query{CreatedBy: apikey.KeyActorID(parent.Key.ID)})
	require.NoError(t, err)
	require.Len(t, keys.Keys, 1)
	require.Equal(t, apikey.StateRevoked, keys.Keys[0].State(h.in(0)))
}

// Errors of a store are passed on, and say at which call.
func TestErrorsOfTheStore(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	id := h.issue(t).Key.ID
	boom := errors.New("boom")
	h.spy.Fail(boom)
	for name, err := range everything(t, t.Context(), h.Manager, id) {
		if name == "LastUsed" {
			require.NoError(t, err, "the Activity answers")
			continue
		}
		require.ErrorIs(t, err, boom, name)
		require.Regexp(t, `^apikey: (create|get|list): boom$`, err.Error(), name)
	}
	h.spy.Fail(nil)
	peppers := newHouseOn(t, h.store, peppered("a"), insecure)
	peppers.spy.Fail(boom, "Find")
	_, sum := foreign("1")
	_, err := peppers.Import(t.Context(), spec(), sum)
	require.ErrorIs(t, err, boom)
	h.spy.Fail(apikey.ErrExists, "Create")
	_, err = h.Create(t.Context(), spec())
	require.ErrorIs(t, err, apikey.ErrExists)
}
