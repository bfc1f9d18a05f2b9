package oauth_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/internal/credential"
	"github.com/latchwork/latchwork/oauth"
)

// A verifier and its challenge, from RFC 7636 appendix B.
const (
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// code stores a grant with an authorization code, as if ada had just approved,
// and returns that.
func (h *house) code(edits ...func(*oauth.Grant, *oauth.Credential)) string {
	h.t.Helper()
	format, err := credential.New("paym_ac")
	require.NoError(h.t, err)
	code := format.Generate()
	now := h.clock.now().UTC().Truncate(time.Microsecond)
	g := oauth.Grant{
		ID: "0199-" + code, Subject: user("u1"), ClientID: "first", Scope: set("profile", "invoices"),
		CreatedAt: now, ExpiresAt: now.Add(24 * time.Hour),
	}
	c := oauth.Credential{
		ID: "code", Hash: hashOf(code), Kind: oauth.KindCode, GrantID: g.ID, ClientID: g.ClientID, Scope: g.Scope,
		CreatedAt: now, ExpiresAt: now.Add(time.Minute), Challenge: challenge, RedirectURI: callback,
	}
	for _, edit := range edits {
		edit(&g, &c)
		c.ClientID = g.ClientID
	}
	require.NoError(h.t, h.memory.CreateGrant(h.t.Context(), g, c))
	return code
}

// byCode is the body of a token request with a code. What is given beside it
// replaces what is there; nothing removes it.
func byCode(code string, instead ...string) string {
	values := url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier},
	}
	for i := 0; i < len(instead); i += 2 {
		values.Set(instead[i], instead[i+1])
		if instead[i+1] == "" {
			values.Del(instead[i])
		}
	}
	return values.Encode()
}

func publicOnly(g *oauth.Grant, _ *oauth.Credential) { g.ClientID = "app" }

func TestReq066_CodeForTokens(t *testing.T) {
	t.Parallel()
	for _, client := range []string{"first", "app"} {
		h := newHouse(t)
		code := h.code(func(g *oauth.Grant, _ *oauth.Credential) { g.ClientID = client })
		a := requireTokens(t, h.as(client, byCode(code)))
		require.Equal(t, "invoices profile", a.text("scope"))
		require.InDelta(t, 900, a.members["expires_in"], 0)
		token, err := h.server.Verify(t.Context(), a.access())
		require.NoError(t, err)
		require.Equal(t, user("u1"), token.Subject)
		require.Equal(t, client, token.ClientID)
		require.Equal(t, []oauth.EventKind{oauth.EventIssued}, h.kinds())
		b := requireTokens(t, h.as(client, byToken+a.refresh()))
		require.Equal(t, "invoices profile", b.text("scope"))
	}
	h := newHouse(t)
	c := h.clients.get("first")
	c.Grants = []oauth.GrantType{oauth.GrantAuthorizationCode}
	h.clients.put(c)
	require.NotContains(t, requireTokens(t, h.as("first", byCode(h.code()))).members, "refresh_token")
}

