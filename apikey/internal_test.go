package apikey

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/ipfilter"
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
	var p pool[scope.Set]
	own := func(i int) scope.Set { return scope.MustParseSet(fmt.Sprint("users.view", i), "orders.view") }
	same := func(a, b scope.Set) bool { return fmt.Sprintf("%#v", a) == fmt.Sprintf("%#v", b) }
	share := func(set scope.Set) scope.Set { return p.shared(set.String(), set) }
	inUse, once := share(own(0)), share(own(1))
	for i := range 5 * maxShared {
		set := share(own(i))
		require.True(t, set.Equal(own(i)))
		if i%1000 == 0 {
			require.True(t, same(inUse, share(own(0))))
		}
		if len(p.young)+len(p.aged) > 2*maxShared {
			t.Fatal("too many")
		}
	}
	require.False(t, same(once, share(own(1))), "nobody asked for it")
	require.True(t, share(scope.Set{}).IsEmpty())
	long := func() scope.Set {
		var grants []string
		for i := range 10 {
			grants = append(grants, strings.Repeat("a.", 100)+fmt.Sprint(i))
		}
		return scope.MustParseSet(grants...)
	}
	require.False(t, same(share(long()), share(long())), "its text is too long to be kept")
}

// Keys with the same list share it, with its entries as somebody typed them.
func TestListsAreShared(t *testing.T) {
	t.Parallel()
	store := NewMemoryStore()
	m, err := New(store, Config{Prefix: "paym"})
	require.NoError(t, err)
	verified := func(entries ...string) *loaded {
		list := ipfilter.MustParseList(entries...)
		issued, err := m.Create(t.Context(), Spec{Name: "CI", Type: "admin", AllowedIPs: &list})
		require.NoError(t, err)
		v, err := m.Verify(t.Context(), issued.Secret.Reveal())
		require.NoError(t, err)
		require.Equal(t, entries, v.Key().AllowedIPs.Typed())
		return v.key
	}
	one, same, typed, other := verified("10.0.0.1/32"), verified("10.0.0.1/32"), verified("10.0.0.1"), verified("10.0.0.2")
	shares := func(k *loaded) bool { return k.allowed == one.allowed }
	require.True(t, shares(same))
	require.False(t, shares(typed), "typed in another way")
	require.False(t, shares(other))
}
