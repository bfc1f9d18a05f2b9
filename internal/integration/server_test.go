package integration

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/middleware"
	"github.com/latchwork/latchwork/oauth"
	"github.com/latchwork/latchwork/oauth/consent"
	"github.com/latchwork/latchwork/oauth/oauthsql"
	"github.com/latchwork/latchwork/oauth/oauthtest"
	"github.com/latchwork/latchwork/oauth/password"
	"github.com/latchwork/latchwork/scope"
)

const (
	returnTo     = "https://app.example/callback"
	userName     = "ada@example.com"
	userPassword = "the password of a test"
)

// A node is a whole authorization server on a store in a database.
type node struct {
	t       testing.TB
	site    *httptest.Server
	server  *oauth.Server
	clients *oauth.Clients
	users   *oauthtest.Users
	log     bytes.Buffer // at debug level, with events
}

// newNode starts a node. Nodes on one database have one issuer: that of the
// first.
func newNode(t testing.TB, store *oauthsql.Store, first *node) *node {
	t.Helper()
	mux := http.NewServeMux()
	n := &node{t: t, site: httptest.NewServer(mux), users: new(oauthtest.Users)}
	t.Cleanup(n.site.Close)
	hasher, err := password.New(password.Config{Memory: 8, Iterations: 1, Concurrent: 64})
	require.NoError(t, err)
	hash, err := hasher.Hash(t.Context(), userPassword)
	require.NoError(t, err)
	n.users.Set(userName, oauth.User{Subject: "ada", PasswordHash: hash})
	pages, err := consent.New(consent.Config{Service: "Test"})
	require.NoError(t, err)
	n.clients, err = oauth.NewClients(store, store, oauth.ClientsConfig{})
	require.NoError(t, err)
	log := slog.New(slog.NewJSONHandler(&n.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	issuer := n.site.URL
	if first != nil {
		issuer = first.site.URL
	}
	n.server, err = oauth.New(store, n.clients, oauth.Config{
		Issuer: issuer, Prefix: "test", Users: n.users, Passwords: hasher, LegacyPasswordGrant: true,
		Login: func(r *http.Request) (string, bool) {
			c, err := r.Cookie("session")
			if err != nil {
				return "", false
			}
			return c.Value, true
		},
		LoginURL: "/login", Consent: pages.Consent, ErrorPage: pages.Error, Resources: []oauth.Resource{{Path: "/api/me"}},
		Logger:  log,
		OnEvent: func(e oauth.Event) { log.Debug("event", "event", e) },
	})
	require.NoError(t, err)
	for path, handler := range n.server.Routes() {
		mux.Handle(path, handler)
	}
	mux.Handle("/login", pages.SignIn(n.server, func(w http.ResponseWriter, _ *http.Request, subject string) error {
		http.SetCookie(w, &http.Cookie{Name: "session", Value: subject, Path: "/", HttpOnly: true})
		return nil
	}))
	guard, err := middleware.New(middleware.Config{
		Credentials: []middleware.Authenticator{middleware.Tokens(n.server)}, ResourceMetadata: n.server.ResourceMetadata,
	})
	require.NoError(t, err)
	mux.Handle("/api/me", guard.RequireScope("profile")(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
	})))
	return n
}

// register registers a client.
func (n *node) register(public bool, grants ...oauth.GrantType) oauthtest.TargetClient {
	n.t.Helper()
	profile := scope.MustParseSet("profile")
	spec := oauth.ClientSpec{Name: "App", Public: public, FirstParty: !public, Grants: grants, Scopes: profile, DefaultScopes: profile}
	c := oauthtest.TargetClient{}
	if grants[0] == oauth.GrantAuthorizationCode {
		spec.FirstParty, spec.RedirectURIs, c.RedirectURI = false, []string{returnTo}, returnTo
	}
	issued, err := n.clients.Create(n.t.Context(), spec)
	require.NoError(n.t, err)
	c.ID, c.Secret = issued.Client.ID, issued.Secret.Reveal()
	return c
}

// What can be seen from outside is the same on every database.
func TestProtocolOnSQL(t *testing.T) {
	eachOAuthStore(t, func(t *testing.T, f oauthFixture) {
		n := newNode(t, f.store, nil)
		oauthtest.TestProtocol(t, oauthtest.Target{
			Issuer:   n.site.URL,
			Machine:  n.register(false, oauth.GrantPassword, oauth.GrantRefreshToken, oauth.GrantClientCredentials),
			Web:      n.register(false, oauth.GrantAuthorizationCode, oauth.GrantRefreshToken),
			Public:   n.register(true, oauth.GrantAuthorizationCode, oauth.GrantRefreshToken),
			Username: userName, Password: userPassword, Scope: "profile", Resource: n.site.URL + "/api/me", Client: n.site.Client(),
		})
	})
}

