package oauth_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/oauth"
)

// document gets a document through the routes of the server.
func (h *house) document(method, path string) (answer, map[string]any) {
	h.t.Helper()
	mux := http.NewServeMux()
	for path, handler := range h.server.Routes() {
		mux.Handle(path, handler)
	}
	a := answer{ResponseRecorder: httptest.NewRecorder()}
	mux.ServeHTTP(a, httptest.NewRequest(method, path, nil))
	if a.Code != 200 {
		return a, nil
	}
	require.Equal(h.t, "application/json", a.Header().Get("Content-Type"))
	require.Equal(h.t, "public, max-age=3600", a.Header().Get("Cache-Control"))
	require.Equal(h.t, "*", a.Header().Get("Access-Control-Allow-Origin"))
	require.NoError(h.t, json.Unmarshal(a.Body.Bytes(), &a.members))
	for member, value := range a.members {
		if list, isList := value.([]any); isList {
			require.NotEmpty(h.t, list, member)
		}
	}
	return a, a.members
}

const wellKnown = "/.well-known/oauth-authorization-server"

func TestReq160_163_164_165_ServerMetadata(t *testing.T) {
	t.Parallel()
	h := newSite(t, func(c *oauth.Config) { c.Scopes = catalog("profile", "invoices") })
	_, got := h.document("GET", wellKnown)
	require.Equal(t, map[string]any{
		"issuer":                                         issuer,
		"authorization_endpoint":                         issuer + "/oauth/authorize",
		"token_endpoint":                                 issuer + "/oauth/token",
		"revocation_endpoint":                            issuer + "/oauth/revoke",
		"introspection_endpoint":                         issuer + "/oauth/introspect",
		"scopes_supported":                               []any{"profile", "invoices"},
		"response_types_supported":                       []any{"code"},
		"response_modes_supported":                       []any{"query"},
		"grant_types_supported":                          []any{"authorization_code", "refresh_token", "client_credentials", "password"},
		"token_endpoint_auth_methods_supported":          []any{"client_secret_basic", "client_secret_post", "none"},
		"revocation_endpoint_auth_methods_supported":     []any{"client_secret_basic", "client_secret_post", "none"},
		"introspection_endpoint_auth_methods_supported":  []any{"client_secret_basic", "client_secret_post"},
		"code_challenge_methods_supported":               []any{"S256"},
		"authorization_response_iss_parameter_supported": true,
	}, got)

	h = newHouse(t, func(c *oauth.Config) { c.LegacyPasswordGrant = false })
	_, got = h.document("GET", wellKnown)
	for _, absent := range []string{
		"authorization_endpoint", "scopes_supported", "code_challenge_methods_supported", "authorization_response_iss_parameter_supported",
	} {
		require.NotContains(t, got, absent)
	}
	require.Equal(t, []any{"refresh_token", "client_credentials"}, got["grant_types_supported"])
	require.Equal(t, []any{"code"}, got["response_types_supported"], "RFC 8414 demands it")
}

func TestReq161_IssuerWithAPath(t *testing.T) {
	t.Parallel()
	h := newSite(t, func(c *oauth.Config) {
		c.Issuer = "https://billing.example/tenant/1"
		c.Paths = oauth.Paths{Token: "/api/oauth/token", Revoke: "/api/oauth/revoke", Introspect: "/api/oauth/introspect"}
		c.Resources = []oauth.Resource{{Path: "/api/me"}}
	})
	_, got := h.document("GET", wellKnown+"/tenant/1")
	require.Equal(t, "https://billing.example/tenant/1", got["issuer"])
	require.Equal(t, "https://billing.example/tenant/1/api/oauth/token", got["token_endpoint"])
	require.Equal(t, "https://billing.example/tenant/1/oauth/authorize", got["authorization_endpoint"])
	a, _ := h.document("GET", wellKnown)
	require.Equal(t, 404, a.Code)
	_, got = h.document("GET", "/.well-known/oauth-protected-resource/tenant/1")
	require.Equal(t, "https://billing.example/tenant/1", got["resource"])
	_, got = h.document("GET", "/.well-known/oauth-protected-resource/api/me")
	require.Equal(t, "https://billing.example/api/me", got["resource"])
	require.Equal(t, []any{"https://billing.example/tenant/1"}, got["authorization_servers"])
	paths := map[string]bool{}
	for path := range h.server.Routes() {
		paths[path] = true
	}
	require.Equal(t, map[string]bool{
		"/tenant/1/oauth/authorize": true, "/tenant/1/oauth/authorize/decision": true, "/tenant/1/api/oauth/token": true,
		"/tenant/1/api/oauth/revoke": true, "/tenant/1/api/oauth/introspect": true, wellKnown + "/tenant/1": true,
		"/.well-known/oauth-protected-resource/tenant/1": true, "/.well-known/oauth-protected-resource/api/me": true,
	}, paths)
	for path, handler := range h.server.Routes() { // whoever has seen enough stops
		require.NotEmpty(t, path)
		require.NotNil(t, handler)
		break
	}
}

