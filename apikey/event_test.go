package apikey_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
)

// history returns the events of a key, the oldest first.
func (h *house) history(t testing.TB, id string) []apikey.Event {
	t.Helper()
	events, err := h.Events(t.Context(), id, apikey.Page{})
	require.NoError(t, err)
	for i := range len(events) / 2 {
		events[i], events[len(events)-1-i] = events[len(events)-1-i], events[i]
	}
	return events
}

func TestEvents(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	issued := h.issue(t, func(s *apikey.Spec) {
		s.Owner, s.Permissions, s.AllowedIPs, s.ExpiresAt = "account 7", set("users.view", "users.*"), list("192.0.2.0/24"), h.in(time.Hour)
	})
	id := issued.Key.ID
	d := h.As(actor(func(a *apikey.Actor) { a.ID = "user:42" }))
	at := []time.Time{h.clock.Now()}
	step := func(err error) {
		require.NoError(t, err)
		at = append(at, h.clock.Now())
		h.clock.Advance(time.Second)
	}
	h.clock.Advance(time.Second)
	_, err := d.Update(t.Context(), id, 0, func(s *apikey.Spec) {
		s.Name, s.Type, s.Permissions, s.AllowedIPs, s.ExpiresAt = "renamed", "reseller", set(), nil, time.Time{}
	})
	step(err)
	_, err = d.Disable(t.Context(), id)
	step(err)
	_, err = d.Enable(t.Context(), id)
	step(err)
	rotated, err := d.Rotate(t.Context(), id, 0, time.Hour)
	step(err)
	step(d.Revoke(t.Context(), id, apikey.RevokeOptions{Reason: "leak"}))

	expires := "2026-01-01T01:00:00Z"
	want := []apikey.Event{
		{Kind: apikey.Created, Actor: "operator", Changes: []apikey.FieldChange{
			{Field: "name", New: "CI"},
			{Field: "type", New: "admin"},
			{Field: "owner", New: "account 7"},
			{Field: "permissions", New: "users.* users.view"},
			{Field: "allowed_ips", New: "192.0.2.0/24"},
			{Field: "expires_at", New: expires},
			{Field: "enabled", Old: "false", New: "true"},
			{Field: "hint", New: issued.Key.Hint},
		}},
		{Kind: apikey.Updated, Actor: "user:42", Changes: []apikey.FieldChange{
			{Field: "name", Old: "CI", New: "renamed"},
			{Field: "type", Old: "admin", New: "reseller"},
			{Field: "permissions", Old: "users.* users.view"},
			{Field: "allowed_ips", Old: "192.0.2.0/24"},
			{Field: "expires_at", Old: expires},
		}},
		{Kind: apikey.Disabled, Actor: "user:42", Changes: []apikey.FieldChange{{Field: "enabled", Old: "true", New: "false"}}},
		{Kind: apikey.Enabled, Actor: "user:42", Changes: []apikey.FieldChange{{Field: "enabled", Old: "false", New: "true"}}},
		{Kind: apikey.Rotated, Actor: "user:42", Changes: []apikey.FieldChange{{Field: "hint", Old: issued.Key.Hint, New: rotated.Key.Hint}}},
		{Kind: apikey.Revoked, Actor: "user:42", Changes: []apikey.FieldChange{
			{Field: "revoked_at", New: at[5].Format(time.RFC3339Nano)}, {Field: "revoked_reason", New: "leak"},
		}},
	}
	got := h.history(t, id)
	require.Equal(t, got, h.heard.events, "what is stored is what is heard")
	ids := map[string]bool{}
	for i, e := range got {
		require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, e.ID)
		require.False(t, ids[e.ID])
		ids[e.ID] = true
		require.Equal(t, id, e.KeyID)
		require.Equal(t, at[i], e.At)
		e.ID, e.KeyID, e.At = "", "", time.Time{}
		require.Equal(t, want[i], e)
	}
}

// Only a change of the switch alone is called after it.
func TestKindsOfUpdates(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	id := h.issue(t).Key.ID
	for _, c := range []struct {
		edit func(*apikey.Spec)
		kind apikey.EventKind
	}{
		{func(s *apikey.Spec) { s.Name = "one" }, apikey.Updated},
		{func(s *apikey.Spec) { s.Name, s.Disabled = "two", true }, apikey.Updated},
		{func(s *apikey.Spec) { s.Name = "three" }, apikey.Updated},
		{func(s *apikey.Spec) { s.Disabled = false }, apikey.Enabled},
		{func(s *apikey.Spec) { s.Disabled = true }, apikey.Disabled},
	} {
		h.heard.kinds()
		_, err := h.Update(t.Context(), id, 0, c.edit)
		require.NoError(t, err)
		require.Equal(t, []apikey.EventKind{c.kind}, h.heard.kinds())
	}
}

