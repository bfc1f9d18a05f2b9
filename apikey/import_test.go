package apikey_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
)

// A Paymenter panel's key and what its database has of it.
func foreign(seed string) (apikey.Secret, apikey.Hash) {
	random := sha256.Sum256([]byte(seed))
	text := "PAYM" + hex.EncodeToString(random[:])
	return apikey.NewSecret(text), sha256.Sum256([]byte(text))
}

func TestImport(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(*apikey.Config){"plain": func(*apikey.Config) {}, "peppered": peppered("a")} {
		h := newHouse(t, edit)
		secret, sum := foreign("1")
		row, err := apikey.ParseHash(strings.ToUpper(hex.EncodeToString(sum[:])))
		require.NoError(t, err)
		k, err := h.Import(t.Context(), spec(func(s *apikey.Spec) { s.Name, s.Owner = "from the panel", "account 7" }), row)
		require.NoError(t, err, name)
		require.Equal(t, h.key(t, k.ID), k)
		require.Empty(t, k.Hint, "it would be a guess")
		require.Equal(t, []apikey.EventKind{apikey.Created}, h.heard.kinds())
		require.True(t, h.Recognize(secret.Reveal()))
		v := h.opens(t, secret, k.ID)
		require.Equal(t, "account 7", v.Key().Owner)
		h.deniesText(t, strings.ToUpper(secret.Reveal()), apikey.ErrInvalid)
		h.deniesText(t, secret.Reveal()[:67]+"x", apikey.ErrInvalid)
	}
}

func TestImportTwice(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	secret, sum := foreign("1")
	k, err := h.Import(t.Context(), spec(), sum)
	require.NoError(t, err)
	issued := h.issue(t)
	h.heard.kinds()
	for name, taken := range map[string]apikey.Hash{"an imported one": sum, "a created one": stored(issued.Secret, "").Hash} {
		again, err := h.Import(t.Context(), spec(), taken)
		require.ErrorIs(t, err, apikey.ErrExists, name)
		require.Equal(t, apikey.Key{}, again)
	}
	require.Empty(t, h.heard.kinds())
	keys, err := h.List(t.Context(), apikey.Query{})
	require.NoError(t, err)
	require.Len(t, keys.Keys, 2)
	h.opens(t, secret, k.ID)
}

// One secret is one key, whatever form its hash was stored in before: revoking
// one of two would leave the other.
func TestImportTwiceUnderAnotherPepper(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(*apikey.Config){"plain": func(*apikey.Config) {}, "an older pepper": peppered("b")} {
		old := newHouse(t, before)
		secret, sum := foreign("1")
		k, err := old.Import(t.Context(), spec(), sum)
		require.NoError(t, err)

		h := newHouseOn(t, old.store, peppered("a", "b"), insecure)
		_, err = h.Import(t.Context(), spec(), sum)
		require.ErrorIs(t, err, apikey.ErrExists, name)
		require.NoError(t, h.Revoke(t.Context(), k.ID, apikey.RevokeOptions{}))
		_, err = h.Import(t.Context(), spec(), sum)
		require.ErrorIs(t, err, apikey.ErrExists, "nor is a revoked key imported anew: %s", name)
		h.denies(t, secret, apikey.ErrRevoked)

		other, sum := foreign("2")
		k, err = h.Import(t.Context(), spec(), sum)
		require.NoError(t, err)
		h.opens(t, other, k.ID)
	}
}

// Two nodes import the same secret at the same time, each under a pepper that is
// not the other's first. Neither sees the other when it looks, so one of them
// gives way, or both do; and then the secret is free again.
func TestImportsAtTheSameTime(t *testing.T) {
	t.Parallel()
	for name, second := range map[string]bool{"one after the other has looked": false, "both have looked": true} {
		store := apikey.NewMemoryStore()
		one, other := newHouseOn(t, store, peppered("a", "b")), newHouseOn(t, store, peppered("b", "a"))
		secret, sum := foreign(name)
		release := one.spy.Hold("Create")
		done := make(chan error)
		go func() {
			_, err := one.Import(context.WithoutCancel(t.Context()), spec(), sum)
			done <- err
		}()
		require.Eventually(t, func() bool { return one.spy.Calls("Create") == 1 }, time.Minute, time.Millisecond)
		if second { // and looks again only after the other has stored its own
			looked := other.spy.Hold("Create")
			too := make(chan error)
			go func() {
				_, err := other.Import(context.WithoutCancel(t.Context()), spec(), sum)
				too <- err
			}()
			require.Eventually(t, func() bool { return other.spy.Calls("Create") == 1 }, time.Minute, time.Millisecond)
			release()
			require.NoError(t, <-done, "it saw nobody")
			looked()
			require.ErrorIs(t, <-too, apikey.ErrConflict)
		} else {
			_, err := other.Import(t.Context(), spec(), sum)
			require.NoError(t, err)
			release()
			require.ErrorIs(t, <-done, apikey.ErrConflict)
		}
		keys, err := one.List(t.Context(), apikey.Query{State: apikey.StateActive})
		require.NoError(t, err)
		require.Len(t, keys.Keys, 1)
		for _, h := range []*house{one, other} {
			h.opens(t, secret, keys.Keys[0].ID)
			_, err := h.Import(t.Context(), spec(), sum)
			require.ErrorIs(t, err, apikey.ErrExists)
		}
	}
}

