package oauth_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/oauth"
)

func TestReq104_Methods(t *testing.T) {
	t.Parallel()
	h := newSite(t)
	h.question("u1", asking().Encode())
	a := h.browse(h.server.AuthorizeHandler(), post("u1", authorizePath, asking().Encode()))
	require.Equal(t, 200, a.Code)
	require.Len(t, h.questions, 2)
	one, two := h.questions[0], h.questions[1]
	one.Ticket, two.Ticket = oauth.Secret{}, oauth.Secret{}
	require.Equal(t, one, two)
	// A client may post from anywhere, RFC 6749 section 3.1.
	r := post("u1", authorizePath, asking().Encode())
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	r.Header.Set("Origin", "https://app.example")
	require.Equal(t, 200, h.browse(h.server.AuthorizeHandler(), r).Code)
	for _, method := range []string{"PUT", "PATCH", "DELETE", "OPTIONS", "get"} {
		a := h.browse(h.server.AuthorizeHandler(), httptest.NewRequest(method, authorizePath+"?"+asking().Encode(), nil))
		require.Equal(t, 405, a.Code)
		require.Equal(t, "GET, HEAD, POST", a.Header().Get("Allow"))
	}
	// HEAD is answered as GET is, RFC 9110 section 9.3.2.
	for query, status := range map[string]int{asking().Encode(): 200, asking("client_id", "nobody").Encode(): 400, asking("scope", "root").Encode(): 303} {
		r := get("u1", authorizePath+"?"+query)
		r.Method = http.MethodHead
		require.Equal(t, status, h.browse(h.server.AuthorizeHandler(), r).Code)
	}
	// What is posted is a form, and has no second half in the URL.
	r = post("u1", authorizePath+"?"+asking().Encode(), "")
	requirePage(t, h.browse(h.server.AuthorizeHandler(), r), 400)
	r = post("u1", authorizePath, asking().Encode())
	r.Header.Set("Content-Type", "application/json")
	requirePage(t, h.browse(h.server.AuthorizeHandler(), r), 400)
	requirePage(t, h.browse(h.server.AuthorizeHandler(), post("u1", authorizePath, strings.Repeat("x", 65<<10))), 413)
}

