package middleware_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/middleware"
	"github.com/latchwork/latchwork/scope"
)

func TestRequire(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	grants := func(g ...string) []string { return g }
	asks := grants
	allow := func(granted, asked []string) {
		t.Helper()
		requirePass(t, send(h.guard.Require(asked...), request(http.MethodGet, "/", "Bearer "+h.key(granted...))))
	}
	deny := func(granted, asked, missing []string) {
		t.Helper()
		a := send(h.guard.Require(asked...), request(http.MethodGet, "/", "Bearer "+h.key(granted...)))
		body := requireRejected(t, a, 403, "insufficient_scope")
		require.Equal(t, fmt.Sprint(missing), fmt.Sprint(body["required"]))
	}

	allow(grants("users.view"), asks("users.view"))
	allow(grants("users.*"), asks("users.view"))
	allow(grants("*"), asks("users.view", "users.delete"))
	allow(grants("users.view", "orders.view"), asks("orders.view", "users.view"))
	allow(grants("users.*"), asks("users.notes.view")) // a trailing * covers every depth below it

	deny(grants(), asks("users.view"), asks("users.view"))
	deny(grants("users.view"), asks("users.view", "users.delete"), asks("users.delete"))
	deny(grants("users.view"), asks("users.viewAny"), asks("users.viewAny"))
	deny(grants("users.view"), asks("users.view_all"), asks("users.view_all"))
	deny(grants("users.view"), asks("users.view.own"), asks("users.view.own"))
	deny(grants("users.view"), asks("Users.View"), asks("Users.View"))
	deny(grants("users.*"), asks("usersx.view"), asks("usersx.view"))
	deny(grants("users.*"), asks("users"), asks("users"))
	deny(grants("*.view"), asks("admin.users.view"), asks("admin.users.view"))
	deny(grants("admin.*"), asks("administrator.x"), asks("administrator.x"))
}

func TestRequireAny(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	protect := h.guard.RequireAny("users.view", "orders.view")
	requirePass(t, send(protect, request(http.MethodGet, "/", "Bearer "+h.key("orders.view"))))
	body := requireRejected(t, send(protect, request(http.MethodGet, "/", "Bearer "+h.key("orders.create"))), 403, "insufficient_scope")
	require.Equal(t, []any{"users.view", "orders.view"}, body["required"])
}

func TestRequireType(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	admin := h.key("users.view")
	reseller := h.issue(apikey.Spec{Type: "reseller", Permissions: scope.MustParseSet("users.view")}).Secret.Reveal()
	try := func(protect func(http.Handler) http.Handler, key string) answer {
		return send(protect, request(http.MethodGet, "/", "Bearer "+key))
	}
	requirePass(t, try(h.guard.RequireType("reseller"), reseller))
	requirePass(t, try(h.guard.RequireType("reseller", "users.view"), reseller))
	requireRejected(t, try(h.guard.RequireType("reseller"), admin), 403, "wrong_key_type")
	requireRejected(t, try(h.guard.Require("users.view"), reseller), 403, "wrong_key_type")
	requireRejected(t, try(h.guard.RequireAny("users.view"), reseller), 403, "wrong_key_type")
	requireRejected(t, try(h.guard.Resource("users"), reseller), 403, "wrong_key_type")
	requireRejected(t, try(h.guard.RequireType("reseller", "users.delete"), reseller), 403, "insufficient_scope")
	requireRejected(t, try(h.guard.RequireType("reseller", "users.delete"), admin), 403, "wrong_key_type")
}

func TestResource(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	protect := h.guard.Resource("invoices")
	actions := map[string]string{
		"GET": "view", "HEAD": "view", "POST": "create", "PUT": "update", "PATCH": "update", "DELETE": "delete",
	}
	for _, granted := range []string{"view", "create", "update", "delete"} {
		key := h.key("invoices." + granted)
		for method, needed := range actions {
			r := request(method, "/", "Bearer "+key)
			r.Header.Set("X-HTTP-Method-Override", "GET")
			a := send(protect, r)
			if needed == granted {
				requirePass(t, a)
				require.Equal(t, middleware.KindKey, a.principal.Kind)
				continue
			}
			body := requireRejected(t, a, 403, "insufficient_scope")
			require.Equal(t, []any{"invoices." + needed}, body["required"])
		}
	}
	for _, method := range []string{"OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get", ""} {
		r := request(http.MethodGet, "/", "Bearer "+h.key("*"))
		r.Method = method
		a := send(protect, r)
		requireRejected(t, a, 405, "method_not_allowed")
		require.Equal(t, "DELETE, GET, HEAD, PATCH, POST, PUT", a.Header().Get("Allow"))

		r = request(http.MethodGet, "/")
		r.Method = method
		requireRejected(t, send(protect, r), 401, "missing_token")
	}
}

