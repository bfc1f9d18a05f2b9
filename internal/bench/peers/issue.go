package main

import (
	"net/http"
	"net/http/httptest"

	"github.com/go-oauth2/oauth2/v4"
	"github.com/go-oauth2/oauth2/v4/server"
	"golang.org/x/crypto/bcrypt"
)

// issueTable has requests to a token endpoint for a client's own token: the
// client is authenticated, the token made, stored and written as JSON.
func issueTable() table {
	manager := newGoOAuth2()
	goOAuth2 := server.NewDefaultServer(manager)
	goOAuth2.SetAllowedGrantType(oauth2.ClientCredentials)
	goOAuth2.SetClientInfoHandler(server.ClientBasicHandler)
	return table{job: "A token of grant type client_credentials, from the request to the answer", brief: "a request to the token endpoint", rows: []row{
		{who: "Latchwork `oauth.Server.TokenHandler`", work: issuing(newOAuth().TokenHandler())},
		{
			who: "go-oauth2, memory store", brief: "go-oauth2",
			work: issuing(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mustBeNil(goOAuth2.HandleTokenRequest(w, r))
			})),
		},
		{who: "fosite, memory store, client secret with bcrypt at its least cost", work: issuing(fositeEndpoint(bcrypt.MinCost))},
		{who: "fosite, memory store, as it is without configuration", brief: "fosite", work: issuing(fositeEndpoint(12))},
	}}
}

func fositeEndpoint(cost int) http.Handler {
	provider := newFosite(cost)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := fositeToken(r.Context(), provider, w, r)
		mustBeNil(err)
	})
}

func issuing(endpoint http.Handler) func(n int) {
	return func(n int) {
		for range n {
			w := httptest.NewRecorder()
			endpoint.ServeHTTP(w, tokenRequest())
			if w.Code != http.StatusOK {
				panic(w.Body.String())
			}
		}
	}
}
