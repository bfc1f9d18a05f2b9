package oauth_test

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/oauth"
	"github.com/latchwork/latchwork/scope"
)

func TestReq121_DenyAndApprove(t *testing.T) {
	t.Parallel()
	for _, client := range []string{"first", "app"} {
		h := newSite(t)
		q := h.question("u1", asking("client_id", client).Encode())
		h.refused(h.decide("u1", q.Ticket.Reveal(), "deny"), "access_denied", "a state")
		require.Equal(t, []oauth.EventKind{oauth.EventDenied}, h.kinds())
		a := requireTokens(t, h.as(client, byCode(h.approved("client_id", client))))
		token, err := h.server.Verify(t.Context(), a.access())
		require.NoError(t, err)
		require.Equal(t, user("u1"), token.Subject)
		require.Equal(t, client, token.ClientID)
		require.Equal(t, []oauth.EventKind{oauth.EventDenied, oauth.EventApproved, oauth.EventIssued}, h.kinds())
		requireTokens(t, h.as(client, byToken+a.refresh()))
	}
}

// Whoever approved was told where they go afterwards. If that is another place
// now, nothing goes there, not even an error.
func TestRedirectURIChangedSinceThePage(t *testing.T) {
	t.Parallel()
	for _, decision := range []string{"approve", "deny"} {
		h := newSite(t)
		q := h.question("u1", asking("redirect_uri", "").Encode())
		require.Equal(t, callback, q.RedirectURI)
		before := h.clients.get("first")
		after := before
		after.RedirectURIs = []string{"https://other.example/cb"}
		h.clients.put(after)
		requirePage(t, h.decide("u1", q.Ticket.Reveal(), decision), 403)
		after.Scopes = set("other")
		h.clients.put(after)
		requirePage(t, h.decide("u1", q.Ticket.Reveal(), decision), 403)
		h.clients.put(before)
		to := h.decide("u1", q.Ticket.Reveal(), decision).Header().Get("Location")
		require.True(t, strings.HasPrefix(to, callback+"&"), to)
	}
}

func TestConsentSaysWhatIsAsked(t *testing.T) {
	t.Parallel()
	catalogue, err := scope.NewCatalog(
		scope.Permission{Name: "profile", Group: "yours", Label: "View your profile"},
		scope.Permission{Name: "invoices", Group: "yours", Label: "View your invoices"})
	require.NoError(t, err)
	h := newSite(t, func(c *oauth.Config) { c.Scopes = catalogue; c.Paths.Authorize = "/auth" })
	h.register("c", func(c *oauth.Client) { c.Name = "<b>Ada & Co</b>" })
	q := h.question("u1", asking("client_id", "c", "scope", "profile invoices").Encode())
	require.NotEmpty(t, q.Ticket.Reveal())
	q.Ticket = oauth.Secret{}
	require.Equal(t, oauth.Consent{
		Subject: "u1", ClientID: "c", ClientName: "<b>Ada & Co</b>", RedirectURI: callback, Action: "/auth/decision",
		Scopes: []scope.Permission{
			{Name: "invoices", Group: "yours", Label: "View your invoices"}, {Name: "profile", Group: "yours", Label: "View your profile"},
		},
	}, q)
	h = newSite(t)
	require.Equal(t, []scope.Permission{{Name: "profile", Label: "profile"}}, h.question("u1", asking().Encode()).Scopes)
}

