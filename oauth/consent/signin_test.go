package consent_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/oauth"
	"github.com/latchwork/latchwork/oauth/consent"
)

// A desk lets ada in, and has an answer of each kind for others.
type desk struct{ asked *int }

func (d desk) SignIn(_ *http.Request, name, password string) (oauth.User, error) {
	if d.asked != nil {
		*d.asked++
	}
	switch name {
	case "busy":
		return oauth.User{}, &oauth.Error{Status: 429, RetryAfter: 30 * time.Second}
	case "down":
		return oauth.User{}, &oauth.Error{Status: 503, RetryAfter: time.Second, Err: errors.New("db7.internal")}
	case "broken":
		return oauth.User{}, errors.New("db7.internal")
	case "nobody":
		return oauth.User{}, nil
	}
	if name == "ada" && password == "right" {
		return oauth.User{Subject: "ada"}, nil
	}
	return oauth.User{}, &oauth.Error{Status: 400}
}

// A login is a page to sign in, and what became of it.
type login struct {
	*httptest.ResponseRecorder

	asked   int
	started []string
	log     bytes.Buffer
}

func signIn(t testing.TB, r *http.Request, change ...func(*consent.Config)) *login {
	t.Helper()
	l := &login{ResponseRecorder: httptest.NewRecorder()}
	logger := func(c *consent.Config) { c.Logger = slog.New(slog.NewTextHandler(&l.log, nil)) }
	newPages(t, append(change, logger)...).SignIn(desk{&l.asked}, func(_ http.ResponseWriter, _ *http.Request, subject string) error {
		l.started = append(l.started, subject)
		if r.Header.Get("X-Broken") != "" {
			return errors.New("no room for sessions")
		}
		return nil
	}).ServeHTTP(l, r)
	if l.Code != http.StatusSeeOther {
		requireDecent(t, l.ResponseRecorder)
	}
	return l
}

func form(target string, fields ...string) *http.Request {
	values := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		values.Set(fields[i], fields[i+1])
	}
	r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(values.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

func TestSignInPage(t *testing.T) {
	t.Parallel()
	const next = "/oauth/authorize?client_id=a&scope=b+c"
	l := signIn(t, httptest.NewRequest(http.MethodGet, "/oauth/login?next="+url.QueryEscape(next), nil))
	require.Equal(t, 200, l.Code)
	page := l.Body.String()
	require.Contains(t, page, `<form method="post" action="/oauth/login">`)
	all := inputs(page)
	require.Len(t, all, 3)
	require.Equal(t, map[string]string{"type": "hidden", "name": "next", "value": next}, all[0])
	require.Equal(t, "username", all[1]["name"])
	require.Equal(t, "username", all[1]["autocomplete"])
	require.Equal(t, "password", all[2]["name"])
	require.Equal(t, "password", all[2]["type"])
	require.Equal(t, "current-password", all[2]["autocomplete"])
	require.NotContains(t, page, `role="alert"`)
	require.Equal(t, 200, signIn(t, httptest.NewRequest(http.MethodHead, "/oauth/login", nil)).Code)
	// Behind http.StripPrefix the browser still has to post to where it is.
	r := httptest.NewRequest(http.MethodGet, "/oauth/login", nil)
	r.URL.Path = "/login"
	require.Contains(t, signIn(t, r).Body.String(), `action="/oauth/login"`)
	r.RequestURI = ""
	require.Contains(t, signIn(t, r).Body.String(), `action="/login"`)
	for _, method := range []string{"PUT", "DELETE", "OPTIONS", "PATCH"} {
		l := signIn(t, httptest.NewRequest(method, "/oauth/login", nil))
		require.Equal(t, 405, l.Code)
		require.Equal(t, "GET, HEAD, POST", l.Header().Get("Allow"))
	}
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		request *http.Request
		status  int
		says    string
		asked   int
	}{
		"right":             {form("/login", "username", "ada", "password", "right"), 303, "", 1},
		"wrong password":    {form("/login", "username", "ada", "password", "wrong"), 403, "The name or the password is wrong.", 1},
		"unknown":           {form("/login", "username", "eve", "password", "right"), 403, "The name or the password is wrong.", 1},
		"no password":       {form("/login", "username", "ada"), 403, "The name or the password is wrong.", 0},
		"no name":           {form("/login", "password", "right"), 403, "The name or the password is wrong.", 0},
		"in the URL":        {form("/login?username=ada&password=right"), 403, "The name or the password is wrong.", 0},
		"too many":          {form("/login", "username", "busy", "password", "x"), 429, "Try again later.", 1},
		"a store in need":   {form("/login", "username", "down", "password", "x"), 503, "Try again later.", 1},
		"any other error":   {form("/login", "username", "broken", "password", "x"), 503, "Try again later.", 1},
		"nobody":            {form("/login", "username", "nobody", "password", "x"), 503, "Try again later.", 1},
		"JSON":              {httptest.NewRequest(http.MethodPost, "/login", strings.NewReader(`{"username":"ada","password":"right"}`)), 400, "cannot be read", 0},
		"too long":          {form("/login", "username", "ada", "password", strings.Repeat("x", 65<<10)), 413, "cannot be read", 0},
		"broken encoding":   {form("/login?%zz", "username", "ada", "password", "right"), 400, "cannot be read", 0},
		"from another site": {header(form("/login", "username", "ada", "password", "right"), "Sec-Fetch-Site", "cross-site"), 403, "another page", 0},
		"from nowhere":      {header(form("/login", "username", "ada", "password", "right"), "Origin", "null"), 403, "another page", 0},
		"no session":        {header(form("/login", "username", "ada", "password", "right"), "X-Broken", "yes"), 503, "Try again later.", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := signIn(t, c.request)
			require.Equal(t, c.status, l.Code)
			require.Equal(t, c.asked, l.asked)
			require.Equal(t, c.status == 303 || name == "no session", len(l.started) == 1)
			require.Contains(t, l.Body.String(), c.says)
			require.NotContains(t, l.Body.String(), "db7.internal")
			if c.status == 303 {
				require.Equal(t, "/", l.Header().Get("Location"))
				require.Equal(t, "no-store", l.Header().Get("Cache-Control"))
				return
			}
			require.NotContains(t, l.Body.String(), `value="right"`, "a password goes one way")
			if c.asked == 1 {
				require.Contains(t, l.Body.String(), `role="alert"`)
				require.Len(t, inputs(l.Body.String()), 3, "there is another chance")
			}
			if name == "any other error" {
				require.Contains(t, l.log.String(), "db7.internal")
			}
		})
	}
}

