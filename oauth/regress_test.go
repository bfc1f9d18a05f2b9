package oauth_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/oauth"
)

// Faults that were published of other servers.

// Laravel Passport, GHSA-349c-2h2f-mxf6: the token of a client whose ID was a
// user's spoke for that user.
func TestCVE_2026_39976_ClientTakenForAUser(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.register("u1", nil)
	machine, err := h.server.Verify(t.Context(), requireTokens(t, h.as("u1", byClient+"&scope=profile")).access())
	require.NoError(t, err)
	person, err := h.server.Verify(t.Context(), requireTokens(t, h.as("u1", byLogin)).access())
	require.NoError(t, err)
	require.Equal(t, machine.Subject.ID, person.Subject.ID)
	require.NotEqual(t, machine.Subject, person.Subject)
	grants, err := h.memory.Grants(t.Context(), oauth.Filter{Subject: person.Subject}, oauth.Page{Limit: 10})
	require.NoError(t, err)
	require.Len(t, grants, 1)
}

// Zitadel, GHSA-xqxv-4jc2-x56x: an exchange did not compare the client. Here
// the store itself does, whatever the Server forgot.
func TestCVE_2026_55672_ForeignClientAtTheStore(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := requireTokens(t, h.as("first", byLogin))
	_, err := h.memory.Spend(t.Context(), oauth.Spend{Hash: hashOf(a.refresh()), ClientID: "other", At: h.clock.now(), Attempt: oauth.Attempt{1}})
	require.ErrorIs(t, err, oauth.ErrNotFound)
	requireTokens(t, h.as("first", byToken+a.refresh()))
}

// pocket-id: "wrong client && expired" stood where "||" was meant. Each check
// must refuse by itself.
func TestCVE_2026_28513_EachCheckAlone(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(h *house) (client string){
		"nothing":      func(*house) string { return "first" },
		"wrong client": func(*house) string { return "other" },
		"expired":      func(h *house) string { h.clock.advance(time.Hour); return "first" },
		"revoked":      func(h *house) string { _, _ = h.server.RevokeSubject(h.t.Context(), "u1"); return "first" },
		"client disabled": func(h *house) string {
			c := h.clients.get("first")
			c.Disabled = true
			h.clients.put(c)
			return "first"
		},
		"no such grant": func(h *house) string { c := h.clients.get("first"); c.Grants = nil; h.clients.put(c); return "first" },
		"user disabled": func(h *house) string { h.people.put("ada", oauth.User{Subject: "u1", Disabled: true}); return "first" },
		"user deleted":  func(h *house) string { h.people.remove("ada"); return "first" },
	} {
		h := newHouse(t, func(c *oauth.Config) { c.RefreshIdle = time.Hour })
		a := requireTokens(t, h.as("first", byLogin))
		client := spoil(h)
		h.tap.do(nil)
		require.Equal(t, name == "nothing", h.as(client, byToken+a.refresh()).Code == 200, name)
		require.Equal(t, name == "nothing", len(h.tap.since("Store.Spend")) == 1, name)
	}
}

// Coder, GHSA-whr4-xxrp-33vc: the refresh grant never authenticated
// confidential clients. And go-oauth2 v4.5.4: new tokens for a client that does
// not exist, with any scope.
func TestGHSA_whr4_xxrp_33vc_RefreshWithoutTheClient(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := requireTokens(t, h.as("first", byLogin))
	for _, attempt := range []answer{
		h.post(byToken + a.refresh()), h.post(byToken + a.refresh() + "&client_id=first"),
		h.post(byToken+a.refresh(), basic("first", "wrong")), h.post(byToken+a.refresh(), basic("nobody", "wrong")),
		h.post(byToken+a.refresh()+"&scope=admin+root", basic("nobody", "wrong")),
	} {
		requireError(t, attempt, 401, "invalid_client")
	}
	requireError(t, h.as("first", byToken+a.refresh()+"&scope=admin+root"), 400, "invalid_scope")
	requireTokens(t, h.as("first", byToken+a.refresh()))
}

// Zitadel, GHSA-6mq3-xmgp-pjm5: a part of a token was still read as one.
func TestGHSA_6mq3_xmgp_pjm5_PartsOfATokenAreNone(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := requireTokens(t, h.as("first", byLogin))
	h.tap.do(nil)
	for _, token := range []string{a.access(), a.refresh()} {
		for i := range len(token) {
			for _, part := range []string{token[:i], token[i+1:], token[:i] + token[i+1:], token[:i] + "0" + token[i:], token + token[:i+1]} {
				_, err := h.server.Verify(t.Context(), part)
				require.ErrorIs(t, err, oauth.ErrInvalid)
			}
		}
	}
	require.Empty(t, h.tap.since("Store"), "the checksum tells before a store is asked")
	for i := range len(a.refresh()) {
		requireError(t, h.as("first", "grant_type=refresh_token&refresh_token=0"+a.refresh()[i:]), 400, "invalid_grant")
		if i > 0 {
			requireError(t, h.as("first", byToken+a.refresh()[:i]), 400, "invalid_grant")
		}
	}
	require.Empty(t, h.tap.since("Store"))
}

