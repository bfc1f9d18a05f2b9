package apikey

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/scope"
)

// Of some fourteen million rotations one gives a secret with the same hint. It
// is a change like the others, and must not be taken for none.
func TestRotationWithTheSameHint(t *testing.T) {
	t.Parallel()
	store := NewMemoryStore()
	m, err := New(store, Config{Prefix: "paym"})
	require.NoError(t, err)
	issued, err := m.Create(t.Context(), Spec{Name: "CI", Type: "admin", Permissions: scope.MustParseSet("users.view")})
	require.NoError(t, err)

	k, err := m.change(t.Context(), issued.Key.ID, 0, Rotated, func(r *Record) error {
		r.Secrets = []SecretHash{{Hash: Hash{1}}}
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, int64(2), k.Version)
	r, err := store.Find(t.Context(), []Hash{{1}})
	require.NoError(t, err)
	require.Equal(t, k, r.Key)
	_, err = m.Verify(t.Context(), issued.Secret.Reveal())
	require.ErrorIs(t, err, ErrInvalid)
}
