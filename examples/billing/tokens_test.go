package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// form makes a body of pairs of names and values.
func form(pairs ...string) url.Values {
	f := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		f.Add(pairs[i], pairs[i+1])
	}
	return f
}

// token sends a token request of our own application.
func (h *host) token(f url.Values) reply {
	h.t.Helper()
	return h.tokenAs(h.app.ID, h.app.Secret, f)
}

func (h *host) tokenAs(id, secret string, f url.Values) reply {
	h.t.Helper()
	r := h.request(http.MethodPost, "/api/oauth/token", "", f.Encode())
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(id, secret)
	a := h.exchange(r)
	require.Equal(h.t, "application/json", a.header.Get("Content-Type"), a.raw)
	require.Equal(h.t, "no-store", a.header.Get("Cache-Control"))
	require.Equal(h.t, "no-cache", a.header.Get("Pragma"))
	require.NoError(h.t, json.Unmarshal([]byte(a.raw), &a.body), a.raw)
	return a
}

func (h *host) login(username, password string, more ...string) reply {
	h.t.Helper()
	return h.token(form(append([]string{"grant_type", "password", "username", username, "password", password}, more...)...))
}

func (h *host) refresh(token string) reply {
	h.t.Helper()
	return h.token(form("grant_type", "refresh_token", "refresh_token", token))
}

// tokens returns the access and the refresh token of an answer.
func (a reply) tokens(t *testing.T) (access, refresh string) {
	t.Helper()
	require.Equal(t, http.StatusOK, a.status, a.raw)
	require.Equal(t, "Bearer", a.body["token_type"])
	require.InDelta(t, 900, a.body["expires_in"], 10) // less when it is given again
	access, _ = a.body["access_token"].(string)
	refresh, _ = a.body["refresh_token"].(string)
	require.True(t, strings.HasPrefix(access, "paym_at_"), a.raw)
	return access, refresh
}

// me sends a request for whom a token speaks for, which has no "data" around it.
func (h *host) me(token string) reply {
	h.t.Helper()
	a := h.exchange(h.request(http.MethodGet, "/api/me", token, nil))
	require.Equal(h.t, "application/json", a.header.Get("Content-Type"), a.raw)
	require.Equal(h.t, "no-store", a.header.Get("Cache-Control"))
	require.NoError(h.t, json.Unmarshal([]byte(a.raw), &a.body), a.raw)
	return a
}

func TestSignedInUser(t *testing.T) {
	h := start(t)
	signedIn := h.login(h.user.Username, h.user.Password)
	access, refresh := signedIn.tokens(t)
	require.Equal(t, "profile", signedIn.body["scope"], "the default")

	me := h.me(access)
	require.Equal(t, http.StatusOK, me.status)
	admins := h.admin("GET", "users/"+h.user.ID, nil).attributes(t, http.StatusOK)
	require.Equal(t, values{
		"id": h.user.ID, "first_name": "Ada", "last_name": "Lovelace", "email": "ada@example.com",
		"email_verified_at": "2026-01-31T00:00:00Z", "created_at": admins["created_at"], "updated_at": admins["updated_at"],
	}, me.body)
	require.Equal(t, http.StatusOK, h.send(h.request("HEAD", "/api/me", access, nil)).status)

	// The answer to a refresh is lost, and asked for again.
	first := h.refresh(refresh)
	again := h.refresh(refresh)
	access2, refresh2 := first.tokens(t)
	for _, member := range []string{"access_token", "refresh_token", "scope"} {
		require.Equal(t, first.body[member], again.body[member])
	}
	require.NotEqual(t, access, access2)
	require.NotEqual(t, refresh, refresh2)
	for _, token := range []string{access, access2} {
		require.Equal(t, me.raw, h.me(token).raw)
	}

	// Once the successor was used, a replay tells of a thief: everything ends.
	access3, refresh3 := h.refresh(refresh2).tokens(t)
	h.refresh(refresh).refusedToken(t, http.StatusBadRequest, "invalid_grant")
	for _, token := range []string{access, access2, access3} {
		h.me(token).refused(t, http.StatusUnauthorized, "invalid_token")
	}
	h.refresh(refresh3).refusedToken(t, http.StatusBadRequest, "invalid_grant")
}

