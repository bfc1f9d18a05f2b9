package oauth_test

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/oauth"
)

// uses lets a crowd use one refresh token at once.
func (h *house) uses(token string) (codes map[int]int, pairs map[[2]string]bool) {
	var mu sync.Mutex
	codes, pairs = map[int]int{}, map[[2]string]bool{}
	together(64, func(int) {
		a := h.as("first", byToken+token)
		mu.Lock()
		defer mu.Unlock()
		codes[a.Code]++
		if a.Code == 200 {
			pairs[[2]string{a.access(), a.refresh()}] = true
		}
	})
	return codes, pairs
}

func TestReq093_CrowdWithoutAWindow(t *testing.T) {
	t.Parallel()
	for range 10 {
		// With the real clock, those who looked at it before the winner did
		// are among the losers.
		h := newHouse(t, noWindow, realClock)
		codes, pairs := h.uses(requireTokens(t, h.as("first", byLogin)).refresh())
		require.Equal(t, map[int]int{200: 1, 400: 63}, codes)
		for pair := range pairs {
			h.dead(pair[:]...) // a second use revokes, at the same time or later
		}
	}
}

func TestReq094_CrowdInsideTheWindow(t *testing.T) {
	t.Parallel()
	for range 10 {
		h := newHouse(t, realClock)
		codes, pairs := h.uses(requireTokens(t, h.as("first", byLogin)).refresh())
		require.Equal(t, map[int]int{200: 64}, codes)
		require.Len(t, pairs, 1)
		for pair := range pairs {
			requireTokens(t, h.as("first", byToken+pair[1]))
			n, err := h.server.RevokeSubject(t.Context(), "u1")
			require.NoError(t, err)
			require.Equal(t, 1, n)
			h.dead(pair[:]...)
		}
	}
}

func realClock(c *oauth.Config) { c.Now = nil }

// keycloak/keycloak#51312: what a refresh makes while its grant is being revoked is dead.
func TestReq101_Keycloak51312_RefreshRacingRevocation(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for i := range 1000 {
		a := requireTokens(t, h.as("first", byLogin))
		token, err := h.server.Verify(t.Context(), a.access())
		require.NoError(t, err)
		revoke := func() error {
			_, err := h.memory.RevokeGrants(t.Context(), oauth.Filter{GrantID: token.GrantID}, h.clock.now())
			return err
		}
		if i%2 == 1 {
			revoke = func() error {
				_, err := h.server.RevokeSubject(t.Context(), "u1")
				return err
			}
		}
		var refreshed answer
		together(2, func(which int) {
			if which == 0 {
				refreshed = h.as("first", byToken+a.refresh())
				return
			}
			require.NoError(t, revoke())
		})
		h.dead(a.access(), a.refresh())
		if refreshed.Code == 200 {
			h.dead(refreshed.access(), refreshed.refresh())
		}
		h.server, h.direct = h.direct, h.server
		if i%100 == 99 {
			h = newHouse(t) // revoking by subject looks at every grant
		}
	}
}

// The same at each place where the one can overtake the other.
func TestReq101_RevokedBeforeEachCall(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"Clients.Client", "Store.Lookup", "Users.Active", "Store.Spend"} {
		h := newHouse(t)
		a := requireTokens(t, h.as("first", byLogin))
		h.tap.do(func(call string) error {
			if call == where {
				_, err := h.memory.RevokeGrants(context.Background(), oauth.Filter{ClientID: "first"}, h.clock.now())
				return err
			}
			return nil
		})
		requireError(t, h.as("first", byToken+a.refresh()), 400, "invalid_grant")
		grants, err := h.memory.Grants(t.Context(), oauth.Filter{ClientID: "first"}, oauth.Page{Limit: 10})
		require.NoError(t, err)
		require.Len(t, grants, 1)
		require.NotZero(t, grants[0].RevokedAt)
		h.dead(a.access(), a.refresh())
	}
}

