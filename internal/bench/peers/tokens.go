package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"

	"github.com/go-oauth2/oauth2/v4"
	"github.com/go-oauth2/oauth2/v4/manage"
	"github.com/go-oauth2/oauth2/v4/models"
	"github.com/go-oauth2/oauth2/v4/store"
	"github.com/ory/fosite"
	"github.com/ory/fosite/compose"
	"github.com/ory/fosite/storage"
	"golang.org/x/crypto/bcrypt"

	"github.com/latchwork/latchwork/internal/bench/fixture"
)

// The client that all authorization servers know.
const (
	clientID     = "bench"
	clientSecret = "0123456789abcdefghijklmnopqrstuvwxyz"
)

// granted is the scope of all tokens: what keys hold as permissions.
var granted = strings.Join(fixture.Permissions, " ")

// tokenRequest asks a token endpoint for a client's own token.
func tokenRequest() *http.Request {
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {granted}}
	r := httptest.NewRequest(http.MethodPost, "/oauth/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(clientID, clientSecret)
	return r
}

// newFosite returns fosite with its own store in memory. cost is that of the
// client's secret, which fosite hashes with bcrypt.
func newFosite(cost int) fosite.OAuth2Provider {
	clients := storage.NewMemoryStore()
	clients.Clients[clientID] = &fosite.DefaultClient{
		ID: clientID, Secret: fixture.Must(bcrypt.GenerateFromPassword([]byte(clientSecret), cost)),
		GrantTypes: []string{"client_credentials"}, Scopes: fixture.Permissions,
	}
	config := &fosite.Config{
		GlobalSecret: []byte("0123456789abcdef0123456789abcdef"), HashCost: cost,
		ScopeStrategy: fosite.ExactScopeStrategy,
	}
	return compose.Compose(config, clients, compose.NewOAuth2HMACStrategy(config),
		compose.OAuth2ClientCredentialsGrantFactory, compose.OAuth2TokenIntrospectionFactory)
}

// fositeToken answers a request for a token.
func fositeToken(ctx context.Context, provider fosite.OAuth2Provider, w http.ResponseWriter, r *http.Request) (string, error) {
	request, err := provider.NewAccessRequest(ctx, r, new(fosite.DefaultSession))
	if err != nil {
		return "", err
	}
	for _, scope := range request.GetRequestedScopes() {
		request.GrantScope(scope)
	}
	response, err := provider.NewAccessResponse(ctx, request)
	if err != nil {
		return "", err
	}
	provider.WriteAccessResponse(ctx, w, request, response)
	return response.GetAccessToken(), nil
}

// fositeTokens returns fosite and n tokens of it.
func fositeTokens(n int) (fosite.OAuth2Provider, []string) {
	provider := newFosite(bcrypt.MinCost)
	tokens := make([]string, n)
	for i := range tokens {
		tokens[i] = fixture.Must(fositeToken(context.Background(), provider, httptest.NewRecorder(), tokenRequest()))
	}
	return provider, tokens
}

// newGoOAuth2 returns go-oauth2 with its own store in memory.
func newGoOAuth2() *manage.Manager {
	clients := store.NewClientStore()
	if err := clients.Set(clientID, &models.Client{ID: clientID, Secret: clientSecret, Domain: "http://localhost"}); err != nil {
		panic(err)
	}
	manager := manage.NewDefaultManager()
	manager.MapClientStorage(clients)
	manager.MapTokenStorage(fixture.Must(store.NewMemoryTokenStore()))
	manager.SetClientTokenCfg(&manage.Config{AccessTokenExp: time.Hour})
	return manager
}

// goOAuth2Tokens returns go-oauth2 and n tokens of it.
func goOAuth2Tokens(n int) (*manage.Manager, []string) {
	manager := newGoOAuth2()
	tokens := make([]string, n)
	for i := range tokens {
		info := fixture.Must(manager.GenerateAccessToken(context.Background(), oauth2.ClientCredentials, &oauth2.TokenGenerateRequest{
			ClientID: clientID, ClientSecret: clientSecret, Scope: granted,
		}))
		tokens[i] = info.GetAccess()
	}
	return manager, tokens
}

// claims are what a JSON Web Token says in place of a record.
func claims(i int) map[string]any {
	return map[string]any{
		"sub": fmt.Sprintf("key-%d", i), "scope": granted,
		"iat": time.Now().Unix(), "exp": time.Now().Add(24 * time.Hour).Unix(),
	}
}

// signingKey is the shared secret of the tokens that are signed with HS256.
var signingKey = []byte("0123456789abcdef0123456789abcdef")

// holds reports whether a space-delimited scope has this entry.
func holds(scope, wanted string) bool {
	for entry := range strings.SplitSeq(scope, " ") {
		if entry == wanted {
			return true
		}
	}
	return false
}
