package main

import (
	"fmt"
	"log/slog"

	"github.com/latchwork/latchwork/oauth"
	"github.com/latchwork/latchwork/oauth/password"
	"github.com/latchwork/latchwork/scope"
)

// newTokens returns what issues the tokens of users and applications. A burst of
// 0 tolerates any number of guesses.
func newTokens(
	issuer string, db *database, passwords *password.Hasher, clients oauth.ClientStore, burst int,
) (*oauth.Server, *scope.Catalog, error) {
	scopes, err := scope.NewCatalog(
		scope.Permission{Name: "profile", Label: "View your profile"},
		scope.Permission{Name: "invoices", Label: "View your invoices"},
	)
	if err != nil {
		return nil, nil, err
	}
	tokens, err := oauth.New(oauth.NewMemoryStore(), clients, oauth.Config{
		Issuer: issuer, Prefix: "paym", Scopes: scopes, Logger: slog.Default(),
		Users: db, Passwords: passwords, LegacyPasswordGrant: true,
		Limits: oauth.Limits{Account: oauth.Rate{Burst: burst}}, InsecureUnlimitedGuesses: burst == 0,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("-base-url: %w", err)
	}
	return tokens, scopes, nil
}

// demoClients returns an application of our own, and how it authenticates itself.
func demoClients() (oauth.StaticClients, map[string]client) {
	secret, stored := oauth.NewClientSecret()
	own := oauth.Client{
		ID: "firstparty", Name: "Our own app", Secrets: []oauth.ClientSecret{stored}, FirstParty: true,
		Grants: []oauth.GrantType{oauth.GrantPassword, oauth.GrantRefreshToken, oauth.GrantClientCredentials},
		Scopes: scope.MustParseSet("profile", "invoices"), DefaultScopes: scope.MustParseSet("profile"),
	}
	return oauth.StaticClients{own}, map[string]client{"first_party": {ID: own.ID, Secret: secret.Reveal()}}
}
