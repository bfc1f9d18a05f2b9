package oauth_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/oauth"
)

// withResourceServer adds a client that may look at everybody's tokens.
func (h *house) withResourceServer() *house {
	h.register("api", func(c *oauth.Client) { c.ResourceServer, c.Grants = true, nil })
	return h
}

func TestReq150_154_155_ActiveTokens(t *testing.T) {
	t.Parallel()
	h := newHouse(t).withResourceServer()
	start := h.clock.now()
	a := h.tokens("first")
	for _, client := range []string{"first", "api"} {
		body := h.introspect(client, "token="+a.access())
		require.Equal(t, 200, body.Code)
		require.Equal(t, "no-store", body.Header().Get("Cache-Control"))
		token, err := h.server.Verify(t.Context(), a.access())
		require.NoError(t, err)
		require.Equal(t, map[string]any{
			"active": true, "scope": "invoices profile", "client_id": "first", "token_type": "Bearer", "sub": "u1",
			"iat": float64(start.Unix()), "exp": float64(start.Add(15 * time.Minute).Unix()),
			"iss": issuer, "aud": []any{issuer}, "jti": token.ID,
		}, body.members)
	}
	// A client's own token speaks for no user, whatever its ID is.
	h.register("u1", nil)
	own := h.introspect("u1", "token="+requireTokens(t, h.as("u1", byClient+"&scope=profile")).access())
	require.Equal(t, true, own.members["active"])
	require.NotContains(t, own.members, "sub")
	require.Equal(t, "u1", own.text("client_id"))
	none := h.introspect("u1", "token="+requireTokens(t, h.as("u1", byClient)).access())
	require.NotContains(t, none.members, "scope")
}

func TestReq150_Audience(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	token := shaped(t).access()
	now := h.clock.now().UTC().Truncate(time.Microsecond)
	g := oauth.Grant{ID: "g", Subject: user("u1"), ClientID: "first", CreatedAt: now, ExpiresAt: now.Add(time.Hour)}
	require.NoError(t, h.memory.CreateGrant(t.Context(), g, oauth.Credential{
		ID: "c", Hash: hashOf(token), Kind: oauth.KindAccess, GrantID: "g", ClientID: "first",
		Resources: []string{"https://a.example/", "https://b.example/"}, CreatedAt: now, ExpiresAt: now.Add(time.Hour),
	}))
	require.Equal(t, []any{"https://a.example/", "https://b.example/"}, h.introspect("first", "token="+token).members["aud"])
}

// Each of these is answered to the byte like a token that never was.
func TestReq149_151_153_158_NothingIsSaid(t *testing.T) {
	t.Parallel()
	h := newHouse(t).withResourceServer()
	a, spent, revoked := h.tokens("first"), h.tokens("first"), h.tokens("first")
	requireTokens(t, h.as("first", byToken+spent.refresh()))
	require.Equal(t, 200, h.revoke("first", "token="+spent.access()).Code)
	require.Equal(t, 200, h.revoke("first", "token="+revoked.refresh()).Code)
	code, unknown := h.code(), shaped(t)
	never := h.introspect("api", "token="+unknown.access())
	require.Equal(t, "{\"active\":false}\n", never.Body.String())
	for name, answer := range map[string]answer{
		"149 another client's":               h.introspect("other", "token="+a.access()),
		"149 another client's refresh token": h.introspect("other", "token="+a.refresh()),
		"149 a public client":                h.introspect("app", "token="+a.access()),
		"149 a public client's own":          h.introspect("app", "token="+h.tokens("app").access()),
		"153 a resource server, refresh":     h.introspect("api", "token="+a.refresh()),
		"151 spent":                          h.introspect("first", "token="+spent.access()),
		"151 spent refresh token":            h.introspect("first", "token="+spent.refresh()),
		"151 revoked":                        h.introspect("first", "token="+revoked.access()),
		"151 revoked refresh token":          h.introspect("first", "token="+revoked.refresh()),
		"151 unknown":                        h.introspect("first", "token="+unknown.access()),
		"151 garbage":                        h.introspect("first", "token=garbage"),
		"151 a part":                         h.introspect("first", "token="+a.access()[:56]),
		"151 a code":                         h.introspect("first", "token="+code),
	} {
		t.Run(name, func(t *testing.T) { requireSame(t, never, answer) })
	}
	requireTokens(t, h.as("first", byCode(code)))
	own := h.introspect("first", "token="+a.refresh()+"&token_type_hint=access_token") // 153
	require.Equal(t, true, own.members["active"])
	require.NotContains(t, own.members, "token_type", "it is of no use as a bearer token")
	h.clock.advance(15 * time.Minute)
	requireSame(t, never, h.introspect("first", "token="+a.access()))
	h.clock.advance(14 * 24 * time.Hour)
	requireSame(t, never, h.introspect("first", "token="+a.refresh()))
}

func TestReq159_RevokedOnAnotherNode(t *testing.T) {
	t.Parallel()
	one := newHouse(t)
	a := one.tokens("first")
	server, err := oauth.New(one.memory, &one.clients, oauth.Config{Issuer: issuer, Prefix: "paym", Now: one.clock.now})
	require.NoError(t, err)
	two := &house{t: t, server: server, secrets: one.secrets, clients: clientele{tap: new(tap), byID: one.clients.byID}}
	require.Equal(t, true, two.introspect("first", "token="+a.access()).members["active"])
	require.Equal(t, 200, one.revoke("first", "token="+a.refresh()).Code)
	require.Equal(t, false, two.introspect("first", "token="+a.access()).members["active"])
}

func TestIntrospectionWithAFailingStore(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := h.tokens("first")
	for _, call := range []string{"Clients", "Store"} {
		h.tap.do(fail(call))
		requireError(t, h.introspect("first", "token="+a.access()), 503, "temporarily_unavailable")
	}
}
