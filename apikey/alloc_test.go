package apikey_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
)

// What a request costs before the store is asked: no allocation, whatever was
// presented.
func TestVerifyCachedDoesNotAllocate(t *testing.T) {
	h := newHouse(t, peppered("a", "b"))
	issued := h.issue(t)
	key := issued.Secret.Reveal()
	foreignKey, _ := foreign("1")
	for name, presented := range map[string]string{
		"a key": key, "a wrong checksum": key[:len(key)-1] + "~", "a foreign key": foreignKey.Reveal(),
		"nothing": "", "garbage": strings.Repeat("x", 10_000),
	} {
		h.opens(t, issued.Secret, issued.Key.ID)
		allocations := testing.AllocsPerRun(100, func() {
			v, err := h.VerifyCached(presented)
			if err == nil && v.Key().ID != issued.Key.ID {
				panic("another key")
			}
		})
		require.Zero(t, allocations, name)
	}
}

// BenchmarkVerify verifies keys that are cached, all in turn.
func BenchmarkVerify(b *testing.B) {
	for _, n := range []int{1, 1000, 100_000} {
		b.Run(fmt.Sprint(n, " keys"), func(b *testing.B) {
			m, secrets := verifiedKeys(b, n)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := m.Verify(b.Context(), secrets[i%n]); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprint(n, " keys, all cores"), func(b *testing.B) {
			m, secrets := verifiedKeys(b, n)
			var goroutines atomic.Int64
			b.RunParallel(func(pb *testing.PB) {
				for i := int(goroutines.Add(1)) * n / 2; pb.Next(); i++ {
					if _, err := m.Verify(b.Context(), secrets[i%n]); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

// verifiedKeys returns keys that are cached for as long as a benchmark lasts.
func verifiedKeys(b *testing.B, n int) (m *apikey.Manager, secrets []string) {
	b.Helper()
	m, err := apikey.New(apikey.NewMemoryStore(), apikey.Config{Prefix: "paym", CacheTTL: time.Hour, CacheSize: n})
	require.NoError(b, err)
	for range n {
		issued, err := m.Create(b.Context(), spec())
		require.NoError(b, err)
		secrets = append(secrets, issued.Secret.Reveal())
		_, err = m.Verify(b.Context(), secrets[len(secrets)-1])
		require.NoError(b, err)
	}
	return m, secrets
}

func BenchmarkVerifyCachedGarbage(b *testing.B) {
	h := newHouse(b)
	key := h.issue(b).Secret.Reveal()
	key = key[:len(key)-1] + "~"
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.VerifyCached(key); err != apikey.ErrInvalid { //nolint:errorlint // the comparison is not what is measured
			b.Fatal(err)
		}
	}
}
