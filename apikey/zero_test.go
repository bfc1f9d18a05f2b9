package apikey_test

import (
	"errors"
	"iter"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/apikey/apikeytest"
)

// management is what Manager and Delegate have in common.
type management interface {
	Create(ctx ctx, s apikey.Spec) (apikey.Issued, error)
	Import(ctx ctx, s apikey.Spec, sum apikey.Hash) (apikey.Key, error)
	Get(ctx ctx, id string) (apikey.Key, error)
	List(ctx ctx, q apikey.Query) (apikey.Listing, error)
	All(ctx ctx, q apikey.Query) iter.Seq2[apikey.Key, error]
	Events(ctx ctx, id string, page apikey.Page) ([]apikey.Event, error)
	Usage(ctx ctx, id string, days int) ([]apikey.Day, error)
	LastUsed(ctx ctx, keys ...apikey.Key) (map[string]apikey.LastUse, error)
	Unused(ctx ctx, since time.Time, q apikey.Query) ([]apikey.Key, error)
	Update(ctx ctx, id string, version int64, edit func(*apikey.Spec)) (apikey.Key, error)
	Enable(ctx ctx, id string) (apikey.Key, error)
	Disable(ctx ctx, id string) (apikey.Key, error)
	Rotate(ctx ctx, id string, version int64, overlap time.Duration) (apikey.Issued, error)
	Revoke(ctx ctx, id string, o apikey.RevokeOptions) error
}

// everything calls each method of a management with good arguments, and
// returns the errors by name. The calls that change come last.
func everything(t testing.TB, ctx ctx, m management, id string) map[string]error {
	t.Helper()
	errs := map[string]error{}
	issued, err := m.Create(ctx, spec())
	errs["Create"] = err
	require.Equal(t, err == nil, issued.Secret.Reveal() != "", "a secret without a key, or a key without a secret")
	_, errs["Import"] = m.Import(ctx, spec(), apikey.Hash{1})
	_, errs["Get"] = m.Get(ctx, id)
	_, errs["List"] = m.List(ctx, apikey.Query{})
	for _, err := range m.All(ctx, apikey.Query{}) {
		errs["All"] = errors.Join(errs["All"], err)
	}
	_, errs["Events"] = m.Events(ctx, id, apikey.Page{})
	_, errs["Usage"] = m.Usage(ctx, id, 1)
	_, errs["LastUsed"] = m.LastUsed(ctx, apikey.Key{ID: id})
	_, errs["Unused"] = m.Unused(ctx, time.Unix(1, 0), apikey.Query{})
	_, errs["Update"] = m.Update(ctx, id, 0, func(s *apikey.Spec) { s.Name = "renamed" })
	_, errs["Disable"] = m.Disable(ctx, id)
	_, errs["Enable"] = m.Enable(ctx, id)
	issued, errs["Rotate"] = m.Rotate(ctx, id, 0, time.Hour)
	require.Equal(t, errs["Rotate"] == nil, issued.Secret.Reveal() != "")
	errs["Revoke with descendants"] = m.Revoke(ctx, id, apikey.RevokeOptions{Descendants: true})
	errs["Revoke"] = m.Revoke(ctx, id, apikey.RevokeOptions{})
	return errs
}

func refused(t *testing.T, m management, id string, want error) {
	t.Helper()
	for name, err := range everything(t, t.Context(), m, id) {
		require.ErrorIs(t, err, want, name)
	}
}

