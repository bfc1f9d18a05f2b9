package middleware_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/internal/credential"
	"github.com/latchwork/latchwork/middleware"
	"github.com/latchwork/latchwork/oauth"
	"github.com/latchwork/latchwork/scope"
)

// An agency is a house whose Guard accepts the tokens of a Server, too.
type agency struct {
	*house

	server *oauth.Server
	store  *tokenStore
	format credential.Format
	now    time.Time
}

// A tokenStore counts lookups and can fail.
type tokenStore struct {
	*oauth.MemoryStore

	lookups atomic.Int64
	err     error
}

func (s *tokenStore) Lookup(ctx context.Context, h oauth.Hash) (oauth.Credential, oauth.Grant, error) {
	s.lookups.Add(1)
	if s.err != nil {
		return oauth.Credential{}, oauth.Grant{}, s.err
	}
	return s.MemoryStore.Lookup(ctx, h)
}

func newAgency(t *testing.T, change ...func(*middleware.Config)) *agency {
	t.Helper()
	a := &agency{store: &tokenStore{MemoryStore: oauth.NewMemoryStore()}, now: time.Now().UTC().Truncate(time.Microsecond)}
	var err error
	a.format, err = credential.New("paym_at")
	require.NoError(t, err)
	a.server, err = oauth.New(a.store, oauth.StaticClients{}, oauth.Config{
		Issuer: "https://billing.example", Prefix: "paym", Now: func() time.Time { return a.now },
	})
	require.NoError(t, err)
	tokens := func(c *middleware.Config) { c.Credentials = append(c.Credentials, middleware.Tokens(a.server)) }
	a.house = newHouse(t, append([]func(*middleware.Config){tokens}, change...)...)
	return a
}

// user issues an access token of a user, and client one of a client itself.
func (a *agency) user(scopes ...string) string   { return a.token(oauth.SubjectUser, scopes) }
func (a *agency) client(scopes ...string) string { return a.token(oauth.SubjectClient, scopes) }

func (a *agency) token(kind oauth.SubjectKind, scopes []string, resources ...string) string {
	a.t.Helper()
	token := a.format.Generate()
	g := oauth.Grant{
		ID: "grant " + token, Subject: oauth.Subject{Kind: kind, ID: "u1"}, ClientID: "u1",
		Scope: scope.MustParseSet(scopes...), Resources: resources, CreatedAt: a.now, ExpiresAt: a.now.Add(time.Hour),
	}
	require.NoError(a.t, a.store.CreateGrant(a.t.Context(), g, oauth.Credential{
		ID: "token-id", Hash: sha256.Sum256([]byte(token)), Kind: oauth.KindAccess, GrantID: g.ID, ClientID: g.ClientID,
		Scope: g.Scope, Resources: resources, CreatedAt: a.now, ExpiresAt: g.ExpiresAt,
	}))
	return token
}

// get sends a request to a route of the given protection.
func get(protect func(http.Handler) http.Handler, authorization ...string) answer {
	return send(protect, request(http.MethodGet, "/api/me", authorization...))
}

func TestReq170_TokenWithScope(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	token := a.user("profile", "invoices")
	var p middleware.Principal
	a.guard.RequireScope("profile")(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		p, _ = middleware.PrincipalFrom(r.Context())
	})).ServeHTTP(httptest.NewRecorder(), request(http.MethodGet, "/", "Bearer "+token))
	require.Equal(t, "invoices profile", p.Permissions.String())
	p.Permissions = scope.Set{}
	require.Equal(t, fmt.Sprintf("%+v", middleware.Principal{
		Kind: middleware.KindUser, Subject: "u1", ClientID: "u1", GrantID: "grant " + token, CredentialID: "token-id",
		ClientAddr: p.ClientAddr, ExpiresAt: a.now.Add(time.Hour),
	}), fmt.Sprintf("%+v", p))
	require.Equal(t, "192.0.2.1", p.ClientAddr.String())
}

