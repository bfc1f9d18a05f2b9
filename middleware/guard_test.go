package middleware_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/middleware"
	"github.com/latchwork/latchwork/scope"
)

// foreign accepts everything under a prefix as one principal, as an adapter
// for another identity provider would.
type foreign struct {
	prefix    string
	principal middleware.Principal
	err       error
}

func (f foreign) Recognize(presented string) bool { return strings.HasPrefix(presented, f.prefix) }

func (f foreign) Samples() []string { return []string{f.prefix + "sample"} }

func (f foreign) Authenticate(context.Context, string, middleware.Request) (middleware.Principal, error) {
	return f.principal, f.err
}

// mute recognizes nothing, not even its own samples.
type mute struct{ foreign }

func (mute) Recognize(string) bool { return false }

// shy has no samples.
type shy struct{ foreign }

func (shy) Samples() []string { return nil }

func TestNewNamesEveryFault(t *testing.T) {
	t.Parallel()
	keys, err := apikey.New(apikey.NewMemoryStore(), apikey.Config{Prefix: "paym"})
	require.NoError(t, err)
	live, err := apikey.New(apikey.NewMemoryStore(), apikey.Config{Prefix: "live"})
	require.NoError(t, err)

	refuse := func(cfg middleware.Config, faults ...string) {
		t.Helper()
		guard, err := middleware.New(cfg)
		require.Nil(t, guard)
		for _, fault := range faults {
			require.ErrorContains(t, err, fault)
		}
		for line := range strings.Lines(err.Error()) {
			require.True(t, strings.HasPrefix(line, "middleware: "), line)
		}
	}
	of := func(a ...middleware.Authenticator) middleware.Config { return middleware.Config{Credentials: a} }

	refuse(middleware.Config{}, "Credentials is empty")
	refuse(of(nil), "Credentials[0] is nil")
	refuse(of(middleware.Keys(nil)), "Credentials[0] is nil")
	refuse(of(middleware.Keys(keys), nil, shy{}), "Credentials[1] is nil", "Credentials[2] has no samples")
	refuse(of(middleware.Keys(keys), middleware.Keys(keys)), "Credentials[1] and Credentials[0] recognize the same shape")
	refuse(of(middleware.Keys(keys), foreign{prefix: "pa"}), "Credentials[1] and Credentials[0]")
	refuse(of(foreign{prefix: ""}, middleware.Keys(keys)), "Credentials[0] and Credentials[1]")
	refuse(of(mute{}), "does not recognize its own samples")
	refuse(of(shy{}), "has no samples")
	refuse(middleware.Config{
		KeyTypes: []string{""}, KeyHeader: "authorization", Realm: `a"b`,
	}, "Credentials is empty", "empty type", "KeyHeader", "Realm")
	for _, header := range []string{
		"Cookie", "host", "X Key", "X-Key:", "ä", "Proxy-Authorization", "X/", "X:", "X@", "X[", "X{", "X\x7f", "X(", `X"`,
	} {
		refuse(middleware.Config{Credentials: of(middleware.Keys(keys)).Credentials, KeyHeader: header}, "KeyHeader")
	}
	for _, header := range []string{"", "X-API-Key", "09AZaz", "Z-Z", "!#$%&'*+-.^_`|~"} {
		_, err = middleware.New(middleware.Config{Credentials: of(middleware.Keys(keys)).Credentials, KeyHeader: header, Realm: " ~"})
		require.NoError(t, err, header)
	}

	_, err = middleware.New(of(middleware.Keys(keys), middleware.Keys(live), foreign{prefix: "eyJ"}))
	require.NoError(t, err)
}

func TestConfigIsCopied(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	cfg := middleware.Config{Credentials: []middleware.Authenticator{middleware.Keys(h.keys)}, KeyTypes: []string{"admin"}}
	guard, err := middleware.New(cfg)
	require.NoError(t, err)
	cfg.Credentials[0], cfg.KeyTypes[0] = nil, "reseller"
	requirePass(t, send(guard.Require("users.view"), request(http.MethodGet, "/", "Bearer "+h.key("users.view"))))
}

