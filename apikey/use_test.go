package apikey_test

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/apikey/apikeytest"
)

// A scribe is a MemoryStore that counts what is recorded, and fails on demand.
type scribe struct {
	*apikey.MemoryStore

	mu    sync.Mutex
	calls int
	fail  error
}

func (s *scribe) Record(ctx context.Context, uses []apikey.Use) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if s.fail != nil {
		return s.fail
	}
	return s.MemoryStore.Record(ctx, uses)
}

// newScribe returns a Manager that asks the real time, or that of a bubble.
func newScribe(t testing.TB) (*scribe, *apikey.Manager) {
	s := &scribe{MemoryStore: apikey.NewMemoryStore()}
	m, err := apikey.New(s, apikey.Config{Prefix: "paym", Activity: s})
	require.NoError(t, err)
	return s, m
}

func TestEveryOutcomeIsCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, m := newScribe(t)
		issued := apikeytest.Key(t, m)
		other := apikeytest.Key(t, m)
		addr := netip.MustParseAddr("2001:db8::1")
		v, err := m.Verify(t.Context(), issued.Secret.Reveal())
		require.NoError(t, err)
		for outcome, times := range map[apikey.Outcome]int{
			apikey.Allowed: 1, apikey.DeniedAddress: 2, apikey.DeniedType: 3, apikey.DeniedPermission: 4, apikey.DeniedRequest: 5,
			0: 6, apikey.DeniedRequest + 1: 7, 255: 8,
		} {
			for range times {
				m.RecordUse(v, addr, outcome)
				m.RecordUse(apikey.Verified{}, addr, outcome)
			}
		}
		used := time.Now().UTC()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.Equal(t, 1, s.calls)
		days, err := s.Usage(t.Context(), issued.Key.ID, time.Time{})
		require.NoError(t, err)
		require.Equal(t, []apikey.Day{{
			Date:   time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC),
			Counts: apikey.Counts{Allowed: 1, DeniedAddress: 2, DeniedType: 3, DeniedPermission: 4, DeniedRequest: 5},
		}}, days)
		last, err := s.LastUsed(t.Context(), []string{issued.Key.ID, other.Key.ID})
		require.NoError(t, err)
		require.Equal(t, []apikey.LastUse{{KeyID: issued.Key.ID, At: used, Addr: addr}}, last)
		require.NoError(t, m.Close(t.Context()))
	})
}

// While an old secret overlaps with the new one, both are one key: in the
// statistics, and for whoever limits by its ID.
func TestBothSecretsAreOneKey(t *testing.T) {
	in(t, func(t *testing.T) {
		s, m := newScribe(t)
		first := apikeytest.Key(t, m)
		second, err := m.Rotate(t.Context(), first.Key.ID, 0, time.Hour)
		require.NoError(t, err)
		addrs := []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")}
		for i, issued := range []apikey.Issued{first, second} {
			v, err := m.Verify(t.Context(), issued.Secret.Reveal())
			require.NoError(t, err)
			require.Equal(t, first.Key.ID, v.Key().ID)
			m.RecordUse(v, addrs[i], apikey.Allowed)
			m.RecordUse(v, addrs[i], apikey.DeniedAddress)
			time.Sleep(time.Second)
		}
		require.NoError(t, m.Close(t.Context()))
		days, err := s.Usage(t.Context(), first.Key.ID, time.Time{})
		require.NoError(t, err)
		require.Len(t, days, 1)
		require.Equal(t, apikey.Counts{Allowed: 2, DeniedAddress: 2}, days[0].Counts)
		last, err := s.LastUsed(t.Context(), []string{first.Key.ID})
		require.NoError(t, err)
		require.Equal(t, addrs[1], last[0].Addr)
	})
}

// What is wrong with the key itself is counted by Verify, and is no use.
func TestDeniedByStateIsCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, m := newScribe(t)
		issue := func() apikey.Issued {
			issued, err := m.Create(t.Context(), apikey.Spec{Name: "CI", Type: "admin", ExpiresAt: time.Now().Add(time.Hour)})
			require.NoError(t, err)
			return issued
		}
		revoked, disabled, expired := issue(), issue(), issue()
		require.NoError(t, m.Revoke(t.Context(), revoked.Key.ID, apikey.RevokeOptions{}))
		_, err := m.Disable(t.Context(), disabled.Key.ID)
		require.NoError(t, err)
		deny := func(issued apikey.Issued, reason error, times int) {
			for range times {
				_, err := m.Verify(t.Context(), issued.Secret.Reveal())
				require.ErrorIs(t, err, reason)
			}
		}
		deny(revoked, apikey.ErrRevoked, 2)
		deny(disabled, apikey.ErrDisabled, 3)
		time.Sleep(time.Hour)
		deny(expired, apikey.ErrExpired, 4)
		require.NoError(t, m.Close(t.Context()))
		for id, times := range map[string]int64{revoked.Key.ID: 2, disabled.Key.ID: 3, expired.Key.ID: 4} {
			days, err := s.Usage(t.Context(), id, time.Time{})
			require.NoError(t, err)
			require.Len(t, days, 1)
			require.Equal(t, apikey.Counts{DeniedState: times}, days[0].Counts)
		}
		last, err := s.LastUsed(t.Context(), []string{revoked.Key.ID, disabled.Key.ID, expired.Key.ID})
		require.NoError(t, err)
		require.Empty(t, last)
	})
}

