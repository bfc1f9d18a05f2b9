package middleware_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/middleware"
	"github.com/latchwork/latchwork/scope"
)

// A counting house has keys whose uses are counted.
type counting struct {
	*house

	store *apikey.MemoryStore
}

func newCounting(t *testing.T) *counting {
	t.Helper()
	store := apikey.NewMemoryStore()
	keys, err := apikey.New(store, apikey.Config{Prefix: "paym", Types: []string{"admin", "reseller"}, Activity: store})
	require.NoError(t, err)
	guard, err := middleware.New(middleware.Config{
		Credentials: []middleware.Authenticator{middleware.Keys(keys)}, KeyTypes: []string{"admin"},
	})
	require.NoError(t, err)
	return &counting{&house{t: t, keys: keys, guard: guard}, store}
}

// counts ends the counting and returns what was counted for a key.
func (c *counting) counts(id string) (sum apikey.Counts) {
	c.t.Helper()
	require.NoError(c.t, c.keys.Close(context.WithoutCancel(c.t.Context())))
	days, err := c.store.Usage(context.WithoutCancel(c.t.Context()), id, time.Time{})
	require.NoError(c.t, err)
	for _, d := range days {
		sum = sum.Add(d.Counts)
	}
	return sum
}

// Every request with a key counts once, by how it ended.
func TestUsesAreCountedOnce(t *testing.T) {
	t.Parallel()
	type protect = func(http.Handler) http.Handler
	allowed, address := apikey.Counts{Allowed: 1}, apikey.Counts{DeniedAddress: 1}
	keyType, permission, what := apikey.Counts{DeniedType: 1}, apikey.Counts{DeniedPermission: 1}, apikey.Counts{DeniedRequest: 1}
	view := func(g *middleware.Guard) protect { return g.Require("users.view") }
	includes := func(g *middleware.Guard) protect {
		inner := g.RequireIncludes(map[string]string{"orders": "orders.view", "invoices": "invoices.view"})
		return func(next http.Handler) http.Handler { return g.Require("users.view")(inner(next)) }
	}
	// Guarded as a whole, and again for each path, with a stranger in between.
	routed := func(g *middleware.Guard) protect {
		return func(next http.Handler) http.Handler {
			mux := http.NewServeMux()
			mux.Handle("/users", g.Require("users.view")(g.Require("users.view")(next)))
			mux.Handle("/secrets", g.Require("secrets.view")(next))
			mux.Handle("/types", g.RequireType("reseller")(next))
			return g.RequireType("admin")(http.StripPrefix("/x", mux))
		}
	}
	for name, c := range map[string]struct {
		spec    apikey.Spec
		protect func(*middleware.Guard) protect
		target  string
		want    apikey.Counts
	}{
		"allowed":                      {apikey.Spec{}, view, "/", allowed},
		"from another address":         {apikey.Spec{AllowedIPs: listOf("198.51.100.1")}, view, "/", address},
		"of another type":              {apikey.Spec{Type: "reseller"}, view, "/", keyType},
		"where a user is needed":       {apikey.Spec{}, func(g *middleware.Guard) protect { return g.RequireScope("profile") }, "/", keyType},
		"without the permission":       {apikey.Spec{}, func(g *middleware.Guard) protect { return g.Require("users.delete") }, "/", permission},
		"with includes":                {apikey.Spec{}, includes, "/?include=orders", allowed},
		"without includes":             {apikey.Spec{}, includes, "/", allowed},
		"with a forbidden include":     {apikey.Spec{}, includes, "/?include=invoices", permission},
		"with an unknown include":      {apikey.Spec{}, includes, "/?include=x", what},
		"optional":                     {apikey.Spec{}, func(g *middleware.Guard) protect { return g.Optional }, "/", allowed},
		"routed":                       {apikey.Spec{}, routed, "/x/users", allowed},
		"routed, without permission":   {apikey.Spec{}, routed, "/x/secrets", permission},
		"routed, of another type":      {apikey.Spec{}, routed, "/x/types", keyType},
		"routed, to nothing":           {apikey.Spec{}, routed, "/x/nothing", allowed},
		"with a token in the URL, too": {apikey.Spec{}, view, "/?access_token=x", apikey.Counts{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newCounting(t)
			c.spec.Permissions = scope.MustParseSet("users.view", "orders.view")
			issued := h.issue(c.spec)
			send(c.protect(h.guard), request("GET", c.target, "Bearer "+issued.Secret.Reveal()))
			require.Equal(t, c.want, h.counts(issued.Key.ID))
			last, err := h.store.LastUsed(t.Context(), []string{issued.Key.ID})
			require.NoError(t, err)
			require.Len(t, last, int(c.want.Allowed))
			for _, use := range last {
				require.Equal(t, netip.MustParseAddr("192.0.2.1"), use.Addr)
			}
		})
	}
}