// refusedToken checks an error of the token endpoint.
func (a reply) refusedToken(t *testing.T, status int, code string) reply {
	t.Helper()
	a.refused(t, status, code)
	for member := range a.body {
		require.Contains(t, []string{"error", "error_description"}, member)
	}
	require.Equal(t, status == http.StatusUnauthorized, strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Basic realm="))
	return a
}

// A crowd presents one refresh token at once, and nobody is logged out.
func TestRefreshedByManyAtOnce(t *testing.T) {
	h := start(t)
	_, refresh := h.login(h.user.Username, h.user.Password).tokens(t)
	answers := make([]reply, 32)
	var group sync.WaitGroup
	for i := range answers {
		group.Go(func() { answers[i] = h.refresh(refresh) })
	}
	group.Wait()
	access, next := answers[0].tokens(t)
	for _, a := range answers {
		require.Equal(t, access, a.body["access_token"])
		require.Equal(t, next, a.body["refresh_token"])
	}
	require.Equal(t, http.StatusOK, h.me(access).status)
	h.refresh(next).tokens(t)
}

func TestWhoMayAskForMe(t *testing.T) {
	h := start(t)
	own, _ := h.token(form("grant_type", "client_credentials", "scope", "profile invoices")).tokens(t)
	invoices, refresh := h.login(h.user.Username, h.user.Password, "scope", "invoices").tokens(t)
	for _, c := range []struct {
		token, path string
		status      int
		code        string
	}{
		{"", "/api/me", 401, "missing_token"},
		{"nonsense", "/api/me", 401, "invalid_token"},
		{invoices[:len(invoices)-1], "/api/me", 401, "invalid_token"},
		{refresh, "/api/me", 401, "invalid_token"},
		{invoices, "/api/me", 403, "insufficient_scope"},
		{own, "/api/me", 403, "user_required"},
		{own, "/api/me/invoices", 403, "user_required"},
		{h.key, "/api/me", 403, "user_required"},
		{h.key, "/api/me/invoices", 403, "user_required"},
		{invoices, "/api/v1/admin/invoices", 403, "wrong_key_type"},
		{own, "/api/v1/admin/invoices", 403, "wrong_key_type"},
		{own, "/api/v1/admin/api-keys", 403, "wrong_key_type"},
	} {
		a := h.as(c.token, "GET", c.path, nil).refused(t, c.status, c.code)
		if c.code == "insufficient_scope" {
			require.Equal(t, []any{"profile"}, a.body["required"])
			require.Equal(t, `Bearer realm="api", error="insufficient_scope", scope="profile", resource_metadata="`+h.base+
				`/.well-known/oauth-protected-resource/api/me"`, a.header.Get("WWW-Authenticate"))
		}
	}
	access, _ := h.login(h.user.Username, h.user.Password).tokens(t)
	h.as(access, "GET", "/api/me/invoices", nil).refused(t, http.StatusForbidden, "insufficient_scope")
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
		a := h.as(access, method, "/api/me", nil).refused(t, http.StatusMethodNotAllowed, "method_not_allowed")
		require.Equal(t, "GET, HEAD", a.header.Get("Allow"))
	}
	h.as(access, "GET", "/api/me/", nil).refused(t, http.StatusNotFound, "not_found")
}

func TestMyInvoices(t *testing.T) {
	h := start(t)
	for range 2 {
		h.admin("POST", "invoices", values{"user_id": "2"}).ok(t, http.StatusCreated)
	}
	h.admin("POST", "invoices", values{"user_id": h.user.ID}).ok(t, http.StatusCreated)
	access, _ := h.login(h.user.Username, h.user.Password, "scope", "invoices profile").tokens(t)
	mine := h.as(access, "GET", "/api/me/invoices", nil)
	for _, rec := range mine.list(t) {
		require.Equal(t, "invoices", rec.(map[string]any)["type"])
		require.Equal(t, h.user.ID, rec.(map[string]any)["attributes"].(map[string]any)["user_id"])
	}
	require.Equal(t, values{"page": 1.0, "per_page": 15.0, "total": 2.0}, mine.body["meta"])
	// Nothing in the query widens that.
	for _, query := range []string{"?user_id=2", "?filter[user_id]=2", "?include=user", "?per_page=100", "?id=2"} {
		require.Equal(t, mine.list(t), h.as(access, "GET", "/api/me/invoices"+query, nil).list(t))
		require.NotContains(t, h.as(access, "GET", "/api/me/invoices"+query, nil).body, "included")
	}
	require.Len(t, h.as(access, "GET", "/api/me/invoices?per_page=1&page=2", nil).list(t), 1)
	h.as(access, "GET", "/api/me/invoices?per_page=0", nil).refused(t, http.StatusUnprocessableEntity, "validation_failed")
	h.as(access, "GET", "/api/me/invoices/1", nil).refused(t, http.StatusNotFound, "not_found")
}

