package apikey

import (
	"fmt"
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

// The sets that are shared are bounded in number; those in use stay.
func TestSharedSetsAreBounded(t *testing.T) {
	t.Parallel()
	var s sets
	own := func(i int) scope.Set { return scope.MustParseSet(fmt.Sprint("users.view", i), "orders.view") }
	same := func(a, b scope.Set) bool { return fmt.Sprintf("%#v", a) == fmt.Sprintf("%#v", b) }
	inUse, once := s.shared(own(0)), s.shared(own(1))
	for i := range 5 * maxSharedSets {
		set := s.shared(own(i))
		require.True(t, set.Equal(own(i)))
		if i%1000 == 0 {
			require.True(t, same(inUse, s.shared(own(0))))
		}
		if len(s.young)+len(s.aged) > 2*maxSharedSets {
			t.Fatal("too many")
		}
	}
	require.False(t, same(once, s.shared(own(1))), "nobody asked for it")
	require.True(t, s.shared(scope.Set{}).IsEmpty())
}
