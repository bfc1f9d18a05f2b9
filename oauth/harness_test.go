package oauth_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/oauth"
	"github.com/latchwork/latchwork/scope"
)

const (
	issuer   = "https://billing.example"
	formType = "application/x-www-form-urlencoded"
	right    = "correct-horse-battery-staple"
	byLogin  = "grant_type=password&username=ada&password=" + right
	byClient = "grant_type=client_credentials"
	byToken  = "grant_type=refresh_token&refresh_token="
	callback = "https://app.example/callback?a=%20b"
)

// A house is a Server with clients of each kind, people, a clock, and ears for
// everything it says. Each of its collaborators goes through the tap.
type house struct {
	t       testing.TB
	server  *oauth.Server
	direct  *oauth.Server // a second one, on the MemoryStore without a tap
	memory  *oauth.MemoryStore
	tap     *tap
	clients clientele
	people  people
	clock   *clock
	secrets map[string]string // of the clients

	issuer string

	mu        sync.Mutex
	events    []oauth.Event
	questions []oauth.Consent
	answers   []answer
	log       bytes.Buffer
}

func newHouse(t testing.TB, change ...func(*oauth.Config)) *house {
	t.Helper()
	return new(house).build(t, change...)
}

func (h *house) build(t testing.TB, change ...func(*oauth.Config)) *house {
	h.t, h.memory, h.tap, h.clock, h.secrets = t, oauth.NewMemoryStore(), new(tap), newClock(), map[string]string{}
	h.clients = clientele{tap: h.tap, byID: map[string]oauth.Client{}}
	h.people = people{tap: h.tap, byName: map[string]oauth.User{
		"ada": {Subject: "u1", PasswordHash: rightHash()},
		"eve": {Subject: "u2", PasswordHash: rightHash(), Disabled: true},
		"bob": {Subject: "u3"},
	}}
	cfg := oauth.Config{
		Issuer: issuer, Prefix: "paym", Users: &h.people, Passwords: hasher{h.tap, cheap()}, LegacyPasswordGrant: true,
		OnEvent: h.hear, Now: h.clock.now,
		Logger: slog.New(slog.NewTextHandler(&h.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, c := range change {
		c(&cfg)
	}
	var err error
	h.issuer = cfg.Issuer
	h.server, err = oauth.New(spy{h.memory, h.tap}, &h.clients, cfg)
	require.NoError(t, err)
	h.direct, err = oauth.New(h.memory, &h.clients, cfg)
	require.NoError(t, err)
	h.register("first", nil)
	h.register("other", nil)
	h.register("app", func(c *oauth.Client) { c.Public, c.Secrets = true, nil })
	return h
}

// register adds a client that may do everything, unless it is changed.
func (h *house) register(id string, change func(*oauth.Client)) {
	secret, stored := oauth.NewClientSecret()
	c := oauth.Client{
		ID: id, Secrets: []oauth.ClientSecret{stored}, FirstParty: true,
		Grants: []oauth.GrantType{
			oauth.GrantAuthorizationCode, oauth.GrantPassword, oauth.GrantRefreshToken, oauth.GrantClientCredentials,
		},
		Scopes: scope.MustParseSet("profile", "invoices"), DefaultScopes: scope.MustParseSet("profile"),
		RedirectURIs: []string{callback},
	}
	if change != nil {
		change(&c)
	}
	h.secrets[id] = secret.Reveal()
	h.clients.put(c)
}

func (h *house) hear(e oauth.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, e)
}

// kinds returns what happened so far, in order.
func (h *house) kinds() []oauth.EventKind {
	h.mu.Lock()
	defer h.mu.Unlock()
	kinds := []oauth.EventKind{}
	for _, e := range h.events {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

// unlimited switches the limits off.
func unlimited(c *oauth.Config) { c.InsecureUnlimitedGuesses = true }

// basic returns the value of an Authorization header.
func (h *house) basic(id string) string { return basic(id, h.secrets[id]) }

func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))
}

// as sends a token request of a client, which authenticates itself.
func (h *house) as(id, body string) answer {
	if h.clients.get(id).Public {
		return h.post(body + "&client_id=" + id)
	}
	return h.post(body, h.basic(id))
}

// post sends a token request with one Authorization header for each value.
func (h *house) post(body string, authorization ...string) answer {
	return h.send(request(body, authorization...))
}

func request(body string, authorization ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/oauth/token", strings.NewReader(body))
	r.Header.Set("Content-Type", formType)
	for _, value := range authorization {
		r.Header.Add("Authorization", value)
	}
	return r
}

func (h *house) send(r *http.Request) answer {
	return h.sendTo(h.server.TokenHandler(), r, requireLawfulTokens)
}

// revoke sends a revocation request of a client.
func (h *house) revoke(id, body string, authorization ...string) answer {
	return h.sendTo(h.server.RevokeHandler(), h.request(id, body, authorization), requireEmptyObject)
}

// introspect sends an introspection request of a client.
func (h *house) introspect(id, body string, authorization ...string) answer {
	return h.sendTo(h.server.IntrospectHandler(), h.request(id, body, authorization), requireLawfulIntrospection)
}

// request is of a client that authenticates itself, or without an ID, of nobody
// in particular.
func (h *house) request(id, body string, authorization []string) *http.Request {
	switch {
	case id == "":
		return request(body, authorization...)
	case h.clients.get(id).Public:
		return request(body+"&client_id="+id, authorization...)
	default:
		return request(body, h.basic(id))
	}
}

func (h *house) sendTo(handler http.Handler, r *http.Request, requireLawfulSuccess func(testing.TB, *answer)) answer {
	a := answer{ResponseRecorder: httptest.NewRecorder()}
	handler.ServeHTTP(a, r)
	requireLawful(h.t, &a, requireLawfulSuccess)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answers = append(h.answers, a)
	return a
}

// An answer is what came back.
type answer struct {
	*httptest.ResponseRecorder

	members map[string]any
}

func (a answer) text(member string) string {
	s, _ := a.members[member].(string)
	return s
}

func (a answer) access() string  { return a.text("access_token") }
func (a answer) refresh() string { return a.text("refresh_token") }

// silent reports that nothing was written, as for a sender that is gone.
func (a answer) silent() bool { return len(a.Header()) == 0 && a.Body.Len() == 0 }

// gone is silent for pages, whose headers are set beforehand.
func (a answer) gone() bool {
	return a.Code == http.StatusServiceUnavailable && a.Header().Get("Retry-After") == "" && a.Body.Len() == 0
}

// requireLawful asserts what holds for every answer there is: each test of this
// package that sends something goes through here.
func requireLawful(t testing.TB, a *answer, requireLawfulSuccess func(testing.TB, *answer)) {
	t.Helper()
	if a.silent() {
		return
	}
	header := a.Header()
	require.Equal(t, "application/json", header.Get("Content-Type"))
	require.Equal(t, "no-store", header.Get("Cache-Control"))
	require.Equal(t, "no-cache", header.Get("Pragma"))
	require.Equal(t, "nosniff", header.Get("X-Content-Type-Options"))
	require.Equal(t, a.Code == http.StatusUnauthorized, header.Get("WWW-Authenticate") != "")
	require.Equal(t, a.Code == http.StatusMethodNotAllowed, header.Get("Allow") != "")
	later := a.Code == http.StatusServiceUnavailable || a.Code == http.StatusTooManyRequests
	require.Equal(t, later, header.Get("Retry-After") != "")
	require.NoError(t, json.Unmarshal(a.Body.Bytes(), &a.members))
	if a.Code == http.StatusOK {
		requireLawfulSuccess(t, a)
		return
	}
	require.Contains(t, []int{400, 401, 405, 413, 429, 503}, a.Code)
	require.NotEmpty(t, a.text("error"))
	require.Contains(t, descriptions(), a.text("error_description"), "a text that may hold what the client sent")
	a.hasOnly(t, "error", "error_description")
}

func (a *answer) hasOnly(t testing.TB, documented ...string) {
	t.Helper()
	for member := range a.members {
		require.Contains(t, documented, member)
	}
}

func requireLawfulTokens(t testing.TB, a *answer) {
	t.Helper()
	a.hasOnly(t, "access_token", "token_type", "expires_in", "refresh_token", "scope")
	require.Equal(t, "Bearer", a.text("token_type"))
	require.Regexp(t, `^paym_at_[0-9A-Za-z]{49}$`, a.access())
	require.Regexp(t, `"expires_in":[1-9][0-9]*[,}]`, a.Body.String())
}

func requireEmptyObject(t testing.TB, a *answer) {
	t.Helper()
	require.Equal(t, "{}\n", a.Body.String())
}

func requireLawfulIntrospection(t testing.TB, a *answer) {
	t.Helper()
	active, isBool := a.members["active"].(bool)
	require.True(t, isBool)
	if !active {
		require.Equal(t, "{\"active\":false}\n", a.Body.String())
		return
	}
	a.hasOnly(t, "active", "scope", "client_id", "token_type", "exp", "iat", "sub", "aud", "iss", "jti")
	for _, member := range []string{"client_id", "exp", "iat", "aud", "iss", "jti"} {
		require.Contains(t, a.members, member)
	}
}

// descriptions are all the texts an error may have. None can hold anything of
// the request, and TestReq024 looks at their bytes.
func descriptions() []string {
	return []string{
		"Use POST.", "Use GET or HEAD.", "There is nothing here.", "token is missing.", "Try again later.", "Too many attempts have failed. Try again later.", "Client authentication failed.", "The grant is invalid, expired or revoked.",
		"The client may not use this grant type.", "The grant type is not supported.", "grant_type is missing.",
		"The scope is unknown, malformed or more than may be granted.", "username and password are needed.",
		"refresh_token is missing.", "The client authenticates itself in two ways.", "There are too many parameters.",
		"There is more than one Authorization header.", "The body must be application/x-www-form-urlencoded.",
		"The body is too large.", "The body cannot be read.", "Parameters belong into the body, not into the URL.",
		"The parameters are not properly encoded.", "A parameter stands twice.", "code is missing.",
		"The parameters are too long.", "Nobody can be asked here.", "The user said no.", "This account cannot be used.",
		"Use GET or HEAD or POST.", "The application's link names two applications, or two places to return to.",
		"The application is not known here.", "The application is not registered to return people to where its link says.",
		"state is longer than 512 bytes.", "The parameter request is not supported.", "The parameter request_uri is not supported.",
		"response_type is missing.", "The only response type is code.", "The only response mode is query.",
		"code_challenge is missing.", "code_challenge_method must be S256.", "code_challenge must be 43 characters of base64url.",
		"The decision came from another page than ours.", "The decision must be approve or deny.",
		"This page was used already, is too old, or is for somebody else. Start again in the application.",
	}
}

func requireError(t testing.TB, a answer, status int, code string) {
	t.Helper()
	require.Equal(t, status, a.Code, "%s", a.Body)
	require.Equal(t, code, a.text("error"), "%s", a.Body)
}

func requireTokens(t testing.TB, a answer) answer {
	t.Helper()
	require.Equal(t, http.StatusOK, a.Code, "%s", a.Body)
	return a
}

// requireSame asserts that two answers do not differ in a single byte.
func requireSame(t testing.TB, a, b answer) {
	t.Helper()
	require.Equal(t, a.Code, b.Code)
	require.Equal(t, a.Header(), b.Header())
	require.Equal(t, a.Body.String(), b.Body.String())
}

// dead asserts that a token is of no use, neither here nor as a refresh token.
func (h *house) dead(tokens ...string) {
	h.t.Helper()
	for _, token := range tokens {
		for _, server := range []*oauth.Server{h.server, h.direct} {
			_, err := server.Verify(h.t.Context(), token)
			require.Error(h.t, err)
		}
		requireError(h.t, h.as("first", byToken+token), 400, "invalid_grant")
	}
}

// together runs n calls that start at once.
func together(n int, call func(i int)) {
	var ready, done sync.WaitGroup
	ready.Add(n)
	for i := range n {
		done.Go(func() {
			ready.Done()
			ready.Wait()
			call(i)
		})
	}
	done.Wait()
}

func catalog(names ...string) *scope.Catalog {
	permissions := []scope.Permission{}
	for _, name := range names {
		permissions = append(permissions, scope.Permission{Name: name})
	}
	c, err := scope.NewCatalog(permissions...)
	if err != nil {
		panic(err)
	}
	return c
}

func set(grants ...string) scope.Set { return scope.MustParseSet(grants...) }

// planted stores a grant with one token that Server has not made, and returns
// that.
func (h *house) planted(token string, subject oauth.Subject, kind oauth.CredentialKind, lifetime time.Duration) string {
	h.t.Helper()
	now := h.clock.now().UTC().Truncate(time.Microsecond)
	g := oauth.Grant{
		ID: "0199-planted", Subject: subject, ClientID: "first", Scope: set("profile"), CreatedAt: now, ExpiresAt: now.Add(time.Hour),
	}
	require.NoError(h.t, h.memory.CreateGrant(h.t.Context(), g, oauth.Credential{
		ID: "planted", Hash: hashOf(token), Kind: kind, GrantID: g.ID, ClientID: g.ClientID,
		Scope: g.Scope, CreatedAt: now, ExpiresAt: now.Add(lifetime),
	}))
	return token
}

// shaped returns the tokens of another Server: in the right shape, but unknown.
func shaped(t testing.TB) answer { return requireTokens(t, newHouse(t).as("first", byLogin)) }

func hashOf(token string) oauth.Hash { return sha256.Sum256([]byte(token)) }

func user(id string) oauth.Subject { return oauth.Subject{Kind: oauth.SubjectUser, ID: id} }

func machine(id string) oauth.Subject { return oauth.Subject{Kind: oauth.SubjectClient, ID: id} }
