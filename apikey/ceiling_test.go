package apikey_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/ipfilter"
	"github.com/latchwork/latchwork/scope"
)

// A boundary is one field of a Ceiling, with specs at and beyond it.
type boundary struct {
	field          string
	ceiling        func(*apikey.Ceiling)
	within, beyond []func(*apikey.Spec)
}

func edits(list ...func(*apikey.Spec)) []func(*apikey.Spec) { return list }

func boundaries(h *house) []boundary {
	permissions := func(grants ...string) func(*apikey.Spec) {
		return func(s *apikey.Spec) { s.Permissions = set(grants...) }
	}
	kind := func(name string) func(*apikey.Spec) { return func(s *apikey.Spec) { s.Type = name } }
	expires := func(at time.Time) func(*apikey.Spec) { return func(s *apikey.Spec) { s.ExpiresAt = at } }
	ips := func(l *ipfilter.List) func(*apikey.Spec) { return func(s *apikey.Spec) { s.AllowedIPs = l } }
	return []boundary{
		{
			"permissions", func(c *apikey.Ceiling) { c.Permissions = set("users.*", "orders.view", "*.list") },
			edits(permissions(), permissions("users.view"), permissions("users.*", "orders.view"), permissions("users.notes.view"),
				permissions("invoices.list"), permissions("*.list")),
			edits(permissions("*"), permissions("users"), permissions("orders.*"), permissions("orders.delete"), permissions("users.*", "orders.viewAny"),
				permissions("*.view"), permissions("*.*"), permissions("usersx.view"), permissions("Users.view")),
		},
		{
			"permissions", func(c *apikey.Ceiling) { c.Permissions = set() },
			edits(permissions()), edits(permissions("users.view"), permissions("*")),
		},
		{
			"type", func(c *apikey.Ceiling) { c.Types = []string{"reseller"} },
			edits(kind("reseller")), edits(kind("admin")),
		},
		{"type", func(c *apikey.Ceiling) { c.Types = nil }, nil, edits(kind("admin"), kind("reseller"))},
		{
			"expires_at", func(c *apikey.Ceiling) { c.ExpiresAt = h.in(time.Hour) },
			edits(expires(h.in(time.Hour)), expires(h.in(time.Minute)), expires(h.in(time.Hour+999))),
			edits(expires(time.Time{}), expires(h.in(time.Hour+time.Microsecond)), expires(h.in(1000*time.Hour))),
		},
		{
			"allowed_ips", func(c *apikey.Ceiling) { c.AllowedIPs = list("192.0.2.0/24", "2001:db8::/32") },
			edits(ips(list("192.0.2.0/24")), ips(list("192.0.2.7")), ips(list("192.0.2.0/25", "192.0.2.128/25", "2001:db8::1"))),
			edits(ips(nil), ips(list("192.0.2.0/23")), ips(list("192.0.3.1")), ips(list("192.0.2.1", "198.51.100.1")), ips(list("2001:db8::/31"))),
		},
		{
			"allowed_ips", func(c *apikey.Ceiling) { c.AllowedIPs = new(ipfilter.List) },
			nil, edits(ips(nil), ips(list("192.0.2.1"))),
		},
	}
}

// bounded returns the management of keys within one boundary and none else.
func (h *house) bounded(b boundary, more ...func(*apikey.Actor)) apikey.Delegate {
	a := actor(func(a *apikey.Actor) { b.ceiling(&a.Ceiling) })
	for _, edit := range more {
		edit(&a)
	}
	return h.As(a)
}

func TestCeilingOfNewKeys(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for i, b := range boundaries(h) {
		d := h.bounded(b)
		for j, edit := range b.within {
			issued, err := d.Create(t.Context(), spec(edit))
			require.NoError(t, err, "%d %s %d", i, b.field, j)
			h.opens(t, issued.Secret, issued.Key.ID)
			require.Equal(t, "user:1", issued.Key.CreatedBy)
		}
		before := h.spy.Calls("Create")
		for _, edit := range b.beyond {
			issued, err := d.Create(t.Context(), spec(edit))
			exceeds(t, err, b.field)
			require.Empty(t, issued.Secret.Reveal())
			_, err = d.Import(t.Context(), spec(edit), apikey.Hash{1})
			exceeds(t, err, b.field)
		}
		require.Equal(t, before, h.spy.Calls("Create"))
	}
}

