package main

import (
	"encoding/json"
	"html"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// A browser keeps cookies, follows redirects inside the service, and fills in
// forms.
type browser struct {
	*host

	at  *url.URL // where it is, or was sent to at last
	got reply
}

func (h *host) browser() *browser {
	h.t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(h.t, err)
	other := *h
	other.client = &http.Client{Transport: h.client.Transport, Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	return &browser{host: &other}
}

func (b *browser) do(method, target string, body url.Values, headers ...string) *browser {
	b.t.Helper()
	for {
		if strings.HasPrefix(target, "/") {
			target = b.base + target
		}
		var err error
		b.at, err = url.Parse(target)
		require.NoError(b.t, err)
		if b.at.Scheme+"://"+b.at.Host != b.base {
			return b // somewhere else
		}
		r, err := http.NewRequestWithContext(b.t.Context(), method, b.at.String(), strings.NewReader(body.Encode()))
		require.NoError(b.t, err)
		if method == http.MethodPost {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Origin", b.base)
		}
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		if host := r.Header.Get("Host"); host != "" { // as a proxy sends it, with cookies that a browser has for another one
			for _, c := range b.client.Jar.Cookies(r.URL) {
				r.AddCookie(c)
			}
			r.Host = host
		}
		b.got = b.exchange(r)
		require.Contains(b.t, b.got.header.Values("Cache-Control"), "no-store", b.at.Path)
		if b.got.status < 300 || b.got.status >= 400 {
			require.Equal(b.t, "text/html; charset=utf-8", b.got.header.Get("Content-Type"), b.got.raw)
			require.Contains(b.t, b.got.header.Get("Content-Security-Policy"), "frame-ancestors 'none'")
			require.Equal(b.t, "DENY", b.got.header.Get("X-Frame-Options"), b.at.Path)
			require.NotContains(b.t, b.got.raw, "<script")
			return b
		}
		require.Equal(b.t, http.StatusSeeOther, b.got.status)
		method, target, body = http.MethodGet, b.got.header.Get("Location"), nil
	}
}

func (b *browser) open(target string) *browser { return b.do(http.MethodGet, target, nil) }

// submit sends the form of the page as it is, but for what is typed and clicked.
func (b *browser) submit(typed ...string) *browser {
	b.t.Helper()
	action := regexp.MustCompile(`<form method="post" action="([^"]*)">`).FindStringSubmatch(b.got.raw)
	require.Len(b.t, action, 2, b.got.raw)
	body := url.Values{}
	for _, input := range regexp.MustCompile(`<input [^>]*name="([^"]*)"[^>]*value="([^"]*)"`).FindAllStringSubmatch(b.got.raw, -1) {
		body.Set(input[1], html.UnescapeString(input[2]))
	}
	for i := 0; i < len(typed); i += 2 {
		body.Set(typed[i], typed[i+1])
	}
	return b.do(http.MethodPost, html.UnescapeString(action[1]), body)
}

func (b *browser) signIn() *browser {
	b.t.Helper()
	require.Equal(b.t, 1, strings.Count(b.got.raw, `type="password"`), b.got.raw)
	return b.submit("username", b.user.Username, "password", b.user.Password)
}

func (b *browser) authorizeURL(c client, more ...string) string {
	return "/oauth/authorize?" + form(append([]string{
		"response_type", "code", "client_id", c.ID, "redirect_uri", c.RedirectURI, "state", "a/b c",
		"code_challenge", challenge, "code_challenge_method", "S256",
	}, more...)...).Encode()
}

// approve gives an application access, and returns the code.
func (b *browser) approve(c client, more ...string) string {
	b.t.Helper()
	b.open(b.authorizeURL(c, more...))
	if strings.Contains(b.got.raw, `type="password"`) {
		b.signIn()
	}
	b.submit("decision", "approve")
	return b.answered(c).Get("code")
}

// answered returns what an application is told.
func (b *browser) answered(c client) url.Values {
	b.t.Helper()
	require.True(b.t, strings.HasPrefix(b.at.String(), c.RedirectURI+"?"), "%s %s", b.at, b.got.raw)
	values := b.at.Query()
	require.Equal(b.t, b.base, values.Get("iss"))
	require.Equal(b.t, "a/b c", values.Get("state"))
	return values
}

// post sends a form to an endpoint, as an application.
func (h *host) post(path string, c client, f url.Values) reply {
	h.t.Helper()
	if c.Secret == "" {
		f.Set("client_id", c.ID)
	}
	r := h.request(http.MethodPost, path, "", f.Encode())
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if c.Secret != "" {
		r.SetBasicAuth(c.ID, c.Secret)
	}
	a := h.exchange(r)
	require.NoError(h.t, json.Unmarshal([]byte(a.raw), &a.body), a.raw)
	return a
}

func (h *host) redeem(c client, code string) reply {
	h.t.Helper()
	return h.post("/api/oauth/token", c, form(
		"grant_type", "authorization_code", "code", code, "redirect_uri", c.RedirectURI, "code_verifier", verifier))
}

func TestCodeFlow(t *testing.T) {
	h := start(t)
	for name, c := range map[string]client{"web": h.web, "public": h.public} {
		b := h.browser()
		b.open(b.authorizeURL(c, "scope", "profile invoices"))
		require.Equal(t, loginPath, b.at.Path)
		b.submit("username", h.user.Username, "password", "wrong")
		require.Equal(t, http.StatusForbidden, b.got.status)
		b.signIn()
		for _, shown := range []string{"View your profile", "View your invoices", h.user.Username, "127.0.0.1:8081"} {
			require.Contains(t, b.got.raw, shown)
		}
		b.submit("decision", "approve")
		code := b.answered(c).Get("code")
		tokens := h.redeem(c, code)
		access, refresh := tokens.tokens(t)
		require.Equal(t, "invoices profile", tokens.body["scope"])
		require.Equal(t, h.user.ID, h.me(access).body["id"])
		access2, refresh2 := h.post("/api/oauth/token", c, form("grant_type", "refresh_token", "refresh_token", refresh)).tokens(t)

		seen := h.post("/api/oauth/introspect", c, form("token", access2))
		require.Equal(t, name == "web", seen.body["active"], "a public client proves nothing")
		require.Equal(t, "{}\n", h.post("/api/oauth/revoke", c, form("token", access)).raw)
		h.me(access).refused(t, http.StatusUnauthorized, "invalid_token")
		require.Equal(t, http.StatusOK, h.me(access2).status)
		require.Equal(t, "{}\n", h.post("/api/oauth/revoke", c, form("token", refresh2)).raw)
		h.me(access2).refused(t, http.StatusUnauthorized, "invalid_token")

		// Signed in already; no.
		b.open(b.authorizeURL(c)).submit("decision", "deny")
		require.Equal(t, "access_denied", b.answered(c).Get("error"))
		// A second use of a code revokes what the first one got.
		code = b.approve(c)
		access, _ = h.redeem(c, code).tokens(t)
		h.redeem(c, code).refusedToken(t, http.StatusBadRequest, "invalid_grant")
		h.me(access).refused(t, http.StatusUnauthorized, "invalid_token")
	}
}

func TestAuthorizeRefuses(t *testing.T) {
	h := start(t)
	b := h.browser()
	for _, query := range []string{"", "?client_id=nobody", "?client_id=" + h.web.ID + "&redirect_uri=https://evil.example/"} {
		b.open("/oauth/authorize" + query)
		require.Equal(t, http.StatusBadRequest, b.got.status)
		require.NotContains(t, b.got.raw, "evil")
	}
	b.open(b.authorizeURL(h.web, "scope", "users.view"))
	require.Equal(t, "invalid_scope", b.answered(h.web).Get("error"))
	// Any port on the machine of whoever uses the desktop application.
	elsewhere := h.public
	elsewhere.RedirectURI = "http://127.0.0.1:49152/callback"
	require.NotEmpty(t, b.approve(elsewhere))
	// The ticket of somebody else's page.
	other := h.browser()
	b.open(b.authorizeURL(h.web))
	page := b.got
	other.open(b.authorizeURL(h.web)) // nobody is signed in there
	other.got = page
	require.Equal(t, http.StatusForbidden, other.submit("decision", "approve").got.status)
}

func TestApplicationsWithAccess(t *testing.T) {
	h := start(t)
	b := h.browser()
	b.open(appsPath)
	require.Equal(t, loginPath, b.at.Path)
	b.signIn()
	require.Equal(t, appsPath, b.at.Path)
	require.Contains(t, b.got.raw, "No application has access.")
	web, webRefresh := h.redeem(h.web, b.approve(h.web)).tokens(t)
	public, _ := h.redeem(h.public, b.approve(h.public, "scope", "invoices profile")).tokens(t)
	b.open(appsPath)
	for _, shown := range []string{"Ledger Web", "Ledger for the desktop", "View your invoices"} {
		require.Contains(t, b.got.raw, shown)
	}
	b.do(http.MethodPost, appsPath, form("client_id", h.web.ID), "Origin", "https://evil.example")
	require.Equal(t, http.StatusForbidden, b.got.status)
	require.Equal(t, http.StatusOK, h.me(web).status)
	b.do(http.MethodPost, appsPath, form("client_id", h.web.ID), "Host", "billing.internal:8080")
	b.open(appsPath)
	require.NotContains(t, b.got.raw, "Ledger Web")
	h.me(web).refused(t, http.StatusUnauthorized, "invalid_token")
	h.post("/api/oauth/token", h.web, form("grant_type", "refresh_token", "refresh_token", webRefresh)).refusedToken(t, 400, "invalid_grant")
	require.Equal(t, http.StatusOK, h.me(public).status)
	b.do(http.MethodPost, appsPath, form("sign_out", "yes"))
	require.Equal(t, loginPath, b.at.Path)
	require.Equal(t, http.StatusMethodNotAllowed, b.do(http.MethodDelete, appsPath, nil).got.status)
}

func TestSession(t *testing.T) {
	h := start(t)
	b := h.browser()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.base+loginPath,
		strings.NewReader(form("username", h.user.Username, "password", h.user.Password).Encode()))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.AddCookie(&http.Cookie{Name: "billing_session", Value: "planted"})
	cookie := b.exchange(r).header.Get("Set-Cookie")
	require.Regexp(t, `^billing_session=[^;]{20,};.*HttpOnly; SameSite=Lax$`, cookie)
	require.NotContains(t, cookie, "planted")
	require.NotContains(t, cookie, "Secure", "over http")
	// From another site nobody is signed in.
	r = r.Clone(t.Context())
	r.Body, _ = r.GetBody()
	r.Header.Set("Origin", "https://evil.example")
	a := h.exchange(r)
	require.Equal(t, http.StatusForbidden, a.status)
	require.NotContains(t, a.header.Get("Set-Cookie"), "billing_session")
	// Somebody who was deleted is not signed in any more.
	b.open(appsPath)
	require.Equal(t, appsPath, b.at.Path)
	h.admin("DELETE", "users/"+h.user.ID, nil)
	b.open(appsPath)
	require.Equal(t, loginPath, b.at.Path)
}

func TestLoginBurstOnThePage(t *testing.T) {
	h := start(t, "-login-burst", "2")
	b := h.browser()
	for range 2 {
		b.open(loginPath).submit("username", h.user.Username, "password", "wrong")
		require.Equal(t, http.StatusForbidden, b.got.status)
	}
	b.open(loginPath).signIn()
	require.Equal(t, http.StatusTooManyRequests, b.got.status)
	require.NotEmpty(t, b.got.header.Get("Retry-After"))
	// It is one budget with the token endpoint.
	require.Equal(t, http.StatusTooManyRequests, h.login(h.user.Username, h.user.Password).status)
}

func TestMetadata(t *testing.T) {
	h := start(t)
	get := func(path string) map[string]any {
		r := h.request("GET", path, "", nil)
		r.Host = "evil.example"
		a := h.exchange(r)
		require.Equal(t, http.StatusOK, a.status, a.raw)
		require.NotContains(t, a.raw, "evil")
		require.NoError(t, json.Unmarshal([]byte(a.raw), &a.body))
		return a.body
	}
	server := get("/.well-known/oauth-authorization-server")
	require.Equal(t, h.base, server["issuer"])
	require.Equal(t, h.base+"/api/oauth/token", server["token_endpoint"])
	require.Equal(t, h.base+"/api/oauth/revoke", server["revocation_endpoint"])
	require.Equal(t, h.base+"/api/oauth/introspect", server["introspection_endpoint"])
	require.Equal(t, h.base+"/oauth/authorize", server["authorization_endpoint"])
	require.Equal(t, []any{"profile", "invoices"}, server["scopes_supported"])
	require.Equal(t, h.base, get("/.well-known/oauth-protected-resource")["resource"])
	require.Equal(t, h.base+"/api/me", get("/.well-known/oauth-protected-resource/api/me")["resource"])
	challenge := h.as("", "GET", "/api/me/invoices", nil).header.Get("WWW-Authenticate")
	_, document, found := strings.Cut(challenge, `resource_metadata="`+h.base)
	require.True(t, found, challenge)
	require.Equal(t, h.base+"/api/me/invoices", get(strings.TrimSuffix(document, `"`))["resource"])
	require.NotContains(t, h.as("", "GET", "users", nil).header.Get("WWW-Authenticate"), "resource_metadata")
	h.as("", "GET", "/.well-known/oauth-protected-resource/api/you", nil).refused(t, http.StatusNotFound, "not_found")
}
