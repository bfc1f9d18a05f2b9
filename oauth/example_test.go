package oauth_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/latchwork/latchwork/oauth"
	"github.com/latchwork/latchwork/scope"
)

// A client gets a token for itself, which is dead as soon as the client is
// disabled.
func Example() {
	ctx := context.Background()
	store := oauth.NewMemoryStore()
	clients, err := oauth.NewClients(oauth.NewMemoryClients(), store, oauth.ClientsConfig{})
	must(err)
	server, err := oauth.New(store, clients, oauth.Config{Issuer: "https://billing.example", Prefix: "paym"})
	must(err)
	mux := http.NewServeMux()
	for path, handler := range server.Routes() {
		mux.Handle(path, handler)
	}
	nightly, err := clients.Create(ctx, oauth.ClientSpec{
		Name: "Nightly export", Grants: []oauth.GrantType{oauth.GrantClientCredentials}, Scopes: scope.MustParseSet("invoices"),
	})
	must(err)

	// The client asks for a token.
	r := httptest.NewRequest(http.MethodPost, "/oauth/token", strings.NewReader("grant_type=client_credentials&scope=invoices"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(nightly.Client.ID, nightly.Secret.Reveal())
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	must(json.NewDecoder(w.Body).Decode(&answer))

	token, err := server.Verify(ctx, answer.AccessToken)
	fmt.Println(token.Subject.Kind, token.Scope, err)
	_, err = clients.Disable(ctx, nightly.Client.ID)
	must(err)
	_, err = server.Verify(ctx, answer.AccessToken)
	fmt.Println(err)

	// Output:
	// client invoices <nil>
	// oauth: revoked
}

// What must not be registered, and why.
func ExampleCheckRedirectURI() {
	for _, uri := range []string{
		"https://app.example/callback",
		"http://127.0.0.1/callback", // with any port
		"com.example.app:/callback",
		"http://app.example/callback",
		"https://app.example/callback#there",
	} {
		fmt.Println(uri, oauth.CheckRedirectURI(uri))
	}
	// Output:
	// https://app.example/callback <nil>
	// http://127.0.0.1/callback <nil>
	// com.example.app:/callback <nil>
	// http://app.example/callback must have a host and be https, or http on a loopback address
	// https://app.example/callback#there must not have a fragment
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
