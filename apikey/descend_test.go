package apikey_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
)

// acts returns the management of keys by a key.
func (h *house) acts(t testing.TB, id string) apikey.Delegate {
	t.Helper()
	a, err := h.ActorOf(t.Context(), id)
	require.NoError(t, err)
	return h.As(a)
}

// child creates a key as another key.
func (h *house) child(t testing.TB, parent string, edits ...func(*apikey.Spec)) apikey.Issued {
	t.Helper()
	issued, err := h.acts(t, parent).Create(t.Context(), spec(edits...))
	require.NoError(t, err)
	require.Equal(t, apikey.KeyActorID(parent), issued.Key.CreatedBy)
	return issued
}

func TestRevokeDescendants(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	root, stranger := h.issue(t), h.issue(t)
	child, sibling := h.child(t, root.Key.ID), h.child(t, root.Key.ID)
	grandchild := h.child(t, child.Key.ID)
	great := h.child(t, grandchild.Key.ID)
	cousin := h.child(t, stranger.Key.ID)
	_, err := h.Disable(t.Context(), sibling.Key.ID)
	require.NoError(t, err)
	// One in the middle is revoked already, its own children are not.
	require.NoError(t, h.Revoke(t.Context(), child.Key.ID, apikey.RevokeOptions{Reason: "before"}))
	h.opens(t, grandchild.Secret, grandchild.Key.ID)

	require.NoError(t, h.Revoke(t.Context(), root.Key.ID, apikey.RevokeOptions{Reason: "leak", Descendants: true, Version: 1}))
	for _, dead := range []apikey.Issued{root, child, sibling, grandchild, great} {
		h.denies(t, dead.Secret, apikey.ErrRevoked)
		reason := "leak"
		if dead.Key.ID == child.Key.ID {
			reason = "before"
		}
		require.Equal(t, reason, h.key(t, dead.Key.ID).RevokedReason)
	}
	h.opens(t, stranger.Secret, stranger.Key.ID)
	h.opens(t, cousin.Secret, cousin.Key.ID)
}

func TestRevokeWithoutDescendants(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	root := h.issue(t)
	child := h.child(t, root.Key.ID)
	require.NoError(t, h.Revoke(t.Context(), root.Key.ID, apikey.RevokeOptions{}))
	h.opens(t, child.Secret, child.Key.ID)
	// Later, of a key that is revoked already.
	require.NoError(t, h.Revoke(t.Context(), root.Key.ID, descendants))
	h.denies(t, child.Secret, apikey.ErrRevoked)
}

// More children than there are on a page, and a circle, which only a broken
// database can have.
func TestRevokeManyDescendants(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	root := h.issue(t)
	acts := h.acts(t, root.Key.ID)
	var oldest, newest apikey.Issued
	for i := range 1050 {
		issued, err := acts.Create(t.Context(), spec())
		require.NoError(t, err)
		if newest = issued; i == 0 {
			oldest = issued
		}
	}
	grandchildren := []apikey.Issued{h.child(t, oldest.Key.ID), h.child(t, newest.Key.ID)}
	h.plant(t, root.Key.ID, func(r *apikey.Record) { r.Key.CreatedBy = apikey.KeyActorID(oldest.Key.ID) })
	require.NoError(t, h.Revoke(t.Context(), root.Key.ID, descendants))
	left, err := h.List(t.Context(), apikey.Query{State: apikey.StateActive})
	require.NoError(t, err)
	require.Empty(t, left.Keys)
	for _, issued := range append(grandchildren, oldest, newest, root) {
		h.denies(t, issued.Secret, apikey.ErrRevoked)
	}
}

