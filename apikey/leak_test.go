package apikey_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/internal/credential"
)

func secrets(texts ...string) []apikey.Secret {
	list := make([]apikey.Secret, len(texts))
	for i, text := range texts {
		list[i] = apikey.NewSecret(text)
	}
	return list
}

// Everything that is ours is revoked, whatever state it is in, and everything
// else is named as not ours.
func TestRevokeLeaked(t *testing.T) {
	t.Parallel()
	for name, peppers := range map[string]func(*apikey.Config){
		"plain": func(*apikey.Config) {}, "peppered": peppered("a"), "under an older pepper": peppered("b", "a"),
	} {
		before := newHouse(t, func(c *apikey.Config) {
			peppers(c)
			slices.Reverse(c.Peppers)
		})
		active, disabled, expired, revoked, overlapping, dead, bystander := before.issue(t), before.issue(t),
			before.issue(t, func(s *apikey.Spec) { s.ExpiresAt = before.in(time.Second) }),
			before.issue(t), before.issue(t), before.issue(t), before.issue(t)
		_, err := before.Disable(t.Context(), disabled.Key.ID)
		require.NoError(t, err)
		require.NoError(t, before.Revoke(t.Context(), revoked.Key.ID, apikey.RevokeOptions{Reason: "bored"}))
		overlaps, err := before.Rotate(t.Context(), overlapping.Key.ID, 0, time.Hour)
		require.NoError(t, err)
		alive, err := before.Rotate(t.Context(), dead.Key.ID, 0, 0)
		require.NoError(t, err)
		imported, sum := foreign("1")
		k, err := before.Import(t.Context(), spec(), sum)
		require.NoError(t, err)
		neverOurs := newHouse(t).issue(t)

		h := newHouseOn(t, before.store, peppers)
		h.clock.Advance(time.Minute)
		got := h.RevokeLeaked(t.Context(),
			active.Secret, disabled.Secret, expired.Secret, revoked.Secret, overlapping.Secret, dead.Secret, imported,
			active.Secret, // again
			neverOurs.Secret, apikey.NewSecret("garbage"), apikey.Secret{}, apikey.NewSecret(alive.Secret.Reveal()+"x"))
		require.Equal(t, []apikey.Leak{
			{Status: apikey.LeakRevoked, KeyID: active.Key.ID},
			{Status: apikey.LeakRevoked, KeyID: disabled.Key.ID},
			{Status: apikey.LeakRevoked, KeyID: expired.Key.ID},
			{Status: apikey.LeakRevokedEarlier, KeyID: revoked.Key.ID},
			{Status: apikey.LeakRevoked, KeyID: overlapping.Key.ID},
			{Status: apikey.LeakNotOurs}, // it was rotated out, and is forgotten
			{Status: apikey.LeakRevoked, KeyID: k.ID},
			{Status: apikey.LeakRevoked, KeyID: active.Key.ID},
			{Status: apikey.LeakNotOurs},
			{Status: apikey.LeakNotOurs},
			{Status: apikey.LeakNotOurs},
			{Status: apikey.LeakNotOurs},
		}, got, name)
		for _, secret := range []apikey.Secret{active.Secret, disabled.Secret, expired.Secret, overlapping.Secret, overlaps.Secret, imported} {
			h.denies(t, secret, apikey.ErrRevoked)
		}
		for _, id := range []string{active.Key.ID, disabled.Key.ID, expired.Key.ID, overlapping.Key.ID, k.ID} {
			require.Equal(t, "leaked", h.key(t, id).RevokedReason)
		}
		require.Equal(t, "bored", h.key(t, revoked.Key.ID).RevokedReason)
		h.opens(t, bystander.Secret, bystander.Key.ID)
		h.opens(t, alive.Secret, alive.Key.ID)
		require.Equal(t, []apikey.EventKind{apikey.Revoked, apikey.Revoked, apikey.Revoked, apikey.Revoked, apikey.Revoked}, h.heard.kinds())
		require.Equal(t, apikey.FieldChange{Field: "revoked_reason", New: "leaked"}, h.history(t, active.Key.ID)[1].Changes[1])

		for i, leak := range h.RevokeLeaked(t.Context(), active.Secret, imported) {
			require.Equal(t, apikey.LeakRevokedEarlier, leak.Status, i)
		}
		require.Empty(t, h.heard.kinds(), "a replayed report does nothing")
	}
}

// A secret that outlived its overlap opens nothing any more, and still says that
// somebody has what the holder of the key had.
func TestRevokeLeakedAfterTheOverlap(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	old := h.issue(t)
	current, err := h.Rotate(t.Context(), old.Key.ID, 0, time.Hour)
	require.NoError(t, err)
	h.clock.Advance(2 * time.Hour)
	h.denies(t, old.Secret, apikey.ErrInvalid)
	require.Equal(t, []apikey.Leak{{Status: apikey.LeakRevoked, KeyID: old.Key.ID}}, h.RevokeLeaked(t.Context(), old.Secret))
	h.denies(t, current.Secret, apikey.ErrRevoked)
}

