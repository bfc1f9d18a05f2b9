package apikey_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash/crc32"
	"math/big"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/internal/credential"
)

// A vector is one line of testdata/keys.json, which other languages may read.
type vector struct {
	Prefix, Secret, Key, SHA256, Hint string
}

func vectors(t testing.TB) []vector {
	t.Helper()
	data, err := os.ReadFile("testdata/keys.json")
	require.NoError(t, err)
	var list []vector
	require.NoError(t, json.Unmarshal(data, &list))
	require.Len(t, list, 5)
	return list
}

// slow writes a number in base62, as the documentation says and nothing
// cleverer.
func slow(number []byte, digits int) string {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	n, base, digit, text := new(big.Int).SetBytes(number), big.NewInt(62), new(big.Int), ""
	for range digits {
		n.DivMod(n, base, digit)
		text = string(alphabet[digit.Int64()]) + text
	}
	return text
}

func TestVectorsAreWhatTheFormatSays(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		secret, err := hex.DecodeString(v.Secret)
		require.NoError(t, err)
		require.Len(t, secret, 32)
		key := v.Prefix + "_" + slow(secret, 43)
		key += slow(big.NewInt(int64(crc32.ChecksumIEEE([]byte(key)))).Bytes(), 6)
		require.Equal(t, v.Key, key)
		sum := sha256.Sum256([]byte(key))
		require.Equal(t, v.SHA256, hex.EncodeToString(sum[:]))
		require.Equal(t, v.Hint, key[:len(v.Prefix)+1+4])
	}
}

func TestVectorsAreWhatTheCodeMakes(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		format, err := credential.New(v.Prefix)
		require.NoError(t, err)
		secret, err := hex.DecodeString(v.Secret)
		require.NoError(t, err)
		key := format.Encode([32]byte(secret))
		require.Equal(t, v.Key, key)
		require.Equal(t, v.Hint, format.Hint(key))
		sum := credential.Sum(key)
		require.Equal(t, v.SHA256, hex.EncodeToString(sum[:]))

		h := newHouse(t, func(c *apikey.Config) { c.Prefix = v.Prefix })
		require.True(t, h.Recognize(v.Key))
		hash, err := apikey.ParseHash(v.SHA256)
		require.NoError(t, err)
		k, err := h.Import(t.Context(), spec(), hash)
		require.NoError(t, err)
		h.opens(t, apikey.NewSecret(v.Key), k.ID)
	}
}

func TestCreatedKeysHaveTheFormat(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	seen := map[string]bool{}
	for range 100 {
		issued := h.issue(t)
		key := issued.Secret.Reveal()
		require.False(t, seen[key])
		seen[key] = true
		require.Regexp(t, `^paym_[0-9A-Za-z]{43}[0-9A-Za-z]{6}$`, key)
		require.Equal(t, slow(big.NewInt(int64(crc32.ChecksumIEEE([]byte(key[:48])))).Bytes(), 6), key[48:])
		require.Equal(t, key[:9], issued.Key.Hint)
		require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, issued.Key.ID)
		require.Equal(t, []apikey.SecretHash{{Hash: sha256.Sum256([]byte(key))}}, h.record(t, issued.Key.ID).Secrets)
	}
}

func TestScannerExpression(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		h := newHouse(t, func(c *apikey.Config) { c.Prefix = v.Prefix })
		scanner := regexp.MustCompile(h.ScannerExpression())
		for _, text := range []string{
			"%", " % ", "KEY=%", "\"%\"", "'%'", "key: %\n", "Authorization: Bearer %\r\n", "https://h/?k=%&b=1",
			"(%)", "%, %", "<%>", "%.", "\t%\t", "%\x00", "ä%ä", "token=%;x", "%\\n",
		} {
			inside := strings.ReplaceAll(text, "%", v.Key)
			for _, found := range scanner.FindAllString(inside, -1) {
				require.Equal(t, v.Key, found)
			}
			require.Len(t, scanner.FindAllString(inside, -1), strings.Count(text, "%"), text)
		}
		for _, text := range []string{
			"", v.Prefix, v.Prefix + "_", v.Key[1:], v.Key[:len(v.Key)-1], v.Key + "0", v.Key + "_", "x" + v.Key, "_" + v.Key,
			strings.Replace(v.Key, "_", "-", 1), v.Key[:len(v.Key)-3] + "-" + v.Key[len(v.Key)-2:],
		} {
			require.Empty(t, scanner.FindString(text), text)
		}
	}
}

