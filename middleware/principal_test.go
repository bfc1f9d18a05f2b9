package middleware_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/middleware"
	"github.com/latchwork/latchwork/scope"
)

func TestPrincipalOfAKey(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	issued := h.issue(apikey.Spec{Owner: "acme", Permissions: scope.MustParseSet("users.*")})
	var p middleware.Principal
	h.guard.Require("users.view")(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		require.Equal(t, "192.0.2.1:1234", r.RemoteAddr, "RemoteAddr is left alone")
		p, _ = middleware.PrincipalFrom(r.Context())
		p.Permissions = scope.MustParseSet("*") // a copy: nobody else sees that
		again, ok := middleware.PrincipalFrom(r.Context())
		require.True(t, ok)
		require.Equal(t, "users.*", again.Permissions.String())
	})).ServeHTTP(nil, request(http.MethodGet, "/", "Bearer "+issued.Secret.Reveal()))
	require.Equal(t, middleware.KindKey, p.Kind)
	require.Equal(t, issued.Key.ID, p.CredentialID)
	require.Equal(t, "admin", p.KeyType)
	require.Equal(t, "acme", p.Owner)
	require.Equal(t, "192.0.2.1", p.ClientAddr.String())
	require.Empty(t, p.Subject+p.ClientID+p.GrantID)
	require.NotContains(t, fmt.Sprintf("%+v", p), issued.Secret.Reveal())
}

func TestNobodyIsInAnEmptyContext(t *testing.T) {
	t.Parallel()
	p, ok := middleware.PrincipalFrom(t.Context())
	require.False(t, ok)
	require.Equal(t, middleware.Principal{}, p)
	require.Equal(t, "none", p.Kind.String())
	require.Equal(t, "key user client", fmt.Sprint(middleware.KindKey, middleware.KindUser, middleware.KindClient))
}

func TestPrincipalIsReusedByTheSameGuard(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	protect := func(next http.Handler) http.Handler {
		inner := h.guard.Require("users.view")(http.StripPrefix("/v1", h.guard.RequireType("admin")(next)))
		return h.guard.Optional(inner)
	}
	requirePass(t, send(protect, request(http.MethodGet, "/v1/users", "Bearer "+h.key("users.view"))))
	require.Equal(t, 1, h.spy.Calls("Find"))
	requireRejected(t, send(protect, request(http.MethodGet, "/v1/users", "Bearer "+h.key("users.delete"))), 403, "insufficient_scope")
}

func TestPrincipalOfAnotherGuardIsNotTrusted(t *testing.T) {
	t.Parallel()
	staging, live := newHouse(t), newHouse(t)
	protect := func(next http.Handler) http.Handler {
		return staging.guard.Require("users.view")(live.guard.Require("users.view")(next))
	}
	requireRejected(t, send(protect, request(http.MethodGet, "/", "Bearer "+staging.key("users.view"))), 401, "invalid_token")

	faked := func(next http.Handler) http.Handler {
		protected := live.guard.Require("users.view")(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx := middleware.WithPrincipal(r.Context(), middleware.Principal{
				Kind: middleware.KindKey, KeyType: "admin", Permissions: scope.MustParseSet("*"),
			})
			protected.ServeHTTP(w, r.WithContext(ctx))
		})
	}
	requireRejected(t, send(faked, request(http.MethodGet, "/")), 401, "missing_token")
}

// A handler that calls another one in the same process must not lend it the
// outer caller's rights.
func TestRequestsMadeInsideAreAuthenticatedThemselves(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	strong, weak := h.key("*"), h.key("users.view")
	var inner answer
	outer := h.guard.Require("users.delete")(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		sub := httptest.NewRequestWithContext(r.Context(), http.MethodDelete, "/", nil)
		sub.Header.Set("Authorization", "Bearer "+weak)
		inner = send(h.guard.Require("users.delete"), sub)
	}))
	outer.ServeHTTP(httptest.NewRecorder(), request(http.MethodGet, "/", "Bearer "+strong))
	requireRejected(t, inner, 403, "insufficient_scope")
}

// One for the request with its binding, and one for a Principal that another
// Authenticator than Keys found.
func TestBindingAllocates(t *testing.T) {
	h := newHouse(t)
	p := middleware.Principal{Kind: middleware.KindKey, KeyType: "admin", Permissions: scope.MustParseSet("users.view")}
	guard, err := middleware.New(middleware.Config{
		Credentials: []middleware.Authenticator{foreign{prefix: "tok_", principal: p}, middleware.Keys(h.keys)}, KeyTypes: []string{"admin"},
	})
	require.NoError(t, err)
	inner := http.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = middleware.PrincipalFrom(r.Context())
	}))
	for presented, most := range map[string]float64{"tok_1": 2, h.key("users.view"): 1} {
		r := request(http.MethodGet, "/", "Bearer "+presented)
		for _, handler := range []http.Handler{
			guard.Require("users.view")(inner), guard.Optional(inner),
			guard.Require("users.view")(guard.RequireIncludes(map[string]string{"user": "users.view"})(inner)),
			guard.Require("users.view")(guard.Resource("users")(guard.Optional(inner))),
		} {
			require.LessOrEqual(t, testing.AllocsPerRun(1000, func() { handler.ServeHTTP(nil, r) }), most)
		}
	}
}

func ExamplePrincipalFrom() {
	handler := func(w http.ResponseWriter, r *http.Request) {
		if p, ok := middleware.PrincipalFrom(r.Context()); ok {
			fmt.Fprintf(w, "hello, %s %s", p.Kind, p.CredentialID)
		}
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r = r.WithContext(middleware.WithPrincipal(context.Background(), middleware.Principal{
		Kind: middleware.KindKey, CredentialID: "42",
	}))
	w := httptest.NewRecorder()
	handler(w, r)
	fmt.Println(w.Body)
	// Output: hello, key 42
}

// Contexts end up in logs.
func TestContextsPrintWithoutTheCredential(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	key := h.key("users.view")
	var logs bytes.Buffer
	h.guard.Require("users.view")(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		for _, ctx := range []context.Context{r.Context(), ctx, middleware.WithPrincipal(r.Context(), middleware.Principal{})} {
			fmt.Fprintf(&logs, "%v %+v %#v %s", ctx, ctx, ctx, ctx)
			slog.New(slog.NewTextHandler(&logs, nil)).Info("request", "context", ctx)
			slog.New(slog.NewJSONHandler(&logs, nil)).Info("request", "context", ctx)
		}
	})).ServeHTTP(nil, request(http.MethodGet, "/", "Bearer "+key))
	require.Contains(t, logs.String(), "middleware.binding")
	require.NotContains(t, logs.String(), key)
}
