package apikey_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/ipfilter"
)

func TestVerify(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	issued := h.issue(t, func(s *apikey.Spec) {
		s.Owner, s.AllowedIPs, s.ExpiresAt = "account 7", list("192.0.2.0/24"), h.in(time.Hour)
	})
	other := h.issue(t)
	require.Equal(t, issued.Key, h.opens(t, issued.Secret, issued.Key.ID).Key())
	h.opens(t, other.Secret, other.Key.ID)
	require.Equal(t, 2, h.spy.Calls("Find"), "one read each")
	require.Equal(t, 4, h.spy.Calls(), "and nothing is written")
}

// Garbage costs the store nothing.
func TestGarbageIsInvalid(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	key := h.issue(t).Secret.Reveal()
	before := h.spy.Calls()
	garbage := []string{
		"", " ", "paym_", "x", strings.Repeat("x", 1<<20), key + "0", key[1:], key[:len(key)-1], " " + key, key + "\n", "Bearer " + key,
		strings.ToUpper(key), strings.ToLower(key), strings.Replace(key, "_", "-", 1), "payn" + key[4:], strings.Repeat("\x00", len(key)),
		"paym_" + strings.Repeat("ä", 24) + "a", strings.Repeat("\xff", len(key)), key + key,
		"PAYM" + strings.Repeat("0F", 32), "PAYM" + strings.Repeat("0f", 31) + "0", "PAYM" + strings.Repeat("0f", 32) + "0",
	}
	for i := range len(key) {
		for _, c := range []byte{'0', 'z', ' ', key[i] ^ 0x20, key[i] + 1} {
			if c != key[i] {
				garbage = append(garbage, key[:i]+string(rune(c))+key[i+1:])
			}
		}
	}
	for _, text := range garbage {
		h.deniesText(t, text, apikey.ErrInvalid)
		_, err := h.VerifyCached(text)
		require.ErrorIs(t, err, apikey.ErrInvalid)
	}
	require.Equal(t, before, h.spy.Calls())
}

func TestUnknownKeyIsInvalid(t *testing.T) {
	t.Parallel()
	h, other := newHouse(t), newHouse(t)
	h.denies(t, other.issue(t).Secret, apikey.ErrInvalid)
	h.deniesText(t, "PAYM"+strings.Repeat("0f", 32), apikey.ErrInvalid)
	require.Equal(t, 2, h.spy.Calls("Find"))
	_, err := h.VerifyCached(other.issue(t).Secret.Reveal())
	require.ErrorIs(t, err, apikey.ErrNotCached, "only the store can tell")
	require.Equal(t, 2, h.spy.Calls("Find"))
}

// The store may say ErrNotFound in its own words.
func TestWrappedMissIsInvalid(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	issued := h.issue(t)
	h.spy.Fail(errors.Join(errors.New("no rows"), apikey.ErrNotFound), "Find")
	h.denies(t, issued.Secret, apikey.ErrInvalid)
}

func TestOrderOfReasons(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		revoked, disabled, expired bool
		reason                     error
	}{
		"all":                  {true, true, true, apikey.ErrRevoked},
		"revoked":              {true, false, false, apikey.ErrRevoked},
		"revoked and disabled": {true, true, false, apikey.ErrRevoked},
		"revoked and expired":  {true, false, true, apikey.ErrRevoked},
		"disabled":             {false, true, false, apikey.ErrDisabled},
		"disabled and expired": {false, true, true, apikey.ErrDisabled},
		"expired":              {false, false, true, apikey.ErrExpired},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, uncached)
			issued := h.issue(t)
			h.plant(t, issued.Key.ID, func(r *apikey.Record) {
				if r.Key.Enabled = !c.disabled; c.revoked {
					r.Key.RevokedAt = h.in(0)
				}
				if c.expired {
					r.Key.ExpiresAt = h.in(0)
				}
			})
			h.denies(t, issued.Secret, c.reason)
			// A secret that is none any more is judged before the key.
			h.plant(t, issued.Key.ID, func(r *apikey.Record) { r.Secrets[0].Deadline = h.in(0) })
			h.denies(t, issued.Secret, apikey.ErrInvalid)
		})
	}
}

func TestExpiryIsExact(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	issued := h.issue(t, func(s *apikey.Spec) { s.ExpiresAt = h.in(time.Hour) })
	h.clock.Advance(time.Hour - time.Microsecond)
	h.opens(t, issued.Secret, issued.Key.ID)
	h.clock.Advance(time.Microsecond - time.Nanosecond)
	h.opens(t, issued.Secret, issued.Key.ID)
	h.clock.Advance(time.Nanosecond)
	h.denies(t, issued.Secret, apikey.ErrExpired)
	h.clock.Advance(time.Microsecond)
	h.denies(t, issued.Secret, apikey.ErrExpired)
	h.clock.Advance(-time.Microsecond - time.Nanosecond)
	h.opens(t, issued.Secret, issued.Key.ID)

	h.plant(t, issued.Key.ID, func(r *apikey.Record) { r.Key.RevokedAt = h.in(time.Hour) })
	newHouseOn(t, h.store).denies(t, issued.Secret, apikey.ErrRevoked)
}