func TestZeroGuardRefusesEverything(t *testing.T) {
	t.Parallel()
	var guard middleware.Guard
	key := newHouse(t).key("*")
	requireRejected(t, send(guard.RequireType("admin"), request(http.MethodGet, "/", "Bearer "+key)), 401, "invalid_token")
	requireRejected(t, send(guard.Optional, request(http.MethodGet, "/", "Bearer "+key)), 401, "invalid_token")
	requireRejected(t, send(guard.Optional, request(http.MethodGet, "/")), 401, "missing_token")
	require.Panics(t, func() { guard.Require("users.view") })
	_, rejected := guard.Check(request(http.MethodGet, "/"), middleware.AllOf("users.view"))
	require.Equal(t, "missing_token", rejected.Code)
}

func TestWiringPanics(t *testing.T) {
	t.Parallel()
	catalog, err := scope.NewCatalog(
		scope.Permission{Name: "users.view"}, scope.Permission{Name: "users.create"},
		scope.Permission{Name: "users.update"}, scope.Permission{Name: "users.delete"},
	)
	require.NoError(t, err)
	g := newHouse(t, func(c *middleware.Config) { c.Catalog = catalog }).guard
	for _, name := range []string{"", ".", "users", "users.*", "*", "users..view", "users.view ", "üsers.view", "users.view,users.create"} {
		for what, wire := range map[string]func(){
			"Require":         func() { g.Require(name) },
			"Require second":  func() { g.Require("users.view", name) },
			"RequireAny":      func() { g.RequireAny("users.view", name) },
			"RequireType":     func() { g.RequireType("admin", name) },
			"RequireIncludes": func() { g.RequireIncludes(map[string]string{"x": name}) },
		} {
			require.Panics(t, wire, "%s(%q)", what, name)
		}
	}
	for name, build := range map[string]func(...string) middleware.Requirement{
		"AllOf": middleware.AllOf, "AnyOf": middleware.AnyOf, "Scope": middleware.Scope, "AnyScope": middleware.AnyScope,
		"ClientScope": middleware.ClientScope,
		"OfType":      func(names ...string) middleware.Requirement { return middleware.OfType("admin", names...) },
	} {
		require.Panics(t, func() { build("users.view", "users..view") }, name)
		require.Panics(t, func() { build("") }, name)
		require.NotPanics(t, func() { build("no.catalogue.yet") }, name)
	}
	require.NotPanics(t, func() { middleware.OfType("admin") })
	require.Panics(t, func() { g.Require() }, "everybody would pass")
	require.Panics(t, func() { g.RequireAny() })
	require.Panics(t, func() { g.RequireType("") })
	require.Panics(t, func() { g.Resource("") })
	require.Panics(t, func() { g.Resource("*") })
	require.Panics(t, func() { g.Resource("orders") }, "not in the catalogue")
	require.PanicsWithValue(t, `middleware: the catalogue has no permission "user.view": did you mean "users.view"?`,
		func() { g.Require("user.view") })
	require.NotPanics(t, func() { g.Require("users.view"); g.Resource("users") })
	for name, wire := range map[string]func(http.Handler) http.Handler{
		"Require": g.Require("users.view"), "Resource": g.Resource("users"), "RequireIncludes": g.RequireIncludes(nil), "Optional": g.Optional,
	} {
		require.PanicsWithValue(t, "middleware: the handler is nil", func() { wire(nil) }, name)
	}
}

func TestClientAddr(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	bound := h.issue(apikey.Spec{Permissions: scope.MustParseSet("users.view"), AllowedIPs: listOf("192.0.2.0/24", "2001:db8::/32")})
	free := h.key("users.view")
	from := func(remote, key string) answer {
		r := request(http.MethodGet, "/", "Bearer "+key)
		r.RemoteAddr = remote
		r.Header.Set("X-Forwarded-For", "192.0.2.1")
		r.Header.Set("Forwarded", "for=192.0.2.1")
		r.Header.Set("X-Real-Ip", "192.0.2.1")
		return send(h.guard.Require("users.view"), r)
	}
	for _, remote := range []string{"192.0.2.1:5000", "[::ffff:192.0.2.1]:5000", "[2001:DB8::1]:1", "192.0.2.1"} {
		requirePass(t, from(remote, bound.Secret.Reveal()))
	}
	body := requireRejected(t, from("198.51.100.7:1", bound.Secret.Reveal()), 403, "ip_not_allowed")
	require.Equal(t, "198.51.100.7", body["client_ip"])
	require.NotContains(t, body["message"], "192.0.2", "the list is nobody's business")
	for _, remote := range []string{"", "@", "not-an-ip:1", "0.0.0.0:1"} {
		body := requireRejected(t, from(remote, bound.Secret.Reveal()), 403, "client_ip_unknown")
		require.NotContains(t, body, "client_ip")
		requirePass(t, from(remote, free))
	}
	for _, authorization := range []string{"Bearer x", "Bearer a b", ""} {
		a := send(h.guard.Require("users.view"), request(http.MethodGet, "/", authorization))
		require.NotContains(t, a.Body.String(), "client_ip")
	}
}

