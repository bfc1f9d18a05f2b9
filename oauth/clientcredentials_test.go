package oauth_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/oauth"
)

func TestReq080_NoRefreshToken(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := requireTokens(t, h.as("first", byClient+"&scope=invoices"))
	require.NotContains(t, a.members, "refresh_token")
	require.Equal(t, "invoices", a.text("scope"))
	token, err := h.server.Verify(t.Context(), a.access())
	require.NoError(t, err)
	grants, err := h.memory.Grants(t.Context(), oauth.Filter{GrantID: token.GrantID}, oauth.Page{Limit: 2})
	require.NoError(t, err)
	require.Len(t, grants, 1)
	require.Equal(t, token.ExpiresAt, grants[0].ExpiresAt, "a grant does not outlive the only token it can have")
}

func TestReq081_PublicClient(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	requireError(t, h.as("app", byClient), 400, "unauthorized_client")
	require.Empty(t, h.tap.writes())
}

func TestReq082_083_AClientIsNoUser(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.register("u1", nil) // as ada's subject
	token, err := h.server.Verify(t.Context(), requireTokens(t, h.as("u1", byClient)).access())
	require.NoError(t, err)
	require.Equal(t, oauth.Subject{Kind: oauth.SubjectClient, ID: "u1"}, token.Subject)
	adas := requireTokens(t, h.as("u1", byLogin))

	n, err := h.server.RevokeSubject(t.Context(), "u1")
	require.NoError(t, err)
	require.Equal(t, 1, n, "the client's own grant is not the user's")
	_, err = h.server.Verify(t.Context(), adas.access())
	require.ErrorIs(t, err, oauth.ErrRevoked)
	_, err = h.server.Verify(t.Context(), requireTokens(t, h.as("u1", byClient)).access())
	require.NoError(t, err)
}

func TestClientCredentialsScope(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for _, form := range []string{byClient, byClient + "&scope="} {
		a := requireTokens(t, h.as("first", form))
		require.NotContains(t, a.members, "scope", "the defaults are for users")
		token, err := h.server.Verify(t.Context(), a.access())
		require.NoError(t, err)
		require.True(t, token.Scope.IsEmpty())
	}
	for _, scope := range []string{"root", "*", "profile+root", "%22"} {
		requireError(t, h.as("first", byClient+"&scope="+scope), 400, "invalid_scope")
	}
}

func TestOwnLifetimes(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.register("brief", func(c *oauth.Client) {
		c.AccessLifetime, c.RefreshIdle, c.RefreshAbsolute = time.Minute, time.Hour, 90*time.Minute
	})
	require.InDelta(t, 60, requireTokens(t, h.as("brief", byClient)).members["expires_in"], 0)
	a := requireTokens(t, h.as("brief", byLogin))
	require.InDelta(t, 60, a.members["expires_in"], 0)
	h.clock.advance(59 * time.Minute)
	a = requireTokens(t, h.as("brief", byToken+a.refresh()))
	h.clock.advance(31 * time.Minute)
	requireError(t, h.as("brief", byToken+a.refresh()), 400, "invalid_grant")
	require.InDelta(t, 900, requireTokens(t, h.as("first", byClient)).members["expires_in"], 0)
}

// What a store is given are whole microseconds, whatever the configuration.
func TestLifetimesAreWholeMicroseconds(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *oauth.Config) {
		c.AccessLifetime, c.RefreshIdle, c.RefreshAbsolute = time.Minute+1, time.Hour+1, 2*time.Hour+1
	})
	for _, form := range []string{byLogin, byClient} {
		a := requireTokens(t, h.as("first", form))
		token, err := h.server.Verify(t.Context(), a.access())
		require.NoError(t, err)
		grants, err := h.memory.Grants(t.Context(), oauth.Filter{GrantID: token.GrantID}, oauth.Page{Limit: 1})
		require.NoError(t, err)
		for _, instant := range []time.Time{token.ExpiresAt, token.IssuedAt, grants[0].CreatedAt, grants[0].ExpiresAt} {
			require.Equal(t, instant.Truncate(time.Microsecond), instant)
			require.Equal(t, time.UTC, instant.Location())
		}
	}
}