// The same for a clock that says something else than the machine's, further away
// than a Duration reaches.
func TestExpiryFarAway(t *testing.T) {
	t.Parallel()
	end := time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	h := newHouse(t, func(c *apikey.Config) { c.Now = func() time.Time { return now } })
	issued := h.issue(t, func(s *apikey.Spec) { s.ExpiresAt = end })
	for _, now = range []time.Time{now, now.AddDate(200, 0, 0), now.AddDate(400, 0, 0), end.AddDate(-200, 0, 0), end.Add(-1)} {
		h.opens(t, issued.Secret, issued.Key.ID)
	}
	for _, now = range []time.Time{end, end.Add(time.Hour), end.AddDate(400, 0, 0)} {
		h.denies(t, issued.Secret, apikey.ErrExpired)
	}
}

// A wrongAnswer is a store that always has the same answer to Find.
type wrongAnswer struct {
	apikey.Store

	record apikey.Record
}

func (s wrongAnswer) Find(context.Context, []apikey.Hash) (apikey.Record, error) {
	return s.record, nil
}

func TestForeignRecordIsAnError(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	mine, other := h.issue(t), h.issue(t)
	hash := h.record(t, mine.Key.ID).Secrets[0].Hash
	for name, answer := range map[string]apikey.Record{
		"nothing, without an error": {},
		"another key":               h.record(t, other.Key.ID),
		"this key without secrets":  {Key: h.key(t, mine.Key.ID)},
		"another pepper":            {Key: h.key(t, mine.Key.ID), Secrets: []apikey.SecretHash{{Hash: hash, PepperID: "p"}}},
	} {
		m, err := apikey.New(wrongAnswer{h.store, answer}, apikey.Config{Prefix: "paym"})
		require.NoError(t, err)
		v, err := m.Verify(t.Context(), mine.Secret.Reveal())
		require.Error(t, err, name)
		require.Equal(t, apikey.Verified{}, v, name)
		require.NotErrorIs(t, err, apikey.ErrInvalid, "it is the store that is wrong: %s", name)
	}
}

func TestStoreInTrouble(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	issued := h.issue(t)
	boom := errors.New("connection refused")
	h.spy.Fail(boom)
	v, err := h.Verify(t.Context(), issued.Secret.Reveal())
	require.ErrorIs(t, err, boom)
	require.Equal(t, apikey.Verified{}, v)
	for _, denial := range []error{apikey.ErrInvalid, apikey.ErrRevoked, apikey.ErrDisabled, apikey.ErrExpired, apikey.ErrNotFound} {
		require.NotErrorIs(t, err, denial)
	}
	h.spy.Fail(nil)
	h.opens(t, issued.Secret, issued.Key.ID)
}

func TestStoreThatHangsIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		issued := h.issue(t)
		defer h.spy.Hold("Find")()
		start := time.Now()
		_, err := h.Verify(t.Context(), issued.Secret.Reveal())
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 2*time.Second, time.Since(start))
	})
}

func TestAllowsFrom(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	anywhere, bound, nowhere := h.issue(t), h.issue(t, func(s *apikey.Spec) { s.AllowedIPs = list("192.0.2.0/24", "2001:db8::/32") }), h.issue(t)
	h.plant(t, nowhere.Key.ID, func(r *apikey.Record) { r.Key.AllowedIPs = new(ipfilter.List) })
	for name, c := range map[string]struct {
		issued apikey.Issued
		addr   string
		want   error
	}{
		"no list":                   {anywhere, "198.51.100.1", nil},
		"no list, unknown address":  {anywhere, "", nil},
		"on the list":               {bound, "192.0.2.255", nil},
		"on the list, version 6":    {bound, "2001:db8::1", nil},
		"on the list, mapped":       {bound, "::ffff:192.0.2.7", nil},
		"beside the list":           {bound, "192.0.3.0", apikey.ErrIPNotAllowed},
		"beside the list, 6":        {bound, "2001:db9::", apikey.ErrIPNotAllowed},
		"unknown address":           {bound, "", apikey.ErrIPUnknown},
		"an empty list":             {nowhere, "192.0.2.1", apikey.ErrIPNotAllowed},
		"an empty list, no address": {nowhere, "", apikey.ErrIPUnknown},
	} {
		var addr netip.Addr
		if c.addr != "" {
			addr = netip.MustParseAddr(c.addr)
		}
		err := h.opens(t, c.issued.Secret, c.issued.Key.ID).AllowsFrom(addr)
		if c.want == nil {
			require.NoError(t, err, name)
		} else {
			require.ErrorIs(t, err, c.want, name)
		}
	}
}