// A token for other resources is none for this one, and nobody knows which this
// one is.
func TestTokensForResources(t *testing.T) {
	t.Parallel()
	for _, resources := range [][]string{
		{"https://other.example/api"}, {"https://billing.example"}, {"https://other.example", "https://billing.example"},
	} {
		a := newAgency(t)
		got := get(a.guard.RequireScope("profile"), "Bearer "+a.token(oauth.SubjectUser, []string{"profile"}, resources...))
		require.Equal(t, 401, got.Code)
		require.Equal(t, `Bearer realm="api", error="invalid_token", scope="profile"`, got.Header().Get("WWW-Authenticate"))
	}
}

// Every row is sent to RequireScope("profile").
func TestBearerTokens(t *testing.T) {
	t.Parallel()
	const none, invalid, lacking, malformed = `Bearer realm="api", scope="profile"`,
		`Bearer realm="api", error="invalid_token", scope="profile"`,
		`Bearer realm="api", error="insufficient_scope", scope="profile"`,
		`Bearer realm="api", error="invalid_request"`
	for _, c := range []struct {
		name          string
		authorization func(a *agency) []string
		status        int
		code          string
		challenge     string
		lookups       int64
	}{
		{"170 valid", one(func(a *agency) string { return "Bearer " + a.user("profile") }), 204, "", "", 1},
		{"171 bearer", one(func(a *agency) string { return "bearer " + a.user("profile") }), 204, "", "", 1},
		{"171 BEARER", one(func(a *agency) string { return "BEARER " + a.user("profile") }), 204, "", "", 1},
		{"172 nothing", func(*agency) []string { return nil }, 401, "missing_token", none, 0},
		{"172 Bearer alone", one(func(*agency) string { return "Bearer" }), 401, "missing_token", none, 0},
		{"173 Basic", one(func(*agency) string { return "Basic dTE6cGFzc3dvcmQ=" }), 401, "missing_token", none, 0},
		{"174 two tokens", one(func(a *agency) string { return "Bearer " + a.user("profile") + " " + a.user("profile") }), 400, "invalid_request", malformed, 0},
		{"174 a quote", one(func(*agency) string { return `Bearer "x"` }), 400, "invalid_request", malformed, 0},
		{"174 not ASCII", one(func(*agency) string { return "Bearer paym_at_ü" }), 400, "invalid_request", malformed, 0},
		{"175 unknown", one(func(a *agency) string { return "Bearer " + a.format.Generate() }), 401, "invalid_token", invalid, 1},
		{"175 bad checksum", one(func(a *agency) string { token := a.user("profile"); return "Bearer " + token[:len(token)-1] + "~" }), 401, "invalid_token", invalid, 0},
		{"175 a part", one(func(a *agency) string { return "Bearer " + a.user("profile")[:30] }), 401, "invalid_token", invalid, 0},
		{"175 expired", one(func(a *agency) string {
			defer func() { a.now = a.now.Add(time.Hour) }()
			return "Bearer " + a.user("profile")
		}), 401, "invalid_token", invalid, 1},
		{"175 revoked", one(func(a *agency) string {
			token := a.user("profile")
			_, err := a.store.RevokeGrants(a.t.Context(), oauth.Filter{ClientID: "u1"}, a.now)
			require.NoError(a.t, err)
			return "Bearer " + token
		}), 401, "invalid_token", invalid, 1},
		{"175 a refresh token", one(func(a *agency) string { return "Bearer " + strings.Replace(a.user("profile"), "_at_", "_rt_", 1) }), 401, "invalid_token", invalid, 0},
		{"176 another scope", one(func(a *agency) string { return "Bearer " + a.user("invoices") }), 403, "insufficient_scope", lacking, 1},
		{"176 no scope", one(func(a *agency) string { return "Bearer " + a.user() }), 403, "insufficient_scope", lacking, 1},
		{"177 two headers", func(a *agency) []string {
			return []string{"Bearer " + a.user("profile"), "Bearer " + a.user("profile")}
		}, 400, "invalid_request", malformed, 0},
		{"181 more than 4 KiB", one(func(*agency) string { return "Bearer paym_at_" + strings.Repeat("x", 4096) }), 400, "invalid_request", malformed, 0},
		{"182 the store fails", one(func(a *agency) string {
			a.store.err = errors.New("db7.internal is down")
			return "Bearer " + a.user("profile")
		}), 503, "unavailable", "", 1},
		{"183 a client's own token", one(func(a *agency) string { return "Bearer " + a.client("profile") }), 403, "user_required", lacking, 1},
		{"183 a key that holds everything", one(func(a *agency) string { return "Bearer " + a.key("*") }), 403, "user_required", lacking, 0},
		{"184 the user was disabled or deleted", one(func(a *agency) string {
			token := a.user("profile")
			_, err := a.server.RevokeSubject(a.t.Context(), "u1")
			require.NoError(a.t, err)
			return "Bearer " + token
		}), 401, "invalid_token", invalid, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := newAgency(t)
			authorization := c.authorization(a)
			got := get(a.guard.RequireScope("profile"), authorization...)
			require.Equal(t, c.lookups, a.store.lookups.Load())
			if c.status == 204 {
				requirePass(t, got)
				return
			}
			body := requireRejected(t, got, c.status, c.code)
			require.NotContains(t, got.Body.String(), "db7.internal")
			require.Equal(t, []string{c.challenge}, append(got.Header().Values("WWW-Authenticate"), "")[:1])
			if c.code == "insufficient_scope" {
				require.Equal(t, []any{"profile"}, body["required"])
			}
			if c.code == "invalid_token" { // one message for all
				unknown := get(a.guard.RequireScope("profile"), "Bearer "+a.format.Generate())
				require.Equal(t, unknown.Body.String(), got.Body.String())
				require.Equal(t, unknown.Header(), got.Header())
			}
		})
	}
}

