package apikey_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/ipfilter"
	"github.com/latchwork/latchwork/scope"
)

func TestUpdate(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	issued := h.issue(t, func(s *apikey.Spec) { s.Owner = "account 7" })
	h.clock.Advance(time.Minute)
	k, err := h.Update(t.Context(), issued.Key.ID, 1, func(s *apikey.Spec) {
		require.Equal(t, "CI", s.Name, "the edit sees what there is")
		require.Equal(t, "account 7", s.Owner)
		s.Name, s.Type, s.Permissions = "renamed", "reseller", set("orders.*")
		s.AllowedIPs, s.ExpiresAt, s.Disabled = list("192.0.2.0/24"), h.in(time.Hour+999), true
	})
	require.NoError(t, err)
	want := issued.Key
	want.Name, want.Type, want.Permissions = "renamed", "reseller", set("orders.*")
	want.AllowedIPs, want.ExpiresAt, want.Enabled = list("192.0.2.0/24"), h.in(time.Hour), false
	want.Version, want.UpdatedAt = 2, h.clock.Now()
	require.Equal(t, want, k)
	require.Equal(t, want, h.key(t, k.ID))
	require.Equal(t, stored(issued.Secret, ""), h.record(t, k.ID).Secrets[0], "the secret is not touched")

	k, err = h.Update(t.Context(), k.ID, 0, func(s *apikey.Spec) { s.AllowedIPs, s.ExpiresAt, s.Permissions = nil, time.Time{}, set() })
	require.NoError(t, err)
	require.Nil(t, k.AllowedIPs)
	require.True(t, k.ExpiresAt.IsZero())
	require.True(t, k.Permissions.IsEmpty())
}

func TestUpdateOfNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	issued := h.issue(t, func(s *apikey.Spec) { s.AllowedIPs, s.ExpiresAt = list("192.0.2.0/24"), h.in(time.Hour) })
	h.heard.kinds()
	h.clock.Advance(time.Minute)
	for _, edit := range []func(*apikey.Spec){
		func(*apikey.Spec) {},
		func(s *apikey.Spec) { s.Name = "CI" },
		func(s *apikey.Spec) { s.Permissions = set("users.view") },
		func(s *apikey.Spec) { s.AllowedIPs = list("192.0.2.0/25", "192.0.2.128-192.0.2.255") },
		func(s *apikey.Spec) { s.ExpiresAt = s.ExpiresAt.Add(999).In(time.FixedZone("", 3600)) },
		func(s *apikey.Spec) { s.Disabled = false },
	} {
		k, err := h.Update(t.Context(), issued.Key.ID, 0, edit)
		require.NoError(t, err)
		require.Equal(t, issued.Key, k)
	}
	_, err := h.Enable(t.Context(), issued.Key.ID)
	require.NoError(t, err)
	require.Equal(t, issued.Key, h.key(t, issued.Key.ID))
	require.Zero(t, h.spy.Calls("Update"))
	require.Empty(t, h.heard.kinds())
}

func TestUpdateRefuses(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	issued := h.issue(t)
	metadata, err := apikey.NewMetadata(map[string]string{"plan": "gold"})
	require.NoError(t, err)
	for field, edit := range map[string]func(*apikey.Spec){
		"owner":       func(s *apikey.Spec) { s.Owner = "account 7" },
		"metadata":    func(s *apikey.Spec) { s.Metadata = metadata },
		"name":        func(s *apikey.Spec) { s.Name = "" },
		"type":        func(s *apikey.Spec) { s.Type = "root" },
		"allowed_ips": func(s *apikey.Spec) { s.AllowedIPs = new(ipfilter.List) },
		"expires_at":  func(s *apikey.Spec) { s.ExpiresAt = h.in(0) },
		"permissions": func(s *apikey.Spec) { s.Permissions = wide(t) },
	} {
		_, err := h.Update(t.Context(), issued.Key.ID, 0, edit)
		faults(t, err, field)
	}
	_, err = h.Update(t.Context(), "nobody", 0, func(*apikey.Spec) {})
	require.ErrorIs(t, err, apikey.ErrNotFound)
	_, err = h.Update(t.Context(), issued.Key.ID, 2, func(s *apikey.Spec) { s.Name = "x" })
	require.ErrorIs(t, err, apikey.ErrConflict)
	require.Equal(t, issued.Key, h.key(t, issued.Key.ID))
}

