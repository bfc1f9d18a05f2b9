package apikey_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
)

func TestMaxLifetime(t *testing.T) {
	t.Parallel()
	const most = 90 * 24 * time.Hour
	h := newHouse(t, func(c *apikey.Config) { c.MaxLifetime = most })
	expiring := func(d time.Duration) func(*apikey.Spec) {
		return func(s *apikey.Spec) { s.ExpiresAt = h.in(d) }
	}
	const missing, beyond = "must be set, and not lie more than 90 days ahead", "must not lie more than 90 days ahead"
	for name, c := range map[string]struct {
		edit   func(*apikey.Spec)
		reason string
	}{
		"never":         {func(s *apikey.Spec) { s.ExpiresAt = time.Time{} }, missing},
		"too late":      {expiring(most + time.Microsecond), beyond},
		"much too late": {func(s *apikey.Spec) { s.ExpiresAt = time.Date(20_000, 1, 1, 0, 0, 0, 0, time.UTC) }, beyond},
		"past":          {expiring(-time.Second), "must be in the future"},
		"at the bound":  {expiring(most), ""},
		"soon":          {expiring(time.Hour), ""},
	} {
		_, created := h.Create(t.Context(), spec(c.edit))
		_, sum := foreign(name)
		_, imported := h.Import(t.Context(), spec(c.edit), sum)
		_, delegated := h.As(actor()).Create(t.Context(), spec(c.edit))
		issued := h.issue(t, expiring(time.Minute))
		_, updated := h.Update(t.Context(), issued.Key.ID, 0, c.edit)
		for call, err := range map[string]error{
			"Create": created, "Import": imported, "Create of an actor": delegated, "Update": updated,
			"Validate": h.Validate(spec(c.edit), nil),
		} {
			if c.reason == "" {
				require.NoError(t, err, "%s: %s", name, call)
				continue
			}
			require.Equal(t, c.reason+"\n", faults(t, err, "expires_at")["expires_at"], "%s: %s", name, call)
		}
	}
}

// A key from before goes on, but not with a new secret.
func TestMaxLifetimeOfOldKeys(t *testing.T) {
	t.Parallel()
	before := newHouse(t)
	for _, expiry := range []time.Time{{}, before.in(1000 * time.Hour)} {
		old := before.issue(t, func(s *apikey.Spec) { s.ExpiresAt = expiry })
		id := old.Key.ID
		h := newHouseOn(t, before.store, func(c *apikey.Config) { c.MaxLifetime = 36 * time.Hour })
		h.opens(t, old.Secret, id)
		_, err := h.Update(t.Context(), id, 0, func(s *apikey.Spec) { s.Name = "renamed" })
		require.NoError(t, err)
		_, err = h.Disable(t.Context(), id)
		require.NoError(t, err)
		_, err = h.Enable(t.Context(), id)
		require.NoError(t, err)
		_, err = h.Rotate(t.Context(), id, 0, time.Hour)
		require.Contains(t, faults(t, err, "expires_at")["expires_at"], "36h0m0s ahead")
		h.opens(t, old.Secret, id)

		_, err = h.Update(t.Context(), id, 0, func(s *apikey.Spec) { s.ExpiresAt = h.in(36 * time.Hour) })
		require.NoError(t, err)
		renewed, err := h.Rotate(t.Context(), id, 0, 0)
		require.NoError(t, err)
		h.opens(t, renewed.Secret, id)
		require.NoError(t, h.Revoke(t.Context(), id, apikey.RevokeOptions{}))
	}
	_, err := apikey.New(apikey.NewMemoryStore(), apikey.Config{Prefix: "paym", MaxLifetime: -1})
	require.ErrorContains(t, err, "apikey: Config.MaxLifetime is negative")
}
