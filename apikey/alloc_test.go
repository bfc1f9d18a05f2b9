package apikey_test

import (
	"strings"
	"testing"

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

func BenchmarkVerify(b *testing.B) {
	h := newHouse(b)
	key := h.issue(b).Secret.Reveal()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Verify(b.Context(), key); err != nil {
			b.Fatal(err)
		}
	}
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