func header(r *http.Request, name, value string) *http.Request {
	r.Header.Set(name, value)
	return r
}

func TestOriginBehindAProxy(t *testing.T) {
	t.Parallel()
	r := header(form("http://10.0.0.1/login", "username", "ada", "password", "right"), "Origin", "https://billing.example")
	require.Equal(t, 403, signIn(t, r.Clone(t.Context())).Code)
	r = header(form("http://10.0.0.1/login", "username", "ada", "password", "right"), "Origin", "https://billing.example")
	require.Equal(t, 303, signIn(t, r, func(c *consent.Config) { c.Origin = "https://billing.example" }).Code)
}

// Nobody is sent away from the service by what a link to it says.
func TestReq129_WhereToGoNext(t *testing.T) {
	t.Parallel()
	for next, want := range map[string]string{
		"/oauth/authorize?a=b&c=%20d": "/oauth/authorize?a=b&c=%20d", "/": "/", "/a?b=//evil.example": "/a?b=//evil.example",
		"":                     "/start",
		"//evil.example":       "/start",
		"///evil.example":      "/start",
		"/\\evil.example":      "/start",
		"\\\\evil.example":     "/start",
		"https://evil.example": "/start",
		"https:evil.example":   "/start",
		"javascript:alert(1)":  "/start",
		"evil.example":         "/start",
		"/\t/evil.example":     "/start",
		"/\n/evil.example":     "/start",
		"/\r\nSet-Cookie: a=b": "/start",
		" //evil.example":      "/start",
		"/%zz":                 "/start",
		"/ü":                   "/start",
		"?a=b":                 "/start",
		"/\x00":                "/start",
		"/.//evil.example":     "/start",
		"/a//b":                "/start",
		"/a/../b":              "/start",
		"/a/":                  "/start",
		"/.":                   "/start",
		"/%2f/evil.example":    "/start",
		"/%2fevil.example":     "/start",
		"/%2e%2e//evil":        "/start",
		"/a%5cb":               "/start",
		"/a%00b":               "/start",
	} {
		home := func(c *consent.Config) { c.Home = "/start" }
		l := signIn(t, form("/login", "username", "ada", "password", "right", "next", next), home)
		require.Equal(t, 303, l.Code)
		require.Equal(t, want, l.Header().Get("Location"), "%q", next)
		l = signIn(t, httptest.NewRequest(http.MethodGet, "/login?next="+url.QueryEscape(next), nil), home)
		require.Contains(t, []string{next, ""}, inputs(l.Body.String())[0]["value"])
		// A wrong password loses nothing.
		l = signIn(t, form("/login", "username", "ada", "password", "wrong", "next", next), home)
		if want == next {
			require.Equal(t, next, inputs(l.Body.String())[0]["value"])
		}
		require.Equal(t, "ada", inputs(l.Body.String())[1]["value"])
	}
}

func FuzzSignIn(f *testing.F) {
	for _, next := range []string{"", "/x", "//x", "/\\x", "https://x", "/%2f/x", "/.//x", "/;//x", "/x:y"} {
		f.Add("ada", "right", next)
		f.Add("busy", "x", next)
		f.Add("<b>", "", next)
	}
	base, err := url.Parse("https://billing.example/login")
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, name, password, next string) {
		l := signIn(t, form("/login", "username", name, "password", password, "next", next))
		require.Contains(t, []int{303, 403, 413, 429, 503}, l.Code)
		if l.Code == 303 {
			to, err := base.Parse(l.Header().Get("Location"))
			require.NoError(t, err)
			require.Equal(t, "https://billing.example", to.Scheme+"://"+to.Host)
		}
	})
}
