package middleware_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
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
	unknown := newHouse(t).key("*")
	requireRejected(t, send(h.guard.Require("users.view"), request(http.MethodGet, "/", "Bearer "+unknown)), 401, "invalid_token")
	require.Empty(t, log.String(), "that is nobody's fault here")
	h.spy.Fail(errors.New("connection to db7.internal refused"))
	for _, protect := range []func(http.Handler) http.Handler{
		h.guard.Require("users.view"), h.guard.RequireAny("users.view"), h.guard.RequireType("admin"),
		h.guard.Resource("users"), h.guard.RequireIncludes(map[string]string{"x": "users.view"}), h.guard.Optional,
	} {
		a := send(protect, request(http.MethodGet, "/", "Bearer "+key))
		requireRejected(t, a, 503, "unavailable")
		require.NotContains(t, a.Body.String(), "db7.internal")
	}
	require.Contains(t, log.String(), "db7.internal")
	require.NotContains(t, log.String(), key)

	h.spy.Fail(nil)
	requirePass(t, send(h.guard.Require("users.view"), request(http.MethodGet, "/", "Bearer "+key)))
}

func TestCancelledRequestIsAnsweredWithoutABody(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h := newHouse(t, func(c *middleware.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	key := h.key("*")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	a := send(h.guard.Require("users.view"), request(http.MethodGet, "/", "Bearer "+key).WithContext(ctx))
	require.False(t, a.reached)
	require.Equal(t, http.StatusServiceUnavailable, a.Code, "nothing at all would be a 200")
	require.Zero(t, a.Body.Len())
	require.Empty(t, log.String(), "that is nobody's fault here")
	requireRejected(t, send(h.guard.Require("users.view"), request(http.MethodGet, "/").WithContext(ctx)), 401, "missing_token")

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
	unseen := h.issue(apikey.Spec{}).Secret.Reveal()
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
		{includes, "/?include=x,a,y&include=z", "Bearer " + h.key(), 400, "{\"message\":\"Requested include(s) `x, y, z` are not allowed. Allowed include(s) are `a, b`.\"}"},
		{includes, "/?include=a", "Bearer " + h.key(), 403, `{"message":"This action is unauthorized."}`},
		{includes, "/?include=%zz", "Bearer " + h.key(), 400, `{"message":"The query cannot be read."}`},
		{includes, "/", "", 401, `{"error":"The request is missing a valid bearer token."}`},
		{h.guard.Optional, "/", "Bearer", 401, `{"error":"The request is missing a valid bearer token."}`},
		{h.guard.Resource("users"), "/", "Bearer " + h.key(), 403, `{"message":"This action is unauthorized."}`},
		{h.guard.RequireIncludes(map[string]string{"a": "users.view"}), "/?include=x", "Bearer " + h.key(), 400, "{\"message\":\"Requested include(s) `x` are not allowed. Allowed include(s) are `a`.\"}"},
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
	a := send(h.guard.Require("users.view"), request(http.MethodGet, "/", "Bearer "+unseen))
	require.Equal(t, 503, a.Code)
	require.JSONEq(t, `{"message":"The credential cannot be checked at the moment."}`, a.Body.String())
}

// What Paymenter's /api/me answers, where it knows no keys.
func TestPaymenterBodiesForTokens(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *middleware.Config) {
		c.Reject = middleware.WritePaymenterRejection
		c.Credentials = append(c.Credentials,
			foreign{prefix: "tok_", principal: middleware.Principal{Kind: middleware.KindUser, Subject: "ada", Permissions: scope.MustParseSet("profile")}},
			foreign{prefix: "bad_", err: middleware.ErrInvalidCredential})
	})
	for _, c := range []struct {
		protect       func(http.Handler) http.Handler
		authorization string
		status        int
		message       string
	}{
		{h.guard.RequireScope("profile"), "", 401, "Unauthenticated."},
		{h.guard.RequireClientScope("profile"), "", 401, "Unauthenticated."},
		{h.guard.RequireScope("profile"), "Bearer a b", 400, "The credential of the request is malformed."},
		{h.guard.RequireScope("profile"), "Bearer bad_x", 401, "Unauthenticated."},
		{h.guard.RequireScope("profile"), "Bearer " + h.key("*"), 403, "Unauthenticated."},
		{h.guard.RequireAnyScope("invoices"), "Bearer tok_x", 403, "Invalid scope(s) provided."},
		{h.guard.RequireClientScope("profile"), "Bearer tok_x", 403, "Unauthenticated."},
		{h.guard.Require("users.view"), "Bearer tok_x", 403, "You do not have permission to access this resource."},
	} {
		a := send(c.protect, request(http.MethodGet, "/", c.authorization))
		require.Equal(t, c.status, a.Code)
		require.JSONEq(t, `{"message":"`+c.message+`"}`, a.Body.String())
	}
}

func TestRejectionsSayWhatWasNeeded(t *testing.T) {
	t.Parallel()
	var seen middleware.Rejection
	h := newHouse(t, func(c *middleware.Config) {
		c.Reject = func(_ http.ResponseWriter, _ *http.Request, rej middleware.Rejection) {
			seen = rej
			slices.Reverse(rej.Allowed) // it is the renderer's own
		}
	})
	needs := func(kind middleware.Kind, protect func(http.Handler) http.Handler) {
		t.Helper()
		send(protect, request(http.MethodGet, "/", "Bearer x"))
		require.Equal(t, kind, seen.Needed)
		require.Equal(t, "invalid_token", seen.Code)
	}
	needs(middleware.KindKey, h.guard.Require("users.view"))
	needs(middleware.KindKey, h.guard.Resource("users"))
	needs(middleware.KindKey, h.guard.RequireIncludes(nil))
	needs(middleware.KindUser, h.guard.RequireScope("profile"))
	needs(middleware.KindClient, h.guard.RequireClientScope("profile"))
	needs(0, h.guard.Optional)

	includes := h.guard.RequireIncludes(map[string]string{"a": "users.view", "b": "users.view"})
	for range 2 {
		send(includes, request(http.MethodGet, "/?include=x,a,x,y", "Bearer "+h.key()))
		require.Equal(t, []string{"x", "y"}, seen.Unknown)
		require.Equal(t, `There is no include "x", "y".`, seen.Message)
		require.ElementsMatch(t, []string{"a", "b"}, seen.Allowed)
		require.Equal(t, "b", seen.Allowed[0], "reversed once, and not the next time back again")
	}
	var names []string
	for i := range 50 {
		names = append(names, strings.Repeat(fmt.Sprint(i), 100))
	}
	send(includes, request(http.MethodGet, "/?include="+strings.Join(names, ","), "Bearer "+h.key()))
	require.Len(t, seen.Unknown, 10)
	require.Less(t, len(seen.Message), 1000)
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
