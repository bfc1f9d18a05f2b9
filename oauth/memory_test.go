package oauth_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/oauth"
)

// The contract itself is checked by the suite in oauthtest. These are the ways
// of a MemoryStore.

func TestMemoryStoreLists(t *testing.T) {
	t.Parallel()
	var s oauth.MemoryStore // the zero one is ready
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for i := range 10 {
		g := oauth.Grant{
			ID: fmt.Sprintf("g%d", 9-i), Subject: oauth.Subject{Kind: oauth.SubjectUser, ID: fmt.Sprintf("u%d", i%2)},
			ClientID: "c", CreatedAt: now, ExpiresAt: now.Add(time.Hour),
		}
		require.NoError(t, s.CreateGrant(t.Context(), g))
		require.ErrorIs(t, s.CreateGrant(t.Context(), g), oauth.ErrExists)
	}
	ids := func(f oauth.Filter, p oauth.Page) (ids []string) {
		grants, err := s.Grants(t.Context(), f, p)
		require.NoError(t, err)
		require.NotNil(t, grants)
		for _, g := range grants {
			ids = append(ids, g.ID)
		}
		return ids
	}
	u0 := oauth.Filter{Subject: oauth.Subject{Kind: oauth.SubjectUser, ID: "u0"}}
	require.Equal(t, []string{"g9", "g7"}, ids(u0, oauth.Page{Limit: 2}))
	require.Equal(t, []string{"g5", "g3", "g1"}, ids(u0, oauth.Page{Limit: 5, Before: "g7"}))
	require.Equal(t, []string{"g4"}, ids(oauth.Filter{GrantID: "g4", ClientID: "c"}, oauth.Page{Limit: 5}))
	require.Empty(t, ids(oauth.Filter{}, oauth.Page{Limit: 5}))
	require.Empty(t, ids(oauth.Filter{ClientID: "c"}, oauth.Page{}))
	require.Empty(t, ids(oauth.Filter{GrantID: "g4", ClientID: "d"}, oauth.Page{Limit: 5}))
	require.True(t, oauth.Filter{}.IsZero())
}

func TestMemoryStoreDeletesExpired(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := requireTokens(t, h.as("first", byLogin))
	requireTokens(t, h.as("first", byClient))
	remove := func(limit int) int {
		n, err := h.memory.DeleteExpired(t.Context(), h.clock.now(), limit)
		require.NoError(t, err)
		return n
	}
	require.Zero(t, remove(10))
	require.Contains(t, reachable(h.memory), "first")
	h.clock.advance(time.Hour)
	require.Zero(t, remove(0))
	require.Equal(t, 1, remove(1))
	require.Equal(t, 2, remove(10), "an access token, and a grant that has nothing left")
	a = requireTokens(t, h.as("first", byToken+a.refresh()))
	h.clock.advance(20 * 24 * time.Hour)
	require.Equal(t, 3, remove(10))
	requireError(t, h.as("first", byToken+a.refresh()), 400, "invalid_grant")
	h.clock.advance(100 * 24 * time.Hour)
	require.Equal(t, 1, remove(10))
	require.NotContains(t, reachable(h.memory), "first", "more is left than hashes")
}

func TestMemoryStoreRefusesWhatIsTaken(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := requireTokens(t, h.as("first", byLogin))
	access, refresh := hashOf(a.access()), hashOf(a.refresh())
	spend := oauth.Spend{Hash: refresh, ClientID: "first", At: h.clock.now(), Attempt: oauth.Attempt{1}}
	_, err := h.memory.Spend(t.Context(), spend, oauth.Credential{Hash: access})
	require.ErrorIs(t, err, oauth.ErrExists)
	_, err = h.memory.Spend(t.Context(), spend, oauth.Credential{Hash: oauth.Hash{1}}, oauth.Credential{Hash: oauth.Hash{1}})
	require.ErrorIs(t, err, oauth.ErrExists)
	require.ErrorIs(t, h.memory.CreateGrant(t.Context(), oauth.Grant{ID: "x"}, oauth.Credential{Hash: access}), oauth.ErrExists)
	spend.At = spend.At.Add(14 * 24 * time.Hour)
	_, err = h.memory.Spend(t.Context(), spend)
	require.ErrorIs(t, err, oauth.ErrExpired)
	spend.At = spend.At.Add(100 * 24 * time.Hour)
	_, err = h.memory.Spend(t.Context(), spend)
	require.ErrorIs(t, err, oauth.ErrExpired)
	requireTokens(t, h.as("first", byToken+a.refresh()))
}

// Lookup takes no lock, and yet whoever finds a credential spent finds what was
// issued for it: otherwise a replay would be answered with 503.
func TestMemoryStoreSpendsInOneStep(t *testing.T) {
	t.Parallel()
	s, now := oauth.NewMemoryStore(), time.Now().UTC().Truncate(time.Microsecond)
	credential := func(grant string, hash oauth.Hash) oauth.Credential {
		return oauth.Credential{Hash: hash, GrantID: grant, ClientID: "c", ExpiresAt: now.Add(time.Hour)}
	}
	for i := range 500 {
		id := fmt.Sprint(i)
		from, to := hashOf("from "+id), hashOf("to "+id)
		require.NoError(t, s.CreateGrant(t.Context(), oauth.Grant{ID: id, ClientID: "c", ExpiresAt: now.Add(time.Hour)}, credential(id, from)))
		together(2, func(which int) {
			if which == 0 {
				_, err := s.Spend(t.Context(), oauth.Spend{Hash: from, ClientID: "c", At: now, Attempt: oauth.Attempt{1}}, credential(id, to))
				assert(t, err == nil)
				return
			}
			for {
				if c, _, err := s.Lookup(t.Context(), from); err != nil || !c.SpentAt.IsZero() {
					_, _, err = s.Lookup(t.Context(), to)
					assert(t, err == nil)
					return
				}
			}
		})
	}
}

// assert is for goroutines, which cannot end a test.
func assert(t *testing.T, ok bool) {
	t.Helper()
	if !ok {
		t.Error("not so")
	}
}

func TestMemoryStoreHonoursCancellation(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := requireTokens(t, h.as("first", byLogin))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	hash := hashOf(a.refresh())
	for name, call := range map[string]func() error{
		"CreateGrant": func() error { return h.memory.CreateGrant(ctx, oauth.Grant{ID: "x"}) },
		"Lookup":      func() error { _, _, err := h.memory.Lookup(ctx, hash); return err },
		"Spend": func() error {
			_, err := h.memory.Spend(ctx, oauth.Spend{Hash: hash, ClientID: "first", At: h.clock.now()})
			return err
		},
		"RevokeGrants": func() error {
			_, err := h.memory.RevokeGrants(ctx, oauth.Filter{ClientID: "first"}, h.clock.now())
			return err
		},
		"Grants": func() error {
			_, err := h.memory.Grants(ctx, oauth.Filter{ClientID: "first"}, oauth.Page{Limit: 1})
			return err
		},
		"DeleteExpired": func() error { _, err := h.memory.DeleteExpired(ctx, h.clock.now().Add(1e18), 1); return err },
	} {
		require.ErrorIs(t, call(), context.Canceled, name)
	}
	requireTokens(t, h.as("first", byToken+a.refresh()))
}
