package clients

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// golang.org/x/oauth2 finds out by itself how a client authenticates: it tries
// HTTP Basic and then the body.
func TestOAuth2(t *testing.T) {
	t.Parallel()
	s := start(t, "memory:")
	metadata := s.metadata(t)
	a := goClient{s, oauth2.Endpoint{
		AuthURL: metadata["authorization_endpoint"].(string), TokenURL: metadata["token_endpoint"].(string),
	}}
	t.Run("password and refresh", a.password)
	t.Run("client credentials", a.clientCredentials)
	t.Run("code of a client with a secret", func(t *testing.T) { a.code(t, s.Clients.Web) })
	t.Run("code of a client without", func(t *testing.T) { a.code(t, s.Clients.Public) })
	t.Run("wrong secret", a.wrongSecret)
}

type goClient struct {
	service  *service
	endpoint oauth2.Endpoint
}

func (a goClient) config(c registered, scopes ...string) *oauth2.Config {
	return &oauth2.Config{ClientID: c.ID, ClientSecret: c.Secret, Endpoint: a.endpoint, Scopes: scopes}
}

func (a goClient) password(t *testing.T) {
	conf := a.config(a.service.Clients.FirstParty)
	_, err := conf.PasswordCredentialsToken(t.Context(), a.service.User.Username, "wrong")
	requireRefusal(t, err, 400, "invalid_grant")

	token, err := conf.PasswordCredentialsToken(t.Context(), a.service.User.Username, a.service.User.Password)
	require.NoError(t, err)
	require.Equal(t, "Bearer", token.Type())
	require.Equal(t, "profile", token.Extra("scope"))
	a.requireMe(t, conf.Client(t.Context(), token))

	first := token.RefreshToken
	for range 3 { // without an access token, the source has to refresh
		source := conf.TokenSource(t.Context(), &oauth2.Token{RefreshToken: token.RefreshToken})
		next, err := source.Token()
		require.NoError(t, err)
		require.NotEqual(t, token.RefreshToken, next.RefreshToken)
		require.NotEqual(t, token.AccessToken, next.AccessToken)
		require.True(t, next.Valid())
		again, err := source.Token()
		require.NoError(t, err)
		require.Equal(t, next.AccessToken, again.AccessToken, "it is valid")
		a.requireMe(t, oauth2.NewClient(t.Context(), source))
		token = next
	}
	// Whoever comes with the first one now has taken it from somewhere.
	_, err = conf.TokenSource(t.Context(), &oauth2.Token{RefreshToken: first}).Token()
	requireRefusal(t, err, 400, "invalid_grant")
	_, err = conf.TokenSource(t.Context(), &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
	requireRefusal(t, err, 400, "invalid_grant")
	a.requireNobody(t, conf.Client(t.Context(), token), http.StatusUnauthorized)
}

func (a goClient) clientCredentials(t *testing.T) {
	c := a.service.Clients.FirstParty
	conf := clientcredentials.Config{ClientID: c.ID, ClientSecret: c.Secret, TokenURL: a.endpoint.TokenURL, Scopes: []string{"profile"}}
	token, err := conf.Token(t.Context())
	require.NoError(t, err)
	require.Empty(t, token.RefreshToken)
	require.Equal(t, "profile", token.Extra("scope"))
	a.requireNobody(t, conf.Client(t.Context()), http.StatusForbidden) // a client is nobody

	conf.Scopes = []string{"everything"}
	_, err = conf.Token(t.Context())
	requireRefusal(t, err, 400, "invalid_scope")

	public := clientcredentials.Config{ClientID: a.service.Clients.Public.ID, TokenURL: a.endpoint.TokenURL}
	_, err = public.Token(t.Context())
	requireRefusal(t, err, 400, "unauthorized_client")
}

func (a goClient) code(t *testing.T, c registered) {
	site := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer site.Close()
	conf := a.config(c, "profile", "invoices")
	conf.RedirectURL = callback(t, c, site.URL)
	somebody := newPerson(t, a.service)
	verifier := oauth2.GenerateVerifier()
	link := func(state string) string { return conf.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier)) }

	denied := somebody.visit(link("first"), "deny").Query()
	require.Equal(t, []string{"access_denied", "first", a.service.Base}, []string{denied.Get("error"), denied.Get("state"), denied.Get("iss")})
	require.Empty(t, denied.Get("code"))
	require.Len(t, somebody.pages, 3, "to sign in, to decide, and the client's")

	approved := somebody.visit(link("a state+&="), "approve")
	require.Equal(t, conf.RedirectURL, "http://"+approved.Host+approved.Path)
	require.Equal(t, []string{"a state+&=", a.service.Base}, []string{approved.Query().Get("state"), approved.Query().Get("iss")})
	require.Len(t, somebody.pages, 2, "is signed in")
	code := approved.Query().Get("code")
	_, err := conf.Exchange(t.Context(), code)
	requireRefusal(t, err, 400, "invalid_grant")
	_, err = conf.Exchange(t.Context(), code, oauth2.VerifierOption(oauth2.GenerateVerifier()))
	requireRefusal(t, err, 400, "invalid_grant")
	token, err := conf.Exchange(t.Context(), code, oauth2.VerifierOption(verifier))
	require.NoError(t, err, "nobody without the verifier used it up")
	require.Equal(t, "invoices profile", token.Extra("scope"))
	a.requireMe(t, conf.Client(t.Context(), token))

	token, err = conf.TokenSource(t.Context(), &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
	require.NoError(t, err)
	_, err = conf.Exchange(t.Context(), code, oauth2.VerifierOption(verifier))
	requireRefusal(t, err, 400, "invalid_grant")
	a.requireNobody(t, conf.Client(t.Context(), token), http.StatusUnauthorized) // all that came of it is dead
}

func (a goClient) wrongSecret(t *testing.T) {
	c := a.service.Clients.FirstParty
	c.Secret += "x"
	_, err := a.config(c).PasswordCredentialsToken(t.Context(), a.service.User.Username, a.service.User.Password)
	requireRefusal(t, err, 401, "invalid_client")
}

// me asks who the token is of.
func (a goClient) me(t *testing.T, client *http.Client) (status int, email string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.service.Base+"/api/me", nil)
	require.NoError(t, err)
	answered, err := client.Do(r)
	require.NoError(t, err)
	defer func() { _ = answered.Body.Close() }()
	var me struct{ Email string }
	require.NoError(t, json.NewDecoder(answered.Body).Decode(&me))
	return answered.StatusCode, me.Email
}

func (a goClient) requireMe(t *testing.T, client *http.Client) {
	t.Helper()
	status, email := a.me(t, client)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, a.service.User.Username, email)
}

func (a goClient) requireNobody(t *testing.T, client *http.Client, status int) {
	t.Helper()
	answered, email := a.me(t, client)
	require.Equal(t, status, answered)
	require.Empty(t, email)
}

// requireRefusal reads an error as the client does.
func requireRefusal(t *testing.T, err error, status int, code string) {
	t.Helper()
	var refusal *oauth2.RetrieveError
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, status, refusal.Response.StatusCode, refusal)
	require.Equal(t, code, refusal.ErrorCode, refusal)
	require.NotEmpty(t, refusal.ErrorDescription)
}
