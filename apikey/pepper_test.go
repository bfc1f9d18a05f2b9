package apikey_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
)

func peppered(ids ...string) func(*apikey.Config) {
	return func(c *apikey.Config) {
		for _, id := range ids {
			c.Peppers = append(c.Peppers, pepper(id))
		}
	}
}

func insecure(c *apikey.Config) { c.InsecureUnpeppered = true }

// stored is how a secret is stored under a pepper, or plainly without one.
func stored(secret apikey.Secret, id string) apikey.SecretHash {
	sum := sha256.Sum256([]byte(secret.Reveal()))
	if id == "" {
		return apikey.SecretHash{Hash: sum}
	}
	mac := hmac.New(sha256.New, bytes.Repeat([]byte(id), 32)[:32])
	mac.Write(sum[:])
	return apikey.SecretHash{Hash: apikey.Hash(mac.Sum(nil)), PepperID: id}
}

func TestHashesOfPeppers(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"", "a", "b"} {
		h := newHouse(t, func(c *apikey.Config) {
			if id != "" {
				peppered(id, "other")(c)
			}
		})
		issued := h.issue(t)
		require.Equal(t, []apikey.SecretHash{stored(issued.Secret, id)}, h.record(t, issued.Key.ID).Secrets)
		h.opens(t, issued.Secret, issued.Key.ID)
		require.Zero(t, h.spy.Calls("Rehash"), "it has the first pepper already")
	}
}

// A pepper is replaced: old keys go on, and move to the new one when they are
// used; then the old one is taken away.
func TestPepperRotation(t *testing.T) {
	t.Parallel()
	old := newHouse(t, peppered("a"))
	used, unused := old.issue(t), old.issue(t)

	both := newHouseOn(t, old.store, peppered("b", "a"), uncached)
	fresh := both.issue(t)
	require.Equal(t, "b", both.record(t, fresh.Key.ID).Secrets[0].PepperID)
	for range 2 {
		both.opens(t, used.Secret, used.Key.ID)
	}
	require.Equal(t, 1, both.spy.Calls("Rehash"))
	require.Equal(t, 2, both.spy.Calls("Find"), "all peppers are looked up in one read")
	require.Equal(t, []apikey.SecretHash{stored(used.Secret, "b")}, both.record(t, used.Key.ID).Secrets)
	require.Equal(t, used.Key, both.key(t, used.Key.ID), "no new version")
	require.Equal(t, []apikey.EventKind{apikey.Created}, both.heard.kinds(), "and no event")

	after := newHouseOn(t, old.store, peppered("b"))
	after.opens(t, used.Secret, used.Key.ID)
	after.opens(t, fresh.Secret, fresh.Key.ID)
	after.denies(t, unused.Secret, apikey.ErrInvalid)
}

func TestRemovedPepperFailsClosed(t *testing.T) {
	t.Parallel()
	old := newHouse(t, peppered("a"))
	issued := old.issue(t)
	for name, edit := range map[string]func(*apikey.Config){
		"no pepper":           func(*apikey.Config) {},
		"another one":         peppered("b"),
		"another, unpeppered": func(c *apikey.Config) { peppered("b")(c); insecure(c) },
		"another under its id": func(c *apikey.Config) {
			c.Peppers = []apikey.Pepper{apikey.NewPepper("a", bytes.Repeat([]byte("x"), 32))}
		},
		"its key under another id": func(c *apikey.Config) {
			c.Peppers = []apikey.Pepper{apikey.NewPepper("z", bytes.Repeat([]byte("a"), 32))}
		},
	} {
		h := newHouseOn(t, old.store, edit)
		v, err := h.Verify(t.Context(), issued.Secret.Reveal())
		require.Error(t, err, name)
		require.Equal(t, apikey.Verified{}, v, name)
		require.Zero(t, h.spy.Calls("Rehash"), name)
	}
	old.opens(t, issued.Secret, issued.Key.ID)
}

// A database without peppers gets one, without anybody seeing a key.
func TestPepperingAPlainDatabase(t *testing.T) {
	t.Parallel()
	plain := newHouse(t)
	used, unused := plain.issue(t), plain.issue(t)

	strict := newHouseOn(t, plain.store, peppered("a"), uncached)
	strict.denies(t, used.Secret, apikey.ErrInvalid)

	meanwhile := newHouseOn(t, plain.store, peppered("a"), insecure)
	meanwhile.opens(t, used.Secret, used.Key.ID)
	require.Equal(t, []apikey.SecretHash{stored(used.Secret, "a")}, plain.record(t, used.Key.ID).Secrets)

	strict.opens(t, used.Secret, used.Key.ID)
	strict.denies(t, unused.Secret, apikey.ErrInvalid)
	meanwhile.opens(t, unused.Secret, unused.Key.ID)
	strict.opens(t, unused.Secret, unused.Key.ID)
}