// Each of these gets no code, and leaves the ticket as it is unless it says so.
func TestReq123_WithoutAGoodTicket(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		status int
		try    func(h *house, ticket string) answer
		spent  bool
	}{
		{"no ticket", 403, func(h *house, _ string) answer { return h.decide("u1", "", "approve") }, false},
		{"garbage", 403, func(h *house, _ string) answer { return h.decide("u1", "garbage", "approve") }, false},
		{"somebody else's", 403, func(h *house, ticket string) answer { return h.decide("u3", ticket, "approve") }, false},
		{"nobody signed in", 403, func(h *house, ticket string) answer { return h.decide("", ticket, "approve") }, false},
		{"a client's", 403, func(h *house, ticket string) answer { return h.decide("first", ticket, "approve") }, false},
		{"replayed", 403, func(h *house, ticket string) answer {
			h.redirected(h.decide("u1", ticket, "approve"))
			return h.decide("u1", ticket, "approve")
		}, true},
		{"approved after a no", 403, func(h *house, ticket string) answer {
			h.redirected(h.decide("u1", ticket, "deny"))
			return h.decide("u1", ticket, "approve")
		}, true},
		{"expired", 403, func(h *house, ticket string) answer {
			h.clock.advance(10 * time.Minute)
			return h.decide("u1", ticket, "approve")
		}, true},
		{"a part of it", 403, func(h *house, ticket string) answer { return h.decide("u1", ticket[:57], "approve") }, false},
		{"a part of the request", 403, func(h *house, ticket string) answer { return h.decide("u1", ticket[:len(ticket)-4], "approve") }, false},
		{"another request", 403, func(h *house, ticket string) answer {
			other := base64.RawURLEncoding.EncodeToString([]byte(asking("scope", "profile invoices").Encode()))
			return h.decide("u1", ticket[:57]+"."+other, "approve")
		}, false},
		{"an access token", 403, func(h *house, _ string) answer {
			return h.decide("u1", requireTokens(h.t, h.as("first", byLogin)).access(), "approve")
		}, false},
		{"no decision", 400, func(h *house, ticket string) answer { return h.decide("u1", ticket, "") }, false},
		{"another decision", 400, func(h *house, ticket string) answer { return h.decide("u1", ticket, "Approve") }, false},
		{"from another site", 403, func(h *house, ticket string) answer {
			r := post("u1", decisionPath, url.Values{"ticket": {ticket}, "decision": {"approve"}}.Encode())
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			return h.browse(h.server.DecisionHandler(), r)
		}, false},
		{"from another origin of the same site", 403, func(h *house, ticket string) answer {
			r := post("u1", decisionPath, url.Values{"ticket": {ticket}, "decision": {"approve"}}.Encode())
			r.Header.Set("Sec-Fetch-Site", "same-site")
			return h.browse(h.server.DecisionHandler(), r)
		}, false},
		{"from another origin, by an old browser", 403, func(h *house, ticket string) answer {
			r := post("u1", decisionPath, url.Values{"ticket": {ticket}, "decision": {"approve"}}.Encode())
			r.Header.Set("Origin", "https://evil.example")
			return h.browse(h.server.DecisionHandler(), r)
		}, false},
		{"from nowhere, by an old browser", 403, func(h *house, ticket string) answer {
			r := post("u1", decisionPath, url.Values{"ticket": {ticket}, "decision": {"approve"}}.Encode())
			r.Header.Set("Origin", "null")
			return h.browse(h.server.DecisionHandler(), r)
		}, false},
		{"GET", 405, func(h *house, ticket string) answer {
			r := get("u1", decisionPath+"?"+url.Values{"ticket": {ticket}, "decision": {"approve"}}.Encode())
			return h.browse(h.server.DecisionHandler(), r)
		}, false},
		{"in the URL", 400, func(h *house, ticket string) answer {
			r := post("u1", decisionPath+"?"+url.Values{"ticket": {ticket}, "decision": {"approve"}}.Encode(), "")
			return h.browse(h.server.DecisionHandler(), r)
		}, false},
		{"twice", 400, func(h *house, ticket string) answer {
			r := post("u1", decisionPath, url.Values{"ticket": {ticket, ticket}, "decision": {"approve"}}.Encode())
			return h.browse(h.server.DecisionHandler(), r)
		}, false},
		{"another content type", 400, func(h *house, ticket string) answer {
			r := post("u1", decisionPath, url.Values{"ticket": {ticket}, "decision": {"approve"}}.Encode())
			r.Header.Set("Content-Type", "text/plain")
			return h.browse(h.server.DecisionHandler(), r)
		}, false},
		{"too long", 413, func(h *house, ticket string) answer {
			return h.decide("u1", ticket+strings.Repeat("x", 65<<10), "approve")
		}, false},
		{"the client was disabled", 400, func(h *house, ticket string) answer {
			c := h.clients.get("first")
			defer h.clients.put(c)
			c.Disabled = true
			h.clients.put(c)
			return h.decide("u1", ticket, "approve")
		}, false},
		{"the redirect URI was taken away", 400, func(h *house, ticket string) answer {
			c := h.clients.get("first")
			defer h.clients.put(c)
			c.RedirectURIs = []string{"https://app.example/other"}
			h.clients.put(c)
			return h.decide("u1", ticket, "approve")
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newSite(t)
			q := h.question("u1", asking().Encode())
			a := c.try(h, q.Ticket.Reveal())
			requirePage(t, a, c.status)
			require.NotContains(t, a.Body.String(), "paym_")
			if !c.spent {
				h.redirected(h.decide("u1", q.Ticket.Reveal(), "approve"))
			}
		})
	}
}