func TestRequireIncludes(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	relations := map[string]string{"orders": "orders.view", "tickets": "tickets.view", "user": "users.view"}
	includes := h.guard.RequireIncludes(relations)
	relations["secrets"] = "users.view" // the map was copied

	key := "Bearer " + h.key("users.*", "orders.view")
	try := func(method, query string) (answer, []string) {
		var got []string
		outer := h.guard.Resource("users")
		protect := func(next http.Handler) http.Handler {
			return outer(includes(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got = middleware.IncludesFrom(r.Context())
				_, ok := middleware.PrincipalFrom(r.Context())
				require.True(t, ok)
				next.ServeHTTP(w, r)
			})))
		}
		return send(protect, request(method, "/users"+query, key)), got
	}
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} {
		for query, want := range map[string][]string{
			"": nil, "?include=": nil, "?page=2": nil, "?Include=tickets": nil,
			"?include=orders":                    {"orders"},
			"?include=user,orders":               {"user", "orders"},
			"?include=orders,orders":             {"orders"},
			"?include=orders&include=user":       {"orders", "user"},
			"?include=orders%2Cuser":             {"orders", "user"},
			"?include=orders&page=1&include[]=x": {"orders"},
		} {
			a, got := try(method, query)
			requirePass(t, a)
			require.Equal(t, want, got, query)
		}
		a, _ := try(method, "?include=orders,tickets")
		body := requireRejected(t, a, 403, "insufficient_scope")
		require.Equal(t, []any{"tickets.view"}, body["required"])
		for _, query := range []string{
			"?include=ghosts", "?include=tickets,ghosts", "?include=orders&include=ghosts", "?include=Orders", "?include=orders,",
			"?include=,", "?include=orders.services", "?include=secrets", "?include=%20orders", "?include=*", "?include=orders;x=1",
			"?include=%zz", "?include=" + strings.Repeat("x", 5000), "?include=<script>",
		} {
			a, _ := try(method, query)
			requireRejected(t, a, 400, "invalid_request")
			require.Empty(t, a.Header().Get("WWW-Authenticate"), "the credential was fine")
			require.Less(t, a.Body.Len(), 400)
		}
	}
}

func TestIncludesWithoutTheGuardAreNone(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.guard.Require("users.view")(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		require.Nil(t, middleware.IncludesFrom(r.Context()))
	})).ServeHTTP(nil, request(http.MethodGet, "/?include=orders", "Bearer "+h.key("*")))
	require.Nil(t, middleware.IncludesFrom(t.Context()))
}

func TestIncludesWithinRequireType(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	reseller := "Bearer " + h.issue(apikey.Spec{Type: "reseller", Permissions: scope.MustParseSet("orders.view")}).Secret.Reveal()
	includes := h.guard.RequireIncludes(map[string]string{"orders": "orders.view", "user": "users.view"})
	outer := h.guard.RequireType("reseller")
	for _, protect := range map[string]func(http.Handler) http.Handler{
		"type":           func(next http.Handler) http.Handler { return outer(includes(next)) },
		"optional, type": func(next http.Handler) http.Handler { return h.guard.Optional(outer(includes(next))) },
	} {
		requirePass(t, send(protect, request(http.MethodGet, "/?include=orders", reseller)))
		requireRejected(t, send(protect, request(http.MethodGet, "/?include=user", reseller)), 403, "insufficient_scope")
		requireRejected(t, send(protect, request(http.MethodGet, "/", "Bearer "+h.key("*"))), 403, "wrong_key_type")
	}
	optional := func(next http.Handler) http.Handler { return h.guard.Optional(includes(next)) }
	requireRejected(t, send(optional, request(http.MethodGet, "/?include=orders", reseller)), 403, "wrong_key_type")

	// Nobody has to list types in Config.KeyTypes for that.
	types := newHouse(t, func(c *middleware.Config) { c.KeyTypes = nil })
	require.NotPanics(t, func() { types.guard.RequireIncludes(map[string]string{"orders": "orders.view"}) })
}

