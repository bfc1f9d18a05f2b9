package oauth_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/oauth"
)

func TestReq084_085_NewTokensForAnOldOne(t *testing.T) {
	t.Parallel()
	for _, client := range []string{"first", "app"} {
		h := newHouse(t)
		old := requireTokens(t, h.as(client, byLogin+"&scope=profile+invoices"))
		h.clock.advance(time.Minute)
		young := requireTokens(t, h.as(client, byToken+old.refresh()))
		require.NotEqual(t, old.access(), young.access())
		require.NotEqual(t, old.refresh(), young.refresh())
		require.Equal(t, "invoices profile", young.text("scope"))
		before, err := h.server.Verify(t.Context(), old.access())
		require.NoError(t, err)
		after, err := h.server.Verify(t.Context(), young.access())
		require.NoError(t, err)
		require.Equal(t, before.GrantID, after.GrantID)
		require.Equal(t, before.Subject, after.Subject)
		require.Equal(t, []oauth.EventKind{"issued", "refreshed"}, h.kinds())
		h.clock.advance(time.Minute)
		requireError(t, h.as(client, byToken+old.refresh()), 400, "invalid_grant")
	}
}

func TestReq086_NarrowerOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := requireTokens(t, h.as("first", byLogin+"&scope=profile+invoices"))
	a = requireTokens(t, h.as("first", byToken+a.refresh()+"&scope=profile"))
	require.Equal(t, "profile", a.text("scope"))
	token, err := h.server.Verify(t.Context(), a.access())
	require.NoError(t, err)
	require.Equal(t, "profile", token.Scope.String())
	a = requireTokens(t, h.as("first", byToken+a.refresh()+"&scope="))
	require.Equal(t, "invoices profile", a.text("scope"), "the refresh token keeps what was granted")
}

// Each of these leaves the token as it is: it works right afterwards.
func TestRefusedWithoutSpending(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		try    func(h *house, token string) answer
		status int
		code   string
	}{
		{"087 wider scope", func(h *house, token string) answer { return h.as("first", byToken+token+"&scope=profile+invoices") }, 400, "invalid_scope"},
		{"087 unknown scope", func(h *house, token string) answer { return h.as("first", byToken+token+"&scope=root") }, 400, "invalid_scope"},
		{"087 scope of everything", func(h *house, token string) answer { return h.as("first", byToken+token+"&scope=*") }, 400, "invalid_scope"},
		{"088 no client", func(h *house, token string) answer { return h.post(byToken + token) }, 401, "invalid_client"},
		{"088 confidential client without a secret", func(h *house, token string) answer { return h.post(byToken + token + "&client_id=first") }, 401, "invalid_client"},
		{"088 wrong secret", func(h *house, token string) answer { return h.post(byToken+token, basic("first", "wrong")) }, 401, "invalid_client"},
		{"088 unknown client", func(h *house, token string) answer { return h.post(byToken+token, basic("nobody", "wrong")) }, 401, "invalid_client"},
		{"089 another client", func(h *house, token string) answer { return h.as("other", byToken+token) }, 400, "invalid_grant"},
		{"089 a public client", func(h *house, token string) answer { return h.as("app", byToken+token) }, 400, "invalid_grant"},
		{"050 the grant type was taken away", func(h *house, token string) answer {
			c := h.clients.get("first")
			defer h.clients.put(c)
			c.Grants = []oauth.GrantType{oauth.GrantPassword}
			h.clients.put(c)
			return h.as("first", byToken+token)
		}, 400, "unauthorized_client"},
		{"102 the user is disabled for a while", func(h *house, token string) answer {
			ada := h.people.byName["ada"]
			defer h.people.put("ada", ada)
			h.people.put("ada", oauth.User{Subject: "u1", Disabled: true})
			return h.as("first", byToken+token)
		}, 400, "invalid_grant"},
		{"102 the user is gone for a while", func(h *house, token string) answer {
			ada := h.people.byName["ada"]
			defer h.people.put("ada", ada)
			h.people.remove("ada")
			return h.as("first", byToken+token)
		}, 400, "invalid_grant"},
		{"099 an unknown token", func(h *house, _ string) answer {
			return h.as("first", byToken+shaped(h.t).refresh())
		}, 400, "invalid_grant"},
		{"099 a typo", func(h *house, token string) answer { return h.as("first", byToken+token[:len(token)-1]+"~") }, 400, "invalid_grant"},
		{"099 garbage", func(h *house, _ string) answer { return h.as("first", byToken+"x%00y") }, 400, "invalid_grant"},
		{"099 another prefix", func(h *house, token string) answer { return h.as("first", byToken+"x"+token) }, 400, "invalid_grant"},
		{"099 a space in front", func(h *house, token string) answer { return h.as("first", byToken+"+"+token) }, 400, "invalid_grant"},
		{"099 the case changed", func(h *house, token string) answer {
			return h.as("first", byToken+"paym_rt_"+strings.ToLower(token[8:]))
		}, 400, "invalid_grant"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			a := requireTokens(t, h.as("first", byLogin))
			h.tap.do(nil)
			requireError(t, c.try(h, a.refresh()), c.status, c.code)
			require.Empty(t, h.tap.writes())
			_, err := h.server.Verify(t.Context(), a.access())
			require.NoError(t, err, "the grant was touched")
			requireTokens(t, h.as("first", byToken+a.refresh()))
		})
	}
}

