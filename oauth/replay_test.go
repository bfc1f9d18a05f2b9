package oauth_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/oauth"
)

func noWindow(c *oauth.Config) { c.ReplayWindow = -1 }

// A lost answer is given again, to the byte and without a write.
func TestReq092_ReplayInsideTheWindow(t *testing.T) {
	t.Parallel()
	for _, client := range []string{"first", "app"} {
		h := newHouse(t)
		a := requireTokens(t, h.as(client, byLogin+"&scope=profile+invoices"))
		first := requireTokens(t, h.as(client, byToken+a.refresh()+"&scope=profile"))
		h.tap.do(nil)
		requireSame(t, first, h.as(client, byToken+a.refresh()))
		for _, form := range []string{"", "&scope=invoices", "&scope=profile+invoices"} {
			h.clock.advance(2 * time.Second)
			again := requireTokens(t, h.as(client, byToken+a.refresh()+form))
			require.Equal(t, first.access(), again.access())
			require.Equal(t, first.refresh(), again.refresh())
			require.Equal(t, "profile", again.text("scope"), "what the token has, not what this request asks for")
		}
		for _, form := range []string{"&scope=root", "&scope=profile+root", "&scope=*", "&scope=%22"} { // 087
			requireError(t, h.as(client, byToken+a.refresh()+form), 400, "invalid_scope")
		}
		require.Empty(t, h.tap.writes())
		require.Equal(t, []oauth.EventKind{"issued", "refreshed"}, h.kinds())
		again := h.as(client, byToken+a.refresh())
		require.InDelta(t, 894, again.members["expires_in"], 0)
		requireTokens(t, h.as(client, byToken+first.refresh()))
	}
}

// Each of these is a replay that the client cannot have needed.
func TestReq091_ReplayRevokesTheGrant(t *testing.T) {
	t.Parallel()
	const microsecond = time.Microsecond
	for _, c := range []struct {
		name   string
		change func(*oauth.Config)
		after  time.Duration
		use    bool // the successor
		status int
	}{
		{"at once", nil, 0, false, 200},
		{"just inside the window", nil, 10*time.Second - microsecond, false, 200},
		{"at the end of the window", nil, 10 * time.Second, false, 400},
		{"long after", nil, time.Hour, false, 400},
		{"after the token's own idle expiry", nil, 20 * 24 * time.Hour, false, 400},
		{"at once, but the successor was used", nil, 0, true, 400},
		{"just inside the window, but the successor was used", nil, 10*time.Second - microsecond, true, 400},
		{"no window", noWindow, 0, false, 400},
		{"a longer window", func(c *oauth.Config) { c.ReplayWindow = time.Minute }, time.Minute - microsecond, false, 200},
		{"after a longer window", func(c *oauth.Config) { c.ReplayWindow = time.Minute }, time.Minute, false, 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			if c.change != nil {
				h = newHouse(t, c.change)
			}
			a := requireTokens(t, h.as("first", byLogin))
			b := requireTokens(t, h.as("first", byToken+a.refresh()))
			issued := []string{a.access(), a.refresh(), b.access(), b.refresh()}
			if c.use {
				z := requireTokens(t, h.as("first", byToken+b.refresh()))
				issued = append(issued, z.access(), z.refresh())
			}
			h.clock.advance(c.after)
			require.Equal(t, c.status, h.as("first", byToken+a.refresh()).Code)
			if c.status == 400 {
				require.Equal(t, oauth.EventRefreshReuse, h.kinds()[len(h.kinds())-1])
				h.dead(issued...)
			}
		})
	}
}

