package apikey_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
)

func TestRotate(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	first := h.issue(t, func(s *apikey.Spec) { s.Owner, s.AllowedIPs = "account 7", list("192.0.2.1") })
	h.clock.Advance(time.Minute)
	second, err := h.Rotate(t.Context(), first.Key.ID, 1, time.Hour)
	require.NoError(t, err)
	require.Equal(t, h.key(t, first.Key.ID), second.Key)
	want := first.Key
	want.Hint, want.Version, want.UpdatedAt = second.Secret.Reveal()[:9], 2, h.clock.Now()
	require.Equal(t, want, second.Key, "the key is the same")

	h.opens(t, first.Secret, first.Key.ID)
	h.opens(t, second.Secret, first.Key.ID)
	h.clock.Advance(time.Hour - time.Microsecond)
	h.opens(t, first.Secret, first.Key.ID)
	h.clock.Advance(time.Microsecond)
	h.denies(t, first.Secret, apikey.ErrInvalid)
	h.opens(t, second.Secret, first.Key.ID)
}

func TestRotateWithoutOverlap(t *testing.T) {
	t.Parallel()
	for _, overlap := range []time.Duration{0, 1, time.Microsecond - 1} {
		h := newHouse(t)
		first := h.issue(t)
		second, err := h.Rotate(t.Context(), first.Key.ID, 0, overlap)
		require.NoError(t, err)
		h.denies(t, first.Secret, apikey.ErrInvalid)
		h.opens(t, second.Secret, first.Key.ID)
	}
}

func TestOverlapBounds(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	first := h.issue(t)
	for _, bad := range []time.Duration{-1, -time.Hour, 7*24*time.Hour + 1, 1 << 62} {
		issued, err := h.Rotate(t.Context(), first.Key.ID, 0, bad)
		faults(t, err, "overlap")
		require.Empty(t, issued.Secret.Reveal())
	}
	h.opens(t, first.Secret, first.Key.ID)
	_, err := h.Rotate(t.Context(), first.Key.ID, 0, 7*24*time.Hour)
	require.NoError(t, err)
	h.clock.Advance(7*24*time.Hour - time.Microsecond)
	h.opens(t, first.Secret, first.Key.ID)
	h.clock.Advance(time.Microsecond)
	h.denies(t, first.Secret, apikey.ErrInvalid)
}

func TestRotateNeverExtends(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	first := h.issue(t, func(s *apikey.Spec) { s.ExpiresAt = h.in(time.Minute) })
	second, err := h.Rotate(t.Context(), first.Key.ID, 0, 24*time.Hour)
	require.NoError(t, err)
	require.Equal(t, first.Key.ExpiresAt, second.Key.ExpiresAt)
	h.clock.Advance(time.Minute)
	h.denies(t, first.Secret, apikey.ErrExpired)
	h.denies(t, second.Secret, apikey.ErrExpired)

	_, err = h.Rotate(t.Context(), first.Key.ID, 0, time.Hour)
	require.ErrorIs(t, err, apikey.ErrExpired)
	require.Equal(t, second.Key, h.key(t, first.Key.ID))
}

func TestRotateOfTheDead(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	first := h.issue(t)
	_, err := h.Rotate(t.Context(), "nobody", 0, 0)
	require.ErrorIs(t, err, apikey.ErrNotFound)

	_, err = h.Disable(t.Context(), first.Key.ID)
	require.NoError(t, err)
	second, err := h.Rotate(t.Context(), first.Key.ID, 0, time.Hour)
	require.NoError(t, err)
	h.denies(t, second.Secret, apikey.ErrDisabled)

	require.NoError(t, h.Revoke(t.Context(), first.Key.ID, apikey.RevokeOptions{}))
	issued, err := h.Rotate(t.Context(), first.Key.ID, 0, time.Hour)
	require.ErrorIs(t, err, apikey.ErrRevoked)
	require.Empty(t, issued.Secret.Reveal())
	for _, secret := range []apikey.Secret{first.Secret, second.Secret} {
		h.denies(t, secret, apikey.ErrRevoked)
	}
}

