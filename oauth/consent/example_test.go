package consent_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"

	"github.com/latchwork/latchwork/oauth"
	"github.com/latchwork/latchwork/oauth/consent"
	"github.com/latchwork/latchwork/scope"
)

// people are the host's users. Where nobody signs in with a password through
// Latchwork, it only asks whether they still exist.
type people struct{}

func (people) ByName(context.Context, string) (oauth.User, error) {
	return oauth.User{}, oauth.ErrNotFound
}

func (people) Active(_ context.Context, subject string) (bool, error) { return subject == "ada", nil }

func (people) SetPasswordHash(context.Context, string, string, string) error { return nil }

// An application sends somebody who is signed in already, and who is asked.
func Example() {
	store := oauth.NewMemoryStore()
	clients, err := oauth.NewClients(oauth.NewMemoryClients(), store, oauth.ClientsConfig{})
	must(err)
	pages, err := consent.New(consent.Config{Service: "Billing"})
	must(err)
	server, err := oauth.New(store, clients, oauth.Config{
		Issuer: "https://billing.example", Prefix: "paym", Users: people{},
		Login:    func(*http.Request) (subject string, signedIn bool) { return "ada", true }, // from the host's session
		LoginURL: "/oauth/login", Consent: pages.Consent, ErrorPage: pages.Error,
	})
	must(err)
	mux := http.NewServeMux()
	for path, handler := range server.Routes() {
		mux.Handle(path, handler)
	}
	reports, err := clients.Create(context.Background(), oauth.ClientSpec{
		Name: "Reports", Grants: []oauth.GrantType{oauth.GrantAuthorizationCode}, Scopes: scope.MustParseSet("invoices"),
		RedirectURIs: []string{"https://reports.example/callback"},
	})
	must(err)

	query := url.Values{
		"response_type": {"code"}, "client_id": {reports.Client.ID}, "redirect_uri": {"https://reports.example/callback"}, "scope": {"invoices"},
		"state": {"af0ifjsldkj"}, "code_challenge": {strings.Repeat("c", 43)}, "code_challenge_method": {"S256"},
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "https://billing.example/oauth/authorize?"+query.Encode(), nil))
	for _, text := range []string{"Allow access?", "Reports", "reports.example"} {
		fmt.Println(w.Code, text, strings.Contains(w.Body.String(), text))
	}
	// Output:
	// 200 Allow access? true
	// 200 Reports true
	// 200 reports.example true
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
