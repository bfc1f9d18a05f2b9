package oauth_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/oauth"
)

func TestVerify(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := requireTokens(t, h.as("first", byLogin))
	token, err := h.server.Verify(t.Context(), a.access())
	require.NoError(t, err)
	now := h.clock.now().UTC().Truncate(time.Microsecond)
	require.Regexp(t, `^[0-9a-f]{16}$`, token.ID)
	require.NotContains(t, a.access(), token.ID)
	require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-7`, token.GrantID)
	require.Equal(t, "first", token.ClientID)
	require.Equal(t, now, token.IssuedAt)
	require.Equal(t, now.Add(15*time.Minute), token.ExpiresAt)
	require.Empty(t, token.Resources)
	require.True(t, h.server.Recognize(a.access()))
}

// The instant of expiry belongs to the time after.
func TestReq200_ExpiryIsExclusive(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := requireTokens(t, h.as("first", byLogin))
	end := h.clock.now().Truncate(time.Microsecond).Add(15 * time.Minute)
	for _, c := range []struct {
		further time.Duration
		err     error
	}{{-time.Nanosecond, nil}, {0, oauth.ErrExpired}, {time.Hour, oauth.ErrExpired}, {-15 * time.Minute, nil}} {
		h.clock.set(end, c.further)
		_, err := h.server.Verify(t.Context(), a.access())
		require.ErrorIs(t, err, c.err)
	}
}

func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	stranger := newHouse(t)
	stranger.register("first", nil)
	a := requireTokens(t, h.as("first", byLogin))
	foreign := requireTokens(t, stranger.as("first", byLogin))
	for name, c := range map[string]struct {
		token string
		err   error
	}{
		"nothing":              {"", oauth.ErrInvalid},
		"garbage":              {"paym_at_\x00", oauth.ErrInvalid},
		"a refresh token":      {a.refresh(), oauth.ErrInvalid},
		"of another server":    {foreign.access(), oauth.ErrInvalid},
		"in another case":      {"PAYM_AT_" + a.access()[8:], oauth.ErrInvalid},
		"with a space":         {a.access() + " ", oauth.ErrInvalid},
		"a sample":             {h.server.Samples()[0], oauth.ErrInvalid},
		"as it should be":      {a.access(), nil},
		"a client's own token": {requireTokens(t, h.as("first", byClient)).access(), nil},
	} {
		_, err := h.server.Verify(t.Context(), c.token)
		require.ErrorIs(t, err, c.err, name)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := h.server.Verify(ctx, a.access())
	require.ErrorIs(t, err, context.Canceled)
}

// Secrets have a shape that scanners find, and a checksum, without which no store
// is asked about them.
func TestReq201_ChecksumBeforeTheStore(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a, code := h.tokens("first"), h.code()
	require.Regexp(t, `^paym_at_[A-Za-z0-9]{49}$`, a.access())
	require.Regexp(t, `^paym_rt_[A-Za-z0-9]{49}$`, a.refresh())
	require.Regexp(t, `^paym_ac_[A-Za-z0-9]{49}$`, code)
	h.tap.do(nil)
	mistyped := func(secret string) string { // two digits in the wrong order
		i := len(secret) - 20
		for secret[i] == secret[i+1] {
			i++
		}
		return secret[:i] + secret[i+1:i+2] + secret[i:i+1] + secret[i+2:]
	}
	_, err := h.server.Verify(t.Context(), mistyped(a.access()))
	require.ErrorIs(t, err, oauth.ErrInvalid)
	requireError(t, h.as("first", byToken+mistyped(a.refresh())), 400, "invalid_grant")
	requireError(t, h.as("first", byCode(mistyped(code))), 400, "invalid_grant")
	for _, token := range []string{a.access(), a.refresh()} {
		require.Equal(t, 200, h.revoke("first", "token="+mistyped(token)).Code)
		require.Equal(t, false, h.introspect("first", "token="+mistyped(token)).members["active"])
	}
	require.Empty(t, h.tap.since("Store"))
}

// An access token that was revoked by itself is spent, and nothing else is.
func TestSpentAccessToken(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := requireTokens(t, h.as("first", byLogin))
	spent, err := h.memory.Spend(t.Context(), oauth.Spend{Hash: hashOf(a.access()), ClientID: "first", At: h.clock.now(), Attempt: oauth.Attempt{1}})
	require.NoError(t, err)
	require.True(t, spent.First)
	_, err = h.server.Verify(t.Context(), a.access())
	require.ErrorIs(t, err, oauth.ErrInvalid)
	requireTokens(t, h.as("first", byToken+a.refresh()))
}

// A credential of another kind under the hash of an access token is none: the
// prefix alone decides nothing.
func TestReq098_TheKindCounts(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	token := h.planted(shaped(t).access(), user("u1"), oauth.KindRefresh, time.Hour)
	_, err := h.server.Verify(t.Context(), token)
	require.ErrorIs(t, err, oauth.ErrInvalid)
	h = newHouse(t)
	token = h.planted(shaped(t).refresh(), user("u1"), oauth.KindCode, time.Hour)
	requireError(t, h.as("first", byToken+token), 400, "invalid_grant")
}

func TestEvents(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.post(byClient, basic("nobody", "x"))
	h.post(byClient, basic("first", "x"))
	h.as("first", login("ada", "wrong"))
	a := requireTokens(t, h.as("first", byLogin))
	h.as("first", byClient)
	requireTokens(t, h.as("first", byToken+a.refresh()))
	grant := h.events[3].GrantID
	now := h.clock.now().UTC().Truncate(time.Microsecond)
	require.NotEmpty(t, grant)
	peer := netip.MustParseAddr("192.0.2.1") // httptest's
	require.Equal(t, []oauth.Event{
		{Kind: oauth.EventClientFailed, At: now, ClientAddr: peer},
		{Kind: oauth.EventClientFailed, At: now, ClientID: "first", ClientAddr: peer},
		{Kind: oauth.EventLoginFailed, At: now, ClientID: "first", ClientAddr: peer},
		{Kind: oauth.EventIssued, At: now, ClientID: "first", Subject: user("u1"), GrantID: grant},
		{Kind: oauth.EventIssued, At: now, ClientID: "first", Subject: machine("first"), GrantID: h.events[4].GrantID},
		{Kind: oauth.EventRefreshed, At: now, ClientID: "first", Subject: user("u1"), GrantID: grant},
	}, h.events)
	silent := newHouse(t, func(c *oauth.Config) { c.OnEvent, c.Logger = nil, nil })
	requireTokens(t, silent.as("first", byLogin))
	silent.tap.do(fail("Store"))
	requireError(t, silent.as("first", byLogin), 503, "temporarily_unavailable")
}

// A Server that looks at its own MemoryStore says what it says of any other, and
// so does one with a cache. What it returns is the caller's to spoil.
func TestVerifyInMemory(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	remembering := newHouse(t)
	remembering.on(h.memory, cached, func(c *oauth.Config) { c.Now = h.clock.now })
	direct, err := oauth.New(h.memory, &h.clients, oauth.Config{Issuer: issuer, Prefix: "paym", Now: h.clock.now})
	require.NoError(t, err)
	now := h.clock.now().UTC().Truncate(time.Microsecond)
	plant := func(change func(*oauth.Grant, *oauth.Credential)) string {
		token := shaped(t).access()
		g := oauth.Grant{
			ID: "g" + token, Subject: user("u1"), ClientID: "first", Scope: set("profile"), Resources: []string{"https://a.example"},
			CreatedAt: now, ExpiresAt: now.Add(time.Hour),
		}
		c := oauth.Credential{
			ID: "id", Hash: hashOf(token), Kind: oauth.KindAccess, GrantID: g.ID, ClientID: g.ClientID, Scope: set("profile"),
			Resources: []string{"https://b.example"}, CreatedAt: now, ExpiresAt: now.Add(time.Minute),
		}
		change(&g, &c)
		require.NoError(t, h.memory.CreateGrant(t.Context(), g, c))
		return token
	}
	good := plant(func(*oauth.Grant, *oauth.Credential) {})
	for name, c := range map[string]struct {
		token string
		err   error
	}{
		"good":                 {good, nil},
		"born spent":           {plant(func(_ *oauth.Grant, c *oauth.Credential) { c.SpentAt = now }), oauth.ErrInvalid},
		"born revoked":         {plant(func(g *oauth.Grant, _ *oauth.Credential) { g.RevokedAt = now }), oauth.ErrRevoked},
		"of another kind":      {plant(func(_ *oauth.Grant, c *oauth.Credential) { c.Kind = oauth.KindRefresh }), oauth.ErrInvalid},
		"expired":              {plant(func(_ *oauth.Grant, c *oauth.Credential) { c.ExpiresAt = now }), oauth.ErrExpired},
		"of an expired grant":  {plant(func(g *oauth.Grant, _ *oauth.Credential) { g.ExpiresAt = now }), oauth.ErrExpired},
		"of another client":    {plant(func(_ *oauth.Grant, c *oauth.Credential) { c.ClientID = "other" }), errUnknown},
		"of nobody":            {plant(func(g *oauth.Grant, _ *oauth.Credential) { g.Subject.ID = "" }), errUnknown},
		"unknown":              {shaped(t).access(), oauth.ErrInvalid},
		"of no shape":          {"x", oauth.ErrInvalid},
		"nothing":              {"", oauth.ErrInvalid},
		"with a typing error":  {good[:len(good)-1] + "~", oauth.ErrInvalid},
		"of another prefix":    {"paym_rt" + good[7:], oauth.ErrInvalid},
		"and something behind": {good + "0", oauth.ErrInvalid},
	} {
		for which, server := range map[string]*oauth.Server{
			"direct": direct, "through a wrapper": h.server, "cached": remembering.server, "from the cache": remembering.server,
		} {
			got, err := server.Verify(t.Context(), c.token)
			switch {
			case c.err == nil:
				require.NoError(t, err, "%s, %s", name, which)
				require.Equal(t, oauth.Token{
					ID: "id", Subject: user("u1"), ClientID: "first", GrantID: "g" + good, Scope: set("profile"),
					Resources: []string{"https://b.example"}, IssuedAt: now, ExpiresAt: now.Add(time.Minute),
				}, got)
				got.Resources[0] = "spoiled"
				continue
			case errors.Is(c.err, errUnknown):
				for _, known := range []error{oauth.ErrInvalid, oauth.ErrRevoked, oauth.ErrExpired, oauth.ErrNotFound} {
					require.NotErrorIs(t, err, known, "%s, %s", name, which)
				}
				require.Error(t, err)
			default:
				require.ErrorIs(t, err, c.err, "%s, %s", name, which)
			}
			require.Zero(t, got)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = direct.Verify(gone, good)
	require.ErrorIs(t, err, context.Canceled)
	_, err = h.memory.Spend(t.Context(), oauth.Spend{Hash: hashOf(good), ClientID: "first", At: now, Attempt: oauth.Attempt{1}})
	require.NoError(t, err)
	_, err = direct.Verify(t.Context(), good)
	require.ErrorIs(t, err, oauth.ErrInvalid)
	_, err = h.memory.RevokeGrants(t.Context(), oauth.Filter{GrantID: "g" + good}, now)
	require.NoError(t, err)
	_, err = direct.Verify(t.Context(), good)
	require.ErrorIs(t, err, oauth.ErrRevoked)
}

var errUnknown = errors.New("an error of the store's")

// bare is a Server without anything that listens or counts.
func bare(t testing.TB, change ...func(*oauth.Config)) (server *oauth.Server, client string) {
	secret, stored := oauth.NewClientSecret()
	cfg := oauth.Config{Issuer: issuer, Prefix: "paym"}
	for _, c := range change {
		c(&cfg)
	}
	server, err := oauth.New(oauth.NewMemoryStore(), oauth.StaticClients{{
		ID: "machine", Secrets: []oauth.ClientSecret{stored}, Scopes: set("profile"),
		Grants: []oauth.GrantType{oauth.GrantClientCredentials},
	}}, cfg)
	require.NoError(t, err)
	return server, basic("machine", secret.Reveal())
}

func issue(t testing.TB, server *oauth.Server, client string) string {
	a := answer{ResponseRecorder: httptest.NewRecorder()}
	server.TokenHandler().ServeHTTP(a, request(byClient+"&scope=profile", client))
	requireLawful(t, &a, requireLawfulTokens)
	return a.access()
}

func TestVerifyDoesNotAllocate(t *testing.T) {
	server, client := bare(t)
	token, ctx := issue(t, server, client), context.Background()
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		if verified, err := server.Verify(ctx, token); err != nil || !verified.Scope.Allows("profile") {
			t.Fatal(err)
		}
	}))
}

func BenchmarkVerify(b *testing.B) {
	server, client := bare(b)
	token, ctx := issue(b, server, client), context.Background()
	for b.Loop() {
		if _, err := server.Verify(ctx, token); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkClientCredentials(b *testing.B) {
	server, client := bare(b)
	for b.Loop() {
		issue(b, server, client)
	}
}
