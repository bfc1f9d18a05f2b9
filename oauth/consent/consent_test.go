package consent_test

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"html"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/oauth"
	"github.com/latchwork/latchwork/oauth/consent"
	"github.com/latchwork/latchwork/scope"
)

func newPages(t testing.TB, change ...func(*consent.Config)) *consent.Pages {
	t.Helper()
	cfg := consent.Config{Service: "Billing & Co", Name: func(*http.Request, string) string { return "ada@example.com" }}
	for _, c := range change {
		c(&cfg)
	}
	pages, err := consent.New(cfg)
	require.NoError(t, err)
	return pages
}

// requireDecent asserts what holds for every page.
func requireDecent(t testing.TB, w *httptest.ResponseRecorder) string {
	t.Helper()
	page, header := w.Body.String(), w.Header()
	require.Equal(t, "text/html; charset=utf-8", header.Get("Content-Type"))
	require.Equal(t, "no-store", header.Get("Cache-Control"))
	require.Equal(t, "same-origin", header.Get("Referrer-Policy"))
	require.Equal(t, "nosniff", header.Get("X-Content-Type-Options"))
	require.Equal(t, "DENY", header.Get("X-Frame-Options"))
	require.Equal(t, w.Code == 405, header.Get("Allow") != "")
	require.Equal(t, w.Code == 429 || w.Code == 503, header.Get("Retry-After") != "")
	policy := header.Get("Content-Security-Policy")
	require.Contains(t, policy, "default-src 'none'")
	require.Contains(t, policy, "frame-ancestors 'none'")
	require.NotContains(t, policy, "form-action")
	require.NotContains(t, policy, "unsafe")
	// The one style there is, is the one that is allowed.
	styles := regexp.MustCompile(`(?s)<style>(.*?)</style>`).FindAllStringSubmatch(page, -1)
	require.Len(t, styles, 1)
	sum := sha256.Sum256([]byte(styles[0][1]))
	require.Contains(t, policy, "style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'")
	// No script, nothing loaded, nothing inline.
	for _, tag := range regexp.MustCompile(`<[^>]*>`).FindAllString(page, -1) {
		require.NotRegexp(t, `(?i)^<(script|img|link|iframe|object|embed|base)|^<[^"]*("[^"]*"[^"]*)*\s(on\w+|style|src)=`, tag)
	}
	// For people who hear the page, and for those who zoom.
	require.Contains(t, page, `<html lang="en">`)
	require.Contains(t, page, `<meta name="viewport" content="width=device-width, initial-scale=1">`)
	require.Len(t, regexp.MustCompile(`<title>[^<]+ - Billing &amp; Co</title>`).FindAllString(page, -1), 1)
	require.Equal(t, 1, strings.Count(page, "<h1>"))
	require.Equal(t, 1, strings.Count(page, "<main>"))
	for _, input := range inputs(page) {
		if input["type"] != "hidden" {
			require.Contains(t, page, `<label for="`+input["id"]+`">`)
			require.NotEmpty(t, input["autocomplete"])
		}
	}
	for _, opened := range []string{"form", "ul", "main", "body", "html", "head", "p", "li", "button", "strong", "bdi"} {
		require.Len(t, regexp.MustCompile("<"+opened+`[\s>]`).FindAllString(page, -1), strings.Count(page, "</"+opened+">"), opened)
	}
	return page
}

// inputs returns the attributes of all input elements.
func inputs(page string) (all []map[string]string) {
	for _, element := range regexp.MustCompile(`<input ([^>]*)>`).FindAllStringSubmatch(page, -1) {
		attributes := map[string]string{}
		for _, a := range regexp.MustCompile(`([a-z]+)="([^"]*)"`).FindAllStringSubmatch(element[1], -1) {
			attributes[a[1]] = html.UnescapeString(a[2])
		}
		all = append(all, attributes)
	}
	return all
}

func show(t testing.TB, pages *consent.Pages, c oauth.Consent) string {
	t.Helper()
	w := httptest.NewRecorder()
	pages.Consent(w, httptest.NewRequest(http.MethodGet, "/", nil), c)
	require.Equal(t, 200, w.Code)
	return requireDecent(t, w)
}

