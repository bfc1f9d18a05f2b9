package apikey_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/scope"
)

// used writes a use to the Activity, as another node would.
func (h *house) used(t testing.TB, k apikey.Key, at time.Time, addr string) {
	t.Helper()
	u := apikey.Use{
		KeyID: k.ID, LastAt: at, Day: apikey.Day{Date: at.Truncate(24 * time.Hour), Counts: apikey.Counts{Allowed: 1}},
	}
	if addr != "" {
		u.LastAddr = netip.MustParseAddr(addr)
	}
	require.NoError(t, h.store.Record(t.Context(), []apikey.Use{u}))
}

func TestUsageOfTheLastDays(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	k := h.issue(t).Key
	now := h.clock.Now().Add(500*24*time.Hour + 12*time.Hour)
	h.clock.Advance(500*24*time.Hour + 12*time.Hour)
	today := now.Truncate(24 * time.Hour)
	for n := range 500 {
		h.used(t, k, now.AddDate(0, 0, -n), "")
	}
	for days, want := range map[int]int{0: 30, -1: 30, 1: 1, 2: 2, 90: 90, 400: 400, 401: 400, 1 << 40: 400} {
		got, err := h.Usage(t.Context(), k.ID, days)
		require.NoError(t, err)
		require.Len(t, got, want, "%d days", days)
		require.Equal(t, today, got[want-1].Date)
		require.Equal(t, today.AddDate(0, 0, 1-want), got[0].Date)
	}
	_, err := h.Usage(t.Context(), "nobody", 1)
	require.ErrorIs(t, err, apikey.ErrNotFound)
}

func TestLastUsed(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	recorded, counted, unused := h.issue(t), h.issue(t), h.issue(t)
	at := h.clock.Now().Add(time.Minute)
	h.used(t, recorded.Key, at, "192.0.2.1")
	h.used(t, counted.Key, h.clock.Now(), "192.0.2.2")
	h.clock.Advance(time.Hour)
	addr := netip.MustParseAddr("2001:db8::1")
	h.RecordUse(h.opens(t, counted.Secret, counted.Key.ID), addr, apikey.Allowed)
	h.RecordUse(h.opens(t, unused.Secret, unused.Key.ID), addr, apikey.DeniedPermission)

	last, err := h.LastUsed(t.Context(), recorded.Key, counted.Key, unused.Key)
	require.NoError(t, err)
	require.Equal(t, map[string]apikey.LastUse{
		recorded.Key.ID: {KeyID: recorded.Key.ID, At: at, Addr: netip.MustParseAddr("192.0.2.1")},
		counted.Key.ID:  {KeyID: counted.Key.ID, At: h.clock.Now(), Addr: addr}, // here, and not yet there
	}, last)
	h.used(t, counted.Key, h.clock.Now().Add(time.Second), "192.0.2.3")
	last, err = h.LastUsed(t.Context(), counted.Key)
	require.NoError(t, err)
	require.Equal(t, "192.0.2.3", last[counted.Key.ID].Addr.String(), "another node saw it later")
	last, err = h.LastUsed(t.Context())
	require.NoError(t, err)
	require.Empty(t, last)
	require.NoError(t, h.Close(t.Context()))
}

// An actor learns nothing about keys of other owners.
func TestUsageOfOtherOwners(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	owned := func(owner string) apikey.Key {
		k := h.issue(t, func(s *apikey.Spec) { s.Owner = owner }).Key
		h.used(t, k, h.clock.Now(), "192.0.2.1")
		return k
	}
	ours, theirs, nobodys := owned("us"), owned("them"), owned("")
	us := h.As(actor(func(a *apikey.Actor) { a.Ceiling.Owner = "us" }))
	last, err := us.LastUsed(t.Context(), ours, theirs, nobodys, apikey.Key{ID: theirs.ID})
	require.NoError(t, err)
	require.Len(t, last, 1)
	require.Contains(t, last, ours.ID)
	for _, k := range []apikey.Key{theirs, nobodys} {
		_, err = us.Usage(t.Context(), k.ID, 1)
		require.ErrorIs(t, err, apikey.ErrNotFound)
	}
	days, err := us.Usage(t.Context(), ours.ID, 1)
	require.NoError(t, err)
	require.Len(t, days, 1)
	h.clock.Advance(time.Hour)
	keys, err := us.Unused(t.Context(), h.clock.Now(), apikey.Query{})
	require.NoError(t, err)
	require.Len(t, keys, 1)
	require.Equal(t, ours.ID, keys[0].ID)
}