func TestReq166_168_Documents(t *testing.T) {
	t.Parallel()
	h := newSite(t)
	for _, path := range []string{wellKnown, "/.well-known/oauth-protected-resource"} {
		get, _ := h.document("GET", path)
		server := httptest.NewServer(routes(h.server))
		head, err := http.NewRequestWithContext(t.Context(), http.MethodHead, server.URL+path, nil)
		require.NoError(t, err)
		answered, err := server.Client().Do(head)
		require.NoError(t, err)
		require.NoError(t, answered.Body.Close())
		server.Close()
		require.Equal(t, 200, answered.StatusCode)
		require.Equal(t, get.Header().Get("Content-Type"), answered.Header.Get("Content-Type"))
		for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS"} {
			a, _ := h.document(method, path)
			require.Equal(t, 405, a.Code)
			require.Equal(t, "GET, HEAD", a.Header().Get("Allow"))
		}
		for _, headers := range []string{"", "mcp-protocol-version, x-request-id"} {
			w := httptest.NewRecorder()
			routes(h.server).ServeHTTP(w, preflight(path, headers))
			require.Equal(t, 204, w.Code)
			require.Equal(t, "*", w.Header().Get("Access-Control-Allow-Origin"))
			require.Equal(t, "GET, HEAD", w.Header().Get("Access-Control-Allow-Methods"))
			require.Equal(t, headers, w.Header().Get("Access-Control-Allow-Headers"))
		}
	}
	for _, handler := range []http.Handler{new(oauth.Server).MetadataHandler(), new(oauth.Server).ResourceMetadataHandler()} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		require.Equal(t, 503, w.Code)
		require.Equal(t, "1", w.Header().Get("Retry-After"))
	}
}

func preflight(path, headers string) *http.Request {
	r := httptest.NewRequest(http.MethodOptions, path, nil)
	r.Header.Set("Origin", "https://app.example")
	r.Header.Set("Access-Control-Request-Method", http.MethodGet)
	if headers != "" {
		r.Header.Set("Access-Control-Request-Headers", headers)
	}
	return r
}

// Nothing but the documents may be read by scripts of other sites.
func TestPreflightElsewhere(t *testing.T) {
	t.Parallel()
	h := newSite(t)
	for path := range h.server.Routes() {
		if strings.HasPrefix(path, "/.well-known/") {
			continue
		}
		w := httptest.NewRecorder()
		routes(h.server).ServeHTTP(w, preflight(path, ""))
		require.Equal(t, 405, w.Code, path)
		require.Empty(t, w.Header().Get("Access-Control-Allow-Origin"), path)
	}
}

func routes(s *oauth.Server) *http.ServeMux {
	mux := http.NewServeMux()
	for path, handler := range s.Routes() {
		mux.Handle(path, handler)
	}
	return mux
}

func TestReq167_ResourceMetadata(t *testing.T) {
	t.Parallel()
	const at = "/.well-known/oauth-protected-resource"
	h := newSite(t, func(c *oauth.Config) {
		c.Scopes = catalog("profile", "invoices")
		c.Resources = []oauth.Resource{
			{Path: "/api/", Name: "All of it"}, {Path: "/api/me", Name: "You", Scopes: set("profile")}, {Path: "/other"},
		}
	})
	for path, want := range map[string]map[string]any{
		"":                {"resource": issuer, "scopes_supported": []any{"profile", "invoices"}},
		"/api/me":         {"resource": issuer + "/api/me", "scopes_supported": []any{"profile"}, "resource_name": "You"},
		"/api/":           {"resource": issuer + "/api/", "resource_name": "All of it"},
		"/api/invoices/7": {"resource": issuer + "/api/invoices/7", "resource_name": "All of it"},
		"/api/a%2Fb%22":   {"resource": issuer + "/api/a%2Fb%22", "resource_name": "All of it"},
		"/other":          {"resource": issuer + "/other"},
	} {
		want["authorization_servers"], want["bearer_methods_supported"] = []any{issuer}, []any{"header"}
		_, got := h.document("GET", at+path)
		require.Equal(t, want, got, path)
		if path != "" {
			// What a challenge says about the path is where this document is.
			r := httptest.NewRequest(http.MethodGet, path+"?x=y", nil)
			require.Equal(t, issuer+at+path, h.server.ResourceMetadata(r))
		}
	}
	for _, path := range []string{"/other/x", "/unknown", "/apix"} {
		a, _ := h.document("GET", at+path)
		require.Equal(t, 404, a.Code, path)
		w := httptest.NewRecorder()
		h.server.ResourceMetadataHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, at+path, nil))
		require.Equal(t, 404, w.Code)
		require.Empty(t, h.server.ResourceMetadata(httptest.NewRequest(http.MethodGet, path, nil)))
	}
	require.Empty(t, new(oauth.Server).ResourceMetadata(httptest.NewRequest(http.MethodGet, "/api/me", nil)))
}

func TestResourcesAreChecked(t *testing.T) {
	t.Parallel()
	for _, bad := range [][]oauth.Resource{
		{{Path: ""}},
		{{Path: "api"}},
		{{Path: "/a//b"}},
		{{Path: "/{id}"}},
		{{Path: "/a"}, {Path: "/a"}},
		{{Path: "/tenant"}},
		{{Path: "/a", Scopes: set("a.*")}},
		{{Path: "/a/../b"}},
		{{Path: "/a b"}},
		{{Path: "//"}},
	} {
		_, err := oauth.New(oauth.NewMemoryStore(), oauth.StaticClients{}, oauth.Config{Issuer: issuer + "/tenant", Prefix: "paym", Resources: bad})
		require.ErrorContains(t, err, "the resource", "%+v", bad)
	}
	_, err := oauth.New(oauth.NewMemoryStore(), oauth.StaticClients{}, oauth.Config{
		Issuer: issuer, Prefix: "paym", Resources: []oauth.Resource{{Path: "/"}, {Path: "/a"}, {Path: "/a/"}},
	})
	require.NoError(t, err)
}