// Each of these leaves the code as it is: it works right afterwards.
func TestCodeRefusedWithoutSpending(t *testing.T) {
	t.Parallel()
	const missing = "invalid_request"
	for _, c := range []struct {
		name    string
		client  string
		instead []string
		want    string
		event   bool
	}{
		{"066 no verifier", "first", []string{"code_verifier", ""}, "invalid_grant", true},
		{"068 wrong verifier", "first", []string{"code_verifier", strings.Repeat("x", 43)}, "invalid_grant", true},
		{"068 the challenge as the verifier", "first", []string{"code_verifier", challenge}, "invalid_grant", true},
		{"068 the verifier in upper case", "first", []string{"code_verifier", strings.ToUpper(verifier)}, "invalid_grant", true},
		{"069 verifier too short", "first", []string{"code_verifier", verifier[:42]}, "invalid_grant", true},
		{"069 verifier too long", "first", []string{"code_verifier", strings.Repeat("x", 129)}, "invalid_grant", true},
		{"069 verifier with more behind it", "first", []string{"code_verifier", verifier + "="}, "invalid_grant", true},
		{"069 verifier with a space", "first", []string{"code_verifier", verifier[:42] + " "}, "invalid_grant", true},
		{"069 verifier with an umlaut", "first", []string{"code_verifier", verifier[:42] + "ü"}, "invalid_grant", true},
		{"071 redirect_uri missing", "first", []string{"redirect_uri", ""}, "invalid_grant", true},
		{"071 redirect_uri different", "first", []string{"redirect_uri", callback + "c"}, "invalid_grant", true},
		{"071 redirect_uri in upper case", "first", []string{"redirect_uri", strings.ToUpper(callback)}, "invalid_grant", true},
		{"071 redirect_uri encoded differently", "first", []string{"redirect_uri", strings.Replace(callback, "%20", "+", 1)}, "invalid_grant", true},
		{"073 another client", "other", nil, "invalid_grant", true},
		{"073 a public client", "app", nil, "invalid_grant", true},
		{"013 no code", "first", []string{"code", ""}, missing, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			code := h.code()
			for range 3 { // however often it is tried
				h.tap.do(nil)
				requireError(t, h.as(c.client, byCode(code, c.instead...)), 400, c.want)
				require.Empty(t, h.tap.writes())
			}
			if c.event {
				require.Equal(t, []oauth.EventKind{oauth.EventCodeRefused, oauth.EventCodeRefused, oauth.EventCodeRefused}, h.kinds())
			} else {
				require.Empty(t, h.kinds())
			}
			requireTokens(t, h.as("first", byCode(code)))
		})
	}
}

// There is no code without a challenge here. If a store loses one, its code is
// worth nothing, with a verifier and without.
func TestReq067_CodeWithoutAChallenge(t *testing.T) {
	t.Parallel()
	for _, lost := range []string{"", "x", challenge + "=", verifier} {
		h := newHouse(t)
		code := h.code(func(_ *oauth.Grant, c *oauth.Credential) { c.Challenge = lost })
		for _, presented := range []string{verifier, "", strings.Repeat("x", 43)} {
			requireError(t, h.as("first", byCode(code, "code_verifier", presented)), 400, "invalid_grant")
		}
		require.Empty(t, h.tap.writes())
	}
}

func TestReq069_LongestVerifier(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	long := strings.Repeat("aZ0-._~x", 16)
	code := h.code(func(_ *oauth.Grant, c *oauth.Credential) { c.Challenge = s256(long) })
	requireTokens(t, h.as("first", byCode(code, "code_verifier", long)))
}

// ory/fosite, pull request 883: a wrong verifier and then none got the tokens.
func TestReq070_WrongVerifierThenNone(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	code := h.code(publicOnly)
	requireError(t, h.as("app", byCode(code, "code_verifier", strings.Repeat("x", 43))), 400, "invalid_grant")
	for range 5 {
		requireError(t, h.as("app", byCode(code, "code_verifier", "")), 400, "invalid_grant")
	}
	requireTokens(t, h.as("app", byCode(code)))
}

func TestReq072_NoRedirectURIAtAuthorize(t *testing.T) {
	t.Parallel()
	none := func(_ *oauth.Grant, c *oauth.Credential) { c.RedirectURI = "" }
	h := newHouse(t)
	requireTokens(t, h.as("first", byCode(h.code(none), "redirect_uri", "")))
	requireTokens(t, h.as("first", byCode(h.code(none))))
	requireError(t, h.as("first", byCode(h.code(none), "redirect_uri", callback+"c")), 400, "invalid_grant")
	c := h.clients.get("first")
	c.RedirectURIs = append(c.RedirectURIs, "https://app.example/other")
	h.clients.put(c)
	requireError(t, h.as("first", byCode(h.code(none))), 400, "invalid_grant")
	requireTokens(t, h.as("first", byCode(h.code(none), "redirect_uri", "")))
}

