package apikey_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
)

func owned(owner string) func(*apikey.Spec) { return func(s *apikey.Spec) { s.Owner = owner } }

func confined(owner string, revokeAny bool) apikey.Actor {
	return actor(func(a *apikey.Actor) { a.Ceiling.Owner, a.RevokeAny = owner, revokeAny })
}

// The keys of others do not exist, whatever one tries.
func TestOwnersAreConfined(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	mine := h.issue(t, owned("account 7"))
	for _, revokeAny := range []bool{false, true} {
		d := h.As(confined("account 7", revokeAny))
		for _, other := range []string{"", "account 8", "Account 7", "account 7 ", "account"} {
			theirs := h.issue(t, owned(other))
			for name, err := range everything(t, t.Context(), d, theirs.Key.ID) {
				switch name {
				case "Create", "List", "All", "LastUsed", "Unused":
					require.NoError(t, err, name)
				case "Import":
				default:
					require.ErrorIs(t, err, apikey.ErrNotFound, name)
				}
			}
			require.Equal(t, theirs.Key, h.key(t, theirs.Key.ID))
		}
		_, missing := d.Get(t.Context(), "nobody")
		_, theirs := d.Get(t.Context(), h.issue(t).Key.ID)
		require.Equal(t, missing, theirs, "one cannot tell which it is")
		k, err := d.Get(t.Context(), mine.Key.ID)
		require.NoError(t, err)
		require.Equal(t, mine.Key, k)
	}
}

// Whatever owner is asked for, it is one's own.
func TestOwnerOfNewKeys(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	d := h.As(confined("account 7", false))
	for _, asked := range []string{"", "account 7", "account 8", "\xff"} {
		issued, err := d.Create(t.Context(), spec(owned(asked)))
		require.NoError(t, err)
		require.Equal(t, "account 7", issued.Key.Owner)
	}
	_, err := d.Update(t.Context(), h.issue(t, owned("account 7")).Key.ID, 0, owned("account 8"))
	faults(t, err, "owner")
	issued, err := h.As(actor()).Create(t.Context(), spec(owned("account 8")))
	require.NoError(t, err)
	require.Equal(t, "account 8", issued.Key.Owner, "without an Owner, keys of every owner")
}

func TestListOfAnOwner(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	mine := h.issue(t, owned("account 7")).Key
	theirs := h.issue(t, owned("account 8")).Key
	nobodys := h.issue(t).Key
	d := h.As(confined("account 7", true))
	for _, q := range []apikey.Query{{}, {Owner: "account 7"}, {Search: "ci"}, {Search: mine.ID}, {CreatedBy: "operator"}, {Type: "admin"}} {
		keys, err := d.List(t.Context(), q)
		require.NoError(t, err)
		require.Equal(t, apikey.Listing{Keys: []apikey.Key{mine}}, keys)
	}
	for _, q := range []apikey.Query{{Owner: "account 8"}, {Search: theirs.ID}, {Search: nobodys.Hint}, {Owner: "account 8", Search: theirs.ID}} {
		keys, err := d.List(t.Context(), q)
		require.NoError(t, err)
		require.Empty(t, keys.Keys)
	}
}

// Without an Owner one sees the keys of all, and those of one if asked for.
func TestListOfEveryOwner(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	mine, theirs := h.issue(t, owned("account 7")).Key, h.issue(t, owned("account 8")).Key
	for owner, want := range map[string][]apikey.Key{"": {theirs, mine}, "account 7": {mine}, "account 9": {}} {
		for _, m := range []management{h.Manager, h.As(actor())} {
			keys, err := m.List(t.Context(), apikey.Query{Owner: owner})
			require.NoError(t, err)
			require.Equal(t, apikey.Listing{Keys: want}, keys, owner)
		}
	}
}

// Children of a key have its owner, so that what it may not see it cannot make.
func TestOwnerIsInherited(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	root := h.issue(t, owned("account 7"))
	child := h.child(t, root.Key.ID, owned("account 8"))
	require.Equal(t, "account 7", child.Key.Owner)
	_, err := h.acts(t, child.Key.ID).Get(t.Context(), h.issue(t).Key.ID)
	require.ErrorIs(t, err, apikey.ErrNotFound)
	require.NoError(t, h.As(confined("account 7", false)).Revoke(t.Context(), root.Key.ID, descendants))
	h.denies(t, child.Secret, apikey.ErrRevoked)
}

// A store that folds the case of IDs does not get anybody another key.
func TestForeignRecordFromGet(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	issued := h.issue(t)
	h.issue(t)
	m, err := apikey.New(folding{h.store}, apikey.Config{Prefix: "paym"})
	require.NoError(t, err)
	_, err = m.Get(t.Context(), "X"+issued.Key.ID)
	require.ErrorIs(t, err, apikey.ErrNotFound)
	require.ErrorIs(t, m.Revoke(t.Context(), "X"+issued.Key.ID, apikey.RevokeOptions{}), apikey.ErrNotFound)
	h.opens(t, issued.Secret, issued.Key.ID)
}

// folding takes "Xid" for "id".
type folding struct{ apikey.Store }

func (s folding) Get(ctx ctx, id string) (apikey.Record, error) { return s.Store.Get(ctx, id[1:]) }