// Each of these is shown to the person, and sends nobody anywhere.
func TestReq105_106_107_108_NoRedirect(t *testing.T) {
	t.Parallel()
	const plain = "https://app.example/callback"
	replace := func(old, with string) string {
		return asking("redirect_uri", strings.Replace(callback, old, with, 1)).Encode()
	}
	for name, query := range map[string]string{
		"105 nothing at all":                     "",
		"105 no client_id":                       asking("client_id", "").Encode(),
		"105 unknown client_id":                  asking("client_id", "nobody").Encode(),
		"105 client_id in another case":          asking("client_id", "First").Encode(),
		"105 client_id with a NUL":               asking("client_id", "first\x00").Encode(),
		"105 a disabled client":                  asking("client_id", "disabled").Encode(),
		"106 redirect_uri of nobody":             asking("redirect_uri", "https://evil.example/").Encode(),
		"106 redirect_uri of another client":     asking("client_id", "several").Encode(),
		"107 none, and several are registered":   asking("client_id", "several", "redirect_uri", "").Encode(),
		"107 none, and none is registered":       asking("client_id", "none", "redirect_uri", "").Encode(),
		"108 host in upper case":                 replace("app.example", "APP.example"),
		"108 path in upper case":                 replace("callback", "Callback"),
		"108 scheme in upper case":               replace("https", "HTTPS"),
		"108 a slash more":                       replace("/callback", "//callback"),
		"108 a slash at the end of the path":     replace("callback", "callback/"),
		"108 a parameter more":                   asking("redirect_uri", callback+"&x=y").Encode(),
		"108 no query":                           asking("redirect_uri", plain).Encode(),
		"108 user info":                          replace("https://", "https://app.example@"),
		"108 another host in front":              replace("https://", "https://evil.example@"),
		"108 another host behind":                replace("app.example", "app.example.evil.example"),
		"108 a host that ends the same":          replace("app.example", "attackerapp.example"),
		"108 fragment":                           asking("redirect_uri", callback+"#x").Encode(),
		"108 empty fragment":                     asking("redirect_uri", callback+"#").Encode(),
		"108 dot segments":                       replace("/callback", "/x/../callback"),
		"108 encoded dot segments":               replace("/callback", "/%2e%2e/callback"),
		"108 encoded letter":                     replace("callback", "%63allback"),
		"108 encoded slash":                      replace("/callback", "%2fcallback"),
		"108 default port":                       replace("app.example", "app.example:443"),
		"108 http":                               replace("https", "http"),
		"108 a space in front":                   asking("redirect_uri", " "+callback).Encode(),
		"108 a line behind":                      asking("redirect_uri", callback+"\r\n").Encode(),
		"108 a backslash":                        replace("/callback", "\\callback"),
		"108 a wildcard":                         asking("redirect_uri", "https://app.example/*").Encode(),
		"108 only the beginning":                 asking("redirect_uri", callback[:20]).Encode(),
		"109 localhost with another port":        asking("client_id", "local", "redirect_uri", "http://localhost:9/cb").Encode(),
		"109 127.0.0.2":                          asking("client_id", "local", "redirect_uri", "http://127.0.0.2:8081/cb").Encode(),
		"109 127.0.0.1 in hexadecimal":           asking("client_id", "local", "redirect_uri", "http://0x7f000001:8081/cb").Encode(),
		"109 another path":                       asking("client_id", "local", "redirect_uri", "http://127.0.0.1:8081/other").Encode(),
		"109 another query":                      asking("client_id", "local", "redirect_uri", "http://127.0.0.1:8081/cb?x").Encode(),
		"109 https":                              asking("client_id", "local", "redirect_uri", "https://127.0.0.1:8081/cb").Encode(),
		"109 a host behind the port":             asking("client_id", "local", "redirect_uri", "http://127.0.0.1:80@evil.example/cb").Encode(),
		"109 a host behind the address":          asking("client_id", "local", "redirect_uri", "http://127.0.0.1.evil.example/cb").Encode(),
		"109 a port with a zero in front":        asking("client_id", "local", "redirect_uri", "http://127.0.0.1:08081/cb").Encode(),
		"109 port zero":                          asking("client_id", "local", "redirect_uri", "http://127.0.0.1:0/cb").Encode(),
		"109 a port that is too great":           asking("client_id", "local", "redirect_uri", "http://127.0.0.1:65536/cb").Encode(),
		"109 a port of letters":                  asking("client_id", "local", "redirect_uri", "http://127.0.0.1:80a/cb").Encode(),
		"109 an empty port":                      asking("client_id", "local", "redirect_uri", "http://127.0.0.1:/cb").Encode(),
		"109 the other family":                   asking("client_id", "local", "redirect_uri", "http://[::1]:8081/cb").Encode(),
		"109 an https URI with another port":     replace("app.example", "app.example:8443"),
		"110 a scheme of its own, in upper case": asking("client_id", "native", "redirect_uri", "COM.example.app:/cb").Encode(),
		"110 a scheme of its own, and more":      asking("client_id", "native", "redirect_uri", "com.example.app:/cb/x").Encode(),
		"110 a scheme without a dot":             asking("client_id", "native", "redirect_uri", "example:/cb").Encode(),
		"112 javascript, even if registered":     asking("client_id", "sloppy", "redirect_uri", "javascript:alert(1)").Encode(),
		"112 data, even if registered":           asking("client_id", "sloppy", "redirect_uri", "data:text/html,x").Encode(),
		"112 plain http, even if registered":     asking("client_id", "sloppy", "redirect_uri", "http://app.example/").Encode(),
		"112 a fragment, even if registered":     asking("client_id", "sloppy", "redirect_uri", "https://app.example/#x").Encode(),
		"114 client_id twice":                    asking().Encode() + "&client_id=first",
		"114 redirect_uri twice":                 asking().Encode() + "&redirect_uri=" + url.QueryEscape(callback),
		"014 broken encoding":                    asking().Encode() + "&x=%zz",
		"014 invalid UTF-8":                      asking().Encode() + "&x=%ff",
		"017 too many parameters":                asking().Encode() + strings.Repeat("&a=b", 100),
		"too long":                               asking().Encode() + "&x=" + strings.Repeat("x", 33<<10),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newSite(t)
			h.register("disabled", func(c *oauth.Client) { c.Disabled = true })
			h.register("several", func(c *oauth.Client) { c.RedirectURIs = []string{"https://a.example/", "https://b.example/"} })
			h.register("none", func(c *oauth.Client) { c.RedirectURIs = nil })
			h.register("local", func(c *oauth.Client) {
				c.RedirectURIs = []string{"http://localhost:8081/cb", "http://127.0.0.1:8081/cb"}
			})
			h.register("native", func(c *oauth.Client) { c.RedirectURIs = []string{"com.example.app:/cb"} })
			h.register("sloppy", func(c *oauth.Client) {
				c.RedirectURIs = []string{"javascript:alert(1)", "data:text/html,x", "http://app.example/", "https://app.example/#x", "example:/cb"}
			})
			for _, subject := range []string{"u1", ""} {
				a := h.authorize(subject, query)
				requirePage(t, a, 400)
				require.NotContains(t, a.Body.String(), "evil", "nothing of the request is in the page")
			}
			require.Empty(t, h.tap.writes())
			require.Empty(t, h.questions)
		})
	}
}

