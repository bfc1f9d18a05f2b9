package oauth_test

import (
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/oauth"
)

const (
	authorizePath = "/oauth/authorize"
	decisionPath  = "/oauth/authorize/decision"
)

// newSite returns a house with an authorization endpoint, in front of which the
// subject of the header X-Subject is signed in.
func newSite(t testing.TB, change ...func(*oauth.Config)) *house {
	t.Helper()
	h := new(house)
	return h.build(t, append([]func(*oauth.Config){site, h.asks}, change...)...)
}

func site(c *oauth.Config) {
	c.LoginURL = "/oauth/login"
	c.Login = func(r *http.Request) (string, bool) {
		subject := r.Header.Get("X-Subject")
		return subject, r.Header["X-Subject"] != nil
	}
}

// asks makes the house hear what its consent page is told to ask.
func (h *house) asks(c *oauth.Config) {
	c.Consent = func(w http.ResponseWriter, _ *http.Request, question oauth.Consent) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.questions = append(h.questions, question)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte("<title>May it?</title>"))
	}
}

// asking returns the parameters of a good authorization request. What is given
// replaces what is there; an empty value removes it.
func asking(instead ...string) url.Values {
	values := url.Values{
		"response_type": {"code"}, "client_id": {"first"}, "redirect_uri": {callback}, "scope": {"profile"}, "state": {"a state"},
		"code_challenge": {challenge}, "code_challenge_method": {"S256"},
	}
	for i := 0; i < len(instead); i += 2 {
		values.Set(instead[i], instead[i+1])
		if instead[i+1] == "" {
			values.Del(instead[i])
		}
	}
	return values
}

// authorize sends an authorization request of somebody who is signed in as
// subject, or of nobody.
func (h *house) authorize(subject, query string) answer {
	return h.browse(h.server.AuthorizeHandler(), get(subject, authorizePath+"?"+query))
}

func get(subject, target string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	if subject != "" {
		r.Header.Set("X-Subject", subject)
	}
	return r
}

func post(subject, target, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(body))
	r.Header.Set("Content-Type", formType)
	if subject != "" {
		r.Header.Set("X-Subject", subject)
	}
	return r
}

// question has somebody asked, and returns what.
func (h *house) question(subject, query string) oauth.Consent {
	h.t.Helper()
	a := h.authorize(subject, query)
	require.Equal(h.t, 200, a.Code, "%s %s", a.Header().Get("Location"), a.Body)
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.questions[len(h.questions)-1]
}

// decide posts a decision, as a browser does that got the page from here.
func (h *house) decide(subject, ticket, decision string) answer {
	r := post(subject, decisionPath, url.Values{"ticket": {ticket}, "decision": {decision}}.Encode())
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return h.browse(h.server.DecisionHandler(), r)
}

// approved returns the code that comes of a request which ada approves.
func (h *house) approved(instead ...string) string {
	h.t.Helper()
	q := h.question("u1", asking(instead...).Encode())
	return h.redirected(h.decide("u1", q.Ticket.Reveal(), "approve")).Get("code")
}

// redirected returns the parameters of an authorization response.
func (h *house) redirected(a answer) url.Values {
	h.t.Helper()
	require.Equal(h.t, http.StatusSeeOther, a.Code, "%s", a.Body)
	location := a.Header().Get("Location")
	rest, found := strings.CutPrefix(location, callback+"&")
	require.True(h.t, found, location)
	values, err := url.ParseQuery(rest)
	require.NoError(h.t, err)
	for name, value := range values {
		require.Len(h.t, value, 1, name)
		require.NotEmpty(h.t, value[0], name)
	}
	require.Equal(h.t, h.issuer, values.Get("iss"))
	if code := values.Get("code"); code != "" {
		require.Regexp(h.t, `^paym_ac_[0-9A-Za-z]{49}$`, code)
		require.Empty(h.t, values.Get("error"))
	} else {
		require.NotEmpty(h.t, values.Get("error"))
		require.NotEmpty(h.t, values.Get("error_description"))
	}
	return values
}

// refused asserts that an authorization request was answered to the client with
// this error, and with its state.
func (h *house) refused(a answer, code, state string) {
	h.t.Helper()
	values := h.redirected(a)
	require.Equal(h.t, code, values.Get("error"))
	require.Equal(h.t, state, values.Get("state"))
}

// requirePage asserts that a person got to see an error, and nobody else
// anything.
func requirePage(t testing.TB, a answer, status int) {
	t.Helper()
	require.Equal(t, status, a.Code, "%s %s", a.Header().Get("Location"), a.Body)
	require.Empty(t, a.Header().Get("Location"))
	require.Equal(t, "text/html; charset=utf-8", a.Header().Get("Content-Type"))
	require.Contains(t, a.Body.String(), "<h1>")
}

func (h *house) browse(handler http.Handler, r *http.Request) answer {
	a := answer{ResponseRecorder: httptest.NewRecorder()}
	handler.ServeHTTP(a, r)
	requireLawfulPage(h.t, a)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answers = append(h.answers, a)
	return a
}

// requireLawfulPage asserts what holds for every answer that a browser gets:
// each test of this package that sends something goes through here or through
// requireLawful.
func requireLawfulPage(t testing.TB, a answer) {
	t.Helper()
	if a.gone() {
		return
	}
	header := a.Header()
	require.Contains(t, []int{200, 303, 400, 403, 404, 405, 413, 503}, a.Code)
	require.Equal(t, "no-store", header.Get("Cache-Control"))
	require.Equal(t, "same-origin", header.Get("Referrer-Policy"))
	require.Equal(t, "nosniff", header.Get("X-Content-Type-Options"))
	require.Equal(t, "DENY", header.Get("X-Frame-Options"))
	require.Contains(t, header.Get("Content-Security-Policy"), "frame-ancestors 'none'")
	require.NotContains(t, header.Get("Content-Security-Policy"), "form-action")
	require.Equal(t, a.Code == http.StatusSeeOther, header.Get("Location") != "")
	require.Equal(t, a.Code == http.StatusMethodNotAllowed, header.Get("Allow") != "")
	require.Equal(t, a.Code == http.StatusServiceUnavailable, header.Get("Retry-After") != "")
	for name := range header {
		require.NotContains(t, name, "Access-Control")
	}
	if a.Code >= 400 {
		text := a.Body.String()
		_, text, _ = strings.Cut(text, "<p>")
		text, _, _ = strings.Cut(text, "</p>")
		require.Contains(t, descriptions(), html.UnescapeString(text), "a text that may hold what the client sent")
	}
	if a.Code == http.StatusSeeOther {
		require.Empty(t, a.Body.String())
		u, err := url.Parse(header.Get("Location"))
		require.NoError(t, err)
		if d := u.Query().Get("error_description"); d != "" {
			require.Contains(t, descriptions(), d, "a text that may hold what the client sent")
		}
	}
}