// Each RequireIncludes looks at the query by itself, which somebody in between
// may have changed.
func TestIncludesWithinIncludes(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	key := "Bearer " + h.key("*")
	includes := h.guard.RequireIncludes(map[string]string{"orders": "orders.view", "user": "users.view"})
	for inner, want := range map[string][]string{"": nil, "page=2": nil, "include=": nil, "include=user": {"user"}} {
		rewrite := func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				require.Equal(t, []string{"orders"}, middleware.IncludesFrom(r.Context()))
				r = r.WithContext(r.Context())
				r.URL = &url.URL{Path: r.URL.Path, RawQuery: inner}
				next.ServeHTTP(w, r)
			})
		}
		var got []string
		protect := func(next http.Handler) http.Handler {
			return includes(rewrite(includes(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got = middleware.IncludesFrom(r.Context())
				next.ServeHTTP(w, r)
			}))))
		}
		requirePass(t, send(protect, request(http.MethodGet, "/?include=orders", key)))
		require.Equal(t, want, got, inner)
	}
	// A Require inside keeps them.
	var got []string
	protect := func(next http.Handler) http.Handler {
		return includes(h.guard.Require("users.view")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got = middleware.IncludesFrom(r.Context())
			next.ServeHTTP(w, r)
		})))
	}
	requirePass(t, send(protect, request(http.MethodGet, "/?include=orders", key)))
	require.Equal(t, []string{"orders"}, got)
}

func TestRequireIncludesAlone(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	protect := h.guard.RequireIncludes(map[string]string{"orders": "orders.view"})
	reseller := h.issue(apikey.Spec{Type: "reseller", Permissions: scope.MustParseSet("*")}).Secret.Reveal()
	requirePass(t, send(protect, request(http.MethodGet, "/", "Bearer "+h.key())))
	requireRejected(t, send(protect, request(http.MethodGet, "/")), 401, "missing_token")
	requireRejected(t, send(protect, request(http.MethodGet, "/", "Bearer "+reseller)), 403, "wrong_key_type")
}

func TestOptional(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	var p middleware.Principal
	var ok bool
	protect := func(next http.Handler) http.Handler {
		return h.guard.Optional(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			p, ok = middleware.PrincipalFrom(r.Context())
			next.ServeHTTP(w, r)
		}))
	}
	requirePass(t, send(protect, request(http.MethodGet, "/")))
	require.False(t, ok)
	requirePass(t, send(protect, request(http.MethodGet, "/", "Bearer "+h.key())))
	require.True(t, ok)
	require.Equal(t, middleware.KindKey, p.Kind)
	requireRejected(t, send(protect, request(http.MethodGet, "/", "Bearer x")), 401, "invalid_token")
	requireRejected(t, send(protect, request(http.MethodGet, "/", "Bearer")), 401, "missing_token")
	requireRejected(t, send(protect, request(http.MethodGet, "/", "Basic x")), 401, "missing_token")
	requireRejected(t, send(protect, request(http.MethodGet, "/", "Bearer a b")), 400, "invalid_request")
	requireRejected(t, send(protect, request(http.MethodGet, "/", "Bearer x", "Bearer x")), 400, "invalid_request")
}