// What is left of a grant after it was revoked says nothing any more.
func TestReq091_OneEventForOneReuse(t *testing.T) {
	t.Parallel()
	h := newHouse(t, noWindow)
	a := requireTokens(t, h.as("first", byLogin))
	requireTokens(t, h.as("first", byToken+a.refresh()))
	for range 3 {
		requireError(t, h.as("first", byToken+a.refresh()), 400, "invalid_grant")
	}
	require.Equal(t, []oauth.EventKind{"issued", "refreshed", "refresh_reuse"}, h.kinds())
	last := h.events[2]
	require.Equal(t, "first", last.ClientID)
	require.Equal(t, "u1", last.Subject.ID)
	require.NotEmpty(t, last.GrantID)
	require.Equal(t, h.clock.now().UTC().Truncate(time.Microsecond), last.At)
}

// A thief from another client can do nothing with a spent token, not even harm.
func TestReq089_ForeignReplayDoesNothing(t *testing.T) {
	t.Parallel()
	for _, after := range []time.Duration{0, time.Hour} {
		h := newHouse(t)
		a := requireTokens(t, h.as("first", byLogin))
		b := requireTokens(t, h.as("first", byToken+a.refresh()))
		h.clock.advance(after)
		h.tap.do(nil)
		for _, thief := range []string{"other", "app"} {
			requireError(t, h.as(thief, byToken+a.refresh()), 400, "invalid_grant")
		}
		requireError(t, h.post(byToken+a.refresh()), 401, "invalid_client")
		requireError(t, h.post(byToken+a.refresh(), basic("first", "wrong")), 401, "invalid_client")
		require.Empty(t, h.tap.writes())
		requireTokens(t, h.as("first", byToken+b.refresh()))
	}
}

// Inside the window, too, nobody is spoken for who has no account any more.
func TestReq102_ReplayForSomebodyDisabled(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := requireTokens(t, h.as("first", byLogin))
	requireTokens(t, h.as("first", byToken+a.refresh()))
	h.people.put("ada", oauth.User{Subject: "u1", Disabled: true})
	h.tap.do(nil)
	requireError(t, h.as("first", byToken+a.refresh()), 400, "invalid_grant")
	require.Empty(t, h.tap.writes())
}

// A token that is over when its answer is given again still has a lifetime that
// clients can read.
func TestReq023_ReplayOfAnAccessTokenThatIsOver(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *oauth.Config) { c.AccessLifetime = time.Second })
	a := requireTokens(t, h.as("first", byLogin))
	b := requireTokens(t, h.as("first", byToken+a.refresh()))
	h.clock.advance(5 * time.Second)
	again := requireTokens(t, h.as("first", byToken+a.refresh()))
	require.Equal(t, b.refresh(), again.refresh())
	require.InDelta(t, 1, again.members["expires_in"], 0)
}

// Two nodes whose clocks differ, or a request that was overtaken after it looked
// at the clock: neither makes a token last longer, nor opens a closed window.
func TestReplayBeforeTheSpending(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := requireTokens(t, h.as("first", byLogin))
	requireTokens(t, h.as("first", byToken+a.refresh()))
	h.clock.advance(-time.Second)
	require.InDelta(t, 900, requireTokens(t, h.as("first", byToken+a.refresh())).members["expires_in"], 0)

	h = newHouse(t, noWindow)
	a = requireTokens(t, h.as("first", byLogin))
	b := requireTokens(t, h.as("first", byToken+a.refresh()))
	h.clock.advance(-time.Second)
	requireError(t, h.as("first", byToken+a.refresh()), 400, "invalid_grant")
	h.dead(b.access(), b.refresh())
}

// Neither what the store holds nor an old token alone leads to the successor:
// the same token spent by another attempt has another one.
func TestSuccessorsDependOnTheAttempt(t *testing.T) {
	t.Parallel()
	token, seen := shaped(t).refresh(), map[string]bool{}
	for range 20 {
		h := newHouse(t)
		h.planted(token, user("u1"), oauth.KindRefresh, time.Hour)
		a := requireTokens(t, h.as("first", byToken+token))
		seen[a.refresh()], seen[a.access()] = true, true
	}
	require.Len(t, seen, 40)
}