// A key within the ceiling cannot be moved beyond it, and a key beyond it
// cannot be touched at all.
func TestCeilingOfOldKeys(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for _, b := range boundaries(h) {
		d := h.bounded(b)
		for _, within := range b.within {
			for _, beyond := range b.beyond {
				k := h.issue(t, within).Key
				_, err := d.Update(t.Context(), k.ID, 0, beyond)
				exceeds(t, err, b.field)
				require.Equal(t, k, h.key(t, k.ID))
				_, err = d.Update(t.Context(), k.ID, 0, func(s *apikey.Spec) { s.Name = "renamed" })
				require.NoError(t, err)
			}
		}
		for _, beyond := range b.beyond {
			issued := h.issue(t, beyond)
			for name, err := range changing(t, d, issued.Key.ID) {
				exceeds(t, err, b.field)
				require.NotEmpty(t, name)
			}
			for _, within := range b.within {
				_, err := d.Update(t.Context(), issued.Key.ID, 0, within)
				exceeds(t, err, b.field)
			}
			require.Equal(t, issued.Key, h.key(t, issued.Key.ID))
			h.opens(t, issued.Secret, issued.Key.ID)
		}
	}
}

// changing calls what changes a key without widening it.
func changing(t testing.TB, m management, id string) map[string]error {
	t.Helper()
	errs := everything(t, t.Context(), m, id)
	for _, name := range []string{"Create", "Import", "Get", "List", "All", "Events", "Usage", "LastUsed", "Unused"} {
		delete(errs, name)
	}
	return errs
}

// Whoever may revoke any key may disable and revoke it, and nothing else.
func TestRevokeAny(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for _, b := range boundaries(h) {
		d := h.bounded(b, func(a *apikey.Actor) { a.RevokeAny = true })
		for _, beyond := range b.beyond {
			issued := h.issue(t, beyond)
			id := issued.Key.ID
			for name, edit := range map[string]func(*apikey.Spec){
				"a new name":            func(s *apikey.Spec) { s.Name = "x" },
				"less":                  func(s *apikey.Spec) { s.Permissions = set() },
				"a new name, disabled":  func(s *apikey.Spec) { s.Name, s.Disabled = "x", true },
				"less, disabled":        func(s *apikey.Spec) { s.Permissions, s.Disabled = set(), s.Permissions.Len() > 0 },
				"another end, disabled": func(s *apikey.Spec) { s.ExpiresAt, s.Disabled = h.in(time.Second), true },
			} {
				k, err := d.Update(t.Context(), id, 0, edit)
				if err == nil {
					require.Equal(t, issued.Key, k, "%s changes nothing", name)
					continue
				}
				exceeds(t, err, b.field)
			}
			_, err := d.Rotate(t.Context(), id, 0, 0)
			exceeds(t, err, b.field)
			require.Equal(t, issued.Key, h.key(t, id))

			k, err := d.Disable(t.Context(), id)
			require.NoError(t, err)
			require.False(t, k.Enabled)
			_, err = d.Enable(t.Context(), id)
			exceeds(t, err, b.field)
			_, err = d.Update(t.Context(), id, 0, func(s *apikey.Spec) { s.Name = "x" }) // it stays disabled
			exceeds(t, err, b.field)
			h.denies(t, issued.Secret, apikey.ErrDisabled)
			require.NoError(t, d.Revoke(t.Context(), id, apikey.RevokeOptions{Reason: "leak"}))
			require.NoError(t, d.Revoke(t.Context(), id, apikey.RevokeOptions{}))
			h.denies(t, issued.Secret, apikey.ErrRevoked)
		}
		for _, beyond := range b.beyond {
			_, err := d.Create(t.Context(), spec(beyond))
			exceeds(t, err, b.field)
		}
	}
}