func TestCheckAndAuthorize(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	key := "Bearer " + h.key("users.view", "orders.view")
	r := request(http.MethodGet, "/", key)

	p, rejected := h.guard.Check(r, middleware.AllOf("users.view"))
	require.Nil(t, rejected)
	require.Equal(t, "192.0.2.1", p.ClientAddr.String())

	p, rejected = h.guard.Check(r, middleware.AllOf("users.view"), middleware.AnyOf("orders.delete", "orders.view"), middleware.OfType("admin"))
	require.Nil(t, rejected)

	p, rejected = h.guard.Authenticate(t.Context(), key, p.ClientAddr)
	require.Nil(t, rejected)
	require.Nil(t, h.guard.Authorize(t.Context(), p, middleware.AllOf("users.view")))

	for _, c := range []struct {
		p            middleware.Principal
		requirements []middleware.Requirement
		status       int
		code         string
	}{
		{p, []middleware.Requirement{middleware.AllOf("users.delete")}, 403, "insufficient_scope"},
		{p, []middleware.Requirement{middleware.AllOf("users.view"), middleware.AllOf("users.delete")}, 403, "insufficient_scope"},
		{p, []middleware.Requirement{middleware.OfType("reseller")}, 403, "wrong_key_type"},
		{p, []middleware.Requirement{{}}, 503, "unavailable"},
		{middleware.Principal{}, []middleware.Requirement{middleware.AllOf("users.view")}, 403, "wrong_key_type"},
		{middleware.Principal{}, []middleware.Requirement{middleware.OfType("admin")}, 403, "wrong_key_type"},
		{middleware.Principal{KeyType: "admin", Permissions: scope.MustParseSet("*")}, []middleware.Requirement{middleware.AllOf("users.view")}, 403, "wrong_key_type"},
	} {
		rejected := h.guard.Authorize(t.Context(), c.p, c.requirements[0], c.requirements[1:]...)
		require.NotNil(t, rejected)
		require.Equal(t, c.status, rejected.Status)
		require.Equal(t, c.code, rejected.Code)
	}
	for challenge, check := range map[string]func() *middleware.Rejection{
		`Bearer realm="api", scope="profile email"`: func() *middleware.Rejection {
			_, rejected := h.guard.Check(request(http.MethodGet, "/"), middleware.Scope("profile", "email"))
			return rejected
		},
		`Bearer realm="api", error="insufficient_scope", scope="profile"`: func() *middleware.Rejection {
			_, rejected := h.guard.Check(r, middleware.Scope("profile"))
			return rejected
		},
		`Bearer realm="api", error="insufficient_scope"`: func() *middleware.Rejection {
			return h.guard.Authorize(t.Context(), p, middleware.AllOf("users.delete"))
		},
	} {
		rejected := check()
		require.Equal(t, challenge, rejected.Challenge)
		w := httptest.NewRecorder() // by a router that writes answers in a way of its own
		middleware.WriteRejection(w, r, *rejected)
		require.Equal(t, challenge, w.Header().Get("WWW-Authenticate"))
		require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
		require.Equal(t, rejected.Status, w.Code)
	}
	p, rejected = h.guard.Check(r, middleware.AllOf("users.delete"))
	require.Equal(t, []string{"users.delete"}, rejected.Required)
	require.Equal(t, middleware.Principal{}, p, "nobody comes with a rejection")

	_, rejected = h.guard.Authenticate(t.Context(), "Bearer x", p.ClientAddr)
	require.Equal(t, "invalid_token", rejected.Code)
	_, rejected = h.guard.Authenticate(t.Context(), "", p.ClientAddr)
	require.Equal(t, "missing_token", rejected.Code)
}

func TestCheckOfAnUnknownPermission(t *testing.T) {
	t.Parallel()
	catalog, err := scope.NewCatalog(scope.Permission{Name: "users.view"})
	require.NoError(t, err)
	h := newHouse(t, func(c *middleware.Config) { c.Catalog = catalog })
	r := request(http.MethodGet, "/", "Bearer "+h.key("*"))
	_, rejected := h.guard.Check(r, middleware.AllOf("user.view"))
	require.Equal(t, "unavailable", rejected.Code)
	require.ErrorContains(t, rejected.Err, `did you mean "users.view"?`)
	_, rejected = h.guard.Check(r, middleware.AllOf("users.view"))
	require.Nil(t, rejected)
}

func TestPathsMakeNoDifference(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	mux := http.NewServeMux()
	mux.Handle("/users/", h.guard.Resource("users")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("the handler was reached")
	})))
	for _, path := range []string{"/users/", "/users/1", "/users/%2e%2e/users/1", "/users/1%2F2", "/users//1", "/users/../users/1", "/users/1;x", "/users/%00"} {
		for _, method := range []string{"GET", "HEAD", "OPTIONS", "POST", "DELETE"} {
			a := send(func(http.Handler) http.Handler { return mux }, request(method, path))
			require.Contains(t, []int{301, 307, 401}, a.Code, "%s %s", method, path)
		}
	}
}
