package oauth_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/oauth"
)

// tokens returns new tokens of ada for a client.
func (h *house) tokens(client string) answer {
	h.t.Helper()
	code := h.code(func(g *oauth.Grant, _ *oauth.Credential) { g.ClientID = client })
	return requireTokens(h.t, h.as(client, byCode(code)))
}

// lives reports whether an access token is good.
func (h *house) lives(token string) bool {
	h.t.Helper()
	_, err := h.server.Verify(h.t.Context(), token)
	if err != nil {
		require.True(h.t, errors.Is(err, oauth.ErrRevoked) || errors.Is(err, oauth.ErrExpired) || errors.Is(err, oauth.ErrInvalid), "%v", err)
	}
	return err == nil
}

func TestReq134_137_138_141_RevokeOneAccessToken(t *testing.T) {
	t.Parallel()
	for _, hint := range []string{"", "&token_type_hint=access_token", "&token_type_hint=refresh_token", "&token_type_hint=nonsense", "&foo=bar"} {
		h := newHouse(t)
		a := h.tokens("first")
		b := requireTokens(t, h.as("first", byToken+a.refresh()))
		require.Equal(t, 200, h.revoke("first", "token="+b.access()+hint).Code)
		require.False(t, h.lives(b.access()))
		require.True(t, h.lives(a.access()), "the other one stays")
		requireTokens(t, h.as("first", byToken+b.refresh()))
		require.Equal(t, oauth.EventRevoked, h.kinds()[2])
		// Again is as good as once.
		require.Equal(t, 200, h.revoke("first", "token="+b.access()+hint).Code)
	}
}

func TestReq137_140_143_RevokeARefreshToken(t *testing.T) {
	t.Parallel()
	for _, hint := range []string{"", "&token_type_hint=access_token", "&token_type_hint=refresh_token", "&token_type_hint="} {
		for _, client := range []string{"first", "app"} { // 143: a public one, too
			h := newHouse(t)
			a, other := h.tokens(client), h.tokens(client)
			b := requireTokens(t, h.as(client, byToken+a.refresh()))
			require.Equal(t, 200, h.revoke(client, "token="+b.refresh()+hint).Code)
			for _, token := range []string{a.access(), b.access()} {
				require.False(t, h.lives(token))
			}
			requireError(t, h.as(client, byToken+b.refresh()), 400, "invalid_grant")
			require.True(t, h.lives(other.access()), "another grant is another matter")
			h.tap.do(nil)
			require.Equal(t, 200, h.revoke(client, "token="+b.refresh()+hint).Code)
			require.Empty(t, h.tap.writes())
		}
	}
}

// A client that lost an answer may have an old refresh token only, or one that
// expired: what it wants is clear.
func TestReq140_RevokeAnOldRefreshToken(t *testing.T) {
	t.Parallel()
	for _, spoil := range []func(h *house, a answer) (live string){
		func(h *house, a answer) string {
			return requireTokens(h.t, h.as("first", byToken+a.refresh())).access()
		},
		func(h *house, a answer) string { h.clock.advance(15 * 24 * time.Hour); return a.access() },
	} {
		h := newHouse(t)
		a := h.tokens("first")
		live := spoil(h, a)
		require.Equal(t, 200, h.revoke("first", "token="+a.refresh()).Code)
		require.False(t, h.lives(live))
		grants, err := h.memory.Grants(t.Context(), oauth.Filter{ClientID: "first"}, oauth.Page{Limit: 10})
		require.NoError(t, err)
		require.False(t, grants[0].RevokedAt.IsZero())
	}
}

func TestReq135_WhatIsNoToken(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	code, expired, unknown := h.code(), h.tokens("first"), shaped(t)
	_, err := h.server.RevokeSubject(t.Context(), "u1")
	require.NoError(t, err)
	live := h.code()
	for _, token := range []string{
		"x", "paym_at_", unknown.access(), unknown.refresh(), expired.access(), expired.refresh(), expired.access()[:57] + "0",
		code, live, strings.Repeat("x", 60000), "%00", "%F0%9F%92%A9",
	} {
		h.tap.do(nil)
		require.Equal(t, 200, h.revoke("first", "token="+token).Code)
		require.Empty(t, h.tap.writes())
	}
	requireTokens(t, h.as("first", byCode(live)))
}

// There is no kind of token that cannot be revoked: whatever the hint says,
// nobody hears of unsupported_token_type. What is no token is none of this
// endpoint's business.
func TestReq147_EveryKindCanBeRevoked(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	code := h.code()
	for _, hint := range []string{"access_token", "refresh_token", "code", "urn:x", "id_token"} {
		a := h.tokens("first")
		own := requireTokens(t, h.as("first", byClient))
		for _, token := range []string{a.access(), a.refresh(), own.access(), code, "x"} {
			require.Equal(t, 200, h.revoke("first", "token="+token+"&token_type_hint="+hint).Code)
		}
		require.False(t, h.lives(a.access()) || h.lives(own.access()))
	}
	requireTokens(t, h.as("first", byCode(code)))
}

func TestReq139_AnotherClientsToken(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := h.tokens("first")
	for _, client := range []string{"other", "app"} {
		h.tap.do(nil)
		requireError(t, h.revoke(client, "token="+a.access()), 400, "invalid_grant")
		requireError(t, h.revoke(client, "token="+a.refresh()), 400, "invalid_grant")
		require.Empty(t, h.tap.writes())
	}
	require.True(t, h.lives(a.access()))
	requireTokens(t, h.as("first", byToken+a.refresh()))
}

