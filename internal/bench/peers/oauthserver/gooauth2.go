package main

import (
	"context"
	stderrors "errors"
	"net/http"
	"slices"

	"github.com/go-oauth2/oauth2/v4"
	"github.com/go-oauth2/oauth2/v4/errors"
	"github.com/go-oauth2/oauth2/v4/manage"
	"github.com/go-oauth2/oauth2/v4/models"
	"github.com/go-oauth2/oauth2/v4/server"
	"github.com/go-oauth2/oauth2/v4/store"
)

// newGoOAuth2 has the endpoints that the library has: to authorize, and for
// tokens.
func newGoOAuth2(c *credentials) (http.Handler, error) {
	tokens, err := store.NewMemoryTokenStore()
	if err != nil {
		return nil, err
	}
	manager := manage.NewDefaultManager()
	manager.MapTokenStorage(tokens)
	clients := store.NewClientStore()
	manager.MapClientStorage(clients)
	grants := map[string][]oauth2.GrantType{}
	add := func(c client, allowed ...oauth2.GrantType) error {
		grants[c.ID] = allowed
		domain := ""
		if c.RedirectURI != "" {
			domain = callbackHost // it knows redirect URIs by their host
		}
		return clients.Set(c.ID, &models.Client{ID: c.ID, Secret: c.Secret, Domain: domain, Public: c.Secret == ""})
	}
	err = stderrors.Join(
		add(c.Clients.FirstParty, oauth2.PasswordCredentials, oauth2.Refreshing, oauth2.ClientCredentials),
		add(c.Clients.Web, oauth2.AuthorizationCode, oauth2.Refreshing),
		add(c.Clients.Public, oauth2.AuthorizationCode, oauth2.Refreshing),
	)
	if err != nil {
		return nil, err
	}

	s := server.NewDefaultServer(manager)
	s.Config.ForcePKCE = true
	s.Config.AllowedCodeChallengeMethods = []oauth2.CodeChallengeMethod{oauth2.CodeChallengeS256}
	s.SetAllowedResponseType(oauth2.Code)
	s.SetClientInfoHandler(func(r *http.Request) (string, string, error) {
		if _, _, ok := r.BasicAuth(); ok {
			return server.ClientBasicHandler(r)
		}
		return server.ClientFormHandler(r)
	})
	s.SetClientAuthorizedHandler(func(id string, grant oauth2.GrantType) (bool, error) {
		if _, known := grants[id]; !known {
			return false, errors.ErrInvalidClient
		}
		return slices.Contains(grants[id], grant), nil
	})
	s.SetClientScopeHandler(func(request *oauth2.TokenGenerateRequest) (bool, error) {
		return request.Scope == "" || request.Scope == "profile", nil
	})
	s.SetRefreshingScopeHandler(func(request *oauth2.TokenGenerateRequest, old string) (bool, error) {
		return request.Scope == old, nil
	})
	s.SetPasswordAuthorizationHandler(func(_ context.Context, _, name, password string) (string, error) {
		if name != c.User.Username || password != c.User.Password {
			return "", errors.ErrInvalidGrant
		}
		return c.User.ID, nil
	})
	s.SetUserAuthorizationHandler(func(w http.ResponseWriter, r *http.Request) (string, error) {
		signedIn, approved := c.User.answered(r)
		switch {
		case !signedIn:
			ask(w, r)
			return "", nil // it is answered
		case !approved:
			return "", errors.ErrAccessDenied
		}
		return c.User.ID, nil
	})
	mux := http.NewServeMux()
	mux.HandleFunc(authorizePath, func(w http.ResponseWriter, r *http.Request) {
		if err := s.HandleAuthorizeRequest(w, r); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	})
	mux.HandleFunc(tokenPath, func(w http.ResponseWriter, r *http.Request) {
		_ = s.HandleTokenRequest(w, r) // it has written the error
	})
	return mux, nil
}