func TestEventsHoldNoSecret(t *testing.T) {
	t.Parallel()
	for _, edit := range []func(*apikey.Config){func(*apikey.Config) {}, peppered("a")} {
		h := newHouse(t, edit)
		first := h.issue(t)
		second, err := h.Rotate(t.Context(), first.Key.ID, 0, time.Hour)
		require.NoError(t, err)
		secret, sum := foreign("1")
		imported, err := h.Import(t.Context(), spec(), sum)
		require.NoError(t, err)
		require.NoError(t, h.Revoke(t.Context(), first.Key.ID, apikey.RevokeOptions{}))
		for _, id := range []string{first.Key.ID, imported.ID} {
			data, err := json.Marshal(h.history(t, id))
			require.NoError(t, err)
			text := string(data) + fmt.Sprintf("%+v", h.heard.events)
			for _, s := range []apikey.Secret{first.Secret, second.Secret, secret} {
				require.NotContains(t, text, s.Reveal())
				require.NotContains(t, text, s.Reveal()[9:])
				for _, pepperID := range []string{"", "a"} {
					h := stored(s, pepperID).Hash
					require.NotContains(t, strings.ToLower(text), hex.EncodeToString(h[:8]))
				}
			}
		}
	}
}

// OnEvent hears of what was stored, when it was stored, and of nothing else.
func TestOnEventComesAfterTheCommit(t *testing.T) {
	t.Parallel()
	var h *house
	var seen []apikey.Key
	h = newHouse(t, func(c *apikey.Config) {
		c.OnEvent = func(e apikey.Event) { seen = append(seen, h.key(t, e.KeyID)) }
	})
	issued := h.issue(t)
	disabled, err := h.Disable(t.Context(), issued.Key.ID)
	require.NoError(t, err)
	require.Equal(t, []apikey.Key{issued.Key, disabled}, seen)

	seen = nil
	h.spy.Fail(errors.New("boom"), "Create", "Update")
	for _, err := range []error{
		second(h.Create(t.Context(), spec())), second(h.Enable(t.Context(), issued.Key.ID)),
		second(h.Rotate(t.Context(), issued.Key.ID, 0, 0)), h.Revoke(t.Context(), issued.Key.ID, apikey.RevokeOptions{}),
	} {
		require.ErrorContains(t, err, "boom")
	}
	h.spy.Fail(nil)
	_, err = h.Rotate(t.Context(), issued.Key.ID, 1, 0)
	require.ErrorIs(t, err, apikey.ErrConflict)
	_, err = h.Create(t.Context(), apikey.Spec{})
	require.Error(t, err)
	require.Empty(t, seen)
	require.Len(t, h.history(t, issued.Key.ID), 2)
}

// Who hears of changes and panics saves no other key from being revoked.
func TestPanicInOnEvent(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h := newHouse(t, func(c *apikey.Config) {
		c.OnEvent = func(apikey.Event) { panic("boom") }
		c.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})
	first, other := h.issue(t), h.issue(t)
	for _, leak := range h.RevokeLeaked(t.Context(), first.Secret, other.Secret) {
		require.Equal(t, apikey.LeakRevoked, leak.Status)
	}
	h.denies(t, first.Secret, apikey.ErrRevoked)
	h.denies(t, other.Secret, apikey.ErrRevoked)
	require.Equal(t, 4, strings.Count(log.String(), "panic in Config.OnEvent"))
	require.Contains(t, log.String(), other.Key.ID)
	require.NotContains(t, log.String(), other.Secret.Reveal())
}

func second[T any](_ T, err error) error { return err }

func TestEventsOfNobody(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	_, err := h.Events(t.Context(), "nobody", apikey.Page{})
	require.ErrorIs(t, err, apikey.ErrNotFound)

	deaf := newHouseOn(t, h.store, func(c *apikey.Config) { c.Activity, c.OnEvent = nil, nil })
	events, err := deaf.Events(t.Context(), deaf.issue(t).Key.ID, apikey.Page{})
	require.NoError(t, err)
	require.Empty(t, events, "nothing is known without an Activity")
}

// An activity keeps the page that it was asked for.
type activity struct {
	apikey.Activity

	page apikey.Page
	err  error
}

func (a *activity) Events(_ ctx, _ string, page apikey.Page) ([]apikey.Event, error) {
	a.page = page
	return nil, a.err
}

func TestPagesOfEvents(t *testing.T) {
	t.Parallel()
	a := new(activity)
	h := newHouse(t, func(c *apikey.Config) { c.Activity = a })
	id := h.issue(t).Key.ID
	for asked, want := range map[int]int{0: 100, -1: 100, 1: 1, 1000: 1000, 1001: 1000, 1 << 40: 1000} {
		_, err := h.Events(t.Context(), id, apikey.Page{Before: "x", Limit: asked})
		require.NoError(t, err)
		require.Equal(t, apikey.Page{Before: "x", Limit: want}, a.page)
	}
	a.err = errors.New("boom")
	_, err := h.Events(t.Context(), id, apikey.Page{})
	require.ErrorIs(t, err, a.err)
	require.ErrorContains(t, err, "apikey: events: ")
}
