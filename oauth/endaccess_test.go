package oauth_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/oauth"
)

func endsAccess(c *oauth.Config) { c.RefreshEndsAccess = true }

// alive asserts that access tokens may be used, and ended that they may not.
func (h *house) alive(tokens ...string) {
	h.t.Helper()
	for _, token := range tokens {
		_, err := h.server.Verify(h.t.Context(), token)
		require.NoError(h.t, err)
	}
}

func (h *house) ended(tokens ...string) {
	h.t.Helper()
	for _, token := range tokens {
		_, err := h.server.Verify(h.t.Context(), token)
		require.ErrorIs(h.t, err, oauth.ErrInvalid)
	}
}

// With RefreshEndsAccess, only the newest access token of a grant is good.
func TestReq097_RefreshEndsTheOldAccessToken(t *testing.T) {
	t.Parallel()
	byPassword := func(h *house) answer { return h.as("first", byLogin+"&scope=profile+invoices") }
	byCode := func(h *house) answer { return h.as("first", byCode(h.code())) }
	for name, c := range map[string]struct {
		begin func(h *house) answer
		more  func(*oauth.Config)
	}{
		"password": {byPassword, noWindow}, "code": {byCode, noWindow}, "cached": {byPassword, cached}, "code, cached": {byCode, cached},
	} {
		h := newHouse(t, endsAccess, c.more)
		other := requireTokens(t, h.as("first", byLogin))
		a := requireTokens(t, c.begin(h))
		for range 5 {
			h.alive(a.access(), other.access())
			old := a
			a = requireTokens(t, h.as("first", byToken+old.refresh()+"&scope=profile"))
			h.ended(old.access())
			require.Equal(t, false, h.introspect("first", "token="+old.access()).members["active"])
			h.alive(a.access(), other.access())
			require.Equal(t, "profile", a.text("scope"), name)
		}
		h.clock.advance(20 * time.Minute) // it is over anyway
		a = requireTokens(t, h.as("first", byToken+a.refresh()))
		h.alive(a.access())
		_, err := h.server.RevokeSubject(t.Context(), "u1")
		require.NoError(t, err)
		h.dead(a.access(), a.refresh())
	}
}

// A lost answer is given again, without a write, and what it gives works.
func TestReq097_092_ReplayAfterTheOldAccessTokenEnded(t *testing.T) {
	t.Parallel()
	h := newHouse(t, endsAccess)
	a := requireTokens(t, h.as("first", byLogin))
	b := requireTokens(t, h.as("first", byToken+a.refresh()))
	h.tap.do(nil)
	requireSame(t, b, h.as("first", byToken+a.refresh()))
	require.Empty(t, h.tap.writes())
	h.alive(b.access())
	h.ended(a.access())
	z := requireTokens(t, h.as("first", byToken+b.refresh()))
	h.ended(a.access(), b.access())
	h.alive(z.access())
	requireError(t, h.as("first", byToken+a.refresh()), 400, "invalid_grant")
	h.dead(a.access(), b.access(), z.access(), z.refresh())
}

func TestReq097_093_094_CrowdEndsTheOldAccessToken(t *testing.T) {
	t.Parallel()
	for range 10 {
		h := newHouse(t, realClock, endsAccess)
		a := requireTokens(t, h.as("first", byLogin))
		codes, pairs := h.uses(a.refresh())
		require.Equal(t, map[int]int{200: 64}, codes)
		require.Len(t, pairs, 1)
		h.ended(a.access())
		for pair := range pairs {
			h.alive(pair[0])
		}

		h = newHouse(t, noWindow, realClock, endsAccess)
		a = requireTokens(t, h.as("first", byLogin))
		codes, pairs = h.uses(a.refresh())
		require.Equal(t, map[int]int{200: 1, 400: 63}, codes)
		h.dead(a.access())
		for pair := range pairs {
			h.dead(pair[:]...)
		}
	}
}

// A refresh that is refused ends nothing.
func TestReq097_RefusedRefreshEndsNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t, endsAccess)
	a := requireTokens(t, h.as("first", byLogin))
	requireError(t, h.as("first", byToken+a.refresh()+"&scope=root"), 400, "invalid_scope")
	requireError(t, h.as("other", byToken+a.refresh()), 400, "invalid_grant")
	requireError(t, h.post(byToken+a.refresh(), basic("first", "wrong")), 401, "invalid_client")
	require.NotContains(t, h.tap.since(""), "Store.Spend")
	h.alive(a.access())
}

// Wherever the store fails, a refresh that was answered has ended the token, and
// one that was not can be tried again.
func TestReq097_026_StoreFailsWhileTheOldAccessTokenIsEnded(t *testing.T) {
	t.Parallel()
	for spends, ended := range []bool{false, true} { // how many go well
		h := newHouse(t, endsAccess)
		a := requireTokens(t, h.as("first", byLogin))
		h.tap.do(func(call string) error {
			if call != "Store.Spend" {
				return nil
			}
			if spends--; spends < 0 {
				return errBoom
			}
			return nil
		})
		requireError(t, h.as("first", byToken+a.refresh()), 503, "temporarily_unavailable")
		h.tap.do(nil)
		if ended {
			h.ended(a.access())
		} else {
			h.alive(a.access())
		}
		b := requireTokens(t, h.as("first", byToken+a.refresh()))
		h.ended(a.access())
		h.alive(b.access())
	}
}

// Tokens from before it was switched on live to their expiry, those that come
// with the next refresh do not.
func TestReq097_SwitchedOn(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	old := requireTokens(t, h.as("first", byLogin))
	var err error
	h.server, err = oauth.New(h.memory, &h.clients, oauth.Config{Issuer: issuer, Prefix: "paym", Now: h.clock.now, RefreshEndsAccess: true})
	require.NoError(t, err)
	a := requireTokens(t, h.as("first", byToken+old.refresh()))
	h.alive(old.access(), a.access())
	b := requireTokens(t, h.as("first", byToken+a.refresh()))
	h.alive(old.access(), b.access())
	h.ended(a.access())
}
