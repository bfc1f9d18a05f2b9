package apikey_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/apikey/apikeytest"
	"github.com/latchwork/latchwork/scope"
)

// A role is what the owner of all keys may do at present.
func withRole(role *scope.Set, err *error) func(*apikey.Config) {
	return func(c *apikey.Config) {
		c.Effective = func(context.Context, apikey.Key) (scope.Set, error) { return *role, *err }
	}
}

func TestEffectiveNarrows(t *testing.T) {
	t.Parallel()
	role, err := set("*"), error(nil)
	h := newHouse(t, withRole(&role, &err), uncached)
	issued := h.issue(t, func(s *apikey.Spec) { s.Permissions = set("users.*", "orders.view") })
	for _, c := range []struct {
		role, want scope.Set
	}{
		{set("*"), set("users.*", "orders.view")},
		{set("users.view", "invoices.view"), set("users.view")},
		{set("*.view"), set("users.view", "orders.view")},
		{set("invoices.*"), set()},
		{set(), set()}, // the owner is gone
		{set("*"), set("users.*", "orders.view")},
	} {
		role = c.role
		got := h.opens(t, issued.Secret, issued.Key.ID).Key().Permissions
		for _, permission := range []string{"users.view", "users.delete", "orders.view", "orders.delete", "invoices.view"} {
			require.Equal(t, c.want.Allows(permission), got.Allows(permission), "%v: %s", c.role, permission)
		}
		actor, err := h.ActorOf(t.Context(), issued.Key.ID)
		require.NoError(t, err)
		require.True(t, actor.Ceiling.Permissions.Equal(got), "the ceiling is what is in effect")
	}
	require.True(t, h.key(t, issued.Key.ID).Permissions.Equal(set("users.*", "orders.view")), "as stored")
}

func TestEffectiveNeverWidens(t *testing.T) {
	t.Parallel()
	role, err := set("*"), error(nil)
	h := newHouse(t, withRole(&role, &err))
	issued := h.issue(t, func(s *apikey.Spec) { s.Permissions = set() })
	require.True(t, h.opens(t, issued.Secret, issued.Key.ID).Key().Permissions.IsEmpty())
}

func TestEffectiveSeesTheKey(t *testing.T) {
	t.Parallel()
	var seen []apikey.Key
	h := newHouse(t, func(c *apikey.Config) {
		c.Effective = func(_ context.Context, k apikey.Key) (scope.Set, error) {
			seen = append(seen, k)
			return k.Permissions, nil
		}
	})
	issued := h.issue(t, func(s *apikey.Spec) { s.Owner = "account 7" })
	h.opens(t, issued.Secret, issued.Key.ID)
	require.Equal(t, []apikey.Key{issued.Key}, seen)
}

func TestEffectiveFails(t *testing.T) {
	t.Parallel()
	boom := errors.New("directory is down")
	role, err := set("*"), boom
	h := newHouse(t, withRole(&role, &err))
	issued := h.issue(t)
	v, got := h.Verify(t.Context(), issued.Secret.Reveal())
	require.ErrorIs(t, got, boom)
	require.NotErrorIs(t, got, apikey.ErrInvalid)
	require.Equal(t, apikey.Verified{}, v)
	_, got = h.ActorOf(t.Context(), issued.Key.ID)
	require.ErrorIs(t, got, boom)
	err = nil
	h.opens(t, issued.Secret, issued.Key.ID)
}

// A store that hangs while a secret is rehashed takes no time away from what the
// request needs.
func TestEffectiveDoesNotWaitForRehash(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := apikey.NewMemoryStore()
		plain := newHouseOn(t, store)
		issued := plain.issue(t)
		h := newHouseOn(t, store, func(c *apikey.Config) {
			c.Peppers, c.InsecureUnpeppered = []apikey.Pepper{pepper("a")}, true
			c.Effective = func(ctx context.Context, k apikey.Key) (scope.Set, error) { return k.Permissions, ctx.Err() }
		})
		defer h.spy.Hold("Rehash")()
		h.opens(t, issued.Secret, issued.Key.ID)
	})
}

func TestActorOf(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	issued := h.issue(t, func(s *apikey.Spec) {
		s.Type, s.Owner, s.AllowedIPs, s.ExpiresAt = "reseller", "account 7", list("192.0.2.0/24"), h.in(time.Hour)
	})
	a, err := h.ActorOf(t.Context(), issued.Key.ID)
	require.NoError(t, err)
	require.Equal(t, "key:"+issued.Key.ID, a.ID)
	require.Equal(t, apikey.KeyActorID(issued.Key.ID), a.ID)
	require.Equal(t, apikey.Ceiling{
		Permissions: set("users.view"), Types: []string{"reseller"}, ExpiresAt: h.in(time.Hour),
		AllowedIPs: list("192.0.2.0/24"), Owner: "account 7",
	}, a.Ceiling)
	require.False(t, a.RevokeAny)

	_, err = h.ActorOf(t.Context(), "nobody")
	require.ErrorIs(t, err, apikey.ErrNotFound)
	h.plant(t, issued.Key.ID, func(r *apikey.Record) { r.Key.ExpiresAt = h.in(0) })
	_, err = h.ActorOf(t.Context(), issued.Key.ID)
	require.ErrorIs(t, err, apikey.ErrExpired)
	h.plant(t, issued.Key.ID, func(r *apikey.Record) { r.Key.Enabled = false })
	_, err = h.ActorOf(t.Context(), issued.Key.ID)
	require.ErrorIs(t, err, apikey.ErrDisabled)
	h.plant(t, issued.Key.ID, func(r *apikey.Record) { r.Key.RevokedAt = h.in(0) })
	a, err = h.ActorOf(t.Context(), issued.Key.ID)
	require.ErrorIs(t, err, apikey.ErrRevoked)
	require.Equal(t, apikey.Actor{}, a)
	boom := errors.New("boom")
	h.spy.Fail(boom)
	_, err = h.ActorOf(t.Context(), issued.Key.ID)
	require.ErrorIs(t, err, boom)
}

// What is in a Ceiling does not change with what it was made from.
// What the host is asked for is bounded in time, as the store is.
func TestActorOfDoesNotHang(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, func(c *apikey.Config) {
			c.Effective = func(ctx context.Context, _ apikey.Key) (scope.Set, error) {
				<-ctx.Done()
				return scope.Set{}, ctx.Err()
			}
		})
		k := h.issue(t).Key
		start := time.Now()
		_, err := h.ActorOf(t.Context(), k.ID)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.LessOrEqual(t, time.Since(start), 2*time.Second)
	})
}

func TestCeilingIsCopied(t *testing.T) {
	t.Parallel()
	m := apikeytest.NewManager(t, apikey.Config{Types: []string{"admin", "reseller"}})
	a := actor(func(a *apikey.Actor) { a.Ceiling.Types, a.Ceiling.AllowedIPs = []string{"admin"}, list("192.0.2.0/24") })
	d := m.As(a)
	a.Ceiling.Types[0] = "reseller"
	*a.Ceiling.AllowedIPs = *list("198.51.100.0/24")
	_, err := d.Create(t.Context(), spec(func(s *apikey.Spec) { s.AllowedIPs = list("192.0.2.1") }))
	require.NoError(t, err)
	_, err = d.Create(t.Context(), spec(func(s *apikey.Spec) { s.Type, s.AllowedIPs = "reseller", list("198.51.100.1") }))
	exceeds(t, err, "type", "allowed_ips")
}