// However often a key is rotated, it has two secrets at most, and an old
// deadline is not moved.
func TestRotateInsideTheOverlap(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	first := h.issue(t)
	secrets := []apikey.Secret{first.Secret}
	for range 5 {
		next, err := h.Rotate(t.Context(), first.Key.ID, 0, time.Hour)
		require.NoError(t, err)
		secrets = append(secrets, next.Secret)
		h.clock.Advance(time.Minute)
		for i, secret := range secrets {
			if i < len(secrets)-2 {
				h.denies(t, secret, apikey.ErrInvalid)
			} else {
				h.opens(t, secret, first.Key.ID)
			}
		}
		require.Len(t, h.record(t, first.Key.ID).Secrets, 2)
	}
	_, err := h.Rotate(t.Context(), first.Key.ID, 0, 0)
	require.NoError(t, err)
	for _, secret := range secrets {
		h.denies(t, secret, apikey.ErrInvalid)
	}
	require.Len(t, h.record(t, first.Key.ID).Secrets, 1)
}

func TestRotateVersions(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	first := h.issue(t)
	for _, version := range []int64{-1, 2, 1 << 40} {
		_, err := h.Rotate(t.Context(), first.Key.ID, version, 0)
		require.ErrorIs(t, err, apikey.ErrConflict)
	}
	_, err := h.Rotate(t.Context(), first.Key.ID, 1, 0)
	require.NoError(t, err)
	_, err = h.Rotate(t.Context(), first.Key.ID, 1, 0)
	require.ErrorIs(t, err, apikey.ErrConflict)
	_, err = h.Rotate(t.Context(), first.Key.ID, 0, 0)
	require.NoError(t, err)
	require.Equal(t, int64(3), h.key(t, first.Key.ID).Version)
}

func TestRotationsOfOneVersion(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	first := h.issue(t)
	winners, conflicts := race(t, 100, apikey.ErrConflict, func() (apikey.Issued, error) {
		return h.Rotate(t.Context(), first.Key.ID, 1, time.Hour)
	})
	require.Len(t, winners, 1)
	require.Equal(t, 99, conflicts)
	h.opens(t, winners[0].Secret, first.Key.ID)
	h.opens(t, first.Secret, first.Key.ID)
	require.Equal(t, int64(2), h.key(t, first.Key.ID).Version)
	require.Equal(t, []apikey.EventKind{apikey.Created, apikey.Rotated}, h.heard.kinds())
}

// Version 0 means the newest: everybody's turn comes, and only the last two
// secrets work.
func TestRotationsOfTheNewestVersion(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	first := h.issue(t)
	winners, _ := race(t, 20, nil, func() (apikey.Issued, error) {
		return h.Rotate(t.Context(), first.Key.ID, 0, time.Hour)
	})
	require.Len(t, winners, 20)
	require.Equal(t, int64(21), h.key(t, first.Key.ID).Version)
	for _, w := range winners {
		if w.Key.Version >= 20 {
			h.opens(t, w.Secret, first.Key.ID)
		} else {
			h.denies(t, w.Secret, apikey.ErrInvalid)
		}
	}
}

// A rotation that is stored is not made a second time because the store said
// something else, and its secret is not lost: the one before it overlaps, or is
// dead.
func TestRotateIsStoredAndThenDenied(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(h *house, id string) error{
		"conflict": func(*house, string) error { return apikey.ErrConflict },
		"error":    func(*house, string) error { return errors.New("connection reset") },
		"conflict, and others change the key besides": func(h *house, id string) error {
			h.plant(t, id, func(r *apikey.Record) { r.Key.Name = "changed" })
			return apikey.ErrConflict
		},
	} {
		for _, version := range []int64{0, 1} {
			for _, overlap := range []time.Duration{0, time.Hour} {
				h, f := forget(t, nil)
				first := h.issue(t)
				h.opens(t, first.Secret, first.Key.ID)
				f.times, f.answer = 1, func() error { return answer(h, first.Key.ID) }
				second, err := h.Rotate(t.Context(), first.Key.ID, version, overlap)
				require.NoError(t, err, name)
				require.Equal(t, h.key(t, first.Key.ID), second.Key, name)
				require.Equal(t, 1, h.spy.Calls("Update"), name)
				require.Equal(t, []apikey.EventKind{apikey.Created, apikey.Rotated}, h.heard.kinds(), name)
				h.opens(t, second.Secret, first.Key.ID)
				if overlap == 0 {
					h.denies(t, first.Secret, apikey.ErrInvalid)
				} else {
					h.opens(t, first.Secret, first.Key.ID)
				}
			}
		}
	}
}