func TestRevokeAnyTakesDescendants(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	root := h.issue(t, func(s *apikey.Spec) { s.Permissions = set("*") })
	child := h.child(t, root.Key.ID)
	d := h.As(apikey.Actor{ID: "user:1", RevokeAny: true})
	require.NoError(t, d.Revoke(t.Context(), root.Key.ID, descendants))
	h.denies(t, root.Secret, apikey.ErrRevoked)
	h.denies(t, child.Secret, apikey.ErrRevoked)
}

func TestEveryExcessIsNamed(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	d := h.As(actor(func(a *apikey.Actor) {
		a.Ceiling = apikey.Ceiling{
			Permissions: set("orders.*"), Types: []string{"reseller"}, ExpiresAt: h.in(time.Hour), AllowedIPs: list("192.0.2.0/24"),
		}
	}))
	_, err := d.Create(t.Context(), spec(func(s *apikey.Spec) { s.Permissions = set("orders.view", "users.view", "users.*") }))
	exceeds(t, err, "permissions", "type", "expires_at", "allowed_ips")
	require.EqualError(t, err, "apikey: exceeds the ceiling: permissions users.*, users.view; type admin; expires_at never; allowed_ips any")
	k := h.issue(t, func(s *apikey.Spec) { s.ExpiresAt, s.AllowedIPs = h.in(2*time.Hour), list("192.0.2.0/23") }).Key
	err = d.Revoke(t.Context(), k.ID, apikey.RevokeOptions{})
	var e *apikey.ExceedsError
	require.ErrorAs(t, err, &e)
	require.Equal(t, k.ID, e.KeyID)
	require.Equal(t, []apikey.Excess{
		{Field: "permissions", Values: []string{"users.view"}},
		{Field: "type", Values: []string{"admin"}},
		{Field: "expires_at", Values: []string{"2026-01-01T02:00:00Z"}},
		{Field: "allowed_ips", Values: []string{"192.0.3.0/24"}},
	}, e.Exceeded)

	// What is asked for too much is not the key's.
	within := h.issue(t, func(s *apikey.Spec) {
		s.Permissions, s.Type, s.ExpiresAt, s.AllowedIPs = set("orders.view"), "reseller", h.in(time.Minute), list("192.0.2.7")
	}).Key
	_, err = d.Update(t.Context(), within.ID, 0, func(s *apikey.Spec) { s.Permissions = set("*") })
	require.ErrorAs(t, err, &e)
	require.Empty(t, e.KeyID)
	wanted := within.Spec()
	wanted.Permissions = set("*")
	require.ErrorAs(t, d.Validate(wanted, &within), &e)
	require.Empty(t, e.KeyID)
	require.ErrorAs(t, d.Validate(k.Spec(), &k), &e)
	require.Equal(t, k.ID, e.KeyID)
}

// A key that manages keys cannot widen itself.
func TestKeyCannotWidenItself(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	issued := h.issue(t, func(s *apikey.Spec) {
		s.Permissions, s.AllowedIPs, s.ExpiresAt = set("api_keys.*", "users.view"), list("192.0.2.0/24"), h.in(time.Hour)
	})
	d := h.acts(t, issued.Key.ID)
	for field, edit := range map[string]func(*apikey.Spec){
		"permissions": func(s *apikey.Spec) { s.Permissions = set("api_keys.*", "users.*") },
		"type":        func(s *apikey.Spec) { s.Type = "reseller" },
		"expires_at":  func(s *apikey.Spec) { s.ExpiresAt = time.Time{} },
		"allowed_ips": func(s *apikey.Spec) { s.AllowedIPs = nil },
	} {
		_, err := d.Update(t.Context(), issued.Key.ID, 0, edit)
		exceeds(t, err, field)
	}
	require.Equal(t, issued.Key, h.key(t, issued.Key.ID))

	// Narrower is fine, and there is no way back.
	k, err := d.Update(t.Context(), issued.Key.ID, 0, func(s *apikey.Spec) {
		s.Permissions, s.AllowedIPs, s.ExpiresAt = set("api_keys.*"), list("192.0.2.1"), h.in(time.Minute)
	})
	require.NoError(t, err)
	d = h.acts(t, issued.Key.ID)
	_, err = d.Update(t.Context(), k.ID, 0, func(s *apikey.Spec) { s.ExpiresAt = h.in(time.Hour) })
	exceeds(t, err, "expires_at")
	rotated, err := d.Rotate(t.Context(), k.ID, 0, time.Hour)
	require.NoError(t, err)
	h.clock.Advance(time.Minute)
	h.denies(t, rotated.Secret, apikey.ErrExpired)
}