func TestReq074_ExpiredCode(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	first, second := h.code(), h.code()
	h.clock.advance(time.Minute - 2*time.Microsecond)
	requireTokens(t, h.as("first", byCode(first)))
	h.clock.advance(2 * time.Microsecond)
	requireError(t, h.as("first", byCode(second)), 400, "invalid_grant")
}

func TestReq075_GarbageForACode(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	code := h.code()
	other, err := credential.New("paym_ac")
	require.NoError(t, err)
	for i, garbage := range []string{
		"x", "paym_ac_", code[:len(code)-1], code[1:], code + "0", strings.ToUpper(code), strings.ToLower(code), " " + code, code + " ",
		strings.Replace(code, "_ac_", "_at_", 1), strings.Replace(code, "_ac_", "_rt_", 1), code[:20] + "\x00" + code[21:], other.Generate(),
	} {
		h.tap.do(nil)
		requireError(t, h.as("first", byCode(garbage)), 400, "invalid_grant")
		require.Equal(t, i == 12, len(h.tap.since("Store")) > 0, "%q: the checksum tells", garbage)
	}
	a := requireTokens(t, h.as("first", byLogin))
	requireError(t, h.as("first", byCode(a.access())), 400, "invalid_grant")
	requireError(t, h.as("first", byCode(a.refresh())), 400, "invalid_grant")
	requireError(t, h.as("first", byToken+code), 400, "invalid_grant")
	_, err = h.server.Verify(t.Context(), code)
	require.ErrorIs(t, err, oauth.ErrInvalid)
	requireTokens(t, h.as("first", byCode(code)))
}

// What is in the right shape but another kind of credential is no code.
func TestReq075_OtherCredentialsInTheShapeOfACode(t *testing.T) {
	t.Parallel()
	for _, spoil := range []func(*oauth.Grant, *oauth.Credential){
		func(_ *oauth.Grant, c *oauth.Credential) { c.Kind = oauth.KindAccess },
		func(_ *oauth.Grant, c *oauth.Credential) { c.Kind = oauth.KindRefresh },
		func(_ *oauth.Grant, c *oauth.Credential) { c.Kind = oauth.KindTicket },
		func(_ *oauth.Grant, c *oauth.Credential) { c.Kind = "" },
		func(g *oauth.Grant, _ *oauth.Credential) { g.Subject = machine("first") },
		func(g *oauth.Grant, _ *oauth.Credential) { g.Subject.Kind = oauth.SubjectPending },
		func(g *oauth.Grant, _ *oauth.Credential) { g.Subject.Kind = "" },
		func(g *oauth.Grant, _ *oauth.Credential) { g.ExpiresAt = g.CreatedAt },
		func(g *oauth.Grant, _ *oauth.Credential) { g.RevokedAt = g.CreatedAt },
	} {
		h := newHouse(t)
		requireError(t, h.as("first", byCode(h.code(spoil))), 400, "invalid_grant")
		require.Empty(t, h.tap.writes())
	}
}

func TestReq076_SecondUse(t *testing.T) {
	t.Parallel()
	for _, later := range []time.Duration{0, time.Second, time.Hour} {
		h := newHouse(t)
		code := h.code()
		a := requireTokens(t, h.as("first", byCode(code)))
		h.clock.advance(later)
		b := requireTokens(t, h.as("first", byToken+a.refresh()))
		requireError(t, h.as("first", byCode(code)), 400, "invalid_grant")
		h.dead(a.access(), a.refresh(), b.access(), b.refresh())
		require.Equal(t, []oauth.EventKind{oauth.EventIssued, oauth.EventRefreshed, oauth.EventCodeReuse}, h.kinds())
		h.tap.do(nil)
		requireError(t, h.as("first", byCode(code)), 400, "invalid_grant")
		require.Empty(t, h.tap.writes(), "once is enough")
	}
}