func TestUnused(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	since := h.clock.Now().Add(24 * time.Hour)
	never, before, exactly, after := h.issue(t).Key, h.issue(t).Key, h.issue(t).Key, h.issue(t).Key
	h.used(t, before, since.Add(-time.Microsecond), "")
	h.used(t, exactly, since, "")
	h.used(t, after, since.Add(time.Hour), "")
	counted := h.issue(t) // and not recorded yet
	revoked := h.issue(t).Key
	require.NoError(t, h.Revoke(t.Context(), revoked.ID, apikey.RevokeOptions{}))
	h.clock.Advance(24 * time.Hour)
	h.issue(t) // created at that very instant
	h.RecordUse(h.opens(t, counted.Secret, counted.Key.ID), netip.Addr{}, apikey.Allowed)

	for name, c := range map[string]struct {
		query apikey.Query
		want  []apikey.Key
	}{
		"all":    {apikey.Query{}, []apikey.Key{revoked, before, never}},
		"active": {apikey.Query{State: apikey.StateActive}, []apikey.Key{before, never}},
		"two":    {apikey.Query{Limit: 2}, []apikey.Key{revoked, before}},
		"then":   {apikey.Query{Limit: 2, Before: before.ID}, []apikey.Key{never}},
		"named":  {apikey.Query{Search: never.ID}, []apikey.Key{never}},
	} {
		keys, err := h.Unused(t.Context(), since, c.query)
		require.NoError(t, err, name)
		ids := []string{}
		for _, k := range keys {
			ids = append(ids, k.ID)
		}
		want := []string{}
		for _, k := range c.want {
			want = append(want, k.ID)
		}
		require.Equal(t, want, ids, name)
	}
	require.NoError(t, h.Close(t.Context()))
}

// Pages are full however many used keys lie between the unused ones.
func TestUnusedPages(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	const keys, every = 2500, 700
	want := []string{}
	for i := range keys {
		k := apikey.Key{ID: fmt.Sprintf("%06d", i), Version: 1, CreatedAt: h.clock.Now()}
		r := apikey.Record{Key: k, Secrets: []apikey.SecretHash{{Hash: apikey.Hash{byte(i), byte(i >> 8), 1}}}}
		require.NoError(t, h.store.Create(t.Context(), r, apikey.Event{ID: strconv.Itoa(i)}))
		if i%every == 0 {
			want = append([]string{k.ID}, want...)
			continue
		}
		h.used(t, k, h.clock.Now().Add(time.Minute), "")
	}
	for limit := 1; limit <= len(want)+1; limit++ {
		var got []string
		q := apikey.Query{Limit: limit}
		for page := limit; page == limit; {
			unused, err := h.Unused(t.Context(), h.clock.Now().Add(time.Second), q)
			require.NoError(t, err)
			for _, k := range unused {
				got = append(got, k.ID)
				q.Before = k.ID
			}
			page = len(unused)
		}
		require.Equal(t, want, got, "pages of %d", limit)
	}
}

func TestPurge(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	k := h.issue(t).Key
	for n := range 1500 {
		h.used(t, k, h.clock.Now().Add(time.Duration(n)*time.Millisecond), "")
		_, err := h.Update(t.Context(), k.ID, 0, func(s *apikey.Spec) { s.Name = fmt.Sprint("name ", n) })
		require.NoError(t, err)
		if n == 0 {
			h.clock.Advance(time.Hour)
		}
	}
	h.clock.Advance(48 * time.Hour)
	deleted, err := h.Purge(t.Context(), h.clock.Now())
	require.NoError(t, err)
	require.Equal(t, 1001, deleted, "a thousand events that a MemoryStore keeps, and one day: more than goes in one call")
	last, err := h.LastUsed(t.Context(), k)
	require.NoError(t, err)
	require.Len(t, last, 1)
	deleted, err = h.Purge(t.Context(), h.clock.Now())
	require.NoError(t, err)
	require.Zero(t, deleted)
	_, err = new(apikey.Manager).Purge(t.Context(), h.clock.Now())
	require.ErrorIs(t, err, apikey.ErrNoActor)
}

