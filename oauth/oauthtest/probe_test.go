package oauthtest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/middleware"
	"github.com/latchwork/latchwork/oauth"
	"github.com/latchwork/latchwork/oauth/consent"
	"github.com/latchwork/latchwork/oauth/oauthtest"
	"github.com/latchwork/latchwork/oauth/password"
	"github.com/latchwork/latchwork/scope"
)

// newTarget starts a whole server, behind a wrapper that may spoil it.
func newTarget(t testing.TB, wrap func(http.Handler) http.Handler, change ...func(*oauth.Config)) oauthtest.Target {
	t.Helper()
	mux := http.NewServeMux()
	site := httptest.NewServer(wrap(mux))
	t.Cleanup(site.Close)
	hasher, err := password.New(password.Config{Memory: 8, Iterations: 1, Concurrent: 64})
	require.NoError(t, err)
	const secret = "the password of a test"
	hash, err := hasher.Hash(t.Context(), secret)
	require.NoError(t, err)
	users := new(oauthtest.Users)
	users.Set("ada@example.com", oauth.User{Subject: "ada", PasswordHash: hash})
	pages, err := consent.New(consent.Config{Service: "Test"})
	require.NoError(t, err)
	profile := scope.MustParseSet("profile")
	machineSecret, machineStored := oauth.NewClientSecret()
	webSecret, webStored := oauth.NewClientSecret()
	const callback = "https://app.example/callback"
	code := []oauth.GrantType{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken}
	cfg := oauth.Config{
		Issuer: site.URL, Prefix: "test", Users: users, Passwords: hasher, LegacyPasswordGrant: true,
		Login: func(r *http.Request) (string, bool) {
			c, err := r.Cookie("session")
			if err != nil {
				return "", false
			}
			return c.Value, true
		},
		LoginURL: "/login", Consent: pages.Consent, ErrorPage: pages.Error, Resources: []oauth.Resource{{Path: "/api/me"}},
	}
	for _, c := range change {
		c(&cfg)
	}
	server, err := oauth.New(oauth.NewMemoryStore(), oauth.StaticClients{
		{
			ID: "machine", Secrets: []oauth.ClientSecret{machineStored}, FirstParty: true, Scopes: profile, DefaultScopes: profile,
			Grants: []oauth.GrantType{oauth.GrantPassword, oauth.GrantRefreshToken, oauth.GrantClientCredentials},
		},
		{ID: "web", Secrets: []oauth.ClientSecret{webStored}, Grants: code, Scopes: profile, DefaultScopes: profile, RedirectURIs: []string{callback}},
		{ID: "public", Public: true, Grants: code, Scopes: profile, DefaultScopes: profile, RedirectURIs: []string{callback}},
	}, cfg)
	require.NoError(t, err)
	for path, handler := range server.Routes() {
		mux.Handle(path, handler)
	}
	mux.Handle("/login", pages.SignIn(server, func(w http.ResponseWriter, _ *http.Request, subject string) error {
		http.SetCookie(w, &http.Cookie{Name: "session", Value: subject, Path: "/"})
		return nil
	}))
	guard, err := middleware.New(middleware.Config{
		Credentials: []middleware.Authenticator{middleware.Tokens(server)}, ResourceMetadata: server.ResourceMetadata,
	})
	require.NoError(t, err)
	mux.Handle("/api/me", guard.RequireScope("profile")(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
	})))
	return oauthtest.Target{
		Issuer:  site.URL,
		Machine: oauthtest.TargetClient{ID: "machine", Secret: machineSecret.Reveal()},
		Web:     oauthtest.TargetClient{ID: "web", Secret: webSecret.Reveal(), RedirectURI: callback},
		Public:  oauthtest.TargetClient{ID: "public", RedirectURI: callback}, Username: "ada@example.com", Password: secret,
		Scope: "profile", Resource: site.URL + "/api/me", Client: site.Client(),
	}
}

func asItIs(h http.Handler) http.Handler { return h }

