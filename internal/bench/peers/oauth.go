package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"

	"github.com/latchwork/latchwork/internal/bench/fixture"
	"github.com/latchwork/latchwork/internal/credential"
	"github.com/latchwork/latchwork/oauth"
	"github.com/latchwork/latchwork/scope"
)

// newOAuth returns our authorization server with its store in memory.
func newOAuth() *oauth.Server {
	client := oauth.Client{
		ID: clientID, Secrets: []oauth.ClientSecret{{Hash: oauth.Hash(credential.Sum(clientSecret))}},
		Grants: []oauth.GrantType{oauth.GrantClientCredentials}, Scopes: scope.MustParseSet(fixture.Permissions...),
	}
	return fixture.Must(oauth.New(oauth.NewMemoryStore(), oauth.StaticClients{client}, oauth.Config{
		Issuer: "http://localhost", Prefix: fixture.Prefix,
	}))
}

// oauthTokens returns our server and n tokens of it.
func oauthTokens(n int) (*oauth.Server, []string) {
	server := newOAuth()
	endpoint := server.TokenHandler()
	tokens := make([]string, n)
	for i := range tokens {
		tokens[i] = accessToken(endpoint)
	}
	return server, tokens
}

// accessToken asks a token endpoint, which must answer.
func accessToken(endpoint http.Handler) string {
	w := httptest.NewRecorder()
	endpoint.ServeHTTP(w, tokenRequest())
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || answer.AccessToken == "" {
		panic(w.Body.String())
	}
	return answer.AccessToken
}