func TestReq090_PublicClientSaysWhoItIs(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.register("app2", func(c *oauth.Client) { c.Public, c.Secrets = true, nil })
	a := requireTokens(t, h.as("app", byLogin))
	requireError(t, h.post(byToken+a.refresh()), 401, "invalid_client")
	requireError(t, h.as("app2", byToken+a.refresh()), 400, "invalid_grant")
	requireError(t, h.as("first", byToken+a.refresh()), 400, "invalid_grant")
	requireTokens(t, h.as("app", byToken+a.refresh()))
}

func TestReq095_IdleExpiry(t *testing.T) {
	t.Parallel()
	const idle = 14 * 24 * time.Hour
	for _, c := range []struct {
		age    time.Duration
		status int
	}{{idle - time.Microsecond, 200}, {idle, 400}, {idle + time.Hour, 400}} {
		h := newHouse(t)
		a := requireTokens(t, h.as("first", byLogin))
		h.clock.set(h.clock.now().Truncate(time.Microsecond), c.age)
		require.Equal(t, c.status, h.as("first", byToken+a.refresh()).Code, c.age)
		if c.status == 400 {
			require.NotContains(t, h.tap.since("Store"), "Store.RevokeGrants")
		}
	}
}

func TestReq096_AbsoluteExpiryIsNeverExtended(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	start := h.clock.now().Truncate(time.Microsecond)
	end := start.Add(90 * 24 * time.Hour)
	a := requireTokens(t, h.as("first", byLogin))
	for h.clock.set(start, 0); h.clock.now().Before(end.Add(-9 * 24 * time.Hour)); h.clock.advance(10 * 24 * time.Hour) {
		a = requireTokens(t, h.as("first", byToken+a.refresh()))
	}
	h.clock.set(end, -time.Minute)
	a = requireTokens(t, h.as("first", byToken+a.refresh()))
	require.InDelta(t, 60, a.members["expires_in"], 0, "an access token does not outlive its grant")
	h.clock.set(end, -time.Microsecond)
	a = requireTokens(t, h.as("first", byToken+a.refresh()))
	require.InDelta(t, 1, a.members["expires_in"], 0)
	_, err := h.server.Verify(t.Context(), a.access())
	require.NoError(t, err)
	h.clock.set(end, 0)
	requireError(t, h.as("first", byToken+a.refresh()), 400, "invalid_grant")
	_, err = h.server.Verify(t.Context(), a.access())
	require.ErrorIs(t, err, oauth.ErrExpired)
}

// Whatever a store says of a credential, it ends with its grant, at that very
// instant.
func TestReq096_NothingOutlivesItsGrant(t *testing.T) {
	t.Parallel()
	for _, further := range []time.Duration{-time.Microsecond, 0} {
		h := newHouse(t)
		end := h.clock.now().Truncate(time.Microsecond).Add(time.Hour)
		token := h.planted(shaped(t).access(), user("u1"), oauth.KindAccess, 2*time.Hour)
		h.clock.set(end, further)
		_, err := h.server.Verify(t.Context(), token)
		require.Equal(t, further == 0, errors.Is(err, oauth.ErrExpired))

		h = newHouse(t)
		token = h.planted(shaped(t).refresh(), user("u1"), oauth.KindRefresh, 2*time.Hour)
		h.clock.set(end, further)
		require.Equal(t, further == 0, h.as("first", byToken+token).Code == 400)
	}
}

