package oauth_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/oauth"
)

// What real clients do, and other servers break. What is tested elsewhere by its
// number is not repeated here.

// golang.org/x/oauth2 tries HTTP Basic first, with the ID of a public client and
// no secret, and then the body.
func TestBasicOfAPublicClient(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	code := h.code(publicOnly)
	for range 400 { // it is no guess, however often it comes
		h.tap.do(nil)
		requireError(t, h.post(byCode(code), basic("app", "")), 401, "invalid_client")
		require.Empty(t, h.tap.since("Store"), "the code was not even looked at")
	}
	a := requireTokens(t, h.post(byCode(code)+"&client_id=app"))
	requireError(t, h.post(byToken+a.refresh(), basic("app", "")), 401, "invalid_client")
	requireTokens(t, h.post(byToken+a.refresh()+"&client_id=app"))
}

// A confidential client whose library tries the header and then the body.
func TestBasicThenBody(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.register("post", func(c *oauth.Client) { c.AuthMethod = oauth.AuthPost })
	code := h.code(func(g *oauth.Grant, _ *oauth.Credential) { g.ClientID = "post" })
	requireError(t, h.post(byCode(code), h.basic("post")), 401, "invalid_client")
	requireTokens(t, h.post(byCode(code)+"&client_id=post&client_secret="+h.secrets["post"]))
}

// Empty parameters are absent ones, at every endpoint.
func TestEmptyParametersAreAbsent(t *testing.T) {
	t.Parallel()
	h := newSite(t)
	const empty = "&response_mode=&request=&request_uri=&prompt=&nonce=&resource=&login_hint="
	q := h.question("u1", asking("scope", "", "state", "", "redirect_uri", "").Encode()+"&scope=&state=&redirect_uri="+empty)
	require.Len(t, q.Scopes, 1)
	require.Equal(t, callback, q.RedirectURI)
	answered := h.redirected(h.decide("u1", q.Ticket.Reveal(), "approve"))
	require.False(t, answered.Has("state"))
	a := requireTokens(t, h.as("first", byCode(answered.Get("code"), "redirect_uri", "")+"&redirect_uri=&scope=&client_secret="))
	require.Equal(t, "profile", a.text("scope"))
	require.Equal(t, 200, h.revoke("first", "token="+a.access()+"&token_type_hint=").Code)
	h.refused(h.authorize("u1", asking("response_type", "").Encode()+"&response_type="), "invalid_request", "a state")
	h.refused(h.authorize("u1", asking("code_challenge_method", "").Encode()+"&code_challenge_method="), "invalid_request", "a state")
}

// Applications in browsers post from their own origin: only what our own pages
// post is protected.
func TestPostsFromOtherOrigins(t *testing.T) {
	t.Parallel()
	h := newSite(t)
	elsewhere := func(r *http.Request) *http.Request {
		r.Header.Set("Origin", "https://app.example")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		return r
	}
	code := h.code(publicOnly)
	a := requireTokens(t, h.send(elsewhere(request(byCode(code)+"&client_id=app"))))
	r := elsewhere(h.request("first", "token="+requireTokens(t, h.as("first", byClient)).access(), nil))
	require.Equal(t, true, h.sendTo(h.server.IntrospectHandler(), r, requireLawfulIntrospection).members["active"])
	r = elsewhere(h.request("app", "token="+a.refresh(), nil))
	require.Equal(t, 200, h.sendTo(h.server.RevokeHandler(), r, requireEmptyObject).Code)
	require.Equal(t, 200, h.browse(h.server.AuthorizeHandler(), elsewhere(post("u1", authorizePath, asking().Encode()))).Code)
	ticket := h.question("u1", asking().Encode()).Ticket.Reveal()
	r = elsewhere(post("u1", decisionPath, url.Values{"ticket": {ticket}, "decision": {"approve"}}.Encode()))
	requirePage(t, h.browse(h.server.DecisionHandler(), r), 403)
}

// Over a real connection: the metadata leads to endpoints that are there, and the
// issuer is what it was found by, to the byte.
func TestDiscovery(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	site := httptest.NewServer(mux)
	defer site.Close()
	h := newSite(t, func(c *oauth.Config) {
		c.Issuer = site.URL
		c.Paths = oauth.Paths{Token: "/api/oauth/token", Revoke: "/api/oauth/revoke", Introspect: "/api/oauth/introspect"}
	})
	for path, handler := range h.server.Routes() {
		mux.Handle(path, handler)
	}
	_, found := h.document(http.MethodGet, wellKnown)
	require.Equal(t, site.URL, found["issuer"])
	for endpoint, status := range map[string]int{
		"token_endpoint": 405, "revocation_endpoint": 405, "introspection_endpoint": 405, "authorization_endpoint": 400,
	} {
		at, _ := found[endpoint].(string)
		require.True(t, strings.HasPrefix(at, site.URL+"/"), at)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at, nil)
		require.NoError(t, err)
		answered, err := site.Client().Do(r)
		require.NoError(t, err)
		require.NoError(t, answered.Body.Close())
		require.Equal(t, status, answered.StatusCode, endpoint)
	}
}
