package oauthtest_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/oauth"
	"github.com/latchwork/latchwork/oauth/oauthtest"
)

// callAll calls every method of a store once and returns the errors by name.
func callAll(ctx context.Context, s oauth.Store) map[string]error {
	errs := map[string]error{"CreateGrant": s.CreateGrant(ctx, oauth.Grant{ID: "1"}, oauth.Credential{GrantID: "1"})}
	_, _, errs["Lookup"] = s.Lookup(ctx, oauth.Hash{1})
	_, errs["Spend"] = s.Spend(ctx, oauth.Spend{Hash: oauth.Hash{1}})
	_, errs["RevokeGrants"] = s.RevokeGrants(ctx, oauth.Filter{}, time.Time{})
	_, errs["Grants"] = s.Grants(ctx, oauth.Filter{}, oauth.Page{Limit: 1})
	_, errs["DeleteExpired"] = s.DeleteExpired(ctx, time.Time{}, 1)
	return errs
}

func TestSpyCounts(t *testing.T) {
	t.Parallel()
	spy := oauthtest.NewSpy(oauth.NewMemoryStore())
	require.Zero(t, spy.Calls())
	for i := range 3 {
		for name := range callAll(t.Context(), spy) {
			require.Equal(t, i+1, spy.Calls(name), name)
		}
		require.Equal(t, 6*(i+1), spy.Calls())
		require.Equal(t, 2*(i+1), spy.Calls("Lookup", "Spend"))
	}
	require.PanicsWithValue(t,
		`oauthtest: a store has no method "Find", only CreateGrant, Lookup, Spend, RevokeGrants, Grants, DeleteExpired`,
		func() { spy.Calls("Find") })
	require.Panics(t, func() { spy.Fail(errors.New("boom"), "Delete") })
	require.Panics(t, func() { spy.Hold("") })
	require.Equal(t, 18, spy.Calls(), "a mistake leaves no lock behind")
}

func TestSpyFails(t *testing.T) {
	t.Parallel()
	inner := oauth.NewMemoryStore()
	spy := oauthtest.NewSpy(inner)
	boom := errors.New("boom")
	spy.Fail(boom)
	for name, err := range callAll(t.Context(), spy) {
		require.ErrorIs(t, err, boom, name)
	}
	_, _, err := inner.Lookup(t.Context(), oauth.Hash{})
	require.ErrorIs(t, err, oauth.ErrNotFound, "nothing reached the store")
	require.Equal(t, 6, spy.Calls(), "failed calls count")

	spy.Fail(nil)
	for name, err := range callAll(t.Context(), spy) {
		require.NotErrorIs(t, err, boom, name)
	}
	spy.Fail(boom, "Lookup", "Grants")
	for name, err := range callAll(t.Context(), spy) {
		require.Equal(t, name == "Lookup" || name == "Grants", errors.Is(err, boom), name)
	}
	spy.Fail(nil, "Lookup")
	for name, err := range callAll(t.Context(), spy) {
		require.Equal(t, name == "Grants", errors.Is(err, boom), name)
	}
}

func TestSpyHolds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		spy := oauthtest.NewSpy(oauth.NewMemoryStore())
		release := spy.Hold("CreateGrant")
		done := make(chan error)
		go func() { done <- spy.CreateGrant(t.Context(), oauth.Grant{ID: "1"}, oauth.Credential{GrantID: "1"}) }()
		synctest.Wait()
		require.Equal(t, 1, spy.Calls("CreateGrant"), "a held call counts")
		_, _, err := spy.Lookup(t.Context(), oauth.Hash{})
		require.ErrorIs(t, err, oauth.ErrNotFound, "it has not reached the store, and others pass")
		release()
		require.NoError(t, <-done)
		release()
		require.ErrorIs(t, spy.CreateGrant(t.Context(), oauth.Grant{ID: "1"}), oauth.ErrExists)

		release = spy.Hold()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_, _, err = spy.Lookup(ctx, oauth.Hash{})
		require.ErrorIs(t, err, context.DeadlineExceeded, "a held call heeds its context")
		release()
		_, g, err := spy.Lookup(t.Context(), oauth.Hash{})
		require.NoError(t, err)
		require.Equal(t, "1", g.ID)
	})
}

func TestSpyHoldsTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		spy := oauthtest.NewSpy(oauth.NewMemoryStore())
		first, second := spy.Hold("Grants"), spy.Hold("Grants", "Spend")
		var got bool
		var call sync.WaitGroup
		call.Go(func() { _, _ = spy.Grants(t.Context(), oauth.Filter{}, oauth.Page{}); got = true })
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
		inner := oauth.NewMemoryStore()
		spy := oauthtest.NewSpy(inner)
		release := spy.HoldAnswers("Lookup", "CreateGrant")
		read := make(chan error)
		go func() {
			_, _, err := spy.Lookup(t.Context(), oauth.Hash{})
			read <- err
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		err := spy.CreateGrant(ctx, oauth.Grant{ID: "1"}, oauth.Credential{GrantID: "1"})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		_, _, err = inner.Lookup(t.Context(), oauth.Hash{})
		require.NoError(t, err, "the change was made")
		release()
		require.ErrorIs(t, <-read, oauth.ErrNotFound, "an answer from before the change")
	})
}

func TestClock(t *testing.T) {
	t.Parallel()
	var clock oauthtest.Clock
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
