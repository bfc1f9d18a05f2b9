package oauth_test

import (
	"context"
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

// Requirement 200: the instant of expiry belongs to the time after.
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

// bare is a Server without anything that listens or counts.
func bare(t testing.TB) (server *oauth.Server, client string) {
	secret, stored := oauth.NewClientSecret()
	server, err := oauth.New(oauth.NewMemoryStore(), oauth.StaticClients{{
		ID: "machine", Secrets: []oauth.ClientSecret{stored}, Scopes: set("profile"),
		Grants: []oauth.GrantType{oauth.GrantClientCredentials},
	}}, oauth.Config{Issuer: issuer, Prefix: "paym"})
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
