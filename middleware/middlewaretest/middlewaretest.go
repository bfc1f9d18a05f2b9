// Package middlewaretest makes requests that carry a Principal, for testing
// handlers without a Guard, a store or a key:
//
//	r := middlewaretest.NewRequest(middlewaretest.Key("users.view"), "GET", "/users", nil)
//	listUsers(httptest.NewRecorder(), r)
//
// [Key], [User] and [Client] make one for each kind.
//
// Handlers read such a Principal with [middleware.PrincipalFrom]. Guards do
// not trust it: what stands behind a Guard needs a real credential in a test,
// too, and gets one from an apikey.Manager on a MemoryStore.
package middlewaretest

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/latchwork/latchwork/middleware"
	"github.com/latchwork/latchwork/scope"
)

// NewRequest is httptest.NewRequest with a Principal.
func NewRequest(p middleware.Principal, method, target string, body io.Reader) *http.Request {
	return httptest.NewRequestWithContext(middleware.WithPrincipal(context.Background(), p), method, target, body)
}

// Key returns the Principal of an API key of type "admin" with these grants.
// It panics if one is malformed.
func Key(grants ...string) middleware.Principal {
	return middleware.Principal{
		Kind: middleware.KindKey, CredentialID: "key-of-a-test", KeyType: "admin",
		Permissions: scope.MustParseSet(grants...),
	}
}

// User returns the Principal of an access token that speaks for a user, within
// these scopes. It panics if one is malformed.
func User(subject string, scopes ...string) middleware.Principal {
	return middleware.Principal{
		Kind: middleware.KindUser, Subject: subject, ClientID: "client-of-a-test", GrantID: "grant-of-a-test",
		CredentialID: "token-of-a-test", Permissions: mustParseScopes(scopes),
	}
}

// Client returns the Principal of an access token that speaks for nobody but
// its OAuth client, within these scopes. It panics if one is malformed.
func Client(clientID string, scopes ...string) middleware.Principal {
	return middleware.Principal{
		Kind: middleware.KindClient, ClientID: clientID, GrantID: "grant-of-a-test",
		CredentialID: "token-of-a-test", Permissions: mustParseScopes(scopes),
	}
}

// mustParseScopes refuses stars, which no token has.
func mustParseScopes(scopes []string) scope.Set {
	set := scope.MustParseSet(scopes...)
	if set.HasStars() {
		panic("middlewaretest: a scope with a star: " + set.String())
	}
	return set
}