func TestNoActivity(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *apikey.Config) { c.Activity = nil })
	issued := h.issue(t)
	h.RecordUse(h.opens(t, issued.Secret, issued.Key.ID), netip.Addr{}, apikey.Allowed)
	days, err := h.Usage(t.Context(), issued.Key.ID, 1)
	require.NoError(t, err)
	require.Empty(t, days)
	last, err := h.LastUsed(t.Context(), issued.Key)
	require.NoError(t, err)
	require.Empty(t, last)
	_, err = h.Unused(t.Context(), h.clock.Now(), apikey.Query{})
	require.ErrorIs(t, err, apikey.ErrNoActivity, "nobody revokes everything because nothing is known")
	_, err = h.Purge(t.Context(), h.clock.Now())
	require.ErrorIs(t, err, apikey.ErrNoActivity)
	require.NoError(t, h.Close(t.Context()))
}

// broken is an Activity that fails, or hangs until its context ends.
type broken struct {
	apikey.Activity

	err error // nil: hang
}

func (b broken) answer(ctx context.Context) error {
	if b.err == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	return b.err
}

func (b broken) Record(ctx context.Context, _ []apikey.Use) error { return b.answer(ctx) }

func (b broken) LastUsed(ctx context.Context, _ []string) ([]apikey.LastUse, error) {
	return nil, b.answer(ctx)
}

func (b broken) Usage(ctx context.Context, _ string, _ time.Time) ([]apikey.Day, error) {
	return nil, b.answer(ctx)
}

func (b broken) Events(ctx context.Context, _ string, _ apikey.Page) ([]apikey.Event, error) {
	return nil, b.answer(ctx)
}

func (b broken) Purge(ctx context.Context, _ time.Time, _ int) (int, error) { return 7, b.answer(ctx) }

// readActivity calls everything that asks the Activity.
func readActivity(t testing.TB, m *apikey.Manager, k apikey.Key) map[string]error {
	t.Helper()
	errs := map[string]error{}
	ctx := context.WithoutCancel(t.Context())
	_, errs["Usage"] = m.Usage(ctx, k.ID, 1)
	_, errs["LastUsed"] = m.LastUsed(ctx, k)
	_, errs["Events"] = m.Events(ctx, k.ID, apikey.Page{})
	_, errs["Unused"] = m.Unused(ctx, time.Now().Add(time.Hour), apikey.Query{})
	deleted, err := m.Purge(ctx, time.Now())
	require.Equal(t, 7, deleted, "what was deleted before the error")
	errs["Purge"] = err
	return errs
}

func TestActivityFails(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	h := newHouse(t, func(c *apikey.Config) { c.Activity = broken{err: boom} })
	k := h.issue(t).Key
	for name, err := range readActivity(t, h.Manager, k) {
		require.ErrorIs(t, err, boom, name)
	}
}

// An Activity that hangs ends, and so does an Effective.
func TestHangingCollaboratorsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := apikey.NewMemoryStore()
		hangs := false
		m, err := apikey.New(store, apikey.Config{
			Prefix: "paym", Activity: broken{}, Effective: func(ctx context.Context, k apikey.Key) (scope.Set, error) {
				if hangs {
					<-ctx.Done()
				}
				return k.Permissions, ctx.Err()
			},
		})
		require.NoError(t, err)
		issued, err := m.Create(t.Context(), spec())
		require.NoError(t, err)
		start := time.Now()
		for name, err := range readActivity(t, m, issued.Key) {
			require.ErrorIs(t, err, context.DeadlineExceeded, name)
		}
		require.LessOrEqual(t, time.Since(start), 25*time.Second, "five seconds each at most")
		hangs = true
		start = time.Now()
		_, err = m.ActorOf(context.WithoutCancel(t.Context()), issued.Key.ID)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.LessOrEqual(t, time.Since(start), 5*time.Second)
		_, err = m.Verify(context.WithoutCancel(t.Context()), issued.Secret.Reveal())
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, apikey.ErrInvalid)
	})
}
