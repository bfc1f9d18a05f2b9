package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/latchwork/latchwork/oauth"
	"github.com/latchwork/latchwork/oauth/password"
	"github.com/latchwork/latchwork/scope"
)

// tokenConfig returns what tokens are issued for and to whom. A burst of 0
// tolerates any number of guesses.
func tokenConfig(issuer string, db *database, passwords *password.Hasher, pages *site, burst int) (oauth.Config, error) {
	scopes, err := scope.NewCatalog(
		scope.Permission{Name: "profile", Label: "View your profile"},
		scope.Permission{Name: "invoices", Label: "View your invoices"},
	)
	return oauth.Config{
		Issuer: issuer, Prefix: "paym", Scopes: scopes, Logger: slog.Default(),
		Users: db, Passwords: passwords, LegacyPasswordGrant: true,
		Limits: oauth.Limits{Account: oauth.Rate{Burst: burst}}, InsecureUnlimitedGuesses: burst == 0,
		Login: pages.login, LoginURL: loginPath, Consent: pages.pages.Consent, ErrorPage: pages.pages.Error,
		Paths: oauth.Paths{Token: "/api/oauth/token", Revoke: "/api/oauth/revoke", Introspect: "/api/oauth/introspect"},
		Resources: []oauth.Resource{
			{Path: "/api/me", Name: "Your profile", Scopes: scope.MustParseSet("profile")},
			{Path: "/api/me/invoices", Name: "Your invoices", Scopes: scope.MustParseSet("invoices")},
		},
	}, err
}

// demoClients registers one application of each kind, and returns how they
// authenticate themselves.
func demoClients(ctx context.Context, clients *oauth.Clients) (map[string]client, error) {
	const callback = "http://127.0.0.1:8081/callback"
	both, profile := scope.MustParseSet("profile", "invoices"), scope.MustParseSet("profile")
	code := []oauth.GrantType{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken}
	shown := map[string]client{}
	for name, spec := range map[string]oauth.ClientSpec{
		"first_party": {
			Name: "Our own app", FirstParty: true,
			Grants: []oauth.GrantType{oauth.GrantPassword, oauth.GrantRefreshToken, oauth.GrantClientCredentials},
		},
		"web":    {Name: "Ledger Web", Grants: code, RedirectURIs: []string{callback}},
		"public": {Name: "Ledger for the desktop", Public: true, Grants: code, RedirectURIs: []string{callback}},
	} {
		spec.Scopes, spec.DefaultScopes = both, profile
		issued, err := clients.Create(ctx, spec)
		if err != nil {
			return nil, fmt.Errorf("client %s: %w", name, err)
		}
		shown[name] = client{issued.Client.ID, issued.Secret.Reveal(), strings.Join(spec.RedirectURIs, "")}
	}
	return shown, nil
}