func TestZeroManager(t *testing.T) {
	t.Parallel()
	m := new(apikey.Manager)
	key := apikeytest.Key(t, apikeytest.NewManager(t, apikey.Config{}))
	for _, presented := range []string{"", "_", key.Secret.Reveal(), "_" + key.Secret.Reveal()[5:]} {
		v, err := m.Verify(t.Context(), presented)
		require.ErrorIs(t, err, apikey.ErrInvalid)
		require.Equal(t, apikey.Verified{}, v)
		require.Empty(t, v.Type())
		require.True(t, v.Permissions().IsEmpty())
		_, err = m.VerifyCached(presented)
		require.ErrorIs(t, err, apikey.ErrInvalid)
		require.False(t, m.Recognize(presented))
	}
	refused(t, m, key.Key.ID, apikey.ErrNoActor)
	refused(t, m.As(actor()), key.Key.ID, apikey.ErrNoActor)
	require.Empty(t, m.State(key.Key))
	require.Empty(t, m.As(actor()).State(key.Key))
	require.Empty(t, apikey.Delegate{}.State(key.Key))
	_, err := m.ActorOf(t.Context(), key.Key.ID)
	require.ErrorIs(t, err, apikey.ErrNoActor)
	_, err = (*apikey.Manager)(nil).ActorOf(t.Context(), key.Key.ID)
	require.ErrorIs(t, err, apikey.ErrNoActor)
	require.NotPanics(t, func() { m.Samples(); m.ScannerExpression() })
}

// A pointer that was never set is as little a store as nil is.
func TestNilStores(t *testing.T) {
	t.Parallel()
	var none *apikey.MemoryStore
	for _, store := range []apikey.Store{nil, none} {
		_, err := apikey.New(store, apikey.Config{Prefix: "paym", Activity: none})
		require.ErrorContains(t, err, "apikey: the store is nil")
		require.ErrorContains(t, err, "apikey: Config.Activity is a nil pointer")
	}
}

func TestZeroDelegate(t *testing.T) {
	t.Parallel()
	refused(t, apikey.Delegate{}, "id", apikey.ErrNoActor)
}

func TestZeroActor(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	key := h.issue(t).Key
	long := actor(func(a *apikey.Actor) { a.ID = strings.Repeat("x", 255) })
	_, err := h.As(long).Get(t.Context(), key.ID)
	require.NoError(t, err)
	before := h.spy.Calls()
	refused(t, h.As(apikey.Actor{}), key.ID, apikey.ErrNoActor)
	nobody := actor(func(a *apikey.Actor) { a.ID = "" })
	refused(t, h.As(nobody), key.ID, apikey.ErrNoActor)
	endless := actor(func(a *apikey.Actor) { a.ID = strings.Repeat("x", 256) })
	refused(t, h.As(endless), key.ID, apikey.ErrNoActor)
	require.Equal(t, before, h.spy.Calls(), "the store is not even asked")
	require.Equal(t, key, h.key(t, key.ID))
}

// With an ID and a zero Ceiling one may look, and do nothing.
func TestZeroCeiling(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	key := h.issue(t).Key
	empty := h.issue(t, func(s *apikey.Spec) { s.Permissions = set() }).Key
	d := h.As(apikey.Actor{ID: "user:1"})
	for _, id := range []string{key.ID, empty.ID} {
		for name, err := range everything(t, t.Context(), d, id) {
			switch name {
			case "Get", "List", "All", "Events", "Usage", "LastUsed", "Unused":
				require.NoError(t, err, name)
			default:
				var e *apikey.ExceedsError
				require.ErrorAs(t, err, &e, name)
			}
		}
		require.Equal(t, int64(1), h.key(t, id).Version)
	}
}

func TestZeroVerified(t *testing.T) {
	t.Parallel()
	var v apikey.Verified
	for _, addr := range []netip.Addr{{}, netip.MustParseAddr("192.0.2.1")} {
		require.ErrorIs(t, v.AllowsFrom(addr), apikey.ErrInvalid)
	}
	require.Equal(t, apikey.Key{}, v.Key())
	require.False(t, v.Key().Permissions.Allows("users.view"))
}

func TestZeroKey(t *testing.T) {
	t.Parallel()
	require.Equal(t, apikey.StateDisabled, apikey.Key{}.State(time.Now()))
	require.Empty(t, apikey.Secret{}.Reveal())
}