// Whoever can write to the database cannot make up a key.
func TestPlantedRowIsRefused(t *testing.T) {
	t.Parallel()
	h := newHouse(t, peppered("a", "b"))
	victim, evil := h.issue(t), newHouse(t).issue(t)
	for name, planted := range map[string]apikey.SecretHash{
		"unpeppered":                          stored(evil.Secret, ""),
		"unpeppered with the id of a pepper":  {Hash: stored(evil.Secret, "").Hash, PepperID: "a"},
		"a pepper of one's own":               stored(evil.Secret, "evil"),
		"a pepper of one's own under this id": {Hash: stored(evil.Secret, "evil").Hash, PepperID: "a"},
	} {
		h.plant(t, victim.Key.ID, func(r *apikey.Record) { r.Secrets = []apikey.SecretHash{planted} })
		v, err := h.Verify(t.Context(), evil.Secret.Reveal())
		require.Error(t, err, name)
		require.Equal(t, apikey.Verified{}, v, name)
		require.Zero(t, h.spy.Calls("Rehash"), name)
	}
}

func TestFailingRehashDoesNotFailTheRequest(t *testing.T) {
	t.Parallel()
	old := newHouse(t, peppered("a"))
	issued := old.issue(t)
	var log bytes.Buffer
	h := newHouseOn(t, old.store, peppered("b", "a"), uncached, func(c *apikey.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	h.spy.Fail(errors.New("read-only replica"), "Rehash")
	h.opens(t, issued.Secret, issued.Key.ID)
	require.Equal(t, 1, h.spy.Calls("Rehash"))
	require.Contains(t, log.String(), "read-only replica")
	require.Contains(t, log.String(), issued.Key.ID)
	require.NotContains(t, log.String(), issued.Secret.Reveal()[9:])
	h.spy.Fail(nil)
	h.opens(t, issued.Secret, issued.Key.ID)
	require.Equal(t, stored(issued.Secret, "b"), h.record(t, issued.Key.ID).Secrets[0], "the next one does it")
}

func TestRehashKeepsTheDeadline(t *testing.T) {
	t.Parallel()
	old := newHouse(t, peppered("a"))
	first := old.issue(t)
	second, err := old.Rotate(t.Context(), first.Key.ID, 0, time.Hour)
	require.NoError(t, err)

	h := newHouseOn(t, old.store, peppered("b", "a"))
	h.opens(t, first.Secret, first.Key.ID)
	h.opens(t, second.Secret, first.Key.ID)
	moved := stored(first.Secret, "b")
	moved.Deadline = h.in(time.Hour)
	require.ElementsMatch(t, []apikey.SecretHash{stored(second.Secret, "b"), moved}, h.record(t, first.Key.ID).Secrets)
	h.clock.Advance(time.Hour)
	h.denies(t, first.Secret, apikey.ErrInvalid)
	h.opens(t, second.Secret, first.Key.ID)
}

func TestDeniedKeysAreNotRehashed(t *testing.T) {
	t.Parallel()
	old := newHouse(t, peppered("a"))
	issued := old.issue(t)
	require.NoError(t, old.Revoke(t.Context(), issued.Key.ID, apikey.RevokeOptions{}))
	h := newHouseOn(t, old.store, peppered("b", "a"))
	h.denies(t, issued.Secret, apikey.ErrRevoked)
	require.Zero(t, h.spy.Calls("Rehash"))
}

// A key is used and revoked at the same time, while its hash is on the way to
// another pepper.
func TestRevokeDuringRehashStays(t *testing.T) {
	t.Parallel()
	old := newHouse(t, peppered("a"))
	for range 50 {
		issued := old.issue(t)
		h := newHouseOn(t, old.store, peppered("b", "a"))
		done := make(chan error)
		go func() {
			_, err := h.Verify(context.WithoutCancel(t.Context()), issued.Secret.Reveal())
			done <- err
		}()
		require.NoError(t, h.Revoke(t.Context(), issued.Key.ID, apikey.RevokeOptions{}))
		if err := <-done; err != nil {
			require.ErrorIs(t, err, apikey.ErrRevoked)
		}
		h.denies(t, issued.Secret, apikey.ErrRevoked)
	}
}
