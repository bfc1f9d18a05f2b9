package apikey_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
)

var descendants = apikey.RevokeOptions{Descendants: true}

func TestRevoke(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	first := h.issue(t)
	second, err := h.Rotate(t.Context(), first.Key.ID, 0, time.Hour)
	require.NoError(t, err)
	h.heard.kinds()
	require.NoError(t, h.Revoke(t.Context(), first.Key.ID, apikey.RevokeOptions{Reason: "lost laptop", Version: 2}))
	h.denies(t, first.Secret, apikey.ErrRevoked)
	h.denies(t, second.Secret, apikey.ErrRevoked)
	want := second.Key
	want.RevokedAt, want.RevokedReason, want.Version = h.clock.Now(), "lost laptop", 3
	require.Equal(t, want, h.key(t, first.Key.ID), "the record stays")

	h.clock.Advance(time.Hour)
	for _, again := range []apikey.RevokeOptions{{}, {Reason: "another reason"}, descendants, {Version: 3}} {
		require.NoError(t, h.Revoke(t.Context(), first.Key.ID, again))
	}
	require.Equal(t, want, h.key(t, first.Key.ID), "the first time counts")
	require.Equal(t, []apikey.EventKind{apikey.Revoked}, h.heard.kinds())
}

// Whatever is under way: no verification that starts after the revocation has
// returned succeeds.
func TestRevokeRacingVerification(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	issued := h.issue(t)
	var over atomic.Bool
	var all sync.WaitGroup
	var late atomic.Int64
	for range 1000 {
		all.Go(func() {
			started := over.Load()
			_, err := h.Verify(context.WithoutCancel(t.Context()), issued.Secret.Reveal())
			if err == nil && started || err != nil && !errors.Is(err, apikey.ErrRevoked) {
				late.Add(1)
			}
		})
	}
	require.NoError(t, h.Revoke(t.Context(), issued.Key.ID, apikey.RevokeOptions{}))
	over.Store(true)
	h.denies(t, issued.Secret, apikey.ErrRevoked)
	all.Wait()
	require.Zero(t, late.Load())
}

func TestRevokeRefuses(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	issued := h.issue(t)
	for name, o := range map[string]apikey.RevokeOptions{
		"too long": {Reason: strings.Repeat("x", 256)}, "two lines": {Reason: "a\nb"}, "no text": {Reason: "\xff"},
	} {
		faults(t, h.Revoke(t.Context(), issued.Key.ID, o), "reason")
		o.Descendants = true
		faults(t, h.Revoke(t.Context(), issued.Key.ID, o), "reason")
		h.opens(t, issued.Secret, issued.Key.ID)
		require.NotEmpty(t, name)
	}
	for _, o := range []apikey.RevokeOptions{{Version: 2}, {Version: -1}, {Version: 2, Descendants: true}} {
		require.ErrorIs(t, h.Revoke(t.Context(), issued.Key.ID, o), apikey.ErrConflict)
	}
	require.ErrorIs(t, h.Revoke(t.Context(), "nobody", apikey.RevokeOptions{}), apikey.ErrNotFound)
	require.ErrorIs(t, h.Revoke(t.Context(), "nobody", descendants), apikey.ErrNotFound)
	h.opens(t, issued.Secret, issued.Key.ID)
}

// A dead or switched-off key can still be revoked.
func TestRevokeWhateverTheState(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	issued := h.issue(t, func(s *apikey.Spec) { s.ExpiresAt, s.Disabled = h.in(time.Minute), true })
	h.clock.Advance(time.Hour)
	require.NoError(t, h.Revoke(t.Context(), issued.Key.ID, apikey.RevokeOptions{}))
	h.denies(t, issued.Secret, apikey.ErrRevoked)
}