func TestHideAddressRefusal(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *middleware.Config) { c.HideAddressRefusal = true })
	bound := h.issue(apikey.Spec{Permissions: scope.MustParseSet("users.view"), AllowedIPs: listOf("198.51.100.7")})
	refused := send(h.guard.Require("users.view"), request(http.MethodGet, "/", "Bearer "+bound.Secret.Reveal()))
	unknown := send(h.guard.Require("users.view"), request(http.MethodGet, "/", "Bearer "+newHouse(t).key("users.view")))
	requireRejected(t, refused, 401, "invalid_token")
	require.Equal(t, unknown.Body.String(), refused.Body.String())
	require.Equal(t, unknown.Header(), refused.Header())
	unseen := h.key("users.view")
	h.spy.Fail(http.ErrServerClosed)
	requireRejected(t, send(h.guard.Require("users.view"), request(http.MethodGet, "/", "Bearer "+unseen)), 503, "unavailable")
}

func TestCustomAuthenticator(t *testing.T) {
	t.Parallel()
	try := func(f foreign) (*house, answer) {
		f.prefix = "eyJ"
		h := newHouse(t, func(c *middleware.Config) { c.Credentials = append(c.Credentials, f) })
		return h, send(h.guard.Require("users.view"), request(http.MethodGet, "/", "Bearer eyJx"))
	}
	_, a := try(foreign{principal: middleware.Principal{
		Kind: middleware.KindKey, KeyType: "admin", Permissions: scope.MustParseSet("users.view"),
	}})
	requirePass(t, a)
	_, a = try(foreign{principal: middleware.Principal{Kind: middleware.KindUser, Subject: "ada", Permissions: scope.MustParseSet("users.view")}})
	requireRejected(t, a, 403, "wrong_key_type")
	_, a = try(foreign{principal: middleware.Principal{}})
	requireRejected(t, a, 503, "unavailable")
	_, a = try(foreign{err: middleware.ErrInvalidCredential})
	requireRejected(t, a, 401, "invalid_token")
	h, a := try(foreign{err: http.ErrServerClosed})
	body := requireRejected(t, a, 503, "unavailable")
	require.NotContains(t, body["message"], "closed")
	require.Zero(t, h.spy.Calls("Find"), "a credential never falls through to another Authenticator")
}

// CORS belongs outside the Guard: a preflight carries no credential.
func ExampleGuard_Require_wrongOrder() {
	guard := new(middleware.Guard)
	cors := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodOptions {
				w.WriteHeader(http.StatusNoContent)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
	wrong := guard.RequireType("admin")(cors(http.NotFoundHandler()))
	right := cors(guard.RequireType("admin")(http.NotFoundHandler()))
	for _, handler := range []http.Handler{wrong, right} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodOptions, "/users", nil))
		fmt.Println(w.Code)
	}
	// Output:
	// 401
	// 204
}

// A router with a context of its own, as gin is one, runs a Guard's middleware
// like any other.
func TestForeignRouter(t *testing.T) {
	t.Parallel()
	type routerContext struct {
		w       http.ResponseWriter
		r       *http.Request
		aborted bool
	}
	h := newHouse(t)
	guarded := func(c *routerContext, protect func(http.Handler) http.Handler) {
		if c.aborted {
			return
		}
		passed := false
		protect(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { passed, c.r = true, r })).ServeHTTP(c.w, c.r)
		c.aborted = !passed
	}
	run := func(target, authorization string) (middleware.Principal, []string, *httptest.ResponseRecorder) {
		w := httptest.NewRecorder()
		c := &routerContext{w: w, r: request(http.MethodGet, target, authorization)}
		guarded(c, h.guard.Optional)
		guarded(c, h.guard.Require("users.view"))
		guarded(c, h.guard.RequireIncludes(map[string]string{"orders": "orders.view", "user": "users.view"}))
		p, _ := middleware.PrincipalFrom(c.r.Context())
		return p, middleware.IncludesFrom(c.r.Context()), w
	}
	key := "Bearer " + h.key("users.view")
	p, includes, w := run("/?include=user", key)
	require.Equal(t, middleware.KindKey, p.Kind)
	require.Equal(t, []string{"user"}, includes)
	require.Equal(t, 1, h.spy.Calls("Find"), "authenticated once")
	require.Empty(t, w.Header())
	for target, want := range map[string]int{"/?include=orders": 403, "/?include=x": 400} {
		_, includes, w = run(target, key)
		require.Equal(t, want, w.Code)
		require.Empty(t, includes)
	}
	_, _, w = run("/", "Bearer x")
	require.Equal(t, 401, w.Code)
	require.Equal(t, 1, strings.Count(w.Body.String(), "invalid_token"), "answered once")
}

