package oauth_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/oauth"
)

func remembering(c *oauth.Config) { c.RememberConsent = true }

// A pageVisit is one way through what a browser sees.
type pageVisit struct {
	name    string
	prepare func(h *house) func() answer
	status  int
	again   int // after it succeeded
}

func pageVisits() []pageVisit {
	return []pageVisit{
		{"ask", func(h *house) func() answer {
			return func() answer { return h.authorize("u1", asking().Encode()) }
		}, 200, 200},
		{"remembered", func(h *house) func() answer {
			h.approved()
			return func() answer { return h.authorize("u1", asking().Encode()) }
		}, 303, 303},
		{"approve", func(h *house) func() answer {
			ticket := h.question("u1", asking().Encode()).Ticket.Reveal()
			return func() answer { return h.decide("u1", ticket, "approve") }
		}, 303, 403},
		{"deny", func(h *house) func() answer {
			ticket := h.question("u1", asking().Encode()).Ticket.Reveal()
			return func() answer { return h.decide("u1", ticket, "deny") }
		}, 303, 403},
	}
}

// A collaborator that fails is answered with a page that can be loaded again,
// and never with half a grant.
func TestVisitFailingAtEveryCall(t *testing.T) {
	t.Parallel()
	for _, v := range pageVisits() {
		h := newSite(t, remembering)
		do := v.prepare(h)
		h.tap.do(nil)
		require.Equal(t, v.status, do().Code)
		calls := h.tap.since("")
		require.NotEmpty(t, calls)
		require.Equal(t, v.again, do().Code)
		for n, call := range calls {
			t.Run(v.name+" "+call, func(t *testing.T) {
				t.Parallel()
				h := newSite(t, remembering)
				do := v.prepare(h)
				before := len(h.approvals())
				h.tap.do(nth(n, func() error { return errBoom }))
				if call == "Store.Spend" { // which is asked again
					h.tap.do(fail(call))
				}
				a := do()
				requirePage(t, a, 503)
				require.NotContains(t, a.Body.String(), "db7.internal")
				require.Contains(t, h.log.String(), "db7.internal")
				require.Len(t, h.approvals(), before, "something was issued")
				h.tap.do(nil)
				want := v.status
				if v.name == "approve" && (call == "Store.CreateGrant" || call == "Store.Grants") {
					want = v.again // the ticket is spent, and nothing came of it
				}
				require.Equal(t, want, do().Code)
			})
		}
	}
}

// approvals returns the grants of ada that are not revoked.
func (h *house) approvals() []oauth.Grant {
	grants, err := h.memory.Grants(h.t.Context(), oauth.Filter{Subject: user("u1")}, oauth.Page{Limit: 10})
	require.NoError(h.t, err)
	return slices.DeleteFunc(grants, func(g oauth.Grant) bool { return !g.RevokedAt.IsZero() })
}

// Whoever logs out everywhere while an approval is under way is left with
// nothing that was approved.
func TestApprovalRacingRevocation(t *testing.T) {
	t.Parallel()
	for _, v := range pageVisits()[1:3] {
		for _, after := range []string{"Store.Spend", "Store.CreateGrant", "Store.Grants"} {
			h := newSite(t, remembering)
			do := v.prepare(h)
			revoked := false
			h.tap.do(func(call string) error {
				if call == after && !revoked {
					revoked = true
					_, err := h.server.RevokeSubject(t.Context(), "u1")
					return err
				}
				return nil
			})
			a := do()
			if revoked {
				require.NotContains(t, a.Header().Get("Location"), "code=", "%s, revoked before %s", v.name, after)
				require.Empty(t, h.approvals())
			}
		}
	}
	for range 50 {
		h := newSite(t, realClock)
		ticket := h.question("u1", asking().Encode()).Ticket.Reveal()
		together(2, func(i int) {
			if i == 0 {
				h.decide("u1", ticket, "approve")
				return
			}
			_, err := h.server.RevokeSubject(t.Context(), "u1")
			require.NoError(t, err)
		})
		require.Empty(t, h.approvals())
	}
}

func TestVisitWithAHangingStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newSite(t)
		ticket := h.question("u1", asking().Encode()).Ticket.Reveal()
		sound := h.server
		cfg := oauth.Config{Issuer: issuer, Prefix: "paym", Now: h.clock.now}
		site(&cfg)
		h.asks(&cfg)
		var err error
		h.server, err = oauth.New(stuck{h.memory}, &h.clients, cfg)
		require.NoError(t, err)
		for _, do := range []func() answer{
			func() answer { return h.authorize("u1", asking().Encode()) },
			func() answer { return h.decide("u1", ticket, "approve") },
		} {
			start := time.Now()
			requirePage(t, do(), 503)
			require.Equal(t, 5*time.Second, time.Since(start))
		}
		h.server = sound
		h.redirected(h.decide("u1", ticket, "approve"))
	})
}

// Whatever is asked, the answer is lawful: requireLawfulPage looks at it. Nobody
// is sent to where no client lives.
func FuzzReq202_Authorize(f *testing.F) {
	h := newSite(f)
	h.register("local", func(c *oauth.Client) { c.RedirectURIs = []string{"http://127.0.0.1:8081/cb", "http://[::1]/?x"} })
	for _, query := range []string{
		"", asking().Encode(), asking("redirect_uri", "").Encode(), asking("client_id", "local", "redirect_uri", "http://127.0.0.1:1/cb").Encode(),
		asking("scope", "*").Encode(), asking("response_type", "token").Encode(), asking("state", strings.Repeat("s", 600)).Encode(),
		asking().Encode() + "&state=x", "client_id=first&%zz", "a=%ff", "client_id=first&redirect_uri=https://evil.example/",
		asking("client_id", "local", "redirect_uri", "http://127.0.0.1:80@evil.example/cb").Encode(),
	} {
		f.Add(query, "u1", true)
		f.Add(query, "", false)
	}
	f.Fuzz(func(t *testing.T, query, subject string, posted bool) {
		h.t, h.answers, h.events, h.questions, h.tap.given = t, nil, nil, nil, nil
		h.tap.do(nil)
		r := httptest.NewRequest(http.MethodGet, authorizePath, nil)
		r.URL.RawQuery = query
		if posted {
			r = post("", authorizePath, query)
		}
		r.Header["X-Subject"] = []string{subject}
		a := h.browse(h.server.AuthorizeHandler(), r)
		require.NotEqual(t, 503, a.Code, "nothing failed")
		location := a.Header().Get("Location")
		if location == "" {
			return
		}
		u, err := url.Parse(location)
		require.NoError(t, err)
		require.Contains(t, []string{"", "app.example", "127.0.0.1", "[::1]"}, strings.TrimSuffix(u.Host, ":"+u.Port()))
		if u.Host == "" {
			require.Equal(t, "/oauth/login", u.Path)
		}
		require.Empty(t, u.Query().Get("code"), "nobody has been asked")
	})
}

// A T in the ticket stands for a good secret, and an R for its request.
func FuzzReq202_Decision(f *testing.F) {
	for _, ticket := range []string{"", "T.R", "T", "T.", ".R", "T.RA", "T.R.R", "paym_ct_x.R", "T.YT0lenN", "0T.R", " T.R"} {
		f.Add(ticket, "approve", "u1")
		f.Add(ticket, "deny", "u2")
	}
	f.Fuzz(func(t *testing.T, ticket, decision, subject string) {
		h := newSite(t)
		good := h.question("u1", asking().Encode()).Ticket.Reveal()
		secret, request, _ := strings.Cut(good, ".")
		ticket = strings.NewReplacer("T", secret, "R", request).Replace(ticket)
		h.tap.do(nil)
		a := h.decide(subject, ticket, decision)
		require.NotEqual(t, 503, a.Code, "nothing failed")
		if a.Code == 303 {
			require.Equal(t, good, ticket)
			require.Equal(t, "u1", subject)
		} else {
			require.Empty(t, h.tap.since("Store.CreateGrant", "Store.Spend"))
		}
	})
}