// Whoever saw a code that was used, but neither its verifier nor its client's
// secret, cannot end the grant of its owner.
func TestReq076_SecondUseBySomebodyElse(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	code := h.code()
	a := requireTokens(t, h.as("first", byCode(code)))
	requireError(t, h.as("other", byCode(code)), 400, "invalid_grant")
	requireError(t, h.as("app", byCode(code)), 400, "invalid_grant")
	requireError(t, h.post(byCode(code), basic("first", "wrong")), 401, "invalid_client")
	requireError(t, h.as("first", byCode(code, "code_verifier", "")), 400, "invalid_grant")
	requireError(t, h.as("first", byCode(code, "code_verifier", strings.Repeat("x", 43))), 400, "invalid_grant")
	_, err := h.server.Verify(t.Context(), a.access())
	require.NoError(t, err)
	requireTokens(t, h.as("first", byToken+a.refresh()))
}

func TestReq077_203_CrowdWithOneCode(t *testing.T) {
	t.Parallel()
	for _, client := range []string{"first", "app"} {
		for range 10 {
			h := newHouse(t, realClock)
			h.clock.set(time.Now(), 0)
			code := h.code(func(g *oauth.Grant, _ *oauth.Credential) { g.ClientID = client })
			var mu sync.Mutex
			codes := map[int]int{}
			var won answer
			together(64, func(int) {
				a := h.as(client, byCode(code))
				mu.Lock()
				defer mu.Unlock()
				if codes[a.Code]++; a.Code == 200 {
					won = a
				}
			})
			require.Equal(t, map[int]int{200: 1, 400: 63}, codes)
			h.dead(won.access(), won.refresh())
			grants, err := h.memory.Grants(t.Context(), oauth.Filter{GrantID: "0199-" + code}, oauth.Page{Limit: 10})
			require.NoError(t, err)
			require.False(t, grants[0].RevokedAt.IsZero(), "the grant is revoked")
		}
	}
}

func TestReq078_ScopeIsWhatWasApproved(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	profile := func(g *oauth.Grant, c *oauth.Credential) { g.Scope = set("profile"); c.Scope = g.Scope }
	for _, asked := range []string{"profile invoices", "invoices", "root", "*", `"`} {
		a := requireTokens(t, h.as("first", byCode(h.code(profile), "scope", asked)))
		require.Equal(t, "profile", a.text("scope"))
		require.Equal(t, "profile", requireTokens(t, h.as("first", byToken+a.refresh())).text("scope"))
	}
	c := h.clients.get("first")
	c.Scopes = set("invoices")
	h.clients.put(c)
	require.Equal(t, "invoices", requireTokens(t, h.as("first", byCode(h.code()))).text("scope"), "without what the client has lost since")

	// What is left is nothing: an answer without scope would say that it is all.
	c.Scopes, c.DefaultScopes = set("other"), set("other")
	h.clients.put(c)
	code := h.code()
	h.tap.do(nil)
	requireError(t, h.as("first", byCode(code)), 400, "invalid_scope")
	require.Empty(t, h.tap.writes())
	c.Scopes = set("profile", "other")
	h.clients.put(c)
	require.Equal(t, "profile", requireTokens(t, h.as("first", byCode(code))).text("scope"), "the code was not spent")

	nothing := func(g *oauth.Grant, c *oauth.Credential) { g.Scope, c.Scope = set(), set() }
	require.NotContains(t, requireTokens(t, h.as("first", byCode(h.code(nothing)))).members, "scope", "nothing was approved")
}

func TestReq079_UserGoneSinceConsent(t *testing.T) {
	t.Parallel()
	for _, spoil := range []func(h *house){
		func(h *house) { h.people.put("ada", oauth.User{Subject: "u1", Disabled: true}) },
		func(h *house) { h.people.remove("ada") },
	} {
		h := newHouse(t)
		code := h.code()
		spoil(h)
		requireError(t, h.as("first", byCode(code)), 400, "invalid_grant")
		require.Empty(t, h.tap.writes())
	}
}

func TestReq050_ClientWithoutTheCodeGrant(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	c := h.clients.get("first")
	c.Grants = []oauth.GrantType{oauth.GrantRefreshToken}
	h.clients.put(c)
	requireError(t, h.as("first", byCode(h.code())), 400, "unauthorized_client")
}

func s256(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