// Where nothing is bound, WithPrincipal hands on what was found.
func ExampleGuard_Authenticate() {
	keys, _ := apikey.New(apikey.NewMemoryStore(), apikey.Config{Prefix: "demo"})
	issued, _ := keys.Create(context.Background(), apikey.Spec{
		Name: "CI", Type: "admin", Permissions: scope.MustParseSet("users.view"),
	})
	guard, _ := middleware.New(middleware.Config{
		Credentials: []middleware.Authenticator{middleware.Keys(keys)}, KeyTypes: []string{"admin"},
	})
	// As an interceptor of gRPC would.
	intercept := func(ctx context.Context, authorization string, peer netip.Addr) (context.Context, error) {
		p, rejected := guard.Authenticate(ctx, authorization, peer)
		if rejected == nil {
			rejected = guard.Authorize(ctx, p, middleware.AllOf("users.view"))
		}
		if rejected != nil {
			return nil, fmt.Errorf("%s: %s", rejected.Code, rejected.Message)
		}
		return middleware.WithPrincipal(ctx, p), nil
	}
	for _, authorization := range []string{"Bearer " + issued.Secret.Reveal(), "Bearer x"} {
		ctx, err := intercept(context.Background(), authorization, netip.MustParseAddr("192.0.2.1"))
		if err != nil {
			fmt.Println(err)
			continue
		}
		p, _ := middleware.PrincipalFrom(ctx)
		fmt.Println(p.Kind, p.Permissions)
	}
	// Output:
	// key users.view
	// invalid_token: The credential is not valid.
}

// What a resolver returns beside an error is not the client's address.
func TestAnErrorIsNoAddress(t *testing.T) {
	t.Parallel()
	proxy := func(*http.Request) (netip.Addr, error) {
		return netip.MustParseAddr("192.0.2.1"), http.ErrMissingFile
	}
	for hide, want := range map[bool]string{false: "client_ip_unknown", true: "invalid_token"} {
		h := newHouse(t, func(c *middleware.Config) { c.ClientAddr, c.HideAddressRefusal = proxy, hide })
		bound := h.issue(apikey.Spec{Permissions: scope.MustParseSet("users.view"), AllowedIPs: listOf("192.0.2.1")})
		_, rejected := h.guard.Check(request(http.MethodGet, "/", "Bearer "+bound.Secret.Reveal()), middleware.AllOf("users.view"))
		require.Equal(t, want, rejected.Code)
	}
}

func TestKeyActor(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	issued := h.issue(apikey.Spec{Permissions: scope.MustParseSet("users.view")})
	actorOf := middleware.KeyActor(h.keys)
	as := func(p middleware.Principal) (apikey.Actor, error) {
		return actorOf(request(http.MethodGet, "/").WithContext(middleware.WithPrincipal(t.Context(), p)))
	}
	actor, err := as(middleware.Principal{Kind: middleware.KindKey, CredentialID: issued.Key.ID})
	require.NoError(t, err)
	require.Equal(t, apikey.KeyActorID(issued.Key.ID), actor.ID)
	for _, kind := range []middleware.Kind{0, middleware.KindUser, middleware.KindClient} {
		_, err = as(middleware.Principal{Kind: kind, CredentialID: issued.Key.ID})
		require.ErrorIs(t, err, apikey.ErrNoActor)
	}
	_, err = actorOf(request(http.MethodGet, "/"))
	require.ErrorIs(t, err, apikey.ErrNoActor)
}

func TestRequirementsAreCopied(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	names := []string{"users.delete"}
	requirement := middleware.AllOf(names...)
	names[0] = "users.view"
	_, rejected := h.guard.Check(request(http.MethodGet, "/", "Bearer "+h.key("users.view")), requirement)
	require.Equal(t, "insufficient_scope", rejected.Code)
}
