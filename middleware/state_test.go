package middleware_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/apikey/apikeytest"
	"github.com/latchwork/latchwork/middleware"
	"github.com/latchwork/latchwork/scope"
)

func TestEveryDeadStateLooksTheSame(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	protect := h.guard.Require("users.view")
	never := send(protect, request(http.MethodGet, "/", "Bearer "+newHouse(t).key("users.view")))
	requireRejected(t, never, 401, "invalid_token")
	for name, kill := range map[string]func(id string) error{
		"disabled": func(id string) error { _, err := h.keys.Disable(t.Context(), id); return err },
		"revoked":  func(id string) error { return h.keys.Revoke(t.Context(), id, apikey.RevokeOptions{}) },
		"rotated":  func(id string) error { _, err := h.keys.Rotate(t.Context(), id, 0, 0); return err },
	} {
		issued := h.issue(apikey.Spec{Permissions: scope.MustParseSet("users.view")})
		r := request(http.MethodGet, "/", "Bearer "+issued.Secret.Reveal())
		requirePass(t, send(protect, r))
		require.NoError(t, kill(issued.Key.ID))
		dead := send(protect, r)
		requireRejected(t, dead, 401, "invalid_token")
		require.Equal(t, never.Body.String(), dead.Body.String(), name)
		require.Equal(t, never.Header(), dead.Header(), name)
	}
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	now := time.Now()
	keys, err := apikey.New(apikey.NewMemoryStore(), apikey.Config{Prefix: "paym", Now: func() time.Time { return now }})
	require.NoError(t, err)
	guard, err := middleware.New(middleware.Config{
		Credentials: []middleware.Authenticator{middleware.Keys(keys)}, KeyTypes: []string{"admin"},
	})
	require.NoError(t, err)
	issued, err := keys.Create(t.Context(), apikey.Spec{
		Name: "short", Type: "admin", Permissions: scope.MustParseSet("users.view"), ExpiresAt: now.Add(time.Hour),
	})
	require.NoError(t, err)
	r := request(http.MethodGet, "/", "Bearer "+issued.Secret.Reveal())
	now = issued.Key.ExpiresAt.Add(-time.Nanosecond)
	requirePass(t, send(guard.Require("users.view"), r))
	now = issued.Key.ExpiresAt
	requireRejected(t, send(guard.Require("users.view"), r), 401, "invalid_token")
}