func TestReq107_TheOnlyRedirectURI(t *testing.T) {
	t.Parallel()
	h := newSite(t)
	code := h.approved("redirect_uri", "")
	requireTokens(t, h.as("first", byCode(code, "redirect_uri", "")))
	requireTokens(t, h.as("first", byCode(h.approved("redirect_uri", ""))))
	requireError(t, h.as("first", byCode(h.approved(), "redirect_uri", "")), 400, "invalid_grant")
}

func TestReq109_111_WhereItIsAnswered(t *testing.T) {
	t.Parallel()
	for registered, requests := range map[string][]string{
		"http://127.0.0.1:8081/cb":                     {"http://127.0.0.1:8081/cb", "http://127.0.0.1:1/cb", "http://127.0.0.1:65535/cb", "http://127.0.0.1/cb"},
		"http://127.0.0.1/cb?a=1":                      {"http://127.0.0.1/cb?a=1", "http://127.0.0.1:49152/cb?a=1"},
		"http://[::1]/":                                {"http://[::1]/", "http://[::1]:49152/"},
		"http://[::1]":                                 {"http://[::1]", "http://[::1]:49152"},
		"http://127.0.0.1?x":                           {"http://127.0.0.1?x", "http://127.0.0.1:49152?x"},
		"http://localhost:8081/cb":                     {"http://localhost:8081/cb"},
		"com.example.app:/cb":                          {"com.example.app:/cb"},
		"com.example.app://cb":                         {"com.example.app://cb"},
		"https://app.example":                          {"https://app.example"},
		"https://app.example/a%2Fb?x=%20y&z=+&z=;&=&w": {"https://app.example/a%2Fb?x=%20y&z=+&z=;&=&w"},
		"https://app.example/?":                        {"https://app.example/?"},
		"https://app.example/?x&":                      {"https://app.example/?x&"},
		"https://[2001:db8::1]:8443/cb":                {"https://[2001:db8::1]:8443/cb"},
	} {
		h := newSite(t)
		require.NoError(t, oauth.CheckRedirectURI(registered))
		h.register("c", func(c *oauth.Client) { c.RedirectURIs = []string{registered} })
		for _, requested := range requests {
			q := h.question("u1", asking("client_id", "c", "redirect_uri", requested).Encode())
			require.Equal(t, requested, q.RedirectURI)
			location := h.decide("u1", q.Ticket.Reveal(), "approve").Header().Get("Location")
			separator := "?"
			if strings.ContainsAny(requested, "?") {
				separator = strings.TrimRight("&", requested[len(requested)-1:])
			}
			if strings.HasSuffix(requested, "?") {
				separator = ""
			}
			rest, found := strings.CutPrefix(location, requested+separator)
			require.True(t, found, "%s: %s", requested, location)
			require.Regexp(t, `^code=paym_ac_\w{49}&state=a\+state&iss=https%3A%2F%2Fbilling\.example$`, rest)
			code, _, _ := strings.Cut(strings.TrimPrefix(rest, "code="), "&")
			requireTokens(t, h.as("c", byCode(code, "redirect_uri", requested)))
		}
	}
}