// A long report is worked through once, asks the store
// about nothing that is no key, and leaves no trace of a secret.
func TestRevokeLeakedOfALongReport(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h := newHouse(t, func(c *apikey.Config) {
		c.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	issued := h.issue(t)
	key := issued.Secret.Reveal()
	var texts []string
	for i := range 1000 {
		texts = append(texts, key[:len(key)-6]+fmt.Sprintf("%06d", i), key, "PAYM"+strings.Repeat("x", 64))
	}
	finds := h.spy.Calls("Find")
	for i, leak := range h.RevokeLeaked(t.Context(), secrets(texts...)...) {
		want := apikey.LeakNotOurs
		if texts[i] == key {
			want = apikey.LeakRevoked
		}
		require.Equal(t, want, leak.Status)
		require.NoError(t, leak.Err)
	}
	require.Equal(t, finds+1, h.spy.Calls("Find"))
	require.Equal(t, 1, h.spy.Calls("Update"))
	h.spy.Fail(errors.New("boom"))
	leaks := h.RevokeLeaked(t.Context(), secrets(texts...)...)
	text := log.String() + fmt.Sprintf("%v %+v %#v", leaks, leaks, leaks)
	for _, leak := range leaks {
		if leak.Err != nil {
			text += leak.Err.Error()
		}
	}
	require.NotContains(t, text, key[9:])
}

// What cannot be told is said, of each secret by itself, and can be tried again.
func TestRevokeLeakedFails(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	first, second := h.issue(t), h.issue(t)
	boom := errors.New("boom")
	h.spy.Fail(boom, "Find")
	got := h.RevokeLeaked(t.Context(), first.Secret, apikey.NewSecret("garbage"))
	require.ErrorIs(t, got[0].Err, boom)
	require.Equal(t, apikey.Leak{Err: got[0].Err}, got[0])
	require.Equal(t, apikey.Leak{Status: apikey.LeakNotOurs}, got[1])
	h.spy.Fail(nil)
	h.spy.Fail(boom, "Update")
	got = h.RevokeLeaked(t.Context(), first.Secret)
	require.ErrorIs(t, got[0].Err, boom)
	require.Equal(t, apikey.Leak{Err: got[0].Err, KeyID: first.Key.ID}, got[0])
	h.spy.Fail(nil)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, leak := range h.RevokeLeaked(cancelled, first.Secret, second.Secret) {
		require.ErrorIs(t, leak.Err, context.Canceled)
		require.Empty(t, leak.Status)
	}
	for _, leak := range h.RevokeLeaked(t.Context(), first.Secret, second.Secret) {
		require.Equal(t, apikey.LeakRevoked, leak.Status)
	}
	require.ErrorIs(t, new(apikey.Manager).RevokeLeaked(t.Context(), first.Secret)[0].Err, apikey.ErrNoActor)
	require.Empty(t, h.RevokeLeaked(t.Context()))
}

func TestRevokeLeakedIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		issued := h.issue(t)
		defer h.spy.Hold("Find")()
		start := time.Now()
		leak := h.RevokeLeaked(context.WithoutCancel(t.Context()), issued.Secret)[0]
		require.ErrorIs(t, leak.Err, context.DeadlineExceeded)
		require.LessOrEqual(t, time.Since(start), 5*time.Second)
	})
}

// Two reports at the same time revoke once, and both are told.
func TestRevokeLeakedTwiceAtOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for range 50 {
		issued := h.issue(t)
		h.heard.kinds()
		var leaks [2]apikey.Leak
		var both sync.WaitGroup
		for i := range leaks {
			both.Go(func() { leaks[i] = h.RevokeLeaked(context.WithoutCancel(t.Context()), issued.Secret)[0] })
		}
		both.Wait()
		require.ElementsMatch(t, []apikey.LeakStatus{apikey.LeakRevoked, apikey.LeakRevokedEarlier}, []apikey.LeakStatus{leaks[0].Status, leaks[1].Status})
		require.Equal(t, []apikey.EventKind{apikey.Revoked}, h.heard.kinds())
	}
}

// The expression for scanners finds every key that the format can make, between
// whatever else, and nothing that is a character shorter, longer or different.
func TestScannerFindsEveryKeyAndNothingShorter(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	const word = credential.Alphabet + "_"
	for range 300 {
		prefix := make([]byte, 1+random.IntN(credential.MaxPrefix))
		for i := range prefix {
			prefix[i] = word[random.IntN(len(word))]
		}
		m, err := apikey.New(apikey.NewMemoryStore(), apikey.Config{Prefix: string(prefix)})
		require.NoError(t, err)
		format, err := credential.New(string(prefix))
		require.NoError(t, err)
		scanner := regexp.MustCompile(m.ScannerExpression())
		var body [32]byte
		for i := range body {
			body[i] = byte(random.Uint32())
		}
		if random.IntN(4) == 0 { // many leading zeros, or all ones
			clear(body[:random.IntN(32)])
		}
		key := format.Encode(body)
		between := []string{"", " ", "\n", `"`, "'", "=", ":", "/", ".", "-", "&", "é", "\x00", "\xff", "<", ")"}
		before, after := between[random.IntN(len(between))], between[random.IntN(len(between))]
		require.Equal(t, key, scanner.FindString(before+key+after))
		require.Equal(t, []string{key, key}, scanner.FindAllString(key+" "+key, -1))
		for i := range len(key) {
			require.Empty(t, scanner.FindString(key[:i]), "the first %d characters", i)
			require.Empty(t, scanner.FindString(key[i+1:]), "all but the first %d", i+1)
			require.Empty(t, scanner.FindString(key[:i]+key[i+1:]), "all but one")
			require.Empty(t, scanner.FindString(key[:i]+"-"+key[i+1:]), "one that is none of the alphabet's")
		}
		for _, c := range word {
			require.Empty(t, scanner.FindString(key+string(c)))
			require.Empty(t, scanner.FindString(string(c)+key))
		}
	}
}
