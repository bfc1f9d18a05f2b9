package oauth_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/oauth"
	"github.com/latchwork/latchwork/oauth/password"
)

func TestNewNamesEveryFault(t *testing.T) {
	t.Parallel()
	refuse := func(store oauth.Store, clients oauth.ClientStore, cfg oauth.Config, faults ...string) {
		t.Helper()
		server, err := oauth.New(store, clients, cfg)
		require.Nil(t, server)
		require.Error(t, err)
		for _, fault := range faults {
			require.ErrorContains(t, err, fault)
		}
		require.Len(t, strings.Split(err.Error(), "\n"), len(faults))
		for line := range strings.Lines(err.Error()) {
			require.True(t, strings.HasPrefix(line, "oauth: "), line)
		}
	}
	store, clients := oauth.NewMemoryStore(), oauth.StaticClients{}
	good := func(change func(*oauth.Config)) oauth.Config {
		cfg := oauth.Config{Issuer: issuer, Prefix: "paym"}
		change(&cfg)
		return cfg
	}
	refuse(nil, nil, oauth.Config{}, "the store is nil", "the client store is nil", "issuer", "the prefix is empty")
	refuse(nil, clients, oauth.Config{
		Issuer: "x", Prefix: "a-b", LegacyPasswordGrant: true, RefreshIdle: -1, ReplayWindow: time.Hour,
	}, "the store is nil", "issuer", "prefix", "LegacyPasswordGrant", "lifetime", "ReplayWindow")
	var nobody *oauth.MemoryStore
	refuse(nobody, (*clientele)(nil), good(func(c *oauth.Config) { c.Users = (*people)(nil) }),
		"the store is nil", "the client store is nil", "Users or Passwords is a nil pointer")
	refuse(store, clients, good(func(c *oauth.Config) { c.Passwords = (*password.Hasher)(nil) }), "Users or Passwords is a nil pointer")
	for _, change := range []func(*oauth.Config){
		func(c *oauth.Config) { c.AccessLifetime = -time.Hour },
		func(c *oauth.Config) { c.AccessLifetime = time.Second - 1 },
		func(c *oauth.Config) { c.RefreshIdle = time.Millisecond },
		func(c *oauth.Config) { c.RefreshAbsolute = -1 },
	} {
		refuse(store, clients, good(change), "lifetime")
	}
	refuse(store, clients, good(func(c *oauth.Config) { c.ReplayWindow = time.Minute + 1 }), "ReplayWindow")
	refuse(store, clients, good(func(c *oauth.Config) { c.CacheTTL = -time.Second }), "cache TTL -1s is negative")
	refuse(store, clients, good(func(c *oauth.Config) { c.CacheTTL, c.CacheSize, c.MaxLoads = 25*time.Hour, -1, -1 }), "cache TTL 25h", "cache size", "loads")
	h := newHouse(t)
	refuse(store, clients, good(func(c *oauth.Config) { c.LegacyPasswordGrant, c.Users = true, &h.people }), "LegacyPasswordGrant")
	refuse(store, clients, good(func(c *oauth.Config) { c.LegacyPasswordGrant, c.Passwords = true, cheap() }), "LegacyPasswordGrant")
	for _, prefix := range []string{"", "a-b", "ü", "a b", strings.Repeat("x", 30)} {
		refuse(store, clients, good(func(c *oauth.Config) { c.Prefix = prefix }), "prefix")
	}
	for _, prefix := range []string{"p", "acme_live", strings.Repeat("x", 29)} {
		server, err := oauth.New(store, clients, good(func(c *oauth.Config) { c.Prefix = prefix }))
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(server.Samples()[0], prefix+"_at_"))
		require.True(t, server.Recognize(server.Samples()[0]))
	}
}