func TestConsentPage(t *testing.T) {
	t.Parallel()
	question := oauth.Consent{
		Subject: "u1", ClientID: "c1", ClientName: "Ada's <b>app</b>", RedirectURI: "https://app.example/callback?a=b",
		Scopes: []scope.Permission{{Name: "profile", Label: "View your <profile>"}, {Name: "invoices", Label: "View your invoices"}},
		Action: "/oauth/authorize/decision", Ticket: oauth.NewSecret("the-ticket"),
	}
	page := show(t, newPages(t, func(c *consent.Config) { c.Apps = "/account/apps" }), question)
	require.Contains(t, page, "<h1>Allow <bdi>Ada&#39;s &lt;b&gt;app&lt;/b&gt;</bdi> to use your Billing &amp; Co account?</h1>")
	require.Contains(t, page, "<li>View your &lt;profile&gt;</li>\n<li>View your invoices</li>")
	require.Contains(t, page, "<strong><bdi>app.example</bdi></strong>")
	require.Contains(t, page, "<strong><bdi>ada@example.com</bdi></strong>")
	require.Contains(t, page, `<a href="/account/apps">`)
	require.Contains(t, page, `<form method="post" action="/oauth/authorize/decision">`)
	require.Equal(t, []map[string]string{{"type": "hidden", "name": "ticket", "value": "the-ticket"}}, inputs(page))
	require.Contains(t, page, `<button type="submit" name="decision" value="approve">`)
	require.Contains(t, page, `<button type="submit" name="decision" value="deny"`)
	require.Equal(t, 2, strings.Count(page, "<button"))
	require.Equal(t, 1, strings.Count(page, "<form"))

	question.ClientName, question.Scopes, question.RedirectURI = "", nil, "com.example.app:/cb"
	page = show(t, newPages(t, func(c *consent.Config) { c.Name = nil }), question)
	require.Contains(t, page, "<bdi>c1</bdi>")
	require.Contains(t, page, "who you are, and nothing else")
	require.Contains(t, page, "<bdi>com.example.app:/cb</bdi>")
	require.NotContains(t, page, "signed in as")
	require.NotContains(t, page, "<a ")
}

// Whatever a client is called, it is text (hydra, CVE-2019-8400).
func TestReq126_EverythingIsEscaped(t *testing.T) {
	t.Parallel()
	for _, hostile := range []string{
		"<script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, "</title><script>", "</style><script>", "javascript:alert(1)", "{{.Ticket}}", "\u202egnp", "' onclick='x",
	} {
		page := show(t, newPages(t, func(c *consent.Config) { c.Name = func(*http.Request, string) string { return hostile } }), oauth.Consent{
			ClientName: hostile, ClientID: hostile, Scopes: []scope.Permission{{Name: hostile, Label: hostile}}, RedirectURI: hostile,
			Action: "/x", Ticket: oauth.NewSecret(hostile),
		})
		require.Contains(t, page, "<bdi>"+escaped(hostile)+"</bdi>")
		require.Equal(t, hostile, inputs(page)[0]["value"])
	}
}

// escaped is what html/template makes of a text.
func escaped(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;").Replace(text)
}

func TestErrorPage(t *testing.T) {
	t.Parallel()
	for status, title := range map[int]string{400: "This cannot go on", 403: "This cannot go on", 503: "Try again later"} {
		w := httptest.NewRecorder()
		e := &oauth.Error{Status: status, Description: "It's <b>so</b>.", Err: errors.New("db7.internal")}
		if status == 503 {
			e.RetryAfter = 1500 * time.Millisecond
		}
		newPages(t).Error(w, httptest.NewRequest(http.MethodGet, "/", nil), e)
		require.Equal(t, status, w.Code)
		page := requireDecent(t, w)
		require.Contains(t, page, "<h1>"+title+"</h1>")
		require.Contains(t, page, `<p role="alert">It&#39;s &lt;b&gt;so&lt;/b&gt;.</p>`)
		require.NotContains(t, page, "db7.internal")
		if status == 503 {
			require.Equal(t, "2", w.Header().Get("Retry-After"))
		}
	}
}