func TestTokenRequests(t *testing.T) {
	h := start(t)
	for _, c := range []struct {
		name   string
		f      url.Values
		status int
		code   string
	}{
		{"wrong password", form("grant_type", "password", "username", h.user.Username, "password", "x"), 400, "invalid_grant"},
		{"unknown user", form("grant_type", "password", "username", "nobody@example.com", "password", h.user.Password), 400, "invalid_grant"},
		{"a user without a password", form("grant_type", "password", "username", "grace@example.com", "password", "x"), 400, "invalid_grant"},
		{"no password", form("grant_type", "password", "username", h.user.Username), 400, "invalid_request"},
		{"unknown scope", form("grant_type", "client_credentials", "scope", "users.view"), 400, "invalid_scope"},
		{"every scope", form("grant_type", "client_credentials", "scope", "*"), 400, "invalid_scope"},
		{"unknown grant type", form("grant_type", "implicit"), 400, "unsupported_grant_type"},
		{"garbage", form("grant_type", "refresh_token", "refresh_token", "garbage"), 400, "invalid_grant"},
	} {
		h.token(c.f).refusedToken(t, c.status, c.code)
	}
	ask := form("grant_type", "client_credentials")
	a := h.token(ask)
	_, refresh := a.tokens(t)
	require.Empty(t, refresh)
	require.NotContains(t, a.body, "scope", "a client has no scopes by default")
	unknown := h.tokenAs("nobody", h.app.Secret, ask).refusedToken(t, http.StatusUnauthorized, "invalid_client")
	wrong := h.tokenAs(h.app.ID, "x", ask).refusedToken(t, http.StatusUnauthorized, "invalid_client")
	require.Equal(t, unknown.raw, wrong.raw)
	r := h.request("POST", "/api/oauth/token", "", ask.Encode())
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	require.Equal(t, http.StatusUnauthorized, h.exchange(r).status)
	for _, method := range []string{"GET", "PUT", "DELETE", "OPTIONS"} {
		a := h.exchange(h.request(method, "/api/oauth/token", "", nil))
		require.Equal(t, http.StatusMethodNotAllowed, a.status)
		require.Equal(t, "POST", a.header.Get("Allow"))
	}
	// People sign in with the address they have now, in whatever case.
	h.admin("PATCH", "users/"+h.user.ID, values{"email": "Countess@example.com"}).ok(t, http.StatusOK)
	h.login(h.user.Username, h.user.Password).refusedToken(t, http.StatusBadRequest, "invalid_grant")
	access, _ := h.login("countess@EXAMPLE.com", h.user.Password).tokens(t)
	require.Equal(t, "Countess@example.com", h.me(access).body["email"])
}

// The tokens of somebody who is deleted are dead at once.
func TestReq184_DeletedUser(t *testing.T) {
	h := start(t)
	access, refresh := h.login(h.user.Username, h.user.Password, "scope", "profile invoices").tokens(t)
	own, _ := h.token(form("grant_type", "client_credentials")).tokens(t)
	require.Equal(t, http.StatusNoContent, h.admin("DELETE", "users/"+h.user.ID, nil).status)
	h.me(access).refused(t, http.StatusUnauthorized, "invalid_token")
	h.as(access, "GET", "/api/me/invoices", nil).refused(t, http.StatusUnauthorized, "invalid_token")
	h.refresh(refresh).refusedToken(t, http.StatusBadRequest, "invalid_grant")
	h.login(h.user.Username, h.user.Password).refusedToken(t, http.StatusBadRequest, "invalid_grant")
	h.me(own).refused(t, http.StatusForbidden, "user_required") // lives on: it is the application's

	// Somebody new with the same address is somebody else.
	again := h.admin("POST", "users", values{"first_name": "A", "last_name": "B", "email": h.user.Username}).ok(t, http.StatusCreated)
	require.NotEqual(t, h.user.ID, again["id"])
	h.login(h.user.Username, h.user.Password).refusedToken(t, http.StatusBadRequest, "invalid_grant")
}

// The address in a Host header makes no difference to anything.
func TestIssuerDoesNotFollowTheHost(t *testing.T) {
	h := start(t)
	r := h.request("GET", "/api/me", "", nil)
	r.Host = "evil.example"
	a := h.send(r).refused(t, http.StatusUnauthorized, "missing_token")
	require.NotContains(t, fmt.Sprint(a.header), "evil.example")
}