// What is revoked stays as it is.
func TestUpdateOfTheRevoked(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	issued := h.issue(t)
	_, err := h.Disable(t.Context(), issued.Key.ID)
	require.NoError(t, err)
	require.NoError(t, h.Revoke(t.Context(), issued.Key.ID, apikey.RevokeOptions{}))
	before := h.key(t, issued.Key.ID)
	_, err = h.Enable(t.Context(), issued.Key.ID)
	require.ErrorIs(t, err, apikey.ErrRevoked)
	_, err = h.Disable(t.Context(), issued.Key.ID)
	require.ErrorIs(t, err, apikey.ErrRevoked)
	_, err = h.Update(t.Context(), issued.Key.ID, 0, func(s *apikey.Spec) { s.Name = "x" })
	require.ErrorIs(t, err, apikey.ErrRevoked)
	require.Equal(t, before, h.key(t, issued.Key.ID))
}

// A key that was made under other rules can still be renamed, switched off and
// mended.
func TestUpdateLeavesOldFieldsAlone(t *testing.T) {
	t.Parallel()
	store := newHouse(t).store
	old := newHouseOn(t, store, func(c *apikey.Config) { c.Types = []string{"legacy"} })
	issued := old.issue(t, func(s *apikey.Spec) {
		s.Type, s.Permissions, s.ExpiresAt = "legacy", set("ghosts.view"), old.in(time.Hour)
	})
	old.plant(t, issued.Key.ID, func(r *apikey.Record) { r.Key.Name, r.Key.AllowedIPs = "two\nlines", new(ipfilter.List) })

	h := newHouseOn(t, store, func(c *apikey.Config) { c.Catalog = catalog(t) })
	h.clock.Advance(2 * time.Hour)
	k, err := h.Disable(t.Context(), issued.Key.ID)
	require.NoError(t, err)
	require.False(t, k.Enabled)
	k, err = h.Update(t.Context(), issued.Key.ID, 0, func(s *apikey.Spec) { s.Name = "renamed" })
	require.NoError(t, err)
	require.Equal(t, "renamed", k.Name)

	_, err = h.Update(t.Context(), issued.Key.ID, 0, func(s *apikey.Spec) { s.Permissions = set("ghosts.view", "users.view") })
	faults(t, err, "permissions")
	k, err = h.Update(t.Context(), issued.Key.ID, 0, func(s *apikey.Spec) { s.AllowedIPs = nil })
	require.NoError(t, err)
	require.Nil(t, k.AllowedIPs, "from nowhere to anywhere is a change")
	require.Nil(t, h.key(t, k.ID).AllowedIPs)
}

// An edit that writes to what a pointer points to is judged like any other.
func TestUpdateInPlace(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	issued := h.issue(t, func(s *apikey.Spec) { s.AllowedIPs = list("192.0.2.0/24") })
	_, err := h.Update(t.Context(), issued.Key.ID, 0, func(s *apikey.Spec) { *s.AllowedIPs = ipfilter.List{} })
	faults(t, err, "allowed_ips")
	d := h.As(actor(func(a *apikey.Actor) { a.Ceiling.AllowedIPs = list("192.0.2.0/24") }))
	_, err = d.Update(t.Context(), issued.Key.ID, 0, func(s *apikey.Spec) { *s.AllowedIPs = *list("192.0.2.0/23") })
	exceeds(t, err, "allowed_ips")
	k, err := d.Update(t.Context(), issued.Key.ID, 0, func(s *apikey.Spec) { *s.AllowedIPs = *list("192.0.2.1") })
	require.NoError(t, err)
	require.Equal(t, "192.0.2.1", h.key(t, k.ID).AllowedIPs.String())
	require.Equal(t, int64(2), k.Version)
}

