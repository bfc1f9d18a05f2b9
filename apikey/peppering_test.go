package apikey_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
)

// pepperAll goes through all keys and returns the sums.
func (h *house) pepperAll(t testing.TB, limit int) apikey.Peppering {
	t.Helper()
	sum := apikey.Peppering{Under: map[string]int{}}
	for batch := (apikey.Page{Limit: limit}); ; batch.Before = sum.Next {
		p, err := h.PepperHashes(t.Context(), batch)
		require.NoError(t, err)
		sum.Peppered += p.Peppered
		sum.Unusable += p.Unusable
		for id, n := range p.Under {
			sum.Under[id] += n
		}
		if sum.Next = p.Next; p.Next == "" {
			return sum
		}
	}
}

// A database is peppered without a key being seen, in batches of any size, while
// everything goes on.
func TestPepperHashes(t *testing.T) {
	t.Parallel()
	for limit := 1; limit <= 6; limit++ {
		plain := newHouse(t)
		var keys []apikey.Issued
		for range 3 {
			keys = append(keys, plain.issue(t))
		}
		rotated, err := plain.Rotate(t.Context(), keys[0].Key.ID, 0, time.Hour)
		require.NoError(t, err)
		imported, sum := foreign("1")
		k, err := plain.Import(t.Context(), spec(), sum)
		require.NoError(t, err)
		require.NoError(t, plain.Revoke(t.Context(), keys[2].Key.ID, apikey.RevokeOptions{}))
		require.Equal(t, apikey.Peppering{Under: map[string]int{"": 5}}, plain.pepperAll(t, limit), "nothing to do")
		versions := map[string]int64{}
		for _, issued := range keys {
			versions[issued.Key.ID] = plain.key(t, issued.Key.ID).Version
		}

		meanwhile := newHouseOn(t, plain.store, peppered("b", "a"), insecure)
		fresh := meanwhile.issue(t)
		older := newHouseOn(t, plain.store, peppered("a", "b")).issue(t)
		meanwhile.opens(t, keys[1].Secret, keys[1].Key.ID) // and moves by that
		require.Equal(t, apikey.Peppering{Peppered: 4, Under: map[string]int{"b": 6, "a": 1}}, meanwhile.pepperAll(t, limit))
		require.Equal(t, apikey.Peppering{Under: map[string]int{"b": 6, "a": 1}}, meanwhile.pepperAll(t, limit), "again")

		strict := newHouseOn(t, plain.store, peppered("b", "a"))
		strict.opens(t, keys[0].Secret, keys[0].Key.ID)
		strict.opens(t, rotated.Secret, keys[0].Key.ID)
		strict.opens(t, keys[1].Secret, keys[1].Key.ID)
		strict.opens(t, imported, k.ID)
		strict.opens(t, fresh.Secret, fresh.Key.ID)
		strict.denies(t, keys[2].Secret, apikey.ErrRevoked)
		for id, version := range versions {
			require.Equal(t, version, plain.key(t, id).Version, "no change")
		}
		strict.clock.Advance(time.Hour)
		strict.denies(t, keys[0].Secret, apikey.ErrInvalid)

		// The older pepper goes when nothing is left under it.
		require.Equal(t, 1, strict.pepperAll(t, limit).Under["a"])
		strict.opens(t, older.Secret, older.Key.ID)
		require.Zero(t, strict.pepperAll(t, limit).Under["a"])
		alone := newHouseOn(t, plain.store, peppered("b"))
		alone.opens(t, older.Secret, older.Key.ID)
	}
}