func TestOurServerPasses(t *testing.T) {
	t.Parallel()
	target := newTarget(t, asItIs)
	oauthtest.TestProtocol(t, target)
	report, err := oauthtest.CheckProtocol(t.Context(), newTarget(t, asItIs))
	require.NoError(t, err)
	require.NoError(t, report.Err())
	scores := report.Scores()
	require.Len(t, scores, 12)
	require.Equal(t, oauthtest.Score{Passed: len(report)}, scores[11])
	require.Contains(t, report.String(), "token endpoint")
}

// So does one that caches access tokens: what it revokes is dead at once.
func TestOurServerPassesWithACache(t *testing.T) {
	t.Parallel()
	report, err := oauthtest.CheckProtocol(t.Context(), newTarget(t, asItIs, func(c *oauth.Config) { c.CacheTTL = time.Minute }))
	require.NoError(t, err)
	require.NoError(t, report.Err())
}

// What a server does not offer is skipped, and said to be.
func TestTargetsWithLess(t *testing.T) {
	t.Parallel()
	full := newTarget(t, asItIs)
	target := oauthtest.Target{Issuer: full.Issuer, Machine: full.Machine, Scope: full.Scope, Client: full.Client}
	report, err := oauthtest.CheckProtocol(t.Context(), target)
	require.NoError(t, err)
	require.NoError(t, report.Err())
	all := report.Scores()[11]
	require.Positive(t, all.Passed)
	require.Positive(t, all.Skipped)
	require.Contains(t, report.String(), "not offered")

	// Without metadata the endpoints have to be told.
	hidden := newTarget(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/.well-known/") {
				http.NotFound(w, r)
				return
			}
			h.ServeHTTP(w, r)
		})
	})
	_, err = oauthtest.CheckProtocol(t.Context(), hidden)
	require.ErrorContains(t, err, "token endpoint")
	hidden.Endpoints.Token, hidden.Resource = hidden.Issuer+"/oauth/token", ""
	report, err = oauthtest.CheckProtocol(t.Context(), hidden)
	require.NoError(t, err)
	require.NoError(t, report.Err())
	_, err = oauthtest.CheckProtocol(t.Context(), oauthtest.Target{Issuer: "nonsense"})
	require.ErrorContains(t, err, "issuer")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = oauthtest.CheckProtocol(ctx, hidden)
	require.ErrorIs(t, err, context.Canceled)
}

// at spoils the requests for one path, and replies does so with what is answered.
func at(path string, spoil func(next http.Handler, w http.ResponseWriter, r *http.Request)) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != path {
				next.ServeHTTP(w, r)
				return
			}
			spoil(next, w, r)
		})
	}
}

func replies(path string, spoil func(w *httptest.ResponseRecorder, r *http.Request)) func(http.Handler) http.Handler {
	return at(path, func(next http.Handler, w http.ResponseWriter, r *http.Request) {
		recorder := httptest.NewRecorder()
		next.ServeHTTP(recorder, r)
		spoil(recorder, r)
		maps.Copy(w.Header(), recorder.Header())
		w.WriteHeader(recorder.Code)
		_, _ = recorder.Body.WriteTo(w)
	})
}