// A key that revokes itself with all that it created is dead before the first of
// them is, and takes them along all the same.
func TestRevokeItselfWithDescendants(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	root, stranger := h.issue(t), h.issue(t)
	child := h.child(t, root.Key.ID)
	grandchild := h.child(t, child.Key.ID)
	before := h.child(t, root.Key.ID)
	require.NoError(t, h.Revoke(t.Context(), before.Key.ID, apikey.RevokeOptions{Reason: "before"}))
	// Revoked, and beyond the ceiling: in nobody's way.
	h.plant(t, before.Key.ID, func(r *apikey.Record) { r.Key.Permissions = set("*") })

	require.NoError(t, h.acts(t, root.Key.ID).Revoke(t.Context(), root.Key.ID, descendants))
	for _, dead := range []apikey.Issued{root, child, grandchild} {
		h.denies(t, dead.Secret, apikey.ErrRevoked)
	}
	require.Equal(t, "before", h.key(t, before.Key.ID).RevokedReason)
	h.opens(t, stranger.Secret, stranger.Key.ID)
}

// No Manager makes a circle of creators, but a database can hold one.
func TestRevokeDescendantsInACircle(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	root := h.issue(t)
	child := h.child(t, root.Key.ID)
	grandchild := h.child(t, child.Key.ID)
	h.plant(t, root.Key.ID, func(r *apikey.Record) { r.Key.CreatedBy = apikey.KeyActorID(grandchild.Key.ID) })
	h.plant(t, child.Key.ID, func(r *apikey.Record) { r.Key.CreatedBy = apikey.KeyActorID(child.Key.ID) })
	require.NoError(t, h.Revoke(t.Context(), child.Key.ID, descendants))
	for _, dead := range []apikey.Issued{root, child, grandchild} {
		h.denies(t, dead.Secret, apikey.ErrRevoked)
	}
}

// If one of them is out of reach, nothing at all is revoked.
func TestRevokeDescendantOutOfReach(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	root := h.issue(t, func(s *apikey.Spec) { s.Permissions = set("*") })
	child := h.child(t, root.Key.ID)
	deep := h.child(t, child.Key.ID)
	small := h.As(actor(func(a *apikey.Actor) { a.Ceiling.Permissions = set("users.*") }))
	h.plant(t, root.Key.ID, func(r *apikey.Record) { r.Key.Permissions = set("users.view") })
	h.plant(t, deep.Key.ID, func(r *apikey.Record) { r.Key.Permissions = set("orders.view") })

	err := small.Revoke(t.Context(), root.Key.ID, descendants)
	exceeds(t, err, "permissions")
	var e *apikey.ExceedsError
	require.ErrorAs(t, err, &e)
	require.Equal(t, deep.Key.ID, e.KeyID)
	for _, live := range []apikey.Issued{root, child, deep} {
		h.opens(t, live.Secret, live.Key.ID)
	}
	// A dead one is in nobody's way.
	require.NoError(t, h.Revoke(t.Context(), deep.Key.ID, apikey.RevokeOptions{}))
	require.NoError(t, small.Revoke(t.Context(), root.Key.ID, descendants))
	h.denies(t, child.Secret, apikey.ErrRevoked)
}

func TestRevokeDescendantsInTrouble(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	root := h.issue(t)
	child := h.child(t, root.Key.ID)
	boom := errors.New("boom")
	h.spy.Fail(boom, "List")
	require.ErrorIs(t, h.Revoke(t.Context(), root.Key.ID, descendants), boom)
	h.opens(t, root.Secret, root.Key.ID)
	h.spy.Fail(nil)
	h.spy.Fail(boom, "Update")
	require.ErrorIs(t, h.Revoke(t.Context(), root.Key.ID, descendants), boom)
	h.opens(t, child.Secret, child.Key.ID)
	h.spy.Fail(nil)
	require.NoError(t, h.Revoke(t.Context(), root.Key.ID, descendants))
	h.denies(t, child.Secret, apikey.ErrRevoked)
}

