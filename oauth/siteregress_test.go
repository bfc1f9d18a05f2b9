package oauth_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/oauth"
)

// Faults of the authorization endpoint and of codes that were published of
// other servers; those of tokens are in regress_test.go.

// Zitadel, GHSA-xqxv-4jc2-x56x, for codes: the store itself compares the client.
func TestCVE_2026_55672_ForeignClientAtTheStoreWithACode(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	code := h.code()
	_, err := h.memory.Spend(t.Context(), oauth.Spend{Hash: hashOf(code), ClientID: "other", At: h.clock.now(), Attempt: oauth.Attempt{1}})
	require.ErrorIs(t, err, oauth.ErrNotFound)
	requireTokens(t, h.as("first", byCode(code)))
}

// pocket-id: "wrong client && expired" stood where "||" was meant. Each check of
// a code must refuse by itself.
func TestCVE_2026_28513_EachCheckOfACodeAlone(t *testing.T) {
	t.Parallel()
	disabled := func(change func(*oauth.Client)) func(h *house) (string, []string) {
		return func(h *house) (string, []string) {
			c := h.clients.get("first")
			change(&c)
			h.clients.put(c)
			return "first", nil
		}
	}
	for name, spoil := range map[string]func(h *house) (client string, instead []string){
		"nothing":            func(*house) (string, []string) { return "first", nil },
		"wrong client":       func(*house) (string, []string) { return "other", nil },
		"wrong verifier":     func(*house) (string, []string) { return "first", []string{"code_verifier", strings.Repeat("x", 43)} },
		"wrong redirect URI": func(*house) (string, []string) { return "first", []string{"redirect_uri", "https://app.example/"} },
		"expired":            func(h *house) (string, []string) { h.clock.advance(time.Minute); return "first", nil },
		"revoked": func(h *house) (string, []string) {
			_, _ = h.server.RevokeSubject(h.t.Context(), "u1")
			return "first", nil
		},
		"client disabled":    disabled(func(c *oauth.Client) { c.Disabled = true }),
		"no such grant type": disabled(func(c *oauth.Client) { c.Grants = nil }),
		"user disabled": func(h *house) (string, []string) {
			h.people.put("ada", oauth.User{Subject: "u1", Disabled: true})
			return "first", nil
		},
		"user deleted": func(h *house) (string, []string) { h.people.remove("ada"); return "first", nil },
	} {
		h := newHouse(t)
		code := h.code()
		client, instead := spoil(h)
		h.tap.do(nil)
		require.Equal(t, name == "nothing", h.as(client, byCode(code, instead...)).Code == 200, name)
		require.Equal(t, name == "nothing", len(h.tap.since("Store.Spend")) == 1, name)
	}
}

// Hydra, CVE-2019-8400: what an error page repeated of the request was run as a
// script. Here no page and no redirect repeats anything but the state.
func TestCVE_2019_8400_NothingIsRepeated(t *testing.T) {
	t.Parallel()
	const canary = `<script>alert("canary")</script>`
	h := newSite(t)
	for name := range asking() {
		a := h.authorize("u1", asking(name, canary).Encode())
		location := a.Header().Get("Location")
		if name == "state" {
			continue
		}
		require.NotContains(t, a.Body.String(), "canary", name)
		require.NotContains(t, location, "canary", name)
	}
	for _, extra := range []string{"error", "error_description", "error_hint", "error_debug", "prompt", "x"} {
		a := h.authorize("u1", asking(extra, canary, "client_id", "nobody").Encode())
		requirePage(t, a, 400)
		require.NotContains(t, a.Body.String(), "canary")
		a = h.decide("u1", canary, canary)
		require.NotContains(t, a.Body.String(), "canary")
	}
}

// fosite, GHSA-7mqr-2v3q-v2wm, at the revocation endpoint itself.
func TestCVE_2020_15223_RevocationEndpoint(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := h.tokens("first")
	h.tap.do(fail("Store.RevokeGrants"))
	requireError(t, h.revoke("first", "token="+a.refresh()), 503, "temporarily_unavailable")
	require.NotContains(t, h.kinds(), oauth.EventRevoked)
	h.tap.do(nil)
	require.True(t, h.lives(a.access()))
}

// fosite, GHSA-rfq3-w54c-f9q5: the exception for loopback addresses replaced host
// and query of what was registered.
func TestCVE_2020_15233_OnlyThePortMayDiffer(t *testing.T) {
	t.Parallel()
	h := newSite(t)
	h.register("native", func(c *oauth.Client) { c.RedirectURIs = []string{"http://127.0.0.1:8081/cb?a=b"} })
	for _, uri := range []string{
		"http://[::1]:8081/cb?a=b", "http://localhost:8081/cb?a=b", "http://127.0.0.1:8081/cb?a=c", "http://127.0.0.1:8081/cb", "http://127.0.0.1:8081/cb?a=b&c=d",
		"http://127.0.0.1:8081/other?a=b", "http://127.0.0.3:8081/cb?a=b", "http://evil.example:8081/cb?a=b",
	} {
		requirePage(t, h.authorize("u1", asking("client_id", "native", "redirect_uri", uri).Encode()), 400)
	}
	const other = "http://127.0.0.1:49152/cb?a=b"
	q := h.question("u1", asking("client_id", "native", "redirect_uri", other).Encode())
	require.True(t, strings.HasPrefix(h.decide("u1", q.Ticket.Reveal(), "approve").Header().Get("Location"), other+"&code="))
}