func TestReq028_162_Issuer(t *testing.T) {
	t.Parallel()
	for _, good := range []string{
		"https://billing.example", "https://billing.example:8443", "https://billing.example/tenant/1", "https://192.0.2.1", "https://[2001:db8::1]",
		"http://127.0.0.1:8080", "http://127.0.0.2", "http://[::1]:8080", "http://localhost:8080", "http://127.0.0.1/x",
	} {
		_, err := oauth.New(oauth.NewMemoryStore(), oauth.StaticClients{}, oauth.Config{Issuer: good, Prefix: "paym"})
		require.NoError(t, err, good)
	}
	for _, bad := range []string{
		"", "billing.example", "//billing.example", "/x", "https:", "https://", "https:///x", "https://:443", "https:billing.example",
		"https://billing.example/", "https://billing.example/x/", "https://billing.example?x=1", "https://billing.example?", "https://billing.example#x", "https://billing.example#",
		"https://ada@billing.example", "https://ada:x@billing.example", "http://billing.example", "http://192.0.2.1", "http://[2001:db8::1]",
		"http://127.0.0.1.evil.example", "http://localhost.evil.example", "http://0.0.0.0", "http://[::]", "http://10.0.0.1",
		"ftp://billing.example", "ws://127.0.0.1", "javascript:alert(1)", "https://billing.example:port", " https://billing.example", "https://billing.example\n", "https://bill ing.example", "%zz",
		"HTTPS://billing.example", "https://billing.example:", "https://billing.example:0", "https://billing.example:99999", "https://billing.example:/x",
		"https://bill\"ing.example", "https://billing,example", "https://b\u00fclling.example", "https://billing.example/%41", "https://billing.example/\u00e9",
		"https://billing.example/.well-known", "https://billing.example/.well-known/oauth-authorization-server",
	} {
		_, err := oauth.New(oauth.NewMemoryStore(), oauth.StaticClients{}, oauth.Config{Issuer: bad, Prefix: "paym"})
		require.ErrorContains(t, err, "oauth: issuer", bad)
	}
}

func TestZeroServerRefuses(t *testing.T) {
	t.Parallel()
	var server oauth.Server
	h := newHouse(t)
	a := requireTokens(t, h.as("first", byLogin))
	zero := house{t: t, server: &server}
	requireError(t, zero.post(byLogin, h.basic("first")), 503, "temporarily_unavailable")
	requireError(t, zero.post(byToken+a.refresh(), h.basic("first")), 503, "temporarily_unavailable")
	requireError(t, zero.send(httptest.NewRequest(http.MethodGet, "/", nil)), 405, "invalid_request")
	require.False(t, server.Recognize(a.access()))
	require.False(t, server.Recognize(""))
	_, err := server.Verify(t.Context(), a.access())
	require.ErrorIs(t, err, oauth.ErrInvalid)
	_, err = server.Verify(t.Context(), "")
	require.ErrorIs(t, err, oauth.ErrInvalid)
	_, err = server.VerifyCached(a.access())
	require.ErrorIs(t, err, oauth.ErrNotCached)
	_, err = server.RevokeSubject(t.Context(), "u1")
	require.ErrorContains(t, err, "New")
	require.NoError(t, server.Close(t.Context()))
}

// The zero Client, and one that a host described with too little, may nothing.
func TestZeroClient(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.clients.put(oauth.Client{ID: "zero"})
	h.clients.put(oauth.Client{ID: "open", Public: true})
	requireError(t, h.post(byClient, basic("zero", "")), 401, "invalid_client")
	requireError(t, h.post(byClient+"&client_id=zero"), 401, "invalid_client")
	for _, form := range []string{byClient, byLogin, byToken + "x"} {
		requireError(t, h.as("open", form), 400, "unauthorized_client")
	}
	h.clients.put(oauth.Client{})
	requireError(t, h.post(byClient, basic("", "")), 401, "invalid_client")
}

