package oauthtest_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/oauth"
	"github.com/latchwork/latchwork/oauth/oauthtest"
	"github.com/latchwork/latchwork/scope"
)

// An answer is what a token endpoint says.
type answer struct {
	status int

	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	Scope        string `json:"scope"`
	Error        string `json:"error"`
}

// ask sends the Server's client to the token endpoint, with pairs of names and
// values.
func ask(t *testing.T, s *oauthtest.Server, pairs ...string) (a answer) {
	t.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.TokenURL, strings.NewReader(form.Encode()))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(s.ClientID, s.ClientSecret)
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	a.status = response.StatusCode
	require.NoError(t, json.NewDecoder(response.Body).Decode(&a))
	require.NoError(t, response.Body.Close())
	return a
}

func TestServerIssuesTokens(t *testing.T) {
	t.Parallel()
	s := oauthtest.NewServer(t)
	a := ask(t, s, "grant_type", "password", "username", s.Username, "password", s.Password)
	require.Equal(t, http.StatusOK, a.status, a.Error)
	require.Equal(t, "profile", a.Scope)
	token, err := s.Verify(t.Context(), a.AccessToken)
	require.NoError(t, err)
	require.Equal(t, oauth.Subject{Kind: oauth.SubjectUser, ID: s.Subject}, token.Subject)
	require.Equal(t, s.ClientID, token.ClientID)

	b := ask(t, s, "grant_type", "refresh_token", "refresh_token", a.RefreshToken)
	require.Equal(t, http.StatusOK, b.status, b.Error)
	require.NotEqual(t, a.AccessToken, b.AccessToken)
	require.Equal(t, 1, s.Store.Calls("Spend"))

	c := ask(t, s, "grant_type", "client_credentials", "scope", "profile")
	require.Equal(t, http.StatusOK, c.status, c.Error)
	token, err = s.Verify(t.Context(), c.AccessToken)
	require.NoError(t, err)
	require.Equal(t, oauth.SubjectClient, token.Subject.Kind)

	require.Equal(t, "invalid_grant", ask(t, s, "grant_type", "password", "username", s.Username, "password", "wrong").Error)
	require.Equal(t, "invalid_grant", ask(t, s, "grant_type", "password", "username", "eve", "password", s.Password).Error)
}

func TestServerUsers(t *testing.T) {
	t.Parallel()
	s := oauthtest.NewServer(t)
	ada, err := s.Users.ByName(t.Context(), s.Username)
	require.NoError(t, err)
	s.Users.Set("bob", oauth.User{Subject: "2", PasswordHash: ada.PasswordHash})
	a := ask(t, s, "grant_type", "password", "username", "bob", "password", s.Password)
	require.Equal(t, http.StatusOK, a.status, a.Error)

	s.Users.Set("bob", oauth.User{Subject: "2", PasswordHash: ada.PasswordHash, Disabled: true})
	require.Equal(t, "invalid_grant", ask(t, s, "grant_type", "password", "username", "bob", "password", s.Password).Error)
	require.Equal(t, "invalid_grant", ask(t, s, "grant_type", "refresh_token", "refresh_token", a.RefreshToken).Error)
}

func TestServerConfig(t *testing.T) {
	t.Parallel()
	catalog, err := scope.NewCatalog(scope.Permission{Name: "invoices"}, scope.Permission{Name: "orders.view"})
	require.NoError(t, err)
	var clock oauthtest.Clock
	s := oauthtest.NewServer(t, oauth.Config{
		Issuer: "https://billing.example", Prefix: "paym", Scopes: catalog, Users: new(oauthtest.Users),
		AccessLifetime: time.Minute, Now: clock.Now,
	})
	require.Empty(t, s.Username+s.Password+s.Subject)
	require.Nil(t, s.Users)
	a := ask(t, s, "grant_type", "client_credentials", "scope", "invoices orders.view")
	require.Equal(t, "invoices orders.view", a.Scope, a.Error)
	require.True(t, strings.HasPrefix(a.AccessToken, "paym_at_"))
	require.Equal(t, "invalid_scope", ask(t, s, "grant_type", "client_credentials", "scope", "profile").Error)
	require.Equal(t, "invalid_grant", ask(t, s, "grant_type", "password", "username", "ada", "password", "x").Error)

	token := oauthtest.Token(t, s, "ada", "invoices")
	_, err = s.Verify(t.Context(), token)
	require.NoError(t, err)
	clock.Advance(time.Minute - time.Microsecond)
	_, err = s.Verify(t.Context(), token)
	require.NoError(t, err)
	clock.Advance(time.Microsecond)
	_, err = s.Verify(t.Context(), token)
	require.ErrorIs(t, err, oauth.ErrExpired, "as long as any other token")
}