func TestRecognize(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	key := h.issue(t).Secret.Reveal()
	for _, mine := range append(h.Samples(), key, key[:len(key)-1]+"~", "PAYM"+strings.Repeat("0f", 32)) {
		require.True(t, h.Recognize(mine), mine)
	}
	for _, other := range []string{
		"", "paym", "paym_", key + "0", key[:len(key)-1], " " + key, strings.ToUpper(key), "payn" + key[4:],
		"PAYM" + strings.Repeat("0F", 32), "PAYM" + strings.Repeat("0f", 31), "paym" + strings.Repeat("0f", 32), "PAYM" + strings.Repeat("0g", 32),
	} {
		require.False(t, h.Recognize(other), other)
	}
	samples := h.Samples()
	require.Len(t, samples, 1+16)
	for _, sample := range samples {
		h.deniesText(t, sample, apikey.ErrInvalid)
	}
	require.Equal(t, len(samples), h.spy.Calls("Find"), "samples look like keys, and nothing says that they are not")
}

// Two Managers that recognize the same text know it by their samples.
func TestSamplesTellOverlaps(t *testing.T) {
	t.Parallel()
	manager := func(prefix string, formats ...apikey.ForeignFormat) *apikey.Manager {
		return newHouse(t, func(c *apikey.Config) { c.Prefix, c.ForeignFormats = prefix, formats }).Manager
	}
	overlap := func(a, b *apikey.Manager) bool {
		return slices.ContainsFunc(a.Samples(), b.Recognize) || slices.ContainsFunc(b.Samples(), a.Recognize)
	}
	for _, c := range []struct {
		a, b apikey.ForeignFormat
		want bool
	}{
		{apikey.Paymenter(), apikey.Paymenter(), true},
		{apikey.ForeignFormat{Alphabet: "0123abc", Length: 64}, apikey.ForeignFormat{Alphabet: "xyzabc", Length: 64}, true},
		{apikey.ForeignFormat{Prefix: "c", Alphabet: "0123abc", Length: 63}, apikey.ForeignFormat{Alphabet: "xyzabc", Length: 64}, true},
		{apikey.ForeignFormat{Prefix: "x", Alphabet: "0123abc", Length: 64}, apikey.ForeignFormat{Prefix: "x1", Alphabet: "defa", Length: 64}, false}, // not as long
		{apikey.ForeignFormat{Prefix: "x", Alphabet: "0123abc", Length: 65}, apikey.ForeignFormat{Prefix: "x1", Alphabet: "defa", Length: 64}, true},
		{apikey.ForeignFormat{Prefix: "x", Alphabet: "0123abc", Length: 65}, apikey.ForeignFormat{Prefix: "x7", Alphabet: "defa", Length: 64}, false},
		{apikey.ForeignFormat{Alphabet: "0123", Length: 64}, apikey.ForeignFormat{Alphabet: "abcd", Length: 64}, false},
	} {
		require.Equal(t, c.want, overlap(manager("a", c.a), manager("b", c.b)), "%v %v", c.a, c.b)
	}
	require.True(t, overlap(manager("a"), manager("b", apikey.ForeignFormat{Prefix: "a_", Alphabet: "zyxwvut", Length: 49})))
	require.False(t, overlap(manager("a"), manager("b")))
}