// A key creates others, and those create others, while it is revoked with all
// of them: none stays, and whoever was told a secret has one that was live then.
func TestRevokeRacingCreation(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	root := h.issue(t)
	const workers, each = 20, 50
	var all sync.WaitGroup
	var mu sync.Mutex
	created := []apikey.Issued{root}
	start := make(chan struct{}, workers*each)
	for w := range workers {
		all.Go(func() {
			for i := range each {
				mu.Lock()
				parent := created[(w*each+i)%len(created)]
				mu.Unlock()
				start <- struct{}{}
				a, err := h.ActorOf(context.WithoutCancel(t.Context()), parent.Key.ID)
				if err != nil {
					continue
				}
				issued, err := h.As(a).Create(context.WithoutCancel(t.Context()), spec())
				if err != nil {
					continue
				}
				mu.Lock()
				created = append(created, issued)
				mu.Unlock()
			}
		})
	}
	for range workers * each / 4 {
		<-start
	}
	require.NoError(t, h.Revoke(t.Context(), root.Key.ID, descendants))
	all.Wait()
	left, err := h.List(t.Context(), apikey.Query{State: apikey.StateActive})
	require.NoError(t, err)
	require.Empty(t, left.Keys)
	for _, issued := range created {
		h.denies(t, issued.Secret, apikey.ErrRevoked)
	}
}

// A creator that was disabled, narrowed or revoked between its request and the
// answer gets no key.
func TestCreatorThatLosesItsRightMeanwhile(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lose func(*apikey.Record)
		err  error
	}{
		"revoked":  {func(r *apikey.Record) { r.Key.RevokedAt = time.Unix(1, 0).UTC() }, apikey.ErrRevoked},
		"disabled": {func(r *apikey.Record) { r.Key.Enabled = false }, apikey.ErrDisabled},
		"expired":  {func(r *apikey.Record) { r.Key.ExpiresAt = time.Unix(1, 0).UTC() }, apikey.ErrExpired},
		"narrowed": {func(r *apikey.Record) { r.Key.Permissions = set("orders.view") }, nil},
		"bound":    {func(r *apikey.Record) { r.Key.AllowedIPs = list("192.0.2.1") }, nil},
	} {
		h := newHouse(t)
		parent := h.issue(t)
		d := h.acts(t, parent.Key.ID)
		h.plant(t, parent.Key.ID, c.lose)
		issued, err := d.Create(t.Context(), spec())
		require.Error(t, err, name)
		if c.err != nil {
			require.ErrorIs(t, err, c.err)
		} else {
			var e *apikey.ExceedsError
			require.ErrorAs(t, err, &e, name)
		}
		require.Empty(t, issued.Secret.Reveal())
		_, sum := foreign(name)
		_, err = d.Import(t.Context(), spec(), sum)
		require.Error(t, err)
		keys, err := h.List(t.Context(), apikey.Query{CreatedBy: apikey.KeyActorID(parent.Key.ID)})
		require.NoError(t, err)
		require.NotEmpty(t, keys.Keys, "what was created stays on record")
		for _, k := range keys.Keys {
			require.Equal(t, apikey.StateRevoked, k.State(h.in(0)), name)
			require.NotEmpty(t, k.RevokedReason)
		}
	}
}

// If the new key cannot even be revoked, somebody has to hear of it.
func TestCreatorThatLosesItsRightWhileTheStoreGoesDown(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h := newHouse(t, func(c *apikey.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	parent := h.issue(t)
	d := h.acts(t, parent.Key.ID)
	require.NoError(t, h.Revoke(t.Context(), parent.Key.ID, apikey.RevokeOptions{}))
	_, err := d.Create(t.Context(), spec())
	require.ErrorIs(t, err, apikey.ErrRevoked)
	require.Empty(t, log.String())
	h.spy.Fail(errors.New("down"), "Update")
	issued, err := d.Create(t.Context(), spec())
	require.ErrorIs(t, err, apikey.ErrRevoked)
	require.Empty(t, issued.Secret.Reveal(), "nobody has the secret")
	require.Contains(t, log.String(), "without a rightful creator")
	require.Contains(t, log.String(), "down")
}