func TestFailingStore(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h := newHouse(t, func(c *middleware.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	key := h.key("*")
	h.spy.Fail(errors.New("connection to db7.internal refused"))
	for _, protect := range []func(http.Handler) http.Handler{
		h.guard.Require("users.view"), h.guard.RequireAny("users.view"), h.guard.RequireType("admin"),
		h.guard.Resource("users"), h.guard.RequireIncludes(map[string]string{"x": "users.view"}), h.guard.Optional,
	} {
		a := send(protect, request(http.MethodGet, "/", "Bearer "+key))
		requireRejected(t, a, 503, "unavailable")
		require.NotContains(t, a.Body.String(), "db7")
	}
	require.Contains(t, log.String(), "db7")
	require.NotContains(t, log.String(), key)

	h.spy.Fail(nil)
	requirePass(t, send(h.guard.Require("users.view"), request(http.MethodGet, "/", "Bearer "+key)))
}

func TestCancelledRequestIsAnsweredWithoutABody(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	key := h.key("*")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	a := send(h.guard.Require("users.view"), request(http.MethodGet, "/", "Bearer "+key).WithContext(ctx))
	require.False(t, a.reached)
	require.Equal(t, http.StatusServiceUnavailable, a.Code, "nothing at all would be a 200")
	require.Zero(t, a.Body.Len())

	ctx, cancel = context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	a = send(h.guard.Require("users.view"), request(http.MethodGet, "/", "Bearer "+key).WithContext(ctx))
	requireRejected(t, a, 503, "unavailable")
}

func TestHangingStore(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	key := h.key("*")
	release := h.spy.Hold()
	defer release()
	start := time.Now()
	requireRejected(t, send(h.guard.Require("users.view"), request(http.MethodGet, "/", "Bearer "+key)), 503, "unavailable")
	require.Less(t, time.Since(start), 10*time.Second)
}

func TestRendererSeesTheReasonAndCannotForgetTheHeaders(t *testing.T) {
	t.Parallel()
	var seen middleware.Rejection
	h := newHouse(t, func(c *middleware.Config) {
		c.Reject = func(w http.ResponseWriter, _ *http.Request, rej middleware.Rejection) {
			seen = rej
			w.WriteHeader(rej.Status)
		}
	})
	boom := errors.New("boom")
	key := h.key("users.view")
	h.spy.Fail(boom)
	a := send(h.guard.Require("users.view"), request(http.MethodGet, "/", "Bearer "+key))
	require.ErrorIs(t, seen.Err, boom)
	require.Equal(t, "1", a.Header().Get("Retry-After"))

	a = send(h.guard.Require("users.view"), request(http.MethodGet, "/"))
	require.Equal(t, "missing_token", seen.Code)
	require.Equal(t, `Bearer realm="api"`, a.Header().Get("WWW-Authenticate"))
	require.Equal(t, "no-store", a.Header().Get("Cache-Control"))
	require.Equal(t, "192.0.2.1", seen.ClientAddr.String())
}

func TestPaymenterBodies(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *middleware.Config) { c.Reject = middleware.WritePaymenterRejection })
	bound := h.issue(apikey.Spec{Permissions: scope.MustParseSet("*"), AllowedIPs: listOf("198.51.100.1")}).Secret.Reveal()
	reseller := h.issue(apikey.Spec{Type: "reseller"}).Secret.Reveal()
	includes := h.guard.RequireIncludes(map[string]string{"a": "users.view", "b": "users.view"})
	for _, c := range []struct {
		protect func(http.Handler) http.Handler
		target  string
		key     string
		status  int
		body    string
	}{
		{h.guard.Require("users.view"), "/", "", 401, `{"error":"The request is missing a valid bearer token."}`},
		{h.guard.Require("users.view"), "/", "Bearer x", 401, `{"message":"The provided API key is invalid or has been disabled."}`},
		{h.guard.Require("users.view"), "/", "Bearer " + bound, 403, `{"message":"You do not have permission to access this resource."}`},
		{h.guard.Require("users.view"), "/", "Bearer " + reseller, 403, `{"message":"You do not have permission to access this resource."}`},
		{h.guard.Require("users.view"), "/", "Bearer " + h.key(), 403, `{"message":"This action is unauthorized."}`},
		{includes, "/?include=x", "Bearer " + h.key(), 400, "{\"message\":\"Requested include(s) `x` are not allowed. Allowed include(s) are `a, b`.\"}"},
		{h.guard.RequireIncludes(nil), "/?include=x", "Bearer " + h.key(), 400, "{\"message\":\"Requested include(s) `x` are not allowed. There are no allowed includes.\"}"},
		{h.guard.Require("users.view"), "/", "Bearer a b", 400, `{"message":"The credential of the request is malformed."}`},
	} {
		a := send(c.protect, request(http.MethodGet, c.target, c.key))
		require.Equal(t, c.status, a.Code)
		require.JSONEq(t, c.body, a.Body.String())
		require.Equal(t, "application/json", a.Header().Get("Content-Type"))
		if c.status == 401 {
			require.NotEmpty(t, a.Header().Get("WWW-Authenticate"))
		}
	}
	h.spy.Fail(errors.New("boom"))
	a := send(h.guard.Require("users.view"), request(http.MethodGet, "/", "Bearer "+bound))
	require.Equal(t, 503, a.Code)
	require.JSONEq(t, `{"message":"The credential cannot be checked at the moment."}`, a.Body.String())
}

func TestOnlyShapelyCredentialsReachTheStore(t *testing.T) {
	t.Parallel()
	spy := apikeytest.NewSpy(apikey.NewMemoryStore())
	keys, err := apikey.New(spy, apikey.Config{Prefix: "paym"})
	require.NoError(t, err)
	require.Equal(t, 0, spy.Calls("Find"))
	_, err = keys.Verify(t.Context(), "paym_")
	require.ErrorIs(t, err, apikey.ErrInvalid)
	require.Equal(t, 0, spy.Calls("Find"))
}