func one(value func(*agency) string) func(*agency) []string {
	return func(a *agency) []string { return []string{value(a)} }
}

// Neither way is offered: what stands there is not a credential. Beside one in
// the header, a second one in the URL is too many; a body is the handler's.
func TestReq177_178_179_TokensInTheURLOrTheBody(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	token := a.user("profile")
	form := func() *http.Request {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("access_token="+token))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return r
	}
	for _, r := range []*http.Request{httptest.NewRequest(http.MethodGet, "/?access_token="+token, nil), form()} {
		requireRejected(t, send(a.guard.RequireScope("profile"), r), 401, "missing_token")
		require.Zero(t, a.store.lookups.Load())
	}
	for query, passes := range map[string]bool{
		"access_token=" + token: false, "access_token": false, "a=b&access_token=" + a.user(): false,
		"": true, "access_tokens=x&xaccess_token=y&a=access_token": true,
	} {
		r := form()
		r.URL.RawQuery = query
		r.Header.Set("Authorization", "Bearer "+token)
		got := send(a.guard.RequireScope("profile"), r)
		if passes {
			requirePass(t, got)
			continue
		}
		requireRejected(t, got, 400, "invalid_request")
		require.Equal(t, `Bearer realm="api", error="invalid_request"`, got.Header().Get("WWW-Authenticate"))
		requireRejected(t, send(a.guard.Optional, r), 400, "invalid_request")
	}
}

func TestReq180_186_OneWellFormedChallenge(t *testing.T) {
	t.Parallel()
	for _, realm := range []string{`a"b`, `a\b`, "a\r\nX: y", "ä"} {
		_, err := middleware.New(middleware.Config{Realm: realm})
		require.ErrorContains(t, err, "Realm")
	}
	a := newAgency(t, func(c *middleware.Config) { c.Realm = "billing, the (real) one" })
	for _, authorization := range []string{"", "Bearer x", "Bearer a b", "Bearer " + a.user(), "Bearer " + a.client(), "Bearer " + a.key(), "Bearer \r\nX: y", `Bearer ", error="x`} {
		for _, protect := range []func(http.Handler) http.Handler{
			a.guard.RequireScope("profile", "invoices"), a.guard.RequireAnyScope("profile", "invoices"), a.guard.RequireClientScope("profile", "invoices"),
		} {
			got := get(protect, authorization)
			require.Len(t, got.Header().Values("WWW-Authenticate"), 1)
			require.Regexp(t, `^Bearer realm="billing, the \(real\) one"(, error="[a-z_]+")?(, scope="profile invoices")?$`, got.Header().Get("WWW-Authenticate"))
		}
	}
}