// fosite, GHSA-grfp-q2mm-hfp6: redirect URIs were compared without case.
func TestCVE_2020_15234_CaseMatters(t *testing.T) {
	t.Parallel()
	h := newSite(t)
	for i := range callback {
		upper := callback[:i] + strings.ToUpper(callback[i:i+1]) + callback[i+1:]
		if upper != callback {
			requirePage(t, h.authorize("u1", asking("redirect_uri", upper).Encode()), 400)
		}
	}
}

// Spring Authorization Server, GHSA-x637-x8p3-5p22: a confidential client could
// be talked out of PKCE.
func TestCVE_2024_22258_PKCEForConfidentialClients(t *testing.T) {
	t.Parallel()
	h := newSite(t)
	h.refused(h.authorize("u1", asking("code_challenge", "", "code_challenge_method", "").Encode()), "invalid_request", "a state")
	h.refused(h.authorize("u1", asking("code_challenge", "").Encode()), "invalid_request", "a state")
	code := h.approved()
	requireError(t, h.as("first", byCode(code, "code_verifier", "")), 400, "invalid_grant")
	requireTokens(t, h.as("first", byCode(code)))
}

// go-oauth2 v4.5.4 and fosite v0.49.0: two of 16 got tokens for one code. Here
// two servers share the store.
func TestCodeConsumedTwice(t *testing.T) {
	t.Parallel()
	for range 30 {
		one := newHouse(t, realClock)
		one.clock.set(time.Now(), 0)
		server, err := oauth.New(one.memory, &one.clients, oauth.Config{Issuer: issuer, Prefix: "paym"})
		require.NoError(t, err)
		two := house{t: t, server: server, secrets: one.secrets, clients: clientele{tap: new(tap), byID: one.clients.byID}}
		code := one.code()
		var mu sync.Mutex
		won := 0
		together(16, func(i int) {
			a := []*house{one, &two}[i%2].as("first", byCode(code))
			mu.Lock()
			defer mu.Unlock()
			if a.Code == 200 {
				won++
			}
		})
		require.Equal(t, 1, won)
	}
}

// What go-oauth2 v4.5.4 was measured to do at its authorization endpoint: send
// people to hosts that nobody had registered, one even with a code.
func TestProbesOfAuthorizationEndpoints(t *testing.T) {
	t.Parallel()
	h := newSite(t)
	for _, uri := range []string{"https://evil.example/callback", "https://attackerapp.example/callback?a=%20b", "https://evil.example/?https://app.example/callback?a=%20b"} {
		for _, also := range []string{"", "&response_type=token", "&scope=root", "&code_challenge="} {
			a := h.authorize("u1", asking("redirect_uri", uri).Encode()+also)
			requirePage(t, a, 400)
		}
	}
}

// 205: over every endpoint, method, credential and failure, a 401 has a
// challenge, a 405 says what is allowed, and what is to be tried later says when.
func TestReq205_EveryAnswerSaysWhatToDoNext(t *testing.T) {
	t.Parallel()
	h := newSite(t)
	mux := routes(h.server)
	paths := []string{}
	for path := range h.server.Routes() {
		paths = append(paths, path)
	}
	require.Len(t, paths, 7)
	a := h.tokens("first")
	bodies := []string{
		"", "x=%zz", byClient, byLogin, byCode(h.code()), byToken + a.refresh(), "token=" + a.access(), "token=" + shaped(t).access(),
		asking().Encode(), asking("scope", "root").Encode(), "ticket=x&decision=approve", strings.Repeat("x", 70<<10),
	}
	seen := map[int]int{}
	for _, broken := range []string{"", "Store", "Clients", "Users"} {
		h.tap.do(fail(broken + "."))
		for _, path := range paths {
			for _, method := range []string{"GET", "HEAD", "POST", "PUT", "OPTIONS"} {
				for _, body := range bodies {
					for _, authorization := range []string{"", h.basic("first"), basic("first", "wrong"), "Bearer " + a.access()} {
						target := path
						if (method == "GET" || method == "HEAD") && len(body) < 1000 {
							target += "?" + body
						}
						r := httptest.NewRequest(method, target, strings.NewReader(body))
						r.Header.Set("Content-Type", formType)
						r.Header.Set("X-Subject", "u1")
						if authorization != "" {
							r.Header.Set("Authorization", authorization)
						}
						w := httptest.NewRecorder()
						mux.ServeHTTP(w, r)
						about := fmt.Sprintf("%d of %s %s", w.Code, method, target)
						seen[w.Code]++
						require.Contains(t, []int{200, 303, 400, 401, 403, 405, 413, 429, 503}, w.Code, about)
						require.Equal(t, w.Code == 401, w.Header().Get("WWW-Authenticate") != "", about)
						require.Equal(t, w.Code == 405, w.Header().Get("Allow") != "", about)
						require.Equal(t, w.Code == 429 || w.Code == 503, w.Header().Get("Retry-After") != "", about)
						require.NotEmpty(t, w.Header().Get("Cache-Control"), about)
						require.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"), about)
						require.NotContains(t, w.Body.String(), "db7.internal", about)
						if w.Code == http.StatusSeeOther {
							u, err := url.Parse(w.Header().Get("Location"))
							require.NoError(t, err)
							require.Equal(t, "app.example", u.Host)
						}
					}
				}
			}
		}
	}
	for _, status := range []int{200, 303, 400, 401, 403, 405, 413, 429, 503} {
		require.Positive(t, seen[status], status)
	}
}