func TestOtherMethodsAreCounted(t *testing.T) {
	t.Parallel()
	h := newCounting(t)
	issued := h.issue(apikey.Spec{Permissions: scope.MustParseSet("users.view")})
	for _, method := range []string{"OPTIONS", "TRACE"} {
		send(h.guard.Resource("users"), request(method, "/", "Bearer "+issued.Secret.Reveal()))
	}
	require.Equal(t, apikey.Counts{DeniedRequest: 2}, h.counts(issued.Key.ID))
}

// What is wrong with the key is counted by its Manager, and what is wrong with
// the service not at all.
func TestDeniedBeforeTheGuardJudges(t *testing.T) {
	t.Parallel()
	h := newCounting(t)
	issued := h.issue(apikey.Spec{Permissions: scope.MustParseSet("users.view")})
	require.NoError(t, h.keys.Revoke(t.Context(), issued.Key.ID, apikey.RevokeOptions{}))
	send(h.guard.Require("users.view"), request("GET", "/", "Bearer "+issued.Secret.Reveal()))
	send(h.guard.Optional, request("GET", "/", "Bearer "+issued.Secret.Reveal()))
	send(h.guard.Optional, request("GET", "/"))
	require.Equal(t, apikey.Counts{DeniedState: 2}, h.counts(issued.Key.ID))
}

// A handler that panics was reached all the same, and one that takes its time
// counts when it is done.
func TestUsesAreCountedAtTheEnd(t *testing.T) {
	t.Parallel()
	h := newCounting(t)
	issued := h.issue(apikey.Spec{Permissions: scope.MustParseSet("users.view")})
	handler := h.guard.Require("users.view")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		last, err := h.keys.LastUsed(t.Context(), issued.Key)
		require.NoError(t, err)
		require.Empty(t, last)
		panic(http.ErrAbortHandler)
	}))
	require.PanicsWithValue(t, http.ErrAbortHandler, func() {
		handler.ServeHTTP(httptest.NewRecorder(), request("GET", "/", "Bearer "+issued.Secret.Reveal()))
	})
	require.Equal(t, apikey.Counts{Allowed: 1}, h.counts(issued.Key.ID))
}

// A handler may ask the Guard as often as it likes.
func TestChecksInsideAHandlerAreNotCounted(t *testing.T) {
	t.Parallel()
	h := newCounting(t)
	issued := h.issue(apikey.Spec{Permissions: scope.MustParseSet("users.view")})
	reached := false
	h.guard.Require("users.view")(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		reached = true
		_, rejected := h.guard.Check(r, middleware.AllOf("users.delete"))
		require.NotNil(t, rejected)
		p, rejected := h.guard.Check(r, middleware.AllOf("users.view"))
		require.Nil(t, rejected)
		require.Nil(t, h.guard.Authorize(r.Context(), p, middleware.AllOf("users.view")))
		p, _ = middleware.PrincipalFrom(r.Context())
		require.NotNil(t, h.guard.Authorize(r.Context(), p, middleware.AllOf("users.delete")))
	})).ServeHTTP(httptest.NewRecorder(), request("GET", "/", "Bearer "+issued.Secret.Reveal()))
	require.True(t, reached)
	require.Equal(t, apikey.Counts{Allowed: 1}, h.counts(issued.Key.ID))
}