// The matrix of who may pass which door.
func TestReq183_EachKindHasItsDoors(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	doors := []struct {
		name    string
		protect func(http.Handler) http.Handler
	}{
		{"Require", a.guard.Require("profile")},
		{"RequireAny", a.guard.RequireAny("profile")},
		{"RequireType", a.guard.RequireType("admin")},
		{"RequireScope", a.guard.RequireScope("profile")},
		{"RequireAnyScope", a.guard.RequireAnyScope("profile", "other")},
		{"RequireClientScope", a.guard.RequireClientScope("profile")},
	}
	const pass, wrong, user, client = "pass", "wrong_key_type", "user_required", "client_required"
	for _, c := range []struct {
		who, credential string
		through         [6]string
	}{
		{"key", a.key("profile"), [6]string{pass, pass, pass, user, user, client}},
		{"key with everything", a.key("*"), [6]string{pass, pass, pass, user, user, client}},
		{"user", a.user("profile"), [6]string{wrong, wrong, wrong, pass, pass, client}},
		{"client", a.client("profile"), [6]string{wrong, wrong, wrong, user, user, pass}},
	} {
		for i, door := range doors {
			got := get(door.protect, "Bearer "+c.credential)
			if c.through[i] == pass {
				requirePass(t, got)
				continue
			}
			requireRejected(t, got, 403, c.through[i])
			challenged := got.Header().Get("WWW-Authenticate") != ""
			require.Equal(t, i >= 3, challenged, "%s at %s", c.who, door.name)
		}
	}
	r := request(http.MethodDelete, "/", "Bearer "+a.user("invoices.delete"))
	requireRejected(t, send(a.guard.Resource("invoices"), r), 403, "wrong_key_type")
	requirePass(t, get(a.guard.Optional, "Bearer "+a.user()))
	requireRejected(t, get(a.guard.Optional, "Bearer "+a.format.Generate()), 401, "invalid_token")
}

// Laravel Passport, CVE-2026-39976: a client whose ID is a user's is not the
// user.
func TestReq082_CVE_2026_39976_AClientIsNoUser(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	p, rejected := a.guard.Check(request(http.MethodGet, "/", "Bearer "+a.client("profile")), middleware.ClientScope("profile"))
	require.Nil(t, rejected)
	require.Equal(t, middleware.KindClient, p.Kind)
	require.Equal(t, "u1", p.ClientID)
	require.Empty(t, p.Subject)
	require.Empty(t, p.Owner)
	_, rejected = a.guard.Check(request(http.MethodGet, "/", "Bearer "+a.client("profile")), middleware.Scope("profile"))
	require.Equal(t, "user_required", rejected.Code)
}

func TestReq185_ThePrefixDecides(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	requireRejected(t, get(a.guard.RequireScope("profile"), "Bearer "+newHouse(t).key("profile")), 401, "invalid_token")
	require.Zero(t, a.store.lookups.Load(), "a key fell through to the tokens")
	before := a.spy.Calls("Find")
	requireRejected(t, get(a.guard.Require("profile"), "Bearer "+a.format.Generate()), 401, "invalid_token")
	require.Equal(t, before, a.spy.Calls("Find"), "a token fell through to the keys")

	_, err := middleware.New(middleware.Config{Credentials: []middleware.Authenticator{middleware.Tokens(a.server), middleware.Tokens(a.server)}})
	require.ErrorContains(t, err, "same shape")
	_, err = middleware.New(middleware.Config{Credentials: []middleware.Authenticator{middleware.Tokens(nil)}})
	require.ErrorContains(t, err, "Credentials[0] is nil")
	_, err = middleware.New(middleware.Config{Credentials: []middleware.Authenticator{middleware.Tokens(new(oauth.Server))}})
	require.ErrorContains(t, err, "does not recognize its own samples")
}