// Whoever makes an Actor of a key by hand may give it less than the key has.
func TestHandMadeActorOfAKey(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	me := h.issue(t, func(s *apikey.Spec) { s.Permissions = set("*") }).Key.ID
	other := h.issue(t, func(s *apikey.Spec) { s.Permissions = set("orders.view") }).Key.ID
	d := h.As(actor(func(a *apikey.Actor) { a.ID, a.Ceiling.Permissions = apikey.KeyActorID(me), set("users.view") }))
	_, err := d.Rotate(t.Context(), other, 0, 0)
	exceeds(t, err, "permissions")
	_, err = d.Update(t.Context(), h.issue(t).Key.ID, 0, func(s *apikey.Spec) { s.Permissions = set("orders.view") })
	exceeds(t, err, "permissions")
	require.Equal(t, int64(1), h.key(t, other).Version)
}

// What cannot be told of the acting key is no reason to let it act.
func TestActorsThatCannotBeReadAnew(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	me, other := h.issue(t).Key.ID, h.issue(t).Key.ID
	down := errors.New("down")
	m, err := apikey.New(unreadable{h.store, me, down}, apikey.Config{Prefix: "paym"})
	require.NoError(t, err)
	d := m.As(actor(func(a *apikey.Actor) { a.ID = apikey.KeyActorID(me) }))
	_, err = d.Update(t.Context(), other, 0, func(s *apikey.Spec) { s.Name = "x" })
	require.ErrorIs(t, err, down)
	_, err = d.Rotate(t.Context(), other, 0, 0)
	require.ErrorIs(t, err, down)
	require.ErrorIs(t, d.Revoke(t.Context(), other, apikey.RevokeOptions{}), down)
	issued, err := d.Create(t.Context(), spec())
	require.ErrorIs(t, err, down)
	require.Empty(t, issued.Secret.Reveal())
	require.Equal(t, int64(1), h.key(t, other).Version)
}

// unreadable cannot read one record.
type unreadable struct {
	apikey.Store

	id  string
	err error
}

func (s unreadable) Get(ctx ctx, id string) (apikey.Record, error) {
	if id == s.id {
		return apikey.Record{}, s.err
	}
	return s.Store.Get(ctx, id)
}

// A Delegate may be held for long: it is the key at the moment that counts.
func TestActorsAreReadAnewForEveryChange(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	create := func(grants ...string) string {
		s := spec()
		s.Permissions = scope.MustParseSet(grants...)
		issued, err := h.Create(t.Context(), s)
		require.NoError(t, err)
		return issued.Key.ID
	}
	me, other := create("users.view"), create("users.view")
	actor, err := h.ActorOf(t.Context(), me)
	require.NoError(t, err)
	held := h.As(actor)

	_, err = h.Update(t.Context(), me, 0, func(s *apikey.Spec) { s.Permissions = scope.Set{} })
	require.NoError(t, err)
	var exceeds *apikey.ExceedsError
	_, err = held.Rotate(t.Context(), other, 0, 0)
	require.ErrorAs(t, err, &exceeds)
	_, err = held.Update(t.Context(), me, 0, func(s *apikey.Spec) { s.Permissions = scope.MustParseSet("users.view") })
	require.ErrorAs(t, err, &exceeds)

	_, err = h.Disable(t.Context(), me)
	require.NoError(t, err)
	_, err = held.Enable(t.Context(), me)
	require.ErrorIs(t, err, apikey.ErrNoActor)

	require.NoError(t, h.Revoke(t.Context(), me, apikey.RevokeOptions{}))
	require.ErrorIs(t, held.Revoke(t.Context(), other, apikey.RevokeOptions{}), apikey.ErrNoActor)
	k, err := h.Get(t.Context(), other)
	require.NoError(t, err)
	require.Equal(t, int64(1), k.Version)
}