func TestNewNamesEveryFault(t *testing.T) {
	t.Parallel()
	_, err := consent.New(consent.Config{Home: "//evil.example", Apps: "https://evil.example", Origin: "https://billing.example/x"})
	for _, fault := range []string{"Service", "Home", "Apps", "Origin"} {
		require.ErrorContains(t, err, "consent: "+fault)
	}
	_, err = consent.New(consent.Config{Service: "x", Home: "/x?y", Apps: "/apps", Origin: "https://billing.example"})
	require.NoError(t, err)
	pages := newPages(t)
	require.Panics(t, func() { pages.SignIn(nil, func(http.ResponseWriter, *http.Request, string) error { return nil }) })
	require.Panics(t, func() { pages.SignIn(desk{}, nil) })
}

// The whole way through both pages, as a browser goes it, with nothing but what
// the forms say.
func TestThroughBothPages(t *testing.T) {
	t.Parallel()
	pages := newPages(t)
	mux := http.NewServeMux()
	site := httptest.NewServer(mux)
	defer site.Close()
	server, err := oauth.New(oauth.NewMemoryStore(), oauth.StaticClients{{
		ID: "app", Name: "App", Public: true, Grants: []oauth.GrantType{oauth.GrantAuthorizationCode},
		Scopes: scope.MustParseSet("profile"), RedirectURIs: []string{"https://app.example/cb"},
	}}, oauth.Config{
		Issuer: site.URL, Prefix: "test", LoginURL: "/login", Consent: pages.Consent, ErrorPage: pages.Error,
		Login: func(r *http.Request) (string, bool) {
			c, err := r.Cookie("session")
			return "u1", err == nil && c.Value == "of ada"
		},
	})
	require.NoError(t, err)
	for path, handler := range server.Routes() {
		mux.Handle(path, handler)
	}
	mux.Handle("/login", pages.SignIn(desk{}, func(w http.ResponseWriter, _ *http.Request, subject string) error {
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "of " + subject, HttpOnly: true, SameSite: http.SameSiteLaxMode})
		return nil
	}))
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	var last *url.URL
	browser := &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if last = r.URL; r.URL.Host == "app.example" {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	const challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	page := visit(t, browser, http.MethodGet, site.URL+"/oauth/authorize?response_type=code&client_id=app&scope=profile&state=s&code_challenge="+challenge+"&code_challenge_method=S256", nil)
	require.Contains(t, page, `type="password"`)
	page = visit(t, browser, http.MethodPost, last.String(), fill(page, "username", "ada", "password", "wrong"))
	require.Contains(t, page, "The name or the password is wrong.")
	page = visit(t, browser, http.MethodPost, last.String(), fill(page, "password", "right"))
	require.Contains(t, page, `value="approve"`)
	visit(t, browser, http.MethodPost, site.URL+"/oauth/authorize/decision", fill(page, "decision", "approve"))
	require.Equal(t, "app.example", last.Host)
	require.NotEmpty(t, last.Query().Get("code"))
	require.Equal(t, "s", last.Query().Get("state"))
}

func visit(t *testing.T, browser *http.Client, method, target string, form url.Values) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(form.Encode()))
	require.NoError(t, err)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	answer, err := browser.Do(r)
	require.NoError(t, err)
	defer func() { _ = answer.Body.Close() }()
	body := new(strings.Builder)
	require.NoError(t, answer.Write(body))
	_, page, _ := strings.Cut(body.String(), "\r\n\r\n")
	return page
}

// fill returns what a form sends: what it has, and what a person adds.
func fill(page string, typed ...string) url.Values {
	values := url.Values{}
	for _, input := range inputs(page) {
		values.Set(input["name"], input["value"])
	}
	for i := 0; i < len(typed); i += 2 {
		values.Set(typed[i], typed[i+1])
	}
	return values
}