func TestImportsRace(t *testing.T) {
	t.Parallel()
	store := apikey.NewMemoryStore()
	one, other := newHouseOn(t, store, peppered("a", "b")), newHouseOn(t, store, peppered("b", "a"))
	for i := range 200 {
		secret, sum := foreign(strconv.Itoa(i))
		errs := make(chan error, 2)
		for _, h := range []*house{one, other} {
			go func() {
				_, err := h.Import(context.WithoutCancel(t.Context()), spec(), sum)
				errs <- err
			}()
		}
		imported := 0
		for range 2 {
			if err := <-errs; err == nil {
				imported++
			} else {
				require.True(t, errors.Is(err, apikey.ErrConflict) || errors.Is(err, apikey.ErrExists), "%v", err)
			}
		}
		require.LessOrEqual(t, imported, 1)
		k, err := one.Import(t.Context(), spec(), sum)
		if imported == 0 {
			require.NoError(t, err, "both gave way")
			one.opens(t, secret, k.ID)
		} else {
			require.ErrorIs(t, err, apikey.ErrExists)
		}
		first, err := one.Verify(t.Context(), secret.Reveal())
		require.NoError(t, err)
		other.opens(t, secret, first.Key().ID)
		require.NoError(t, one.Revoke(t.Context(), first.Key().ID, apikey.RevokeOptions{}))
		one.denies(t, secret, apikey.ErrRevoked)
	}
}

// What cannot be looked up again is no reason to take back what is stored.
func TestImportThatIsNotLookedUpAgain(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h := newHouse(t, peppered("a", "b"), func(c *apikey.Config) {
		c.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})
	secret, sum := foreign("1")
	release := h.spy.Hold("Create")
	done := make(chan error)
	go func() {
		_, err := h.Import(context.WithoutCancel(t.Context()), spec(), sum)
		done <- err
	}()
	require.Eventually(t, func() bool { return h.spy.Calls("Create") == 1 }, time.Minute, time.Millisecond)
	h.spy.Fail(errors.New("boom"), "Find")
	release()
	require.NoError(t, <-done)
	require.Contains(t, log.String(), "boom")
	h.spy.Fail(nil)
	v, err := h.Verify(t.Context(), secret.Reveal())
	require.NoError(t, err)
	require.NotEmpty(t, v.Key().ID)
}

func TestImportOfNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for _, sum := range []apikey.Hash{{}, sha256.Sum256(nil)} {
		_, err := h.Import(t.Context(), spec(), sum)
		faults(t, err, "hash")
	}
	require.Zero(t, h.spy.Calls())
}

func TestImportWithinTheCeiling(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	_, sum := foreign("1")
	d := h.As(actor(func(a *apikey.Actor) { a.Ceiling.Permissions = set("orders.*") }))
	_, err := d.Import(t.Context(), spec(), sum)
	exceeds(t, err, "permissions")
	require.Zero(t, h.spy.Calls("Create"))
	d = h.As(actor(func(a *apikey.Actor) { a.Ceiling.Owner = "account 7" }))
	k, err := d.Import(t.Context(), spec(func(s *apikey.Spec) { s.Owner = "somebody else" }), sum)
	require.NoError(t, err)
	require.Equal(t, "account 7", k.Owner)
}

func TestRotateImported(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	secret, sum := foreign("1")
	k, err := h.Import(t.Context(), spec(), sum)
	require.NoError(t, err)
	rotated, err := h.Rotate(t.Context(), k.ID, 0, time.Hour)
	require.NoError(t, err)
	require.Regexp(t, `^paym_`, rotated.Secret.Reveal(), "the new one is ours")
	require.Equal(t, rotated.Secret.Reveal()[:9], rotated.Key.Hint)
	h.opens(t, secret, k.ID)
	h.opens(t, rotated.Secret, k.ID)
	h.clock.Advance(time.Hour)
	h.denies(t, secret, apikey.ErrInvalid)
}
