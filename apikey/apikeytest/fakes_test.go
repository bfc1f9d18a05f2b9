package apikeytest_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/apikey/apikeytest"
)

// callAll calls every method of a store once and returns the errors by name.
func callAll(ctx context.Context, s apikey.Store) map[string]error {
	errs := map[string]error{
		"Create": s.Create(ctx, apikey.Record{Key: apikey.Key{ID: "1", Version: 1}}, apikey.Event{ID: "1", KeyID: "1"}),
		"Update": s.Update(ctx, apikey.Record{Key: apikey.Key{ID: "1", Version: 2}}, apikey.Event{ID: "2", KeyID: "1"}),
		"Rehash": s.Rehash(ctx, "1", apikey.Hash{}, apikey.SecretHash{}),
	}
	_, errs["Find"] = s.Find(ctx, nil)
	_, errs["Get"] = s.Get(ctx, "1")
	_, errs["List"] = s.List(ctx, apikey.Query{})
	return errs
}

func TestSpyCounts(t *testing.T) {
	t.Parallel()
	spy := apikeytest.NewSpy(apikey.NewMemoryStore())
	require.Zero(t, spy.Calls())
	for i := range 3 {
		for name := range callAll(t.Context(), spy) {
			require.Equal(t, i+1, spy.Calls(name), name)
		}
		require.Equal(t, 6*(i+1), spy.Calls())
		require.Equal(t, 2*(i+1), spy.Calls("Find", "Get"))
	}
	require.PanicsWithValue(t,
		`apikeytest: a store has no method "find", only Create, Find, Get, List, Update, Rehash`,
		func() { spy.Calls("find") })
	require.Panics(t, func() { spy.Fail(errors.New("boom"), "Delete") })
	require.Panics(t, func() { spy.Hold("") })
	require.Equal(t, 18, spy.Calls(), "a mistake leaves no lock behind")
}

func TestSpyFails(t *testing.T) {
	t.Parallel()
	inner := apikey.NewMemoryStore()
	spy := apikeytest.NewSpy(inner)
	boom := errors.New("boom")
	spy.Fail(boom)
	for name, err := range callAll(t.Context(), spy) {
		require.ErrorIs(t, err, boom, name)
	}
	_, err := inner.Get(t.Context(), "1")
	require.ErrorIs(t, err, apikey.ErrNotFound, "nothing reached the store")
	require.Equal(t, 6, spy.Calls(), "failed calls count")

	spy.Fail(nil)
	for name, err := range callAll(t.Context(), spy) {
		require.NotErrorIs(t, err, boom, name)
	}
	spy.Fail(boom, "Find", "List")
	for name, err := range callAll(t.Context(), spy) {
		require.Equal(t, name == "Find" || name == "List", errors.Is(err, boom), name)
	}
	spy.Fail(nil, "Find")
	for name, err := range callAll(t.Context(), spy) {
		require.Equal(t, name == "List", errors.Is(err, boom), name)
	}
}

func TestSpyHolds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inner := apikey.NewMemoryStore()
		spy := apikeytest.NewSpy(inner)
		release := spy.Hold("Create")
		done := make(chan error)
		go func() {
			done <- spy.Create(t.Context(), apikey.Record{Key: apikey.Key{ID: "1"}}, apikey.Event{})
		}()
		synctest.Wait()
		require.Equal(t, 1, spy.Calls("Create"), "a held call counts")
		_, err := spy.Get(t.Context(), "1")
		require.ErrorIs(t, err, apikey.ErrNotFound, "it has not reached the store, and others pass")
		release()
		require.NoError(t, <-done)
		release()
		require.ErrorIs(t, spy.Create(t.Context(), apikey.Record{Key: apikey.Key{ID: "1"}}, apikey.Event{}), apikey.ErrExists)

		release = spy.Hold()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_, err = spy.Get(ctx, "1")
		require.ErrorIs(t, err, context.DeadlineExceeded, "a held call heeds its context")
		release()
		_, err = spy.Get(t.Context(), "1")
		require.NoError(t, err)
	})
}

func TestSpyHoldsTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		spy := apikeytest.NewSpy(apikey.NewMemoryStore())
		first, second := spy.Hold("Get"), spy.Hold("Get", "Find")
		var got bool
		var call sync.WaitGroup
		call.Go(func() { _, _ = spy.Get(t.Context(), "1"); got = true })
		first()
		synctest.Wait()
		require.False(t, got, "one of two still holds")
		second()
		call.Wait()
	})
}

func TestSpyHoldsAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inner := apikey.NewMemoryStore()
		spy := apikeytest.NewSpy(inner)
		release := spy.HoldAnswers("Get", "Create")
		read := make(chan error)
		go func() {
			_, err := spy.Get(t.Context(), "1")
			read <- err
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		err := spy.Create(ctx, apikey.Record{Key: apikey.Key{ID: "1"}}, apikey.Event{})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		_, err = inner.Get(t.Context(), "1")
		require.NoError(t, err, "the change was made")
		release()
		require.ErrorIs(t, <-read, apikey.ErrNotFound, "an answer from before the change")
	})
}

func TestSpyIsNearsighted(t *testing.T) {
	t.Parallel()
	spy := apikeytest.NewSpy(apikey.NewMemoryStore())
	for i := range 7 {
		id := string(rune('1' + i))
		r := apikey.Record{Key: apikey.Key{ID: id, Owner: []string{"us", "them"}[i%2]}, Secrets: []apikey.SecretHash{{Hash: apikey.Hash{byte(i)}}}}
		require.NoError(t, spy.Create(t.Context(), r, apikey.Event{ID: id}))
	}
	list := func(q apikey.Query) (ids, next string) {
		page, err := spy.List(t.Context(), q)
		require.NoError(t, err)
		for _, k := range page.Keys {
			ids += k.ID
		}
		return ids, page.Next
	}
	for _, c := range []struct {
		sight     int
		q         apikey.Query
		ids, next string
	}{
		{0, apikey.Query{Owner: "them", Limit: 9}, "642", ""},
		{3, apikey.Query{Owner: "them", Limit: 9}, "6", "5"},
		{3, apikey.Query{Owner: "us", Limit: 1}, "7", "7"},
		{3, apikey.Query{Owner: "us", Limit: 2}, "75", "5"},
		{3, apikey.Query{Owner: "us", Before: "5", Limit: 9}, "3", "2"},
		{3, apikey.Query{Owner: "us", Before: "2", Limit: 9}, "1", ""},
		{3, apikey.Query{Owner: "nobody", Limit: 9}, "", "5"},
		{7, apikey.Query{Owner: "nobody", Limit: 9}, "", ""},
		{0, apikey.Query{Owner: "nobody", Limit: 9}, "", ""},
	} {
		spy.Sight(c.sight)
		ids, next := list(c.q)
		require.Equal(t, [2]string{c.ids, c.next}, [2]string{ids, next}, "%+v", c)
	}
}

func TestClock(t *testing.T) {
	t.Parallel()
	var clock apikeytest.Clock
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	require.Equal(t, start, clock.Now())
	require.Equal(t, start, clock.Now(), "it stands")
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() { clock.Advance(time.Minute); clock.Now() })
	}
	all.Wait()
	require.Equal(t, start.Add(100*time.Minute), clock.Now())
	clock.Advance(-time.Hour)
	require.Equal(t, start.Add(40*time.Minute), clock.Now())
}

func TestManagerAndKey(t *testing.T) {
	t.Parallel()
	m := apikeytest.NewManager(t, apikey.Config{})
	issued := apikeytest.Key(t, m, "users.view", "orders.*")
	v, err := m.Verify(t.Context(), issued.Secret.Reveal())
	require.NoError(t, err)
	require.True(t, v.Key().Permissions.Allows("orders.delete"))
	require.Equal(t, "test_", issued.Key.Hint[:5])
	events, err := m.Events(t.Context(), issued.Key.ID, apikey.Page{})
	require.NoError(t, err)
	require.Len(t, events, 1, "the store is the Activity")
	require.True(t, apikeytest.Key(t, m).Key.Permissions.IsEmpty())

	var clock apikeytest.Clock
	m = apikeytest.NewManager(t, apikey.Config{Prefix: "paym", Now: clock.Now})
	issued = apikeytest.Key(t, m)
	require.Equal(t, "paym_", issued.Key.Hint[:5])
	require.Equal(t, clock.Now(), issued.Key.CreatedAt)
}

// A recorder is a testing.TB that can fail without the test failing.
type recorder struct {
	testing.TB

	failed string
}

func (r *recorder) Helper() {}

func (r *recorder) Fatalf(format string, _ ...any) {
	r.failed = format
	runtime.Goexit()
}

func ends(t *testing.T, test func(testing.TB)) {
	t.Helper()
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() { defer close(done); test(r) }()
	<-done
	require.Contains(t, r.failed, "apikeytest: ")
}

func TestBadUseEndsTheTest(t *testing.T) {
	t.Parallel()
	m := apikeytest.NewManager(t, apikey.Config{Types: []string{"other"}})
	ends(t, func(t testing.TB) { apikeytest.NewManager(t, apikey.Config{Prefix: "a b"}) })
	ends(t, func(t testing.TB) { apikeytest.Key(t, m, "not a grant") })
	ends(t, func(t testing.TB) { apikeytest.Key(t, m, "users.view") })
}
