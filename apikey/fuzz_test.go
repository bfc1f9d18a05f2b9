package apikey_test

import (
	"hash/crc32"
	"math/big"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
)

// FuzzVerify presents anything. It is denied without a panic, and the store is
// asked if and only if shape and checksum are right. Nothing is cached, because
// the same input may come several times.
func FuzzVerify(f *testing.F) {
	h := newHouse(f, func(c *apikey.Config) { c.CacheTTL = -1 })
	issued := h.issue(f)
	key := issued.Secret.Reveal()
	for _, v := range vectors(f) {
		f.Add(v.Key)
	}
	for _, seed := range []string{
		"", key, key[1:], key + "0", key[:len(key)-1] + "~", strings.ToUpper(key), "paym_", "PAYM" + strings.Repeat("0f", 32),
		"PAYM" + strings.Repeat("0F", 32), "paym_" + strings.Repeat("ä", 24) + "a", strings.Repeat("\x00", 54),
	} {
		f.Add(seed)
	}
	ours := regexp.MustCompile(`\Apaym_[0-9A-Za-z]{49}\z`)
	theirs := regexp.MustCompile(`\APAYM[0-9a-f]{64}\z`)
	f.Fuzz(func(t *testing.T, presented string) {
		wellFormed := theirs.MatchString(presented)
		if ours.MatchString(presented) {
			sum := big.NewInt(int64(crc32.ChecksumIEEE([]byte(presented[:48]))))
			wellFormed = presented[48:] == slow(sum.Bytes(), 6)
		}
		before := h.spy.Calls()
		_, cached := h.VerifyCached(presented)
		v, err := h.Verify(t.Context(), presented)
		if presented == key {
			require.NoError(t, err)
			return
		}
		require.ErrorIs(t, err, apikey.ErrInvalid)
		require.Equal(t, apikey.Verified{}, v)
		reads := 0
		if wellFormed {
			reads = 1
			require.ErrorIs(t, cached, apikey.ErrNotCached)
			require.True(t, h.Recognize(presented))
		} else {
			require.ErrorIs(t, cached, apikey.ErrInvalid)
		}
		require.Equal(t, reads, h.spy.Calls()-before)
	})
}