func TestChecksAndCallsAreCounted(t *testing.T) {
	t.Parallel()
	h := newCounting(t)
	issued := h.issue(apikey.Spec{Permissions: scope.MustParseSet("users.view"), AllowedIPs: listOf("192.0.2.0/24")})
	authorization := "Bearer " + issued.Secret.Reveal()
	view, remove := middleware.AllOf("users.view"), middleware.AllOf("users.delete")
	r := request("GET", "/", authorization)
	p, rejected := h.guard.Check(r, view)
	require.Nil(t, rejected)
	_, rejected = h.guard.Check(r, view, remove)
	require.NotNil(t, rejected)
	require.Nil(t, h.guard.Authorize(t.Context(), p, view), "counted above")

	p, rejected = h.guard.Authenticate(t.Context(), authorization, netip.MustParseAddr("192.0.2.9"))
	require.Nil(t, rejected)
	require.Nil(t, h.guard.Authorize(t.Context(), p, view))
	require.NotNil(t, h.guard.Authorize(t.Context(), p, middleware.OfType("reseller")))
	_, rejected = h.guard.Authenticate(t.Context(), authorization, netip.MustParseAddr("203.0.113.9"))
	require.NotNil(t, rejected)
	_, rejected = h.guard.Authenticate(t.Context(), authorization, netip.Addr{})
	require.NotNil(t, rejected)
	require.Equal(t, apikey.Counts{Allowed: 2, DeniedPermission: 1, DeniedType: 1, DeniedAddress: 2}, h.counts(issued.Key.ID))
	last, err := h.store.LastUsed(t.Context(), []string{issued.Key.ID})
	require.NoError(t, err)
	require.Equal(t, "192.0.2.9", last[0].Addr.String())
}

// A decorated stands for whatever a host puts around an Authenticator.
type decorated struct{ middleware.Authenticator }

func TestDecoratedKeysAreCounted(t *testing.T) {
	t.Parallel()
	h := newCounting(t)
	var err error
	h.guard, err = middleware.New(middleware.Config{
		Credentials: []middleware.Authenticator{decorated{middleware.Keys(h.keys)}}, KeyTypes: []string{"admin"},
	})
	require.NoError(t, err)
	issued := h.issue(apikey.Spec{Permissions: scope.MustParseSet("users.view")})
	requirePass(t, send(h.guard.Require("users.view"), request("GET", "/", "Bearer "+issued.Secret.Reveal())))
	require.Equal(t, apikey.Counts{Allowed: 1}, h.counts(issued.Key.ID))
}

// A Principal is what its fields say, and nothing else that could be compared.
func TestPrincipalHoldsNothingElse(t *testing.T) {
	t.Parallel()
	h := newCounting(t)
	issued := h.issue(apikey.Spec{Permissions: scope.MustParseSet("users.view")})
	want := middleware.Principal{
		Kind: middleware.KindKey, CredentialID: issued.Key.ID, KeyType: "admin",
		Permissions: scope.MustParseSet("users.view"), ClientAddr: netip.MustParseAddr("192.0.2.1"),
	}
	r := request("GET", "/", "Bearer "+issued.Secret.Reveal())
	require.Equal(t, want, send(h.guard.Require("users.view"), r).principal)
	p, rejected := h.guard.Check(r, middleware.AllOf("users.view"))
	require.Nil(t, rejected)
	require.Equal(t, want, p)
}

// failingActivity fails to record.
type failingActivity struct{ *apikey.MemoryStore }

func (failingActivity) Record(context.Context, []apikey.Use) error { return errors.New("boom") }

func TestFailingActivityFailsNoRequest(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	activity := failingActivity{apikey.NewMemoryStore()}
	keys, err := apikey.New(activity, apikey.Config{Prefix: "paym", Activity: activity})
	require.NoError(t, err)
	h.keys = keys
	h.guard, err = middleware.New(middleware.Config{Credentials: []middleware.Authenticator{middleware.Keys(keys)}, KeyTypes: []string{"admin"}})
	require.NoError(t, err)
	key := h.key("users.view")
	for range 100 {
		requirePass(t, send(h.guard.Require("users.view"), request("GET", "/", "Bearer "+key)))
	}
	require.ErrorContains(t, keys.Close(t.Context()), "boom")
	requirePass(t, send(h.guard.Require("users.view"), request("GET", "/", "Bearer "+key)))
}