// At most one write per interval, whatever is done with one key, and a failing
// Activity fails no request.
func TestFloodOnOneKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const rounds, each, goroutines = 10, 25_000, 4
		s, m := newScribe(t)
		issued := apikeytest.Key(t, m)
		for round := range rounds {
			s.mu.Lock()
			s.fail = nil
			if round%2 == 1 {
				s.fail = errors.New("boom")
			}
			s.mu.Unlock()
			var all sync.WaitGroup
			for range goroutines {
				all.Go(func() {
					for range each {
						v, err := m.Verify(context.Background(), issued.Secret.Reveal())
						if err != nil {
							panic(err)
						}
						m.RecordUse(v, netip.Addr{}, apikey.Allowed)
					}
				})
			}
			all.Wait()
			time.Sleep(10 * time.Second)
			synctest.Wait()
			require.Equal(t, round+1, s.calls)
		}
		s.fail = nil
		require.NoError(t, m.Close(t.Context()))
		days, err := s.Usage(t.Context(), issued.Key.ID, time.Time{})
		require.NoError(t, err)
		require.Len(t, days, 1)
		require.Equal(t, int64(rounds*each*goroutines), days[0].Allowed)
	})
}

func TestCloseRecordsTheLastUses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, m := newScribe(t)
		issued := apikeytest.Key(t, m)
		v, err := m.Verify(t.Context(), issued.Secret.Reveal())
		require.NoError(t, err)
		m.RecordUse(v, netip.Addr{}, apikey.Allowed)
		require.NoError(t, m.Close(t.Context()))
		days, err := s.Usage(t.Context(), issued.Key.ID, time.Time{})
		require.NoError(t, err)
		require.Equal(t, int64(1), days[0].Allowed)

		v, err = m.Verify(t.Context(), issued.Secret.Reveal())
		require.NoError(t, err)
		m.RecordUse(v, netip.Addr{}, apikey.Allowed)
		require.NoError(t, m.Close(t.Context()))
		time.Sleep(time.Hour)
		require.Equal(t, 1, s.calls, "nothing is collected any more")
	})
}

func TestCloseSaysWhatIsNotRecorded(t *testing.T) {
	t.Parallel()
	s, m := newScribe(t)
	issued := apikeytest.Key(t, m)
	v, err := m.Verify(t.Context(), issued.Secret.Reveal())
	require.NoError(t, err)
	m.RecordUse(v, netip.Addr{}, apikey.Allowed)
	s.fail = errors.New("boom")
	require.ErrorIs(t, m.Close(t.Context()), s.fail)
	require.NoError(t, m.Close(t.Context()), "once")
}

// hanging is an Activity that heeds nothing.
type hanging struct {
	*apikey.MemoryStore

	release chan struct{}
}

func (h hanging) Record(context.Context, []apikey.Use) error { <-h.release; return nil }

func TestCloseIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := hanging{apikey.NewMemoryStore(), make(chan struct{})}
		m, err := apikey.New(h, apikey.Config{Prefix: "paym", Activity: h})
		require.NoError(t, err)
		issued := apikeytest.Key(t, m)
		v, err := m.Verify(t.Context(), issued.Secret.Reveal())
		require.NoError(t, err)
		m.RecordUse(v, netip.Addr{}, apikey.Allowed)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		require.ErrorIs(t, m.Close(ctx), context.DeadlineExceeded)
		require.Equal(t, 3*time.Second, time.Since(start))
		close(h.release)
		require.NoError(t, m.Close(t.Context()))
	})
}

func TestRecordUseDoesNotAllocate(t *testing.T) {
	_, m := newScribe(t)
	issued := apikeytest.Key(t, m)
	v, err := m.Verify(t.Context(), issued.Secret.Reveal())
	require.NoError(t, err)
	addr := netip.MustParseAddr("2001:db8::1")
	m.RecordUse(v, addr, apikey.Allowed)
	require.Zero(t, testing.AllocsPerRun(100_000, func() { m.RecordUse(v, addr, apikey.Allowed) }))
	addrs := []netip.Addr{addr, netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), {}}
	for _, many := range [][]netip.Addr{addrs[:2], addrs} { // in turn, as through load balancers
		i := 0
		require.Zero(t, testing.AllocsPerRun(100_000, func() {
			m.RecordUse(v, many[i%len(many)], apikey.Allowed)
			i++
		}))
	}
	require.NoError(t, m.Close(t.Context()))
}

func BenchmarkRecordUse(b *testing.B) {
	_, m := newScribe(b)
	issued := apikeytest.Key(b, m)
	addr := netip.MustParseAddr("2001:db8::1")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		v, err := m.Verify(context.Background(), issued.Secret.Reveal())
		require.NoError(b, err)
		for pb.Next() {
			m.RecordUse(v, addr, apikey.Allowed)
		}
	})
}