func TestToken(t *testing.T) {
	t.Parallel()
	s := oauthtest.NewServer(t)
	text := oauthtest.Token(t, s, "anybody", "profile", "orders.view")
	token, err := s.Verify(t.Context(), text)
	require.NoError(t, err)
	require.Equal(t, oauth.Subject{Kind: oauth.SubjectUser, ID: "anybody"}, token.Subject)
	require.Equal(t, s.ClientID, token.ClientID)
	require.Equal(t, "orders.view profile", token.Scope.String())
	require.Equal(t, 15*time.Minute, token.ExpiresAt.Sub(token.IssuedAt))
	require.Len(t, token.ID, 16)

	bare, err := s.Verify(t.Context(), oauthtest.Token(t, s, "anybody"))
	require.NoError(t, err)
	require.True(t, bare.Scope.IsEmpty())
	require.Greater(t, bare.GrantID, token.GrantID, "later")
	require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$`, bare.GrantID)

	own, err := s.Verify(t.Context(), oauthtest.ClientToken(t, s, "profile"))
	require.NoError(t, err)
	require.Equal(t, oauth.Subject{Kind: oauth.SubjectClient, ID: s.ClientID}, own.Subject)

	n, err := s.RevokeSubject(t.Context(), "anybody")
	require.NoError(t, err)
	require.Equal(t, 2, n)
	_, err = s.Verify(t.Context(), text)
	require.ErrorIs(t, err, oauth.ErrRevoked)

	boom := errors.New("boom")
	s.Store.Fail(boom)
	text = oauthtest.Token(t, s, "ada")
	_, err = s.Verify(t.Context(), text)
	require.ErrorIs(t, err, boom, "a token can be made while the store is in trouble")
}

func TestUsers(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	var users oauthtest.Users
	_, err := users.ByName(ctx, "ada")
	require.ErrorIs(t, err, oauth.ErrNotFound)
	active, err := users.Active(ctx, "1")
	require.NoError(t, err)
	require.False(t, active)

	users.Set("ada", oauth.User{Subject: "1", PasswordHash: "old"})
	require.NoError(t, users.SetPasswordHash(ctx, "1", "older", "wrong"))
	require.NoError(t, users.SetPasswordHash(ctx, "2", "old", "wrong"))
	require.NoError(t, users.SetPasswordHash(ctx, "1", "old", "new"))
	ada, err := users.ByName(ctx, "ada")
	require.NoError(t, err)
	require.Equal(t, oauth.User{Subject: "1", PasswordHash: "new"}, ada)
	active, err = users.Active(ctx, "1")
	require.NoError(t, err)
	require.True(t, active)

	users.Set("ada", oauth.User{})
	_, err = users.ByName(ctx, "ada")
	require.ErrorIs(t, err, oauth.ErrNotFound)
	active, err = users.Active(ctx, "")
	require.NoError(t, err)
	require.False(t, active)
}

// A recorder is a testing.TB that can fail without the test failing.
type recorder struct {
	testing.TB

	failed string
}

func (r *recorder) Helper() {}

func (r *recorder) Fatalf(format string, _ ...any) {
	r.failed = format
	runtime.Goexit()
}

func ends(t *testing.T, test func(testing.TB)) {
	t.Helper()
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() { defer close(done); test(r) }()
	<-done
	require.Contains(t, r.failed, "oauthtest: ")
}

func TestBadUseEndsTheTest(t *testing.T) {
	t.Parallel()
	s := oauthtest.NewServer(t)
	ends(t, func(t testing.TB) { oauthtest.NewServer(t, oauth.Config{Prefix: "a b"}) })
	ends(t, func(t testing.TB) { oauthtest.NewServer(t, oauth.Config{}, oauth.Config{}) })
	ends(t, func(t testing.TB) { oauthtest.Token(t, s, "", "profile") })
	ends(t, func(t testing.TB) { oauthtest.Token(t, s, "ada", "*") })
	ends(t, func(t testing.TB) { oauthtest.ClientToken(t, s, "a", "") })
}