// send returns the status of an answer, where it leads, and what is in it.
func (n *node) send(r *http.Request) (status int, location *url.URL, body string) {
	n.t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(r)
	require.NoError(n.t, err)
	defer func() { _ = answer.Body.Close() }()
	content, err := io.ReadAll(answer.Body)
	require.NoError(n.t, err)
	location, _ = answer.Location() // there is none in most
	return answer.StatusCode, location, string(content)
}

// post sends a form: of a client, or without an ID, of a browser in which ada is
// signed in.
func (n *node) post(path string, c oauthtest.TargetClient, f url.Values) (status int, location *url.URL, body string) {
	n.t.Helper()
	r, err := http.NewRequestWithContext(n.t.Context(), http.MethodPost, n.site.URL+path, strings.NewReader(f.Encode()))
	require.NoError(n.t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if c.ID == "" {
		r.AddCookie(&http.Cookie{Name: "session", Value: "ada"})
	} else {
		r.SetBasicAuth(c.ID, c.Secret)
	}
	return n.send(r)
}

// members is an object that was answered with 200.
func (n *node) members(path string, c oauthtest.TargetClient, f url.Values) (members map[string]any) {
	n.t.Helper()
	status, _, body := n.post(path, c, f)
	require.Equal(n.t, http.StatusOK, status, body)
	require.NoError(n.t, json.Unmarshal([]byte(body), &members))
	return members
}

// question asks for an authorization and returns the fields of the form that ada
// is shown.
func (n *node) question(c oauthtest.TargetClient) (ticket string) {
	n.t.Helper()
	sum := sha256.Sum256([]byte(verifier()))
	f := url.Values{
		"response_type": {"code"}, "client_id": {c.ID}, "redirect_uri": {c.RedirectURI}, "scope": {"profile"}, "state": {"a state"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	status, _, page := n.post("/oauth/authorize", oauthtest.TargetClient{}, f)
	require.Equal(n.t, http.StatusOK, status, page)
	_, ticket, found := strings.Cut(page, `name="ticket" value="`)
	require.True(n.t, found, page)
	ticket, _, _ = strings.Cut(ticket, `"`)
	return ticket
}

func verifier() string { return strings.Repeat("verifier", 6) }

// decide posts ada's decision and returns what the application is told.
func (n *node) decide(ticket, decision string) url.Values {
	n.t.Helper()
	status, location, body := n.post("/oauth/authorize/decision", oauthtest.TargetClient{}, url.Values{"ticket": {ticket}, "decision": {decision}})
	require.Equal(n.t, http.StatusSeeOther, status, body)
	require.Equal(n.t, "a state", location.Query().Get("state"))
	return location.Query()
}

func redemption(code string) url.Values {
	return url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {returnTo}, "code_verifier": {verifier()}}
}

func refreshing(token any) url.Values {
	return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token.(string)}}
}

// active asks whether a token is.
func (n *node) active(c oauthtest.TargetClient, token any) bool {
	n.t.Helper()
	return n.members("/oauth/introspect", c, url.Values{"token": {token.(string)}})["active"].(bool)
}

// twoNodes are two servers on one database, each with a handle of its own, and a
// client that is known to both.
func twoNodes(t *testing.T, f oauthFixture) (here, there *node, web oauthtest.TargetClient) {
	here = newNode(t, f.store, nil)
	there = newNode(t, f.oauthStore(t, f.open(t)), here)
	return here, there, here.register(false, oauth.GrantAuthorizationCode, oauth.GrantRefreshToken)
}

// A whole authorization, every step of which is at the other node than the one
// before: asked, approved, redeemed, used, refreshed, looked at, revoked. What is
// revoked at one is dead at the other at once.
func TestReq159_AuthorizationOverTwoNodes(t *testing.T) {
	eachOAuthStore(t, func(t *testing.T, f oauthFixture) {
		here, there, web := twoNodes(t, f)
		refused := there.decide(here.question(web), "deny")
		require.Equal(t, "access_denied", refused.Get("error"))
		approved := there.decide(here.question(web), "approve")
		require.Equal(t, here.site.URL, approved.Get("iss"))

		first := here.members("/oauth/token", web, redemption(approved.Get("code")))
		token, err := there.server.Verify(t.Context(), first["access_token"].(string))
		require.NoError(t, err)
		require.Equal(t, oauth.Subject{Kind: oauth.SubjectUser, ID: "ada"}, token.Subject)
		second := there.members("/oauth/token", web, refreshing(first["refresh_token"]))
		again := here.members("/oauth/token", web, refreshing(first["refresh_token"]))
		require.Equal(t, second["refresh_token"], again["refresh_token"], "the answer was lost")
		for _, n := range []*node{here, there} {
			require.True(t, n.active(web, second["access_token"]))
			applications, err := n.server.Applications(t.Context(), "ada")
			require.NoError(t, err)
			require.Len(t, applications, 1)
		}

		status, _, body := here.post("/oauth/revoke", web, url.Values{"token": {second["refresh_token"].(string)}})
		require.Equal(t, http.StatusOK, status, body)
		for _, n := range []*node{there, here} {
			for _, tokens := range []map[string]any{first, second} {
				require.False(t, n.active(web, tokens["access_token"]))
				_, err := n.server.Verify(t.Context(), tokens["access_token"].(string))
				require.ErrorIs(t, err, oauth.ErrRevoked)
				status, _, body := n.post("/oauth/token", web, refreshing(tokens["refresh_token"]))
				require.Equal(t, http.StatusBadRequest, status, body)
			}
		}
	})
}