func TestUpdatesOfTheNewestVersionAllLand(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	issued := h.issue(t, func(s *apikey.Spec) { s.Permissions = set() })
	next := make(chan string, 100)
	for i := range 100 {
		next <- fmt.Sprintf("p%d", i)
	}
	won, _ := race(t, 100, nil, func() (apikey.Key, error) {
		grant := <-next
		return h.Update(t.Context(), issued.Key.ID, 0, func(s *apikey.Spec) {
			s.Permissions, _ = scope.ParseSet(append(s.Permissions.Strings(), grant)...)
		})
	})
	require.Len(t, won, 100)
	k := h.key(t, issued.Key.ID)
	require.Equal(t, 100, k.Permissions.Len())
	require.Equal(t, int64(101), k.Version)
	require.Len(t, h.heard.kinds(), 101)
}

func TestUpdatesOfOneVersion(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	issued := h.issue(t)
	names := make(chan string, 100)
	for i := range 100 {
		names <- fmt.Sprintf("name %d", i)
	}
	won, lost := race(t, 100, apikey.ErrConflict, func() (apikey.Key, error) {
		name := <-names
		return h.Update(t.Context(), issued.Key.ID, 1, func(s *apikey.Spec) { s.Name = name })
	})
	require.Len(t, won, 1)
	require.Equal(t, 99, lost)
	require.Equal(t, won[0], h.key(t, issued.Key.ID))
}

// A change that was based on what is out of date starts over.
func TestUpdateStartsOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		issued := h.issue(t)
		release := h.spy.HoldAnswers("Get")
		done := make(chan error)
		var seen []string
		go func() {
			_, err := h.Update(t.Context(), issued.Key.ID, 0, func(s *apikey.Spec) {
				seen = append(seen, s.Name)
				s.Disabled = true
			})
			done <- err
		}()
		synctest.Wait()
		h.plant(t, issued.Key.ID, func(r *apikey.Record) { r.Key.Name = "renamed meanwhile" })
		release()
		require.NoError(t, <-done)
		require.Equal(t, []string{"CI", "renamed meanwhile"}, seen)
		require.Equal(t, "renamed meanwhile", h.key(t, issued.Key.ID).Name)
		require.False(t, h.key(t, issued.Key.ID).Enabled)
	})
}

// A store that always has a conflict does not keep anybody for ever.
func TestUpdateGivesUp(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	issued := h.issue(t)
	h.spy.Fail(apikey.ErrConflict, "Update")
	_, err := h.Disable(t.Context(), issued.Key.ID)
	require.ErrorIs(t, err, apikey.ErrConflict)
	h.spy.Fail(errors.New("boom"), "Update")
	_, err = h.Disable(t.Context(), issued.Key.ID)
	require.ErrorContains(t, err, "apikey: update: boom")
}

func TestSwitch(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	issued := h.issue(t)
	h.heard.kinds()
	k, err := h.Disable(t.Context(), issued.Key.ID)
	require.NoError(t, err)
	require.False(t, k.Enabled)
	h.denies(t, issued.Secret, apikey.ErrDisabled)
	k, err = h.Enable(t.Context(), issued.Key.ID)
	require.NoError(t, err)
	require.True(t, k.Enabled)
	h.opens(t, issued.Secret, issued.Key.ID)
	_, err = h.Update(t.Context(), issued.Key.ID, 0, func(s *apikey.Spec) { s.Disabled = true })
	require.NoError(t, err)
	_, err = h.Update(t.Context(), issued.Key.ID, 0, func(s *apikey.Spec) { s.Disabled, s.Name = false, "on again" })
	require.NoError(t, err)
	require.Equal(t, []apikey.EventKind{apikey.Disabled, apikey.Enabled, apikey.Disabled, apikey.Updated}, h.heard.kinds())
}