// fosite, GHSA-7mqr-2v3q-v2wm: a revocation whose storing failed was reported
// as done.
func TestCVE_2020_15223_FailedRevocationIsNoSuccess(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := requireTokens(t, h.as("first", byLogin))
	requireTokens(t, h.as("first", byToken+a.refresh()))
	h.clock.advance(time.Minute)
	h.tap.do(fail("Store.RevokeGrants"))
	requireError(t, h.as("first", byToken+a.refresh()), 503, "temporarily_unavailable")
	require.NotContains(t, h.kinds(), oauth.EventRefreshReuse)
	n, err := h.server.RevokeSubject(t.Context(), "u1")
	require.ErrorIs(t, err, errBoom)
	require.Zero(t, n)
	h.tap.do(nil)
	requireError(t, h.as("first", byToken+a.refresh()), 400, "invalid_grant")
	require.Contains(t, h.kinds(), oauth.EventRefreshReuse)
}

// artifact-keeper GHSA-qxxr, jans#9074, IdentityServer4#3015,
// django-oauth-toolkit#558, go-oauth2 and fosite: a refresh token was consumed
// twice. Here two servers share the store.
func TestRefreshConsumedTwice(t *testing.T) {
	t.Parallel()
	for range 30 {
		one := newHouse(t, noWindow, realClock)
		server, err := oauth.New(one.memory, &one.clients, oauth.Config{Issuer: issuer, Prefix: "paym", ReplayWindow: -1})
		require.NoError(t, err)
		two := house{t: t, server: server, secrets: one.secrets, clients: clientele{byID: one.clients.byID}}
		token := requireTokens(t, one.as("first", byLogin)).refresh()
		var mu sync.Mutex
		won := 0
		together(16, func(i int) {
			a := []*house{one, &two}[i%2].as("first", byToken+token)
			mu.Lock()
			defer mu.Unlock()
			if a.Code == 200 {
				won++
			}
		})
		require.Equal(t, 1, won)
	}
}

// golang-jwt v4, CVE-2024-51744: a token could be used although an error came
// with it.
func TestCVE_2024_51744_NeverATokenAndAnError(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := requireTokens(t, h.as("first", byLogin))
	for _, spoil := range []func() string{
		func() string { return a.refresh() },
		func() string { return "" },
		func() string { h.clock.advance(time.Hour); return a.access() },
		func() string { _, _ = h.server.RevokeSubject(t.Context(), "u1"); return a.access() },
	} {
		token, err := h.server.Verify(t.Context(), spoil())
		require.Error(t, err)
		require.Zero(t, token)
	}
}

// Laravel, CVE-2026-114509: credentials that are no strings. There is no JSON.
func TestCVE_2026_114509_CredentialsAreStrings(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for _, form := range []string{"username[]=ada&password[]=x&grant_type=password", "grant_type[]=password", "grant_type=password&username=ada&password[0]=" + right} {
		requireError(t, h.as("first", form), 400, "invalid_request")
	}
}

// What two widely used Go servers were measured to get wrong.
func TestProbesOfGoOAuth2AndFosite(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	requireSame(t, h.post(byLogin, basic("first", "wrong")), h.post(login("ada", "wrong"), basic("first", "wrong")))
	wrong := h.as("first", login("ada", "wrong"))
	requireError(t, wrong, 400, "invalid_grant")
	require.Empty(t, wrong.Header().Get("WWW-Authenticate"))
	requireError(t, h.as("first", "grant_type=nonsense"), 400, "unsupported_grant_type")
	requireError(t, h.post(byClient), 401, "invalid_client")
	require.Equal(t, `Basic realm="oauth"`, h.post(byClient, basic("first", "x")).Header().Get("WWW-Authenticate"))
	requireError(t, h.as("first", byLogin+"&username=ada"), 400, "invalid_request")
	for _, method := range []string{http.MethodPost, http.MethodGet} {
		r := httptest.NewRequest(method, "/oauth/token?"+byClient, strings.NewReader(""))
		r.Header.Set("Content-Type", formType)
		r.Header.Set("Authorization", h.basic("first"))
		require.NotEqual(t, 200, h.send(r).Code)
	}

	// fosite: whoever saw an old token could end the grant of its owner.
	a := requireTokens(t, h.as("first", byLogin))
	b := requireTokens(t, h.as("first", byToken+a.refresh()))
	h.clock.advance(time.Hour)
	requireError(t, h.as("other", byToken+a.refresh()), 400, "invalid_grant")
	requireTokens(t, h.as("first", byToken+b.refresh()))
}
