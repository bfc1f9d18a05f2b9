package apikey

import (
	"fmt"
	"math"
	"strings"

	"github.com/latchwork/latchwork/internal/credential"
)

// A ForeignFormat describes keys that another system made and whose hashes
// were imported: a fixed prefix and then a fixed number of characters, which
// are the secret. They have no checksum, so a typing error costs a read of the
// store, and no hint.
type ForeignFormat struct {
	Prefix string // 0 to 32 characters that a bearer token may have

	// Alphabet holds each character that may follow, once.
	Alphabet string

	// Length is how many follow. Together with the alphabet it must amount to
	// at least 128 bits.
	Length int
}

// Paymenter is the format of the keys that a Paymenter panel makes: PAYM and
// 64 hexadecimal digits.
func Paymenter() ForeignFormat {
	return ForeignFormat{Prefix: "PAYM", Alphabet: "0123456789abcdef", Length: 64}
}

const (
	minForeignBits   = 128
	maxForeignLength = 256
)

// recognize reports whether s has this shape.
func (f ForeignFormat) recognize(s string) bool {
	if len(s) != len(f.Prefix)+f.Length || s[:len(f.Prefix)] != f.Prefix {
		return false
	}
	for i := len(f.Prefix); i < len(s); i++ {
		if strings.IndexByte(f.Alphabet, s[i]) < 0 {
			return false
		}
	}
	return true
}

// samples returns a text of this shape for each character of the alphabet. In
// what has another shape, too, all of the secret could be one character that
// both alphabets have: so with the shape whose prefix is longer, that text is
// among its samples.
func (f ForeignFormat) samples() []string {
	all := make([]string, len(f.Alphabet))
	for i := range f.Alphabet {
		all[i] = f.Prefix + strings.Repeat(f.Alphabet[i:i+1], f.Length)
	}
	return all
}

func (f ForeignFormat) validate() error {
	for i := range len(f.Alphabet) {
		if !isTokenByte(f.Alphabet[i]) || strings.IndexByte(f.Alphabet[i+1:], f.Alphabet[i]) >= 0 {
			return fmt.Errorf("foreign format %.40q: the alphabet must hold characters of a bearer token, each once", f.Prefix)
		}
	}
	for i := range len(f.Prefix) {
		if !isTokenByte(f.Prefix[i]) {
			return fmt.Errorf("foreign format %.40q: the prefix must hold characters of a bearer token", f.Prefix)
		}
	}
	if len(f.Prefix) > credential.MaxPrefix {
		return fmt.Errorf("foreign format %.40q: the prefix has more than %d characters", f.Prefix, credential.MaxPrefix)
	}
	if f.Length <= 0 || f.Length > maxForeignLength {
		return fmt.Errorf("foreign format %.40q: length %d, want 1 to %d", f.Prefix, f.Length, maxForeignLength)
	}
	if f.Alphabet == "" || float64(f.Length)*math.Log2(float64(len(f.Alphabet))) < minForeignBits {
		return fmt.Errorf("foreign format %.40q: fewer than %d bits", f.Prefix, minForeignBits)
	}
	return nil
}

// overlaps reports whether some text has both shapes: at each place, the
// characters that the one and the other allow have one in common.
func (f ForeignFormat) overlaps(other ForeignFormat) bool {
	length := len(f.Prefix) + f.Length
	if length != len(other.Prefix)+other.Length {
		return false
	}
	for i := range length {
		if !strings.ContainsAny(f.at(i), other.at(i)) {
			return false
		}
	}
	return true
}

// at returns the characters that may stand at place i.
func (f ForeignFormat) at(i int) string {
	if i < len(f.Prefix) {
		return f.Prefix[i : i+1]
	}
	return f.Alphabet
}

// own is the shape of our own keys in the same terms.
func own(prefix string) ForeignFormat {
	return ForeignFormat{Prefix: prefix + "_", Alphabet: credential.Alphabet, Length: credential.BodyLen}
}

// isTokenByte reports whether c may stand in a bearer token before its
// padding, RFC 6750 section 2.1.
func isTokenByte(c byte) bool {
	return c-'0' < 10 || c-'A' < 26 || c-'a' < 26 || strings.IndexByte("-._~+/", c) >= 0
}
