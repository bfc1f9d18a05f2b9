package apikey_test

import (
	"crypto/sha256"
	"encoding/hex"
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
	require.Len(t, keys, 2)
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