// Browsers that know no Sec-Fetch-Site send the Origin, and what has neither is
// no browser. A proxy may have changed the Host.
func TestDecisionFromOurOwnPage(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(r *http.Request){
		"neither header":        func(*http.Request) {},
		"by the user":           func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "none") },
		"Origin":                func(r *http.Request) { r.Header.Set("Origin", "https://"+r.Host) },
		"Origin behind a proxy": func(r *http.Request) { r.Header.Set("Origin", issuer); r.Host = "10.0.0.1:8080" },
	} {
		h := newSite(t)
		r := post("u1", decisionPath, url.Values{
			"ticket": {h.question("u1", asking().Encode()).Ticket.Reveal()}, "decision": {"approve"},
		}.Encode())
		edit(r)
		require.NotEmpty(t, h.redirected(h.browse(h.server.DecisionHandler(), r)).Get("code"), name)
	}
}

// The page's form has nothing that could be changed with effect.
func TestReq124_TheTicketIsTheRequest(t *testing.T) {
	t.Parallel()
	h := newSite(t)
	q := h.question("u1", asking().Encode())
	values := asking("client_id", "other", "scope", "profile invoices", "redirect_uri", "https://evil.example/", "state", "evil",
		"code_challenge", strings.Repeat("x", 43))
	values.Set("ticket", q.Ticket.Reveal())
	values.Set("decision", "approve")
	answered := h.redirected(h.browse(h.server.DecisionHandler(), post("u1", decisionPath, values.Encode())))
	require.Equal(t, "a state", answered.Get("state"))
	a := requireTokens(t, h.as("first", byCode(answered.Get("code"))))
	require.Equal(t, "profile", a.text("scope"))
}

func TestTicketsAreBoundToTheirRequest(t *testing.T) {
	t.Parallel()
	h := newSite(t)
	one, two := h.question("u1", asking().Encode()), h.question("u1", asking("client_id", "app").Encode())
	first, _, _ := strings.Cut(one.Ticket.Reveal(), ".")
	_, second, _ := strings.Cut(two.Ticket.Reveal(), ".")
	requirePage(t, h.decide("u1", first+"."+second, "approve"), 403)
	h.redirected(h.decide("u1", one.Ticket.Reveal(), "approve"))
	h.redirected(h.decide("u1", two.Ticket.Reveal(), "approve"))
	decoded, err := base64.RawURLEncoding.DecodeString(second)
	require.NoError(t, err)
	require.Equal(t, asking("client_id", "app").Encode(), string(decoded))
}

// What a page did not say is not given, whatever the client's default scopes
// have become since.
func TestDefaultScopesChangedMeanwhile(t *testing.T) {
	t.Parallel()
	h := newSite(t)
	q := h.question("u1", asking("scope", "").Encode())
	c := h.clients.get("first")
	c.DefaultScopes = set("profile", "invoices")
	h.clients.put(c)
	requirePage(t, h.decide("u1", q.Ticket.Reveal(), "approve"), 403)
	require.Empty(t, h.approvals())
}