func TestReq109_110_112_Registration(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"", "/callback", "app.example/callback", "//app.example/callback", "https:", "https://", "https:///callback", "https:app.example",
		"https://app.example/#x", "https://app.example/#", "com.example.app:/cb#x",
		"javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd", "blob:x", "about:blank", "app:/callback", "ftp://app.example/",
		"http://app.example/", "http://10.0.0.1/", "http://0.0.0.0/", "http://127.0.0.1.evil.example/", "http://localhost.evil.example/",
		"https://ada@app.example/", "https://ada:secret@app.example/", "http://127.0.0.1:80@evil.example/",
		"https://*.app.example/", "https://app.example:port/", "https://app_example/", "https://ap%70.example/", "https://[::1%25eth0]/",
		"https://app.example/a b", "https://app.example/a\nb", "https://app.example/\x00", "https://app.example/ü", "https://app.example\\@evil.example/",
		"https://app.example/<x>", `https://app.example/"`, "https://app.example/%", "https://app.example/%zz", "https://app.example/?x=%zz",
		"https://app.example/../x", "https://app.example/./x", "https://app.example/x/..", "https://app.example/%2e%2E/x", "https://app.example/x/%2e",
		"https://app.example/?code=x", "https://app.example/?a&state", "https://app.example/?iss=", "https://app.example/?error=x", "https://app.example/?c%6Fde=x",
		"HTTPS://app.example/", "https://app.example/" + strings.Repeat("x", 2000), " https://app.example/", "https://app.example/ ",
		"https://app.example:/cb", "https://app.example:0/cb", "https://app.example:65536/cb", "https://app.example:99999/cb", "http://127.0.0.1:/cb", "http://127.0.0.1:0/cb",
	} {
		require.Error(t, oauth.CheckRedirectURI(bad), bad)
	}
	for _, good := range []string{
		"https://app.example", "https://app.example/", "https://app.example:8443/cb", "https://app.example:65535/cb", "https://app.example/a/b?x=y&z", "https://app.example/*", "https://192.0.2.1/cb",
		"http://127.0.0.1/cb", "http://127.0.0.1:8081/cb", "http://[::1]:8081/cb", "http://localhost:8081/cb",
		"com.example.app:/cb", "com.example.app:cb", "com.example.app://host/cb?x", "https://app.example/.well-known/cb", "https://app.example/a..b/...",
		"https://app.example/?encode=x&statement=y",
	} {
		require.NoError(t, oauth.CheckRedirectURI(good), good)
	}
}

// Each of these is answered to the client, with its state.
func TestAuthorizationErrors(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		query string
		code  string
	}{
		"113 no response_type":                  {asking("response_type", "").Encode(), "invalid_request"},
		"113 response_type token":               {asking("response_type", "token").Encode(), "unsupported_response_type"},
		"113 response_type id_token":            {asking("response_type", "code id_token").Encode(), "unsupported_response_type"},
		"113 response_type in upper case":       {asking("response_type", "Code").Encode(), "unsupported_response_type"},
		"113 response_mode fragment":            {asking("response_mode", "fragment").Encode(), "invalid_request"},
		"113 response_mode form_post":           {asking("response_mode", "form_post").Encode(), "invalid_request"},
		"114 scope twice":                       {asking().Encode() + "&scope=profile", "invalid_request"},
		"114 code_challenge twice":              {asking().Encode() + "&code_challenge=" + challenge, "invalid_request"},
		"114 response_type twice, once empty":   {asking().Encode() + "&response_type=", "invalid_request"},
		"116 no code_challenge":                 {asking("code_challenge", "").Encode(), "invalid_request"},
		"116 no code_challenge, and plain":      {asking("code_challenge", "", "code_challenge_method", "plain").Encode(), "invalid_request"},
		"116 no PKCE at all":                    {asking("code_challenge", "", "code_challenge_method", "").Encode(), "invalid_request"},
		"117 plain":                             {asking("code_challenge_method", "plain").Encode(), "invalid_request"},
		"117 no method":                         {asking("code_challenge_method", "").Encode(), "invalid_request"},
		"117 s256 in lower case":                {asking("code_challenge_method", "s256").Encode(), "invalid_request"},
		"118 challenge too short":               {asking("code_challenge", challenge[1:]).Encode(), "invalid_request"},
		"118 challenge too long":                {asking("code_challenge", challenge+"A").Encode(), "invalid_request"},
		"118 challenge padded":                  {asking("code_challenge", challenge[1:]+"=").Encode(), "invalid_request"},
		"118 challenge of other characters":     {asking("code_challenge", challenge[1:]+"~").Encode(), "invalid_request"},
		"118 challenge of plain base64":         {asking("code_challenge", challenge[1:]+"+").Encode(), "invalid_request"},
		"119 unknown scope":                     {asking("scope", "root").Encode(), "invalid_scope"},
		"119 unknown scope beside a known one":  {asking("scope", "profile root").Encode(), "invalid_scope"},
		"119 a scope that others have":          {asking("client_id", "poor", "scope", "invoices").Encode(), "invalid_scope"},
		"119 everything":                        {asking("scope", "*").Encode(), "invalid_scope"},
		"119 quote":                             {asking("scope", `"profile"`).Encode(), "invalid_scope"},
		"119 backslash":                         {asking("scope", `pro\file`).Encode(), "invalid_scope"},
		"119 control character":                 {asking("scope", "profile\x01").Encode(), "invalid_scope"},
		"119 a line between two":                {asking("scope", "profile\ninvoices").Encode(), "invalid_scope"},
		"131 request":                           {asking("request", "eyJ.eyJ.").Encode(), "request_not_supported"},
		"131 request_uri":                       {asking("request_uri", "urn:x").Encode(), "request_uri_not_supported"},
		"050 a client without this grant type":  {asking("client_id", "other grants").Encode(), "unauthorized_client"},
		"013 an empty response_type is none":    {asking("response_type", "").Encode() + "&response_type=", "invalid_request"},
		"116 a public client without challenge": {asking("client_id", "app", "code_challenge", "").Encode(), "invalid_request"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newSite(t)
			h.register("poor", func(c *oauth.Client) { c.Scopes = set("profile") })
			h.register("other grants", func(c *oauth.Client) { c.Grants = []oauth.GrantType{oauth.GrantRefreshToken} })
			for _, subject := range []string{"u1", ""} { // whoever is there, and whether anybody is
				h.refused(h.authorize(subject, c.query), c.code, "a state")
			}
			require.Empty(t, h.tap.writes())
			require.Empty(t, h.questions)
		})
	}
}

