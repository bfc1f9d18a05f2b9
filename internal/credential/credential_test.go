package credential_test

import (
	"encoding/hex"
	"math/big"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/internal/credential"
)

func format(t testing.TB, prefix string) credential.Format {
	f, err := credential.New(prefix)
	require.NoError(t, err)
	return f
}

// slowEncode is the format written down with math/big and nothing clever.
func slowEncode(secret [32]byte) string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	n, sixtyTwo, rest := new(big.Int).SetBytes(secret[:]), big.NewInt(62), new(big.Int)
	text := ""
	for range 43 {
		n.DivMod(n, sixtyTwo, rest)
		text = digits[rest.Int64():rest.Int64()+1] + text
	}
	return text
}

func TestEncodeAgreesWithBigNumbers(t *testing.T) {
	t.Parallel()
	f := format(t, "paym")
	secrets := [][32]byte{{}, {31: 1}, {31: 61}, {31: 62}, {0: 1}, {0: 0xff}}
	var most [32]byte
	for i := range most {
		most[i] = 0xff
		secrets = append(secrets, most)
	}
	for _, secret := range secrets {
		text := f.Encode(secret)
		require.Equal(t, "paym_"+slowEncode(secret), text[:len(text)-6], hex.EncodeToString(secret[:]))
		require.True(t, f.Valid(text))
	}
}

func TestGenerate(t *testing.T) {
	t.Parallel()
	f := format(t, "acme_live")
	shape := regexp.MustCompile(`^` + f.Expression() + `$`)
	seen := map[string]bool{}
	for range 1000 {
		text := f.Generate()
		require.False(t, seen[text])
		seen[text] = true
		require.Regexp(t, shape, text)
		require.True(t, f.Recognize(text))
		require.True(t, f.Valid(text))
		require.Equal(t, text[:len("acme_live_")+4], f.Hint(text))
	}
}

func TestEveryChangedCharacterIsNoticed(t *testing.T) {
	t.Parallel()
	f := format(t, "paym")
	text := f.Generate()
	for i := range len(text) {
		for _, c := range []byte{'0', 'A', 'z', '_', ' ', 0, 0x80, text[i] ^ 0x20, text[i] + 1} {
			if c != text[i] {
				require.False(t, f.Valid(text[:i]+string([]byte{c})+text[i+1:]), "%d %q", i, c)
			}
		}
	}
	for _, bad := range []string{"", "paym", "paym_", text[1:], text[:len(text)-1], text + "0", " " + text, strings.ToUpper(text)} {
		require.False(t, f.Valid(bad), "%q", bad)
		require.Empty(t, f.Hint(bad))
	}
	require.False(t, format(t, "payx").Valid(text), "another prefix")
	require.False(t, credential.Format{}.Recognize(text[4:]), "the zero Format")
}

func TestRandom(t *testing.T) {
	t.Parallel()
	one, other := credential.Random(), credential.Random()
	require.Regexp(t, `^[0-9A-Za-z]{43}$`, one)
	require.NotEqual(t, one, other)
}

func TestPrefix(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"p", "paym", "acme_live", "_", strings.Repeat("x", 32)} {
		_, err := credential.New(good)
		require.NoError(t, err, good)
	}
	for _, bad := range []string{"", strings.Repeat("x", 33), "a b", "a-b", "ä", "a.b", "a\x00"} {
		_, err := credential.New(bad)
		require.Error(t, err, bad)
	}
}

// What is left of a secret without its prefix is one block of SHA-256: 55 bytes.
func TestBody(t *testing.T) {
	f := format(t, "paym_at")
	secret := f.Generate()
	body, ok := f.Body(secret)
	require.True(t, ok)
	require.Equal(t, secret, "paym_at_"+body)
	require.LessOrEqual(t, len(body), 55)
	for _, other := range []string{"", body, secret[1:], secret + "0", "paym_rt_" + body, " aym_at_" + body} {
		body, ok := f.Body(other)
		require.False(t, ok, other)
		require.Empty(t, body)
	}
	_, ok = credential.Format{}.Body(body)
	require.False(t, ok)
}

func TestNoAllocation(t *testing.T) {
	f := format(t, "paym")
	good, bad := f.Generate(), f.Generate()
	bad = bad[:len(bad)-1] + "~"
	require.Zero(t, testing.AllocsPerRun(100, func() {
		_ = f.Valid(good)
		_ = f.Valid(bad)
		_ = credential.Sum(good)
	}))
}

func FuzzValid(f *testing.F) {
	format := format(f, "paym")
	f.Add(format.Generate())
	f.Add("paym_")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		if format.Valid(s) {
			require.True(t, format.Recognize(s))
			require.Len(t, s, len("paym_")+49)
		}
	})
}

func BenchmarkGenerate(b *testing.B) {
	f := format(b, "paym")
	b.ReportAllocs()
	for b.Loop() {
		_ = f.Generate()
	}
}