// Rotation is of the refresh token only, unless RefreshEndsAccess says more; who
// wants the access tokens gone revokes the grant.
func TestReq097_OldAccessTokenAfterRefresh(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	old := requireTokens(t, h.as("first", byLogin))
	young := requireTokens(t, h.as("first", byToken+old.refresh()))
	_, err := h.server.Verify(t.Context(), old.access())
	require.NoError(t, err)
	_, err = h.server.RevokeSubject(t.Context(), "u1")
	require.NoError(t, err)
	h.dead(old.access(), old.refresh(), young.access(), young.refresh())
}

func TestReq098_OneKindForAnother(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := requireTokens(t, h.as("first", byLogin))
	requireError(t, h.as("first", byToken+a.access()), 400, "invalid_grant")
	_, err := h.server.Verify(t.Context(), a.refresh())
	require.ErrorIs(t, err, oauth.ErrInvalid)
	require.False(t, h.server.Recognize(a.refresh()))
	requireTokens(t, h.as("first", byToken+a.refresh()))
}

func TestReq100_LogOutEverywhere(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.people.put("lin", oauth.User{Subject: "u4", PasswordHash: rightHash()})
	one, two := requireTokens(t, h.as("first", byLogin)), requireTokens(t, h.as("app", byLogin))
	others := requireTokens(t, h.as("first", login("lin", right)))
	n, err := h.server.RevokeSubject(t.Context(), "u1")
	require.NoError(t, err)
	require.Equal(t, 2, n)
	h.dead(one.access(), one.refresh(), two.access(), two.refresh())
	requireTokens(t, h.as("first", byToken+others.refresh()))
	n, err = h.server.RevokeSubject(t.Context(), "u1")
	require.NoError(t, err)
	require.Zero(t, n)
	_, err = h.server.RevokeSubject(t.Context(), "")
	require.ErrorIs(t, err, oauth.ErrNotFound)
}

func TestReq102_ClientLostAScope(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := requireTokens(t, h.as("first", byLogin+"&scope=profile+invoices"))
	c := h.clients.get("first")
	for _, step := range []struct{ has, ask, granted string }{
		{"profile", "", "profile"},
		{"profile", "&scope=invoices+profile", "profile"},
		{"other", "", ""},
		{"other", "&scope=invoices", ""},
		{"profile", "&scope=invoices", ""},
		{"profile", "", "profile"},
	} {
		c.Scopes = set(step.has)
		h.clients.put(c)
		if step.granted == "" {
			h.tap.do(nil)
			requireError(t, h.as("first", byToken+a.refresh()+step.ask), 400, "invalid_scope")
			require.Empty(t, h.tap.writes(), "the token is still good for when the client has one again")
			continue
		}
		a = requireTokens(t, h.as("first", byToken+a.refresh()+step.ask))
		require.Equal(t, step.granted, a.text("scope"))
	}
	requireError(t, h.as("first", byToken+a.refresh()+"&scope=other"), 400, "invalid_scope")
}

func TestReq102_WithoutUsersNobodyIsAsked(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *oauth.Config) { c.Users, c.LegacyPasswordGrant = nil, false })
	token := h.planted(shaped(t).refresh(), user("u1"), oauth.KindRefresh, time.Hour)
	requireTokens(t, h.as("first", byToken+token))
	h = newHouse(t)
	token = h.planted(shaped(t).refresh(), machine("first"), oauth.KindRefresh, time.Hour)
	h.tap.do(nil)
	requireTokens(t, h.as("first", byToken+token))
	require.Empty(t, h.tap.since("Users"), "a client is no user")
}

func TestReq103_ExpiresInAndEntropy(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *oauth.Config) { c.AccessLifetime = 600*time.Second + 300*time.Millisecond })
	a := requireTokens(t, h.as("first", byLogin))
	seen := map[string]bool{a.access(): true, a.refresh(): true}
	for range 200 {
		a = requireTokens(t, h.as("first", byToken+a.refresh()))
		require.InDelta(t, 601, a.members["expires_in"], 0)
		require.False(t, seen[a.access()] || seen[a.refresh()] || a.access()[8:51] == a.refresh()[8:51])
		seen[a.access()], seen[a.refresh()] = true, true
	}
}