// 64 redemptions at once, half of them at each node: one answer with tokens, and
// these are dead. Approving twice with one ticket gives one code.
func TestReq077_124_CrowdsOverTwoNodes(t *testing.T) {
	eachOAuthStore(t, func(t *testing.T, f oauthFixture) {
		here, there, web := twoNodes(t, f)
		nodes := []*node{here, there}
		crowd := func(n int, try func(n *node) (int, string)) (won []string) {
			var mu sync.Mutex
			var wait sync.WaitGroup
			statuses := map[int]int{}
			for i := range n {
				wait.Go(func() {
					status, answer := try(nodes[i%2])
					mu.Lock()
					defer mu.Unlock()
					if statuses[status]++; status < 400 {
						won = append(won, answer)
					}
				})
			}
			wait.Wait()
			require.Equal(t, n, statuses[200]+statuses[303]+statuses[400]+statuses[403], "%v", statuses)
			require.Len(t, won, 1)
			return won
		}
		ticket := here.question(web)
		codes := crowd(16, func(n *node) (int, string) {
			status, location, _ := n.post("/oauth/authorize/decision", oauthtest.TargetClient{}, url.Values{"ticket": {ticket}, "decision": {"approve"}})
			if location == nil {
				return status, ""
			}
			return status, location.Query().Get("code")
		})
		won := crowd(64, func(n *node) (int, string) {
			status, _, body := n.post("/oauth/token", web, redemption(codes[0]))
			return status, body
		})
		var tokens map[string]any
		require.NoError(t, json.Unmarshal([]byte(won[0]), &tokens))
		for _, n := range nodes {
			require.False(t, n.active(web, tokens["access_token"]))
			status, _, _ := n.post("/oauth/token", web, refreshing(tokens["refresh_token"]))
			require.Equal(t, http.StatusBadRequest, status)
		}
	})
}

// Whoever has a copy of the database and the log at debug level has nothing that
// can be used: no ticket, code, token, password or secret of a client.
func TestReq198_199_DumpHasNoSecret(t *testing.T) {
	eachOAuthStore(t, func(t *testing.T, f oauthFixture) {
		n := newNode(t, f.store, nil)
		web := n.register(false, oauth.GrantAuthorizationCode, oauth.GrantRefreshToken)
		ticket, denied := n.question(web), n.question(web)
		n.decide(denied, "deny")
		spent, unspent := n.decide(ticket, "approve").Get("code"), n.decide(n.question(web), "approve").Get("code")
		secrets := []string{web.Secret, userPassword, verifier(), ticket, denied, n.question(web), spent, unspent}
		tokens := n.members("/oauth/token", web, redemption(spent))
		for range 2 {
			secrets = append(secrets, tokens["access_token"].(string), tokens["refresh_token"].(string))
			tokens = n.members("/oauth/token", web, refreshing(tokens["refresh_token"]))
		}
		status, _, _ := n.post("/oauth/token", web, redemption(spent)) // is revoked by that, and says so
		require.Equal(t, http.StatusBadRequest, status)

		kept := append(f.dump(t, f.db), n.log.String()...)
		hash := sha256.Sum256([]byte(unspent))
		require.True(t, bytes.Contains(kept, hash[:]), "the scan sees what is stored")
		require.Contains(t, n.log.String(), "code_reuse")
		for _, secret := range secrets {
			secret, _, _ = strings.Cut(secret, ".") // what is behind is the request, in a ticket
			_, body, _ := strings.Cut(secret, "_")
			for _, needle := range []string{secret, body, hex.EncodeToString([]byte(secret)), base64.StdEncoding.EncodeToString([]byte(secret))} {
				require.False(t, len(needle) > 8 && bytes.Contains(kept, []byte(needle)), "%.12s", secret)
			}
		}
	})
}

// dump returns everything that is in the tables.
func (d database) dump(t testing.TB, db *sql.DB) (all []byte) {
	t.Helper()
	for _, table := range d.tables(t, db) {
		rows, err := db.QueryContext(t.Context(), "SELECT * FROM "+table)
		require.NoError(t, err)
		columns, err := rows.Columns()
		require.NoError(t, err)
		cells, into := make([][]byte, len(columns)), make([]any, len(columns))
		for i := range cells {
			into[i] = &cells[i]
		}
		for rows.Next() {
			require.NoError(t, rows.Scan(into...))
			all = append(all, bytes.Join(cells, []byte("|"))...)
		}
		require.NoError(t, errors.Join(rows.Err(), rows.Close()))
	}
	return all
}
