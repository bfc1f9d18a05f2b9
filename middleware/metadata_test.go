package middleware_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/middleware"
	"github.com/latchwork/latchwork/oauth"
)

// The challenge of a route that needs a token names the document about that very
// path, and the document is there and about that path.
func TestReq167_172_ResourceMetadata(t *testing.T) {
	t.Parallel()
	server, err := oauth.New(oauth.NewMemoryStore(), oauth.StaticClients{}, oauth.Config{
		Issuer: "https://billing.example", Prefix: "paym", Resources: []oauth.Resource{{Path: "/api/me"}, {Path: "/api/orders/"}},
	})
	require.NoError(t, err)
	a := newAgency(t, func(c *middleware.Config) { c.ResourceMetadata = server.ResourceMetadata })
	const realm, scope, at = `Bearer realm="api"`, `, scope="profile"`, `, resource_metadata="https://billing.example/.well-known/oauth-protected-resource`
	protect := a.guard.RequireScope("profile")
	for _, c := range []struct {
		name, target, token string
		status              int
		code, challenge     string
	}{
		{"no token", "/api/me", "", 401, "missing_token", realm + scope + at + `/api/me"`},
		{"with a query", "/api/me?x=y", "", 401, "missing_token", realm + scope + at + `/api/me"`},
		{"below a path", `/api/orders/a%22b%5C/7`, "", 401, "missing_token", realm + scope + at + `/api/orders/a%22b%5C/7"`},
		{"invalid token", "/api/me", "Bearer x", 401, "invalid_token", realm + `, error="invalid_token"` + scope + at + `/api/me"`},
		{"another scope", "/api/me", "Bearer " + a.user("invoices"), 403, "insufficient_scope", realm + `, error="insufficient_scope"` + scope + at + `/api/me"`},
		{"a client", "/api/me", "Bearer " + a.client("profile"), 403, "user_required", realm + `, error="insufficient_scope"` + scope + at + `/api/me"`},
		{"malformed", "/api/me", "Bearer a b", 400, "invalid_request", realm + `, error="invalid_request"`},
		{"a path that is not described", "/api/other", "", 401, "missing_token", realm + scope},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := request(http.MethodGet, c.target)
			if c.token != "" {
				r.Header.Set("Authorization", c.token)
			}
			answered := send(protect, r)
			requireRejected(t, answered, c.status, c.code)
			require.Equal(t, c.challenge, answered.Header().Get("WWW-Authenticate"))
			_, rejected := a.guard.Check(r, middleware.Scope("profile"))
			require.Equal(t, c.challenge, rejected.Challenge)
		})
	}
	requirePass(t, send(protect, request(http.MethodGet, "/api/me", "Bearer "+a.user("profile"))))
	// A key's route is no OAuth resource.
	answered := send(a.guard.Require("users.view"), request(http.MethodGet, "/api/me"))
	require.Equal(t, realm, answered.Header().Get("WWW-Authenticate"))
	// What cannot stand between quotes is left out.
	odd := newAgency(t, func(c *middleware.Config) {
		c.ResourceMetadata = func(*http.Request) string { return "https://x/\"\r\n" }
	})
	answered = send(odd.guard.RequireScope("profile"), request(http.MethodGet, "/"))
	require.Equal(t, realm+scope, answered.Header().Get("WWW-Authenticate"))

	w := httptest.NewRecorder()
	server.ResourceMetadataHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/.well-known/oauth-protected-resource/api/orders/a%22b%5C/7", nil))
	require.Contains(t, w.Body.String(), `"resource":"https://billing.example/api/orders/a%22b%5C/7"`)
}