func TestStaticClients(t *testing.T) {
	t.Parallel()
	clients := oauth.StaticClients{{ID: "a", Name: "A"}, {ID: "b", Name: "B"}}
	b, err := clients.Client(t.Context(), "b")
	require.NoError(t, err)
	require.Equal(t, "B", b.Name)
	for _, id := range []string{"", "c", "B", "b "} {
		_, err = clients.Client(t.Context(), id)
		require.ErrorIs(t, err, oauth.ErrNotFound)
	}
}

// A store that looks clients up without regard to case, as MySQL does, has not
// found the one that was asked for.

func TestClientStoreThatFoldsCase(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	first := h.clients.get("first")
	first.ID = "FIRST"
	h.clients.byID["first"] = first
	requireError(t, h.post(byClient, h.basic("first")), 401, "invalid_client")
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	e := &oauth.Error{Status: 503, Code: "temporarily_unavailable", Description: "Try again later.", Err: errBoom}
	require.EqualError(t, e, "oauth: temporarily_unavailable: Try again later.: "+errBoom.Error())
	require.ErrorIs(t, e, errBoom)
	require.EqualError(t, &oauth.Error{Code: "invalid_grant", Description: "No."}, "oauth: invalid_grant: No.")
}

func TestConfigOfTheAuthorizationEndpoint(t *testing.T) {
	t.Parallel()
	try := func(change func(*oauth.Config)) error {
		cfg := oauth.Config{Issuer: issuer, Prefix: "paym"}
		site(&cfg)
		cfg.Consent = func(http.ResponseWriter, *http.Request, oauth.Consent) {}
		change(&cfg)
		_, err := oauth.New(oauth.NewMemoryStore(), oauth.StaticClients{}, cfg)
		return err
	}
	require.NoError(t, try(func(*oauth.Config) {}))
	for _, spoil := range []func(*oauth.Config){
		func(c *oauth.Config) { c.Login = nil },
		func(c *oauth.Config) { c.LoginURL = "" },
		func(c *oauth.Config) { c.Consent = nil },
	} {
		require.ErrorContains(t, try(spoil), "Login")
	}
	for _, bad := range []string{
		"login", "//evil.example/login", "http://billing.example/login", "https:///login", "javascript:alert(1)", "/login#x", "/log in", "/%zz", "/\\evil.example", "?x",
	} {
		require.ErrorContains(t, try(func(c *oauth.Config) { c.LoginURL = bad }), "LoginURL", bad)
	}
	for _, good := range []string{"/login", "/login?lang=de", "https://sso.example", "http://127.0.0.1:8080/login"} {
		require.NoError(t, try(func(c *oauth.Config) { c.LoginURL = good }), good)
	}
	for _, bad := range []time.Duration{-1, time.Second - 1, 10*time.Minute + 1} {
		require.ErrorContains(t, try(func(c *oauth.Config) { c.CodeLifetime = bad }), "CodeLifetime")
	}
	for _, bad := range []oauth.Paths{
		{Authorize: "authorize"},
		{Token: "/"},
		{Token: "/token/"},
		{Token: "/a//b"},
		{Token: "/a/../b"},
		{Token: "/{x}"},
		{Token: "/a b"},
		{Token: "/%41"},
		{Token: "/x", Revoke: "/x"},
		{Introspect: "/oauth/token"},
		{Authorize: "/x", Token: "/x/decision"},
		{Token: "/.well-known/token"},
	} {
		require.ErrorContains(t, try(func(c *oauth.Config) { c.Paths = bad }), "path", "%+v", bad)
	}
}

func TestPathOfTheIssuer(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"https://billing.example/a//b", "https://billing.example/a/../b", "https://billing.example/%7Bx%7D", "https://billing.example/a b", "https://billing.example/{x}"} {
		_, err := oauth.New(oauth.NewMemoryStore(), oauth.StaticClients{}, oauth.Config{Issuer: bad, Prefix: "paym"})
		require.ErrorContains(t, err, "issuer", bad)
	}
}