func TestReq115_State(t *testing.T) {
	t.Parallel()
	h := newSite(t)
	for _, state := range []string{
		"x", "a b+c%20&d=e#f/?:@", `"'<>\`, "ü\u202e\u65e5", "line\r\nLocation: https://evil.example", strings.Repeat("s", 512), "\x00",
		`{"return":"/a?b=c","nonce":"\u0000"}`, strings.Repeat("&", 512),
	} {
		q := h.question("u1", asking("state", state).Encode())
		require.Equal(t, state, h.redirected(h.decide("u1", q.Ticket.Reveal(), "approve")).Get("state"))
		q = h.question("u1", asking("state", state).Encode())
		h.refused(h.decide("u1", q.Ticket.Reveal(), "deny"), "access_denied", state)
		h.refused(h.authorize("u1", asking("state", state, "scope", "root").Encode()), "invalid_scope", state)
	}
	long := strings.Repeat("s", 513)
	h.refused(h.authorize("u1", asking("state", long).Encode()), "invalid_request", long)
	h.refused(h.authorize("u1", asking().Encode()+"&state=other"), "invalid_request", "")
	h.refused(h.authorize("u1", asking("state", "", "scope", "root").Encode()), "invalid_scope", "")
	q := h.question("u1", asking("state", "").Encode())
	require.NotContains(t, h.decide("u1", q.Ticket.Reveal(), "approve").Header().Get("Location"), "state")
}

func TestReq119_WhatIsAskedFor(t *testing.T) {
	t.Parallel()
	for asked, want := range map[string]string{
		"": "profile", "profile": "profile", "invoices": "invoices", "profile profile": "profile", "invoices profile invoices": "invoices profile",
	} {
		h := newSite(t)
		q := h.question("u1", asking("scope", asked).Encode())
		require.Len(t, q.Scopes, len(strings.Fields(want)))
		code := h.redirected(h.decide("u1", q.Ticket.Reveal(), "approve")).Get("code")
		require.Equal(t, want, requireTokens(t, h.as("first", byCode(code))).text("scope"))
	}
}

func TestReq120_122_125_132_EveryAnswer(t *testing.T) {
	t.Parallel()
	const elsewhere = "http://127.0.0.1:8080/tenant"
	h := newSite(t, func(c *oauth.Config) { c.Issuer = elsewhere })
	// redirected looks at iss, the status and what may stand beside each other,
	// and requireLawfulPage at the headers: at those against framing, which every
	// page has, and for those of CORS, which none has.
	for _, handler := range []http.Handler{h.server.AuthorizeHandler(), h.server.DecisionHandler()} {
		r := get("u1", authorizePath+"?"+asking().Encode())
		r.Header.Set("Origin", "https://app.example")
		header := h.browse(handler, r).Header()
		require.Equal(t, "DENY", header.Get("X-Frame-Options"))
		require.Equal(t, "frame-ancestors 'none'", header.Get("Content-Security-Policy"))
		require.NotContains(t, header, "Access-Control-Allow-Origin")
	}
	q := h.question("u1", asking().Encode())
	require.Equal(t, "/tenant/oauth/authorize/decision", q.Action)
	values := h.redirected(h.decide("u1", q.Ticket.Reveal(), "approve"))
	require.Equal(t, elsewhere, values.Get("iss"))
	require.Len(t, values, 3)
	q = h.question("u1", asking().Encode())
	values = h.redirected(h.decide("u1", q.Ticket.Reveal(), "deny"))
	require.Len(t, values, 4)
	h.refused(h.authorize("u1", asking("response_type", "token").Encode()), "unsupported_response_type", "a state")
	a := h.authorize("", asking().Encode())
	require.Equal(t, 303, a.Code)
	require.True(t, strings.HasPrefix(a.Header().Get("Location"), "/oauth/login?next=%2Ftenant%2Foauth%2Fauthorize%3F"))
}

func TestReq129_NotSignedIn(t *testing.T) {
	t.Parallel()
	for loginURL, want := range map[string]string{
		"/oauth/login": "/oauth/login?next=", "/login?lang=de": "/login?lang=de&next=", "https://sso.example/in": "https://sso.example/in?next=",
	} {
		h := newSite(t, func(c *oauth.Config) { c.LoginURL = loginURL })
		for _, r := range []*http.Request{
			get("", authorizePath+"?"+asking().Encode()+"&password=secret&x=y"), post("", authorizePath, asking().Encode()),
			func() *http.Request {
				r := get("", authorizePath+"?"+asking().Encode())
				r.Header.Set("X-Subject", "")
				return r
			}(),
		} {
			h.tap.do(nil)
			a := h.browse(h.server.AuthorizeHandler(), r)
			require.Equal(t, 303, a.Code)
			next, found := strings.CutPrefix(a.Header().Get("Location"), want)
			require.True(t, found, a.Header().Get("Location"))
			next, err := url.QueryUnescape(next)
			require.NoError(t, err)
			path, query, _ := strings.Cut(next, "?")
			require.Equal(t, authorizePath, path)
			values, err := url.ParseQuery(query)
			require.NoError(t, err)
			require.Equal(t, asking(), values, "the same request, and nothing else")
			require.Empty(t, h.tap.writes())
			require.Equal(t, "first", h.question("u1", query).ClientID)
		}
	}
}

func TestReq127_RememberedConsent(t *testing.T) {
	t.Parallel()
	const loopback, own = "http://127.0.0.1:8081/cb", "com.example.app:/cb"
	for _, c := range []struct {
		name   string
		public bool
		uri    string
		scope  string // asked for the second time, after "profile"
		spoil  func(h *house)
		want   bool
	}{
		{"a confidential client", false, callback, "profile", nil, true},
		{"a confidential client on loopback", false, loopback, "profile", nil, true},
		{"a public client with an https redirect", true, callback, "profile", nil, true},
		{"a public client on loopback", true, loopback, "profile", nil, false},
		{"a public client on localhost with https", true, "https://localhost/cb", "profile", nil, false},
		{"a public client on Localhost., with https", true, "https://app.Localhost.:8443/cb", "profile", nil, false},
		{"a public client on loopback with https", true, "https://127.0.0.1:8443/cb", "profile", nil, false},
		{"a public client on a short loopback with https", true, "https://127.1/cb", "profile", nil, false},
		{"a public client on IPv6 loopback with https", true, "https://[::1]/cb", "profile", nil, false},
		{"a confidential client on localhost with https", false, "https://localhost/cb", "profile", nil, true},
		{"a public client with a scheme of its own", true, own, "profile", nil, false},
		{"the default scope", false, callback, "", nil, true},
		{"more scope", false, callback, "profile invoices", nil, false},
		{"another scope", false, callback, "invoices", nil, false},
		{"it was taken back", false, callback, "profile", func(h *house) {
			_, err := h.server.RevokeSubject(h.t.Context(), "u1")
			require.NoError(h.t, err)
		}, false},
		{"it expired", false, callback, "profile", func(h *house) { h.clock.advance(91 * 24 * time.Hour) }, false},
		{"the user is disabled", false, callback, "profile", func(h *house) { h.people.put("ada", oauth.User{Subject: "u1", Disabled: true}) }, false},
		{"not switched on", false, callback, "profile", nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newSite(t, func(cfg *oauth.Config) { cfg.RememberConsent = c.name != "not switched on" })
			h.register("c", func(client *oauth.Client) {
				client.RedirectURIs = []string{c.uri}
				if client.Public = c.public; c.public {
					client.Secrets = nil
				}
			})
			first := asking("client_id", "c", "redirect_uri", c.uri).Encode()
			q := h.question("u1", first)
			require.Equal(t, 303, h.decide("u1", q.Ticket.Reveal(), "approve").Code)
			if c.spoil != nil {
				c.spoil(h)
			}
			a := h.authorize("u1", asking("client_id", "c", "redirect_uri", c.uri, "scope", c.scope).Encode())
			require.Equal(t, c.want, a.Code == 303, "%d", a.Code)
			require.Equal(t, c.want, strings.Contains(a.Header().Get("Location"), "code=paym_ac_"))
			h.people.put("eve", oauth.User{Subject: "u2"})
			h.question("u2", first) // somebody else is asked
			if c.name != "the user is disabled" {
				h.question("u1", asking().Encode()) // for another client
			}
		})
	}
	// A page that was shown, but not answered, is no consent; nor is a no.
	h := newSite(t, func(cfg *oauth.Config) { cfg.RememberConsent = true })
	h.question("u1", asking().Encode())
	q := h.question("u1", asking().Encode())
	h.refused(h.decide("u1", q.Ticket.Reveal(), "deny"), "access_denied", "a state")
	h.question("u1", asking().Encode())
	requireTokens(t, h.as("first", byClient+"&scope=profile"))
	h.question("u1", asking().Encode())
}

func TestUserWhoMayNotDecide(t *testing.T) {
	t.Parallel()
	h := newSite(t)
	q := h.question("u1", asking().Encode())
	h.people.put("ada", oauth.User{Subject: "u1", Disabled: true})
	requirePage(t, h.authorize("u1", asking().Encode()), 403)
	requirePage(t, h.decide("u1", q.Ticket.Reveal(), "approve"), 403)
	requirePage(t, h.authorize("nobody", asking().Encode()), 403)
	h.people.put("ada", oauth.User{Subject: "u1"})
	h.redirected(h.decide("u1", q.Ticket.Reveal(), "approve"))
}

// Without Config.Login there is nobody to ask, and the zero Server refuses
// everything.
func TestNoAuthorizationEndpoint(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	requirePage(t, h.authorize("u1", asking().Encode()), 404)
	requirePage(t, h.decide("u1", "x", "approve"), 404)
	for path := range h.server.Routes() {
		require.NotContains(t, path, "authorize")
	}
	h.server = new(oauth.Server)
	requirePage(t, h.authorize("u1", asking().Encode()), 503)
	requirePage(t, h.decide("u1", "x", "approve"), 503)
	for path := range h.server.Routes() {
		require.Fail(t, "a route", path)
	}
}

func TestOwnErrorPage(t *testing.T) {
	t.Parallel()
	h := newSite(t, func(c *oauth.Config) {
		c.ErrorPage = func(w http.ResponseWriter, _ *http.Request, e *oauth.Error) {
			w.WriteHeader(e.Status)
			_, _ = w.Write([]byte("<p>" + strings.ReplaceAll(e.Description, "'", "&#39;") + "</p>"))
		}
	})
	a := h.authorize("u1", "")
	require.Equal(t, 400, a.Code)
	require.Equal(t, "<p>The application is not known here.</p>", a.Body.String())
	h.tap.do(fail("Clients"))
	require.Equal(t, 503, h.authorize("u1", asking().Encode()).Code)
}