// meanwhiles are what can happen to somebody who is signing in.
func meanwhiles() []struct {
	name  string
	do    func(h *house)
	stays bool
} {
	return []struct {
		name  string
		do    func(h *house)
		stays bool
	}{
		{"another password", func(h *house) {
			hash, err := cheap().Hash(context.Background(), "another one")
			require.NoError(h.t, err)
			h.people.put("ada", oauth.User{Subject: "u1", PasswordHash: hash})
		}, false},
		{"no password", func(h *house) { h.people.put("ada", oauth.User{Subject: "u1"}) }, false},
		{"disabled", func(h *house) {
			h.people.put("ada", oauth.User{Subject: "u1", PasswordHash: rightHash(), Disabled: true})
		}, false},
		{"closed", func(h *house) { h.people.remove("ada") }, false},
		{"closed, and the name is somebody else's", func(h *house) {
			h.people.put("ada", oauth.User{Subject: "u5", PasswordHash: rightHash()})
		}, false},
		{"another hash of the same password", func(h *house) {
			hash, err := cheap().Hash(context.Background(), right)
			require.NoError(h.t, err)
			h.people.put("ada", oauth.User{Subject: "u1", PasswordHash: hash})
		}, true},
		{"nothing", func(*house) {}, true},
	}
}

// Whoever signs in while the password is changed or
// the account closed gets nothing that outlives "log out everywhere".
func TestReq100_184_LoginOvertaken(t *testing.T) {
	t.Parallel()
	for _, c := range meanwhiles() {
		for _, where := range []string{"Passwords.Verify", "Store.CreateGrant"} {
			t.Run(c.name+" before "+where, func(t *testing.T) {
				t.Parallel()
				h := newHouse(t)
				wrong := h.as("first", login("ada", "wrong"))
				h.tap.do(func(call string) error {
					if call == where {
						h.tap.do(nil)
						c.do(h)
						_, err := h.server.RevokeSubject(context.Background(), "u1")
						require.NoError(t, err)
					}
					return nil
				})
				a := h.as("first", byLogin)
				if c.stays {
					requireTokens(t, a)
					require.Equal(t, oauth.EventIssued, h.kinds()[len(h.kinds())-1])
					return
				}
				requireSame(t, wrong, a)
				require.Equal(t, []oauth.EventKind{oauth.EventLoginFailed, oauth.EventLoginFailed}, h.kinds())
				h.noneAlive("u1")
			})
		}
	}
}

// noneAlive asserts that every grant of a user is revoked.
func (h *house) noneAlive(subject string) {
	h.t.Helper()
	grants, err := h.memory.Grants(h.t.Context(), oauth.Filter{Subject: user(subject)}, oauth.Page{Limit: 1000})
	require.NoError(h.t, err)
	for _, g := range grants {
		require.NotZero(h.t, g.RevokedAt)
	}
}

// The same with many who sign in at once.
func TestReq100_184_LoginsRacingTheClosingOfAnAccount(t *testing.T) {
	t.Parallel()
	for _, c := range meanwhiles()[:4] {
		for range 25 {
			h := newHouse(t)
			together(5, func(i int) {
				if i > 0 {
					h.as("first", byLogin)
					return
				}
				c.do(h)
				_, err := h.server.RevokeSubject(t.Context(), "u1")
				require.NoError(t, err)
			})
			h.noneAlive("u1")
		}
	}
}

// Who is overtaken between looking and spending is told like everybody who
// comes second.
func TestReq094_OvertakenBeforeSpending(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		change func(*oauth.Config)
		status int
	}{{func(*oauth.Config) {}, 200}, {noWindow, 400}} {
		h := newHouse(t, c.change)
		a := requireTokens(t, h.as("first", byLogin))
		var winner answer
		h.tap.do(func(call string) error {
			if call == "Store.Spend" {
				h.tap.do(nil)
				winner = requireTokens(t, h.as("first", byToken+a.refresh()))
			}
			return nil
		})
		loser := h.as("first", byToken+a.refresh())
		require.Equal(t, c.status, loser.Code)
		if loser.Code == 200 {
			requireSame(t, winner, loser)
		} else {
			h.dead(winner.access(), winner.refresh())
		}
	}
}
