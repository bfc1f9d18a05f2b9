package main

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"

	"github.com/ory/fosite"
	"github.com/ory/fosite/compose"
	"github.com/ory/fosite/storage"
	"golang.org/x/crypto/bcrypt"
)

// fositeStore is fosite's own one, but for the users: its own makes up a subject
// at every login.
type fositeStore struct {
	*storage.MemoryStore

	user user
}

func (s fositeStore) Authenticate(_ context.Context, name, password string) (string, error) {
	if name != s.user.Username || password != s.user.Password {
		return "", fosite.ErrNotFound
	}
	return s.user.ID, nil
}

// fositeServer has a handler for each endpoint, as the example of fosite has.
type fositeServer struct {
	fosite.OAuth2Provider

	user user
}

func newFosite(c *credentials) (http.Handler, error) {
	store := fositeStore{storage.NewMemoryStore(), c.User}
	var errs []error
	add := func(c client, grants ...string) {
		registered := &fosite.DefaultClient{
			ID: c.ID, Public: c.Secret == "", GrantTypes: grants, ResponseTypes: []string{"code"}, Scopes: []string{"profile"},
		}
		if c.RedirectURI != "" {
			registered.RedirectURIs = []string{c.RedirectURI}
		}
		if c.Secret != "" {
			// The least cost, so that 64 requests at once are not a matter of patience.
			hash, err := bcrypt.GenerateFromPassword([]byte(c.Secret), bcrypt.MinCost)
			registered.Secret, errs = hash, append(errs, err)
		}
		store.Clients[c.ID] = registered
	}
	add(c.Clients.FirstParty, "password", "refresh_token", "client_credentials")
	add(c.Clients.Web, "authorization_code", "refresh_token")
	add(c.Clients.Public, "authorization_code", "refresh_token")
	config := &fosite.Config{
		GlobalSecret: []byte(rand.Text() + rand.Text())[:32], EnforcePKCE: true, ScopeStrategy: fosite.ExactScopeStrategy,
		RefreshTokenScopes: []string{}, // no scope of its own for refresh tokens
		TokenURL:           c.Endpoints.Token,
	}
	provider := compose.Compose(config, store, compose.NewOAuth2HMACStrategy(config),
		compose.OAuth2AuthorizeExplicitFactory, compose.OAuth2ClientCredentialsGrantFactory, compose.OAuth2RefreshTokenGrantFactory,
		compose.OAuth2TokenIntrospectionFactory, compose.OAuth2TokenRevocationFactory, compose.OAuth2PKCEFactory,
		compose.OAuth2ResourceOwnerPasswordCredentialsFactory) //nolint:staticcheck // it is deprecated because the grant is
	s := fositeServer{provider, c.User}
	mux := http.NewServeMux()
	mux.HandleFunc(authorizePath, s.authorize)
	mux.HandleFunc(tokenPath, s.token)
	mux.HandleFunc(revokePath, s.revoke)
	mux.HandleFunc(introspectPath, s.introspect)
	c.Endpoints.Revoke, c.Endpoints.Introspect = c.BaseURL+revokePath, c.BaseURL+introspectPath
	return mux, errors.Join(errs...)
}

func (s fositeServer) authorize(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	request, err := s.NewAuthorizeRequest(ctx, r)
	if err != nil {
		s.WriteAuthorizeError(ctx, w, request, err)
		return
	}
	signedIn, approved := s.user.answered(r)
	if !signedIn {
		ask(w, r)
		return
	}
	if !approved {
		s.WriteAuthorizeError(ctx, w, request, fosite.ErrAccessDenied)
		return
	}
	for _, scope := range request.GetRequestedScopes() {
		request.GrantScope(scope)
	}
	response, err := s.NewAuthorizeResponse(ctx, request, &fosite.DefaultSession{Username: s.user.Username, Subject: s.user.ID})
	if err != nil {
		s.WriteAuthorizeError(ctx, w, request, err)
		return
	}
	s.WriteAuthorizeResponse(ctx, w, request, response)
}

func (s fositeServer) token(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	request, err := s.NewAccessRequest(ctx, r, new(fosite.DefaultSession))
	if err != nil {
		s.WriteAccessError(ctx, w, request, err)
		return
	}
	if request.GetGrantTypes().ExactOne("client_credentials") || request.GetGrantTypes().ExactOne("password") {
		for _, scope := range request.GetRequestedScopes() { // those that the client may have
			request.GrantScope(scope)
		}
	}
	response, err := s.NewAccessResponse(ctx, request)
	if err != nil {
		s.WriteAccessError(ctx, w, request, err)
		return
	}
	s.WriteAccessResponse(ctx, w, request, response)
}

func (s fositeServer) revoke(w http.ResponseWriter, r *http.Request) {
	s.WriteRevocationResponse(r.Context(), w, s.NewRevocationRequest(r.Context(), r))
}

func (s fositeServer) introspect(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	response, err := s.NewIntrospectionRequest(ctx, r, new(fosite.DefaultSession))
	if err != nil {
		s.WriteIntrospectionError(ctx, w, err)
		return
	}
	s.WriteIntrospectionResponse(ctx, w, response)
}