// What is not stored is not said to be.
func TestRotateIsNotStored(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	first := h.issue(t)
	for _, failing := range [][]string{{"Update"}, {"Update", "Get"}} {
		h.spy.Fail(errors.New("connection reset"), failing...)
		issued, err := h.Rotate(t.Context(), first.Key.ID, 0, 0)
		require.ErrorContains(t, err, "connection reset")
		require.Empty(t, issued.Secret.Reveal())
	}
	h.spy.Fail(nil)
	h.opens(t, first.Secret, first.Key.ID)
	require.Equal(t, []apikey.EventKind{apikey.Created}, h.heard.kinds())
}

// Whether the actor lost the right meanwhile cannot be told. The old secret is
// dead, so the new one must not be lost.
func TestRotateWhileTheStoreGoesDown(t *testing.T) {
	t.Parallel()
	var h *house
	h = newHouse(t, func(c *apikey.Config) {
		c.OnEvent = func(e apikey.Event) {
			if e.Kind == apikey.Rotated {
				h.spy.Fail(errors.New("down"), "Get")
			}
		}
	})
	parent := h.issue(t, func(s *apikey.Spec) { s.Permissions = set("*") })
	child := h.child(t, parent.Key.ID)
	d := h.acts(t, parent.Key.ID)
	issued, err := d.Rotate(t.Context(), child.Key.ID, 0, 0)
	require.NoError(t, err)
	h.denies(t, child.Secret, apikey.ErrInvalid)
	h.opens(t, issued.Secret, child.Key.ID)
}

// Who loses the right between the change and its answer does not learn the new
// secret.
func TestRotateWhileTheRightIsLost(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lose func(*apikey.Record)
		want func(error) bool
	}{
		"revoked":  {func(r *apikey.Record) { r.Key.RevokedAt = r.Key.CreatedAt }, isNoActor},
		"disabled": {func(r *apikey.Record) { r.Key.Enabled = false }, isNoActor},
		"expired":  {func(r *apikey.Record) { r.Key.ExpiresAt = r.Key.CreatedAt }, isNoActor},
		"cut down": {func(r *apikey.Record) { r.Key.Permissions = set("orders.*") }, func(err error) bool { return errors.As(err, new(*apikey.ExceedsError)) }},
	} {
		var h *house
		var parent apikey.Issued
		h = newHouse(t, func(cfg *apikey.Config) {
			cfg.OnEvent = func(e apikey.Event) {
				if e.Kind == apikey.Rotated {
					h.plant(t, parent.Key.ID, c.lose)
				}
			}
		})
		parent = h.issue(t, func(s *apikey.Spec) { s.Permissions = set("*") })
		child := h.child(t, parent.Key.ID)
		issued, err := h.acts(t, parent.Key.ID).Rotate(t.Context(), child.Key.ID, 0, 0)
		require.Error(t, err, name)
		require.True(t, c.want(err), "%s: %v", name, err)
		require.Equal(t, apikey.Issued{}.Key, issued.Key, name)
		require.Empty(t, issued.Secret.Reveal(), name)
	}
}

func isNoActor(err error) bool { return errors.Is(err, apikey.ErrNoActor) }

// race calls n times at once, and returns what succeeded and how many failed
// with this error. No other error may come.
func race[T any](t *testing.T, n int, late error, call func() (T, error)) (won []T, lost int) {
	t.Helper()
	var mu sync.Mutex
	var all sync.WaitGroup
	var others []error
	ready := make(chan struct{})
	for range n {
		all.Go(func() {
			<-ready
			got, err := call()
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				won = append(won, got)
			case late != nil && errors.Is(err, late):
				lost++
			default:
				others = append(others, err)
			}
		})
	}
	close(ready)
	all.Wait()
	require.Empty(t, others)
	return won, lost
}