// What a removed pepper makes of keys can be seen, and fails closed.
func TestSecretsUnderAnUnknownPepperAreCounted(t *testing.T) {
	t.Parallel()
	old := newHouse(t, peppered("a"))
	lost := old.issue(t)
	plain := newHouseOn(t, old.store).issue(t)
	var log bytes.Buffer
	h := newHouseOn(t, old.store, peppered("b"), func(c *apikey.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	kept := h.issue(t)
	require.Equal(t, apikey.Peppering{Under: map[string]int{"": 1, "a": 1, "b": 1}, Unusable: 2}, h.pepperAll(t, 10))
	require.Contains(t, log.String(), "level=ERROR")
	require.Contains(t, log.String(), "pepper=a secrets=1")
	h.denies(t, lost.Secret, apikey.ErrInvalid)
	h.denies(t, plain.Secret, apikey.ErrInvalid)
	h.opens(t, kept.Secret, kept.Key.ID)
}

// Without InsecureUnpeppered a row that somebody planted does not get a pepper.
func TestPlantedRowIsNotPeppered(t *testing.T) {
	t.Parallel()
	h := newHouse(t, peppered("a"))
	victim, evil := h.issue(t), newHouse(t).issue(t)
	h.plant(t, victim.Key.ID, func(r *apikey.Record) { r.Secrets = []apikey.SecretHash{stored(evil.Secret, "")} })
	require.Equal(t, apikey.Peppering{Under: map[string]int{"": 1}, Unusable: 1}, h.pepperAll(t, 10))
	h.denies(t, evil.Secret, apikey.ErrInvalid)
	require.Zero(t, h.spy.Calls("Rehash"))
}

func TestPepperHashesFails(t *testing.T) {
	t.Parallel()
	plain := newHouse(t)
	newest := plain.issue(t)
	for range 4 {
		newest = plain.issue(t)
	}
	var log bytes.Buffer
	h := newHouseOn(t, plain.store, peppered("a"), insecure, func(c *apikey.Config) {
		c.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})
	boom := errors.New("boom")
	for _, call := range []string{"List", "Get", "Rehash"} {
		h.spy.Fail(boom, call)
		p, err := h.PepperHashes(t.Context(), apikey.Page{})
		require.ErrorIs(t, err, boom, call)
		require.Equal(t, apikey.Peppering{Under: map[string]int{}}, p)
		h.spy.Fail(nil)
	}
	first, err := h.PepperHashes(t.Context(), apikey.Page{Limit: 1})
	require.NoError(t, err)
	require.Equal(t, newest.Key.ID, first.Next)
	h.spy.Fail(boom, "Rehash")
	p, err := h.PepperHashes(t.Context(), apikey.Page{Before: first.Next})
	require.ErrorIs(t, err, boom)
	require.Equal(t, first.Next, p.Next, "go on from where it stopped")

	h.spy.Fail(apikey.ErrExists, "Rehash")
	p, err = h.PepperHashes(t.Context(), apikey.Page{})
	require.NoError(t, err, "one bad row does not hold up the others")
	require.Equal(t, map[string]int{"a": 1, "": 4}, p.Under)
	require.Contains(t, log.String(), "belongs to another key")
	h.spy.Fail(nil)
	require.Equal(t, 4, h.pepperAll(t, 10).Peppered)
	_, err = new(apikey.Manager).PepperHashes(t.Context(), apikey.Page{})
	require.ErrorIs(t, err, apikey.ErrNoActor)
}

// Hashes move to a pepper on the way through requests
// and by PepperHashes at the same time, and meanwhile keys are rotated and
// revoked; what is revoked stays so.
func TestPepperingWhileServing(t *testing.T) {
	t.Parallel()
	plain := newHouse(t)
	const keys = 60
	issued := make([]apikey.Issued, keys)
	for i := range issued {
		issued[i] = plain.issue(t)
	}
	serving := newHouseOn(t, plain.store, peppered("b", "a"), insecure)
	ctx := context.WithoutCancel(t.Context())
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() { serving.pepperAll(t, 7) })
		all.Go(func() {
			for _, k := range issued {
				if _, err := serving.Verify(ctx, k.Secret.Reveal()); err != nil && !errors.Is(err, apikey.ErrRevoked) && !errors.Is(err, apikey.ErrInvalid) {
					t.Error(err)
				}
			}
		})
	}
	renewed := make([]apikey.Issued, keys)
	all.Go(func() {
		for i, k := range issued {
			switch i % 3 {
			case 0:
				if err := serving.Revoke(ctx, k.Key.ID, apikey.RevokeOptions{}); err != nil {
					t.Error(err)
				}
			case 1:
				var err error
				if renewed[i], err = serving.Rotate(ctx, k.Key.ID, 0, 0); err != nil {
					t.Error(err)
				}
			}
		}
	})
	all.Wait()
	serving.pepperAll(t, 10)
	strict := newHouseOn(t, plain.store, peppered("b"))
	for i, k := range issued {
		switch i % 3 {
		case 0:
			strict.denies(t, k.Secret, apikey.ErrRevoked)
		case 1:
			strict.denies(t, k.Secret, apikey.ErrInvalid)
			strict.opens(t, renewed[i].Secret, k.Key.ID)
		default:
			strict.opens(t, k.Secret, k.Key.ID)
		}
	}
}