func TestTicketIsSpentOnce(t *testing.T) {
	t.Parallel()
	for range 10 {
		h := newSite(t)
		ticket := h.question("u1", asking().Encode()).Ticket.Reveal()
		var mu sync.Mutex
		codes := map[int]int{}
		together(32, func(i int) {
			a := h.decide("u1", ticket, []string{"approve", "deny"}[i%2])
			mu.Lock()
			defer mu.Unlock()
			codes[a.Code]++
		})
		require.Equal(t, map[int]int{303: 1, 403: 31}, codes)
	}
}

// What waits for an answer is nobody's access, and is gone when it is too late.
func TestPendingGrants(t *testing.T) {
	t.Parallel()
	h := newSite(t)
	q := h.question("u1", asking().Encode())
	grants, err := h.memory.Grants(t.Context(), oauth.Filter{Subject: user("u1")}, oauth.Page{Limit: 10})
	require.NoError(t, err)
	require.Empty(t, grants)
	grants, err = h.memory.Grants(t.Context(), oauth.Filter{ClientID: "first"}, oauth.Page{Limit: 10})
	require.NoError(t, err)
	require.Len(t, grants, 1)
	require.Equal(t, oauth.Subject{Kind: oauth.SubjectPending, ID: "u1"}, grants[0].Subject)
	require.Equal(t, 10*time.Minute, grants[0].ExpiresAt.Sub(grants[0].CreatedAt))
	ticket := q.Ticket.Reveal()
	_, err = h.server.Verify(t.Context(), ticket)
	require.ErrorIs(t, err, oauth.ErrInvalid)
	for _, form := range []string{byToken + ticket, byCode(ticket), byCode(ticket[:57]), byToken + ticket[:57]} {
		requireError(t, h.as("first", form), 400, "invalid_grant")
	}
	n, err := h.memory.DeleteExpired(t.Context(), grants[0].ExpiresAt, 10)
	require.NoError(t, err)
	require.Zero(t, n)
	n, err = h.memory.DeleteExpired(t.Context(), grants[0].ExpiresAt.Add(time.Second), 10)
	require.NoError(t, err)
	require.Equal(t, 2, n)
	requirePage(t, h.decide("u1", ticket, "approve"), 403)
}

// How long a grant lasts is counted from the consent, and covers the first
// access token even of a client that cannot refresh.
func TestLifetimesFromConsent(t *testing.T) {
	t.Parallel()
	h := newSite(t, func(c *oauth.Config) { c.CodeLifetime, c.AccessLifetime = 5*time.Minute, time.Hour })
	h.register("brief", func(c *oauth.Client) { c.Grants = []oauth.GrantType{oauth.GrantAuthorizationCode} })
	code := h.approved("client_id", "brief")
	h.clock.advance(5*time.Minute - time.Second)
	a := requireTokens(t, h.as("brief", byCode(code)))
	require.InDelta(t, 3600, a.members["expires_in"], 0)
	code = h.approved()
	h.clock.advance(5 * time.Minute)
	requireError(t, h.as("first", byCode(code)), 400, "invalid_grant")
	a = requireTokens(t, h.as("first", byCode(h.approved())))
	for range 9 {
		h.clock.advance(10 * 24 * time.Hour)
		a = h.as("first", byToken+a.refresh())
	}
	requireError(t, a, 400, "invalid_grant")
}

func TestDecisionOfACancelledRequest(t *testing.T) {
	t.Parallel()
	h := newSite(t)
	ticket := h.question("u1", asking().Encode()).Ticket.Reveal()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := post("u1", decisionPath, url.Values{"ticket": {ticket}, "decision": {"approve"}}.Encode()).WithContext(ctx)
	w := httptest.NewRecorder()
	h.server.DecisionHandler().ServeHTTP(w, r)
	require.Equal(t, 503, w.Code)
	require.Empty(t, w.Body.String())
	h.redirected(h.decide("u1", ticket, "approve"))
}