func TestReq187_AllAndAnyScopes(t *testing.T) {
	t.Parallel()
	catalog, err := scope.NewCatalog(scope.Permission{Name: "profile"}, scope.Permission{Name: "invoices"})
	require.NoError(t, err)
	a := newAgency(t, func(c *middleware.Config) { c.Scopes = catalog })
	both, one := "Bearer "+a.user("profile", "invoices"), "Bearer "+a.user("invoices")
	requirePass(t, get(a.guard.RequireScope("profile", "invoices"), both))
	body := requireRejected(t, get(a.guard.RequireScope("profile", "invoices"), one), 403, "insufficient_scope")
	require.Equal(t, []any{"profile"}, body["required"])
	requirePass(t, get(a.guard.RequireAnyScope("profile", "invoices"), one))
	requireRejected(t, get(a.guard.RequireAnyScope("profile"), one), 403, "insufficient_scope")

	g := a.guard
	for _, wire := range []func(...string) func(http.Handler) http.Handler{g.RequireScope, g.RequireAnyScope, g.RequireClientScope} {
		require.Panics(t, func() { wire() }, "everybody would pass")
		for _, name := range []string{"", "*", "profile invoices", "profile.*", "root"} {
			require.Panics(t, func() { wire("profile", name) }, name)
		}
		require.PanicsWithValue(t, `middleware: the catalogue has no permission "profil": did you mean "profile"?`, func() { wire("profil") })
	}
}

func TestReq188_RejectionsAreNotStored(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	w := httptest.NewRecorder()
	a.guard.RequireScope("profile")(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "private, max-age=60")
	})).ServeHTTP(w, request(http.MethodGet, "/", "Bearer "+a.user("profile")))
	require.Equal(t, "private, max-age=60", w.Header().Get("Cache-Control")) // requireRejected looks at the others
}

// What a handler does to its copy widens nothing downstream.
func TestReq189_ThePrincipalIsImmutable(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	for _, meddle := range []func(r *http.Request) *http.Request{
		func(r *http.Request) *http.Request {
			p, _ := middleware.PrincipalFrom(r.Context())
			p.Permissions, p.Kind, p.Subject = scope.MustParseSet("*"), middleware.KindKey, "root"
			return r
		},
		func(r *http.Request) *http.Request {
			p, _ := middleware.PrincipalFrom(r.Context())
			p.Permissions = scope.MustParseSet("*")
			return r.WithContext(middleware.WithPrincipal(r.Context(), p))
		},
	} {
		inner := a.guard.RequireScope("invoices")
		got := get(func(next http.Handler) http.Handler {
			return a.guard.RequireScope("profile")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				inner(next).ServeHTTP(w, meddle(r))
			}))
		}, "Bearer "+a.user("profile"))
		requireRejected(t, got, 403, "insufficient_scope")
	}
}

func TestReq190_Me(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	me := a.guard.RequireScope("profile")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, ok := middleware.PrincipalFrom(r.Context())
		require.True(t, ok)
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"id":%q}`, p.Subject)
	}))
	w := httptest.NewRecorder()
	me.ServeHTTP(w, request(http.MethodGet, "/api/me", "Bearer "+a.user("profile")))
	require.Equal(t, 200, w.Code)
	require.JSONEq(t, `{"id":"u1"}`, w.Body.String())
	w = httptest.NewRecorder()
	me.ServeHTTP(w, request(http.MethodGet, "/api/me", "Bearer "+a.user("invoices")))
	require.Equal(t, 403, w.Code)
	require.Equal(t, `Bearer realm="api", error="insufficient_scope", scope="profile"`, w.Header().Get("WWW-Authenticate"))
}

// A token has no list of addresses, and is no key to send in a header for keys.
func TestTokensAreNoKeys(t *testing.T) {
	t.Parallel()
	a := newAgency(t, func(c *middleware.Config) { c.KeyHeader = "X-API-Key" })
	r := request(http.MethodGet, "/")
	r.Header.Set("X-Api-Key", a.user("profile"))
	requireRejected(t, send(a.guard.RequireScope("profile"), r), 401, "invalid_token")
	r = request(http.MethodGet, "/", "Bearer "+a.user("profile"))
	r.RemoteAddr = ""
	requirePass(t, send(a.guard.RequireScope("profile"), r))
	for _, err := range []error{apikey.ErrInvalid, oauth.ErrInvalid, oauth.ErrExpired, oauth.ErrRevoked} {
		a.store.err = fmt.Errorf("wrapped: %w", err)
		requireRejected(t, get(a.guard.RequireScope("profile"), "Bearer "+a.user("profile")), 401, "invalid_token")
	}
	a.store.err = oauth.ErrExists
	requireRejected(t, get(a.guard.RequireScope("profile"), "Bearer "+a.user("profile")), 503, "unavailable")
}