// forms changes the form that is posted to a path.
func forms(path string, change func(f url.Values, r *http.Request)) func(http.Handler) http.Handler {
	return at(path, func(next http.Handler, w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		f, err := url.ParseQuery(string(body))
		if err == nil && r.Method == http.MethodPost {
			change(f, r)
			body = []byte(f.Encode())
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		next.ServeHTTP(w, r)
	})
}

// queries changes the query of a path.
func queries(path string, change func(f url.Values)) func(http.Handler) http.Handler {
	return at(path, func(next http.Handler, w http.ResponseWriter, r *http.Request) {
		f := r.URL.Query()
		change(f)
		r.URL.RawQuery = f.Encode()
		next.ServeHTTP(w, r)
	})
}

func errs(w *httptest.ResponseRecorder, status int, code string) {
	w.Code = status
	w.Body.Reset()
	_ = json.NewEncoder(w.Body).Encode(map[string]string{"error": code})
}

const (
	tokenPath      = "/oauth/token"
	authorizePath  = "/oauth/authorize"
	revokePath     = "/oauth/revoke"
	introspectPath = "/oauth/introspect"
	serverDocument = "/.well-known/oauth-authorization-server"
)

// refreshes spoils the answers to refresh tokens.
func refreshes(spoil func(*httptest.ResponseRecorder)) func(http.Handler) http.Handler {
	return at(tokenPath, func(next http.Handler, w http.ResponseWriter, r *http.Request) {
		refresh := posted(r).Has("refresh_token")
		recorder := record(next, r)
		if refresh {
			spoil(recorder)
		}
		replay(w, recorder.Code, recorder.Header(), recorder.Body.Bytes())
	})
}

var forks atomic.Int64

// A misfit is a server that does something wrong, which others were measured to
// do or could, and the requirements that it misses.
type misfit struct {
	mistake string
	misses  []int // at least these
	wrap    func(http.Handler) http.Handler
}

func misfits() []misfit {
	isCode := func(f url.Values) bool { return f.Get("grant_type") == "authorization_code" }
	drop := func(path, header string) func(http.Handler) http.Handler {
		return replies(path, func(w *httptest.ResponseRecorder, _ *http.Request) { w.Header().Del(header) })
	}
	location := func(change func(u *url.URL, q url.Values)) func(http.Handler) http.Handler {
		spoil := func(w *httptest.ResponseRecorder, _ *http.Request) {
			if u, err := url.Parse(w.Header().Get("Location")); err == nil && u.Host == "app.example" {
				q := u.Query()
				change(u, q)
				u.RawQuery = q.Encode()
				w.Header().Set("Location", u.String())
			}
		}
		return func(h http.Handler) http.Handler {
			return replies(authorizePath, spoil)(replies(authorizePath+"/decision", spoil)(h))
		}
	}
	return []misfit{
		{"nothing is issued", []int{1, 30, 45, 54}, at(tokenPath, func(_ http.Handler, w http.ResponseWriter, r *http.Request) {
			posted(r)
			w.WriteHeader(http.StatusInternalServerError)
		})},
		{"garbage for a code is an invalid request", []int{75}, at(tokenPath, func(next http.Handler, w http.ResponseWriter, r *http.Request) {
			if posted(r).Get("code") == "garbage" {
				replay(w, http.StatusBadRequest, nil, []byte(`{"error":"invalid_request"}`))
				return
			}
			next.ServeHTTP(w, r)
		})},
		{"public clients speak for themselves", []int{81}, at(tokenPath, func(next http.Handler, w http.ResponseWriter, r *http.Request) {
			if f := posted(r); f.Get("client_id") == "public" && f.Get("grant_type") == "client_credentials" {
				replay(w, http.StatusOK, nil, []byte(`{"access_token":"x","token_type":"Bearer","expires_in":900}`))
				return
			}
			next.ServeHTTP(w, r)
		})},
		{"refreshing needs no client, as in go-oauth2", []int{88}, refreshes(func(w *httptest.ResponseRecorder) {
			if w.Code == http.StatusUnauthorized {
				w.Code = http.StatusOK
				w.Body = bytes.NewBufferString(`{"access_token":"x","refresh_token":"y","token_type":"Bearer","expires_in":900}`)
			}
		})},
		{"any method", []int{2}, at(tokenPath, func(next http.Handler, w http.ResponseWriter, r *http.Request) {
			r.Method = http.MethodPost
			r.Header.Set("Content-Type", formTypeOfTests)
			next.ServeHTTP(w, r)
		})},
		{"405 without Allow", []int{2}, drop(tokenPath, "Allow")},
		{"a charset is refused", []int{4}, at(tokenPath, func(next http.Handler, w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.Header.Get("Content-Type"), ";") {
				r.Header.Set("Content-Type", "x/y")
			}
			next.ServeHTTP(w, r)
		})},
		{"any content type", []int{5, 6}, at(tokenPath, func(next http.Handler, w http.ResponseWriter, r *http.Request) {
			r.Header.Set("Content-Type", formTypeOfTests)
			next.ServeHTTP(w, r)
		})},
		{"parameters in the URL", []int{8}, at(tokenPath, func(next http.Handler, w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if len(body) == 0 {
				body = []byte(r.URL.RawQuery)
			}
			r.URL.RawQuery = ""
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			next.ServeHTTP(w, r)
		})},
		{"the first of two", []int{9}, forms(tokenPath, func(f url.Values, _ *http.Request) {
			for name := range f {
				f[name] = f[name][:1]
			}
			if f.Get("scope") == "x" {
				f.Del("scope")
			}
		})},
		{"unknown parameters are errors", []int{11}, replies(tokenPath, func(w *httptest.ResponseRecorder, r *http.Request) {
			if r.ContentLength == int64(len("grant_type=client_credentials&foo=bar")) {
				errs(w, 400, "invalid_request")
			}
		})},
		{"an empty scope is a scope", []int{13}, replies(tokenPath, func(w *httptest.ResponseRecorder, r *http.Request) {
			if r.ContentLength == int64(len("grant_type=client_credentials&scope=")) {
				errs(w, 400, "invalid_scope")
			}
		})},
		{"broken encoding is read", []int{14}, at(tokenPath, func(next http.Handler, w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			body = bytes.ReplaceAll(body, []byte("%zz"), nil)
			r.Body = io.NopCloser(bytes.NewReader(body))
			next.ServeHTTP(w, r)
		})},
		{"no limit on bodies", []int{16}, at(tokenPath, func(next http.Handler, w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if before, _, found := bytes.Cut(body, []byte("&foo=xxx")); found {
				body = before
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			next.ServeHTTP(w, r)
		})},
		{"unknown grant types are invalid requests, as fosite has it", []int{19, 20}, replies(tokenPath, func(w *httptest.ResponseRecorder, _ *http.Request) {
			if strings.Contains(w.Body.String(), "unsupported_grant_type") {
				errs(w, 400, "invalid_request")
			}
		})},
		{"no grant type is an unknown one", []int{18}, replies(tokenPath, func(w *httptest.ResponseRecorder, _ *http.Request) {
			if strings.Contains(w.Body.String(), "grant_type is missing") {
				errs(w, 400, "unsupported_grant_type")
			}
		})},
		{"tokens are kept", []int{21, 22}, drop(tokenPath, "Cache-Control")},
		{"tokens never expire", []int{23}, replies(tokenPath, func(w *httptest.ResponseRecorder, _ *http.Request) {
			w.Body = bytes.NewBufferString(strings.Replace(w.Body.String(), `"expires_in"`, `"expires"`, 1))
		})},
		{"errors repeat", []int{24}, at(tokenPath, func(next http.Handler, w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if strings.Contains(string(body), "canary") {
				w.WriteHeader(http.StatusBadRequest)
				_, _ = w.Write([]byte(`{"error":"unsupported_grant_type","error_description":"canary"}`))
				return
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			next.ServeHTTP(w, r)
		})},
		{"no challenge, as fosite and go-oauth2 have it", []int{31, 36, 37, 41, 44, 47}, drop(tokenPath, "WWW-Authenticate")},
		{"unknown clients are said to be", []int{32}, replies(tokenPath, func(w *httptest.ResponseRecorder, r *http.Request) {
			if id, _, _ := r.BasicAuth(); id == "nobody-at-all" {
				errs(w, 401, "unknown_client")
			}
		})},
		{"the first of two headers", []int{38}, at(tokenPath, func(next http.Handler, w http.ResponseWriter, r *http.Request) {
			r.Header["Authorization"] = r.Header["Authorization"][:min(1, len(r.Header["Authorization"]))]
			next.ServeHTTP(w, r)
		})},
		{"the scheme has a case", []int{39}, at(tokenPath, func(next http.Handler, w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.Header.Get("Authorization"), "basic") {
				r.Header.Set("Authorization", "x")
			}
			next.ServeHTTP(w, r)
		})},
		{"two ways at once", []int{42, 43}, forms(tokenPath, func(f url.Values, r *http.Request) {
			if r.Header.Get("Authorization") != "" {
				f.Del("client_id")
				f.Del("client_secret")
			}
		})},
		{"401 for a wrong password, as go-oauth2 has it", []int{56}, replies(tokenPath, func(w *httptest.ResponseRecorder, _ *http.Request) {
			if w.Code == 400 && strings.Contains(w.Body.String(), "invalid_grant") {
				w.Code = 401
			}
		})},
		{"the password comes before the client, as in go-oauth2", []int{51}, at(tokenPath, func(next http.Handler, w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(body))
			f, _ := url.ParseQuery(string(body))
			recorder := httptest.NewRecorder()
			next.ServeHTTP(recorder, r)
			if recorder.Code == 401 && f.Get("password") == "wrong" {
				errs(recorder, 401, "invalid_grant")
			}
			maps.Copy(w.Header(), recorder.Header())
			w.WriteHeader(recorder.Code)
			_, _ = recorder.Body.WriteTo(w)
		})},
		{"unknown users are said to be", []int{57}, at(tokenPath, func(next http.Handler, w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(body))
			if strings.Contains(string(body), "nobody%40example.com") {
				w.WriteHeader(http.StatusNotFound)
				return
			}
			next.ServeHTTP(w, r)
		})},
		{"no password is a wrong one", []int{55}, replies(tokenPath, func(w *httptest.ResponseRecorder, _ *http.Request) {
			if strings.Contains(w.Body.String(), "username and password") {
				errs(w, 400, "invalid_grant")
			}
		})},
		{"a client has a refresh token", []int{80}, replies(tokenPath, func(w *httptest.ResponseRecorder, r *http.Request) {
			if id, _, _ := r.BasicAuth(); id == "machine" && !strings.Contains(w.Body.String(), "refresh_token") {
				w.Body = bytes.NewBufferString(strings.Replace(w.Body.String(), `{`, `{"refresh_token":"x",`, 1))
			}
		})},
		{"tokens are counted", []int{103}, replies(tokenPath, func(w *httptest.ResponseRecorder, _ *http.Request) {
			if w.Code == 200 {
				w.Body = bytes.NewBufferString(`{"access_token":"1","token_type":"Bearer","expires_in":900}`)
			}
		})},
		{"the verifier is not looked at", []int{66, 68, 69, 70}, forms(tokenPath, func(f url.Values, _ *http.Request) {
			if isCode(f) {
				f.Set("code_verifier", verifierOfTests)
			}
		})},
		{"the redirect URI is not looked at", []int{71}, forms(tokenPath, func(f url.Values, _ *http.Request) {
			if isCode(f) {
				f.Set("redirect_uri", "https://app.example/callback")
			}
		})},
		{"a code is used up by whatever comes", []int{66, 68, 71, 73}, useUp},
		{"codes work again and again", []int{76, 77}, replayCodes},
		{"a second use is refused, and that is all", []int{76, 77}, forgetReuse},
		{"refresh tokens stay", []int{84}, refreshes(func(w *httptest.ResponseRecorder) {
			w.Body = bytes.NewBufferString(strings.Replace(w.Body.String(), `"refresh_token"`, `"other"`, 1))
		})},
		{"any scope, as go-oauth2 has it", []int{87}, forms(tokenPath, func(f url.Values, _ *http.Request) { f.Del("scope") })},
		{"invalid refresh tokens are invalid requests", []int{89, 98}, refreshes(func(w *httptest.ResponseRecorder) {
			if strings.Contains(w.Body.String(), "invalid_grant") {
				errs(w, 400, "invalid_request")
			}
		})},
		{"a replay is answered, and nothing follows", []int{91}, refreshes(func(w *httptest.ResponseRecorder) {
			if strings.Contains(w.Body.String(), "invalid_grant") {
				w.Code = 200
			}
		})},
		{"every refresh is another line", []int{94}, refreshes(func(w *httptest.ResponseRecorder) {
			fork := fmt.Sprintf(`"refresh_token":"%d`, forks.Add(1))
			w.Body = bytes.NewBufferString(strings.Replace(w.Body.String(), `"refresh_token":"`, fork, 1))
		})},
		{"any method at authorize", []int{104}, at(authorizePath, func(next http.Handler, w http.ResponseWriter, r *http.Request) {
			r.Method = http.MethodGet
			next.ServeHTTP(w, r)
		})},
		{"an open redirector", []int{105, 106, 108}, replies(authorizePath, func(w *httptest.ResponseRecorder, r *http.Request) {
			if w.Code == 400 {
				w.Code = 303
				w.Header().Set("Location", r.URL.Query().Get("redirect_uri")+"?error=x")
			}
		})},
		{"any host that ends the same, as go-oauth2 has it", []int{108}, at(authorizePath, func(next http.Handler, w http.ResponseWriter, r *http.Request) {
			q := r.URL.Query()
			if strings.Contains(q.Get("redirect_uri"), "attackerapp.example") {
				w.Header().Set("Location", q.Get("redirect_uri"))
				w.WriteHeader(http.StatusFound)
				return
			}
			next.ServeHTTP(w, r)
		})},
		{"every response type is code", []int{113}, queries(authorizePath, func(q url.Values) { q.Set("response_type", "code") })},
		{"the first of two at authorize", []int{114}, queries(authorizePath, func(q url.Values) {
			for name := range q {
				q[name] = q[name][:1]
			}
		})},
		{"the state is cleaned", []int{115, 121}, location(func(_ *url.URL, q url.Values) { q.Set("state", strings.ReplaceAll(q.Get("state"), "+", " ")) })},
		{"PKCE is for who wants it", []int{116, 117, 118}, queries(authorizePath, func(q url.Values) {
			q.Set("code_challenge", challengeOfTests)
			q.Set("code_challenge_method", "S256")
		})},
		{"unknown scopes are ignored", []int{119}, queries(authorizePath, func(q url.Values) { q.Del("scope") })},
		{"no issuer", []int{120}, location(func(_ *url.URL, q url.Values) { q.Del("iss") })},
		{"no is nothing", []int{121}, location(func(_ *url.URL, q url.Values) { q.Del("error") })},
		{"302", []int{122}, replies(authorizePath, func(w *httptest.ResponseRecorder, _ *http.Request) {
			if w.Code == 303 {
				w.Code = 302
			}
		})},
		{"pages in frames", []int{125}, drop(authorizePath, "Content-Security-Policy")},
		{"pages that repeat", []int{126}, replies(authorizePath, func(w *httptest.ResponseRecorder, r *http.Request) {
			w.Body.WriteString(r.URL.Query().Get("error_description"))
		})},
		{"CORS at authorize", []int{132}, replies(authorizePath, func(w *httptest.ResponseRecorder, _ *http.Request) {
			w.Header().Set("Access-Control-Allow-Origin", "*")
		})},
		{"revocation without a body", []int{134}, replies(revokePath, func(w *httptest.ResponseRecorder, _ *http.Request) {
			if w.Code == 200 {
				w.Body.Reset()
			}
		})},
		{"unknown tokens are errors", []int{135}, replies(revokePath, func(w *httptest.ResponseRecorder, r *http.Request) {
			if r.ContentLength == int64(len("token=garbage")) {
				errs(w, 400, "invalid_request")
			}
		})},
		{"revocation does nothing", []int{136, 137, 138, 140}, at(revokePath, func(_ http.Handler, w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = w.Write([]byte("{}"))
		})},
		{"anybody revokes", []int{139}, anybodyRevokes},
		{"a wrong secret at revocation is no matter", []int{142}, replies(revokePath, func(w *httptest.ResponseRecorder, _ *http.Request) {
			if w.Code == 401 {
				w.Code = 200
			}
		})},
		{"GET revokes", []int{144}, replies(revokePath, func(w *httptest.ResponseRecorder, r *http.Request) {
			if r.Method == http.MethodGet {
				w.Code = 200
			}
		})},
		{"token twice at revocation", []int{146}, forms(revokePath, func(f url.Values, _ *http.Request) { f["token"] = f["token"][:min(1, len(f["token"]))] })},
		{"anybody introspects", []int{148, 157}, replies(introspectPath, func(w *httptest.ResponseRecorder, _ *http.Request) {
			if w.Code == 401 {
				errs(w, 200, "")
			}
		})},
		{"strangers learn", []int{149}, replies(introspectPath, func(w *httptest.ResponseRecorder, r *http.Request) {
			if r.Header.Get("Authorization") == "" && w.Code == 200 {
				w.Body = bytes.NewBufferString(`{"active":true,"sub":"ada"}`)
			}
		})},
		{"nobody learns", []int{150}, replies(introspectPath, func(w *httptest.ResponseRecorder, _ *http.Request) {
			if w.Code == 200 {
				w.Body = bytes.NewBufferString(`{"active":false}`)
			}
		})},
		{"inactive tokens have a reason", []int{151}, replies(introspectPath, func(w *httptest.ResponseRecorder, _ *http.Request) {
			w.Body = bytes.NewBufferString(strings.Replace(w.Body.String(), `{"active":false`, `{"active":false,"reason":"unknown"`, 1))
		})},
		{"introspection in the URL, by GET", []int{152, 156}, at(introspectPath, func(next http.Handler, w http.ResponseWriter, r *http.Request) {
			if r.URL.RawQuery != "" || r.Method == http.MethodGet {
				_, _ = w.Write([]byte(`{"active":false}`))
				return
			}
			next.ServeHTTP(w, r)
		})},
		{"another issuer", []int{160}, replies(serverDocument, func(w *httptest.ResponseRecorder, _ *http.Request) {
			w.Body = bytes.NewBufferString(strings.Replace(w.Body.String(), `","`, `/","`, 1))
		})},
		{"empty lists, plain, and no iss", []int{163, 164}, replies(serverDocument, func(w *httptest.ResponseRecorder, _ *http.Request) {
			text := strings.Replace(w.Body.String(), `["S256"]`, `["S256","plain"]`, 1)
			text = strings.Replace(text, `"authorization_response_iss_parameter_supported":true`, `"acr_values_supported":[]`, 1)
			w.Body = bytes.NewBufferString(text)
		})},
		{"metadata for nobody", []int{166, 168}, replies(serverDocument, func(w *httptest.ResponseRecorder, r *http.Request) {
			w.Header().Del("Cache-Control")
			if r.Method == http.MethodHead {
				w.Code = 405
			}
		})},
		{"one document for all resources", []int{167}, at("/.well-known/oauth-protected-resource/api/me", func(next http.Handler, w http.ResponseWriter, r *http.Request) {
			r.URL.Path = "/.well-known/oauth-protected-resource"
			next.ServeHTTP(w, r)
		})},
		{"every token is good", []int{82, 98, 140, 172, 173, 174, 175, 177, 178}, at("/api/me", func(_ http.Handler, w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusOK)
		})},
		{"no token is good", []int{170, 171}, at("/api/me", func(_ http.Handler, w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
		})},
	}
}

const (
	formTypeOfTests  = "application/x-www-form-urlencoded"
	verifierOfTests  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challengeOfTests = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// TestEveryMisfitIsNoticed proves that the requirements can be missed.
func TestEveryMisfitIsNoticed(t *testing.T) {
	t.Parallel()
	unproved := map[int]bool{}
	for _, number := range oauthtest.ProtocolNumbers() {
		unproved[number] = true
	}
	for _, m := range misfits() {
		for _, number := range m.misses {
			delete(unproved, number)
		}
		t.Run(m.mistake, func(t *testing.T) {
			t.Parallel()
			report, err := oauthtest.CheckProtocol(t.Context(), newTarget(t, m.wrap))
			require.NoError(t, err)
			failed := []int{}
			for _, result := range report {
				if result.Err != nil {
					failed = append(failed, result.Number)
					require.NotContains(t, result.Err.Error(), "panic")
				}
			}
			for _, number := range m.misses {
				require.Contains(t, failed, number, "%v", report)
			}
		})
	}
	require.Empty(t, unproved, "a requirement that no server misses")
}