// The two endpoints beside the token endpoint read and authenticate as it does, and
// none of their answers is to be stored: requireLawful looks at that.
func TestReq136_142_144_146_148_152_154_156_157_RevocationAndIntrospection(t *testing.T) {
	t.Parallel()
	for name, send := range map[string]func(h *house) func(id, body string, authorization ...string) answer{
		"revoke":     func(h *house) func(id, body string, authorization ...string) answer { return h.revoke },
		"introspect": func(h *house) func(id, body string, authorization ...string) answer { return h.introspect },
	} {
		h := newHouse(t)
		a := h.tokens("first")
		send, token := send(h), "token="+a.access()
		h.tap.do(nil)
		for what, c := range map[string]struct {
			answer answer
			status int
			code   string
		}{
			"136 no token":                   {send("first", ""), 400, "invalid_request"},
			"136 an empty token":             {send("first", "token="), 400, "invalid_request"},
			"146 token twice":                {send("first", token+"&"+token), 400, "invalid_request"},
			"146 the hint twice":             {send("first", token+"&token_type_hint=x&token_type_hint=x"), 400, "invalid_request"},
			"142 148 nobody":                 {send("", token), 401, "invalid_client"},
			"142 148 wrong secret":           {send("", token, basic("first", "wrong")), 401, "invalid_client"},
			"142 148 unknown client":         {send("", token, basic("nobody", "wrong")), 401, "invalid_client"},
			"142 148 confidential, id alone": {send("", token+"&client_id=first"), 401, "invalid_client"},
			"142 148 public, with a secret":  {send("", token+"&client_id=app&client_secret=x"), 401, "invalid_client"},
			"142 148 public by Basic":        {send("", token, basic("app", "")), 401, "invalid_client"},
			"157 the token itself":           {send("", token, "Bearer "+a.access()), 401, "invalid_client"},
			"038 two Authorization headers":  {send("", token, h.basic("first"), h.basic("first")), 400, "invalid_request"},
			"016 a body that is too long":    {send("first", token+strings.Repeat("x", 65<<10)), 413, "invalid_request"},
			"014 broken encoding":            {send("first", token+"&x=%zz"), 400, "invalid_request"},
		} {
			t.Run(name+" "+what, func(t *testing.T) { requireError(t, c.answer, c.status, c.code) })
		}
		require.Empty(t, h.tap.writes())
		handler := map[string]http.Handler{"revoke": h.server.RevokeHandler(), "introspect": h.server.IntrospectHandler()}[name]
		for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"} { // 144, 156
			a := h.sendTo(handler, httptest.NewRequest(method, "/?"+token, nil), requireEmptyObject)
			require.Equal(t, 405, a.Code)
			require.Equal(t, "POST", a.Header().Get("Allow"))
		}
		r := httptest.NewRequest(http.MethodPost, "/?"+token, strings.NewReader(token)) // 152
		r.Header.Set("Content-Type", formType)
		r.Header.Set("Authorization", h.basic("first"))
		requireError(t, h.sendTo(handler, r, requireEmptyObject), 400, "invalid_request")
		r = request(token, h.basic("first"))
		r.Header.Set("Content-Type", "application/json")
		requireError(t, h.sendTo(handler, r, requireEmptyObject), 400, "invalid_request")
		require.True(t, h.lives(a.access()))
		c := h.clients.get("first")
		c.Disabled = true
		h.clients.put(c)
		requireError(t, send("first", token), 401, "invalid_client")
	}
}

// fosite, GHSA-7mqr-2v3q-v2wm: see also TestCVE_2020_15223.
func TestReq145_RevocationThatCannotBeStored(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"Clients", "Store.Lookup", "Store.Spend", "Store.RevokeGrants"} {
		h := newHouse(t)
		a, b := h.tokens("first"), h.tokens("first")
		h.tap.do(fail(call))
		access, refresh := h.revoke("first", "token="+a.access()), h.revoke("first", "token="+b.refresh())
		h.tap.do(nil)
		if call != "Store.RevokeGrants" {
			requireError(t, access, 503, "temporarily_unavailable")
			require.True(t, h.lives(a.access()))
		}
		if call != "Store.Spend" {
			requireError(t, refresh, 503, "temporarily_unavailable")
			requireTokens(t, h.as("first", byToken+b.refresh()))
		}
		require.NotContains(t, access.Body.String()+refresh.Body.String(), "db7.internal")
	}
	zero := &house{t: t, server: new(oauth.Server), secrets: map[string]string{}}
	requireError(t, zero.revoke("", "token=x", basic("first", "x")), 503, "temporarily_unavailable")
	requireError(t, zero.introspect("", "token=x", basic("first", "x")), 503, "temporarily_unavailable")
}

func TestRevocationOfACancelledRequest(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := h.tokens("first")
	ctx, cancel := context.WithCancel(t.Context())
	h.tap.do(func(call string) error {
		if call == "Store.RevokeGrants" {
			cancel()
		}
		return nil
	})
	r := h.request("first", url.Values{"token": {a.refresh()}}.Encode(), nil).WithContext(ctx)
	require.Equal(t, 200, h.sendTo(h.server.RevokeHandler(), r, requireEmptyObject).Code, "what has begun is finished")
	require.False(t, h.lives(a.access()))
}
