// Package credential makes and recognises the opaque secrets of this module:
// API keys, access and refresh tokens, authorization codes. They share one
// format,
//
//	<prefix>_<43 base62 characters><6 base62 characters>
//
// which is 32 random bytes, big-endian and zero-padded, and then the
// CRC-32/IEEE of everything before it. The checksum lets typing errors and
// garbage be refused before a store is asked. It protects against nothing
// else.
package credential

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/bits"
	"regexp"
	"unsafe"
)

const (
	// Alphabet holds the base62 digits in the order of their values.
	Alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

	secretLen   = 43 // base62 digits of 32 bytes
	checksumLen = 6  // base62 digits of 32 bits
	hintLen     = 4

	// BodyLen is how many characters follow the prefix and its underscore.
	BodyLen = secretLen + checksumLen

	// MaxPrefix is the longest prefix a Format may have.
	MaxPrefix = 32
)

// A Format is the format under one prefix. The zero Format recognises
// nothing. It is immutable and safe for concurrent use.
type Format struct {
	lead string // the prefix and its underscore
	crc  uint32 // of lead, the state from which a checksum goes on
}

// New returns the format with this prefix: 1 to 32 letters, digits and
// underscores.
func New(prefix string) (Format, error) {
	if prefix == "" || len(prefix) > MaxPrefix {
		return Format{}, fmt.Errorf("prefix %.40q has %d characters, want 1 to %d", prefix, len(prefix), MaxPrefix)
	}
	for i := range len(prefix) {
		if !isBase62(prefix[i]) && prefix[i] != '_' {
			return Format{}, fmt.Errorf("prefix %q: only letters, digits and underscores are allowed", prefix)
		}
	}
	lead := prefix + "_"
	return Format{lead: lead, crc: crc32.ChecksumIEEE([]byte(lead))}, nil
}

// Generate returns a new secret from 32 bytes of crypto/rand.
func (f Format) Generate() string {
	var secret [32]byte
	rand.Read(secret[:]) // never fails, see crypto/rand
	return f.Encode(secret)
}

// Encode returns the text of these 32 bytes.
func (f Format) Encode(secret [32]byte) string {
	text := make([]byte, len(f.lead)+BodyLen)
	copy(text, f.lead)
	body := text[len(f.lead):]
	encodeSecret((*[secretLen]byte)(body), secret)
	sum := checksum(f.crc, body[:secretLen])
	copy(body[secretLen:], sum[:])
	return frozen(text)
}

// Recognize reports whether s is addressed to this format, going by its prefix
// and length alone.
func (f Format) Recognize(s string) bool {
	return len(s) == len(f.lead)+BodyLen && len(f.lead) > 0 && s[:len(f.lead)] == f.lead
}

// Body returns what follows the prefix of a recognised secret: all that tells
// it from the others, and short enough for SHA-256 to take it in one step.
func (f Format) Body(s string) (body string, ok bool) {
	if !f.Recognize(s) {
		return "", false
	}
	return s[len(f.lead):], true
}

// Valid reports whether s looks as if Generate had made it: recognised, and with
// the checksum of what it is. Whether all of it is base62 is not looked at,
// because that would cost as much again and tell nothing: whoever invents a
// secret can give it a checksum, too.
func (f Format) Valid(s string) bool {
	if !f.Recognize(s) {
		return false
	}
	end := len(s) - checksumLen
	crc := crc32.Update(f.crc, crc32.IEEETable, view(s[len(f.lead):end]))
	// From the last digit on: nearly everything that is wrong ends there.
	for i := len(s) - 1; i >= end; i-- {
		if s[i] != Alphabet[crc%62] {
			return false
		}
		crc /= 62
	}
	return true
}

// Hint returns the part of a recognised secret that may be shown for telling
// keys apart: the prefix and the first four characters. Of 256 bits it gives
// away 24.
func (f Format) Hint(s string) string {
	if !f.Recognize(s) {
		return ""
	}
	return s[:len(f.lead)+hintLen]
}

// Expression returns a regular expression in RE2 syntax that finds every
// secret of this format inside other text. A match may still have a wrong
// checksum.
func (f Format) Expression() string {
	return fmt.Sprintf(`\b%s[0-9A-Za-z]{%d}\b`, regexp.QuoteMeta(f.lead), BodyLen)
}

// Sum returns the SHA-256 of s.
func Sum(s string) [sha256.Size]byte { return sha256.Sum256(view(s)) }

// view returns the bytes of s without copying them. The caller only reads
// them, and lets nobody keep them: converting would cost an allocation on
// every request, because the hash functions are called through variables.
func view(s string) []byte {
	return unsafe.Slice(unsafe.StringData(s), len(s)) //nolint:gosec // read only, see above
}

// frozen returns b as a string without copying it. Nobody may change b from
// then on.
func frozen(b []byte) string {
	return unsafe.String(unsafe.SliceData(b), len(b)) //nolint:gosec // nobody else has b
}

func isBase62(c byte) bool {
	return c-'0' < 10 || c-'A' < 26 || c-'a' < 26
}

// checksum continues a CRC-32/IEEE over body and writes it in base62.
func checksum(crc uint32, body []byte) (digits [checksumLen]byte) {
	crc = crc32.Update(crc, crc32.IEEETable, body)
	for i := checksumLen - 1; i >= 0; i-- {
		digits[i] = Alphabet[crc%62]
		crc /= 62
	}
	return digits
}

// encodeSecret writes a 256-bit number in base62. Ten digits fit a machine
// word, so the number is divided by 62^10 a word at a time instead of by 62.
func encodeSecret(dst *[secretLen]byte, secret [32]byte) {
	const chunk, chunkDigits = 839299365868340224, 10 // 62^10
	var n [4]uint64                                   // big-endian words
	for i := range n {
		n[i] = binary.BigEndian.Uint64(secret[i*8:])
	}
	for end := secretLen; end > 0; end -= chunkDigits {
		var rest uint64
		for i := range n {
			n[i], rest = bits.Div64(rest, n[i], chunk)
		}
		for i := end - 1; i >= max(0, end-chunkDigits); i-- {
			dst[i] = Alphabet[rest%62]
			rest /= 62
		}
	}
}

// Random returns 32 random bytes in base62, with neither prefix nor checksum.
func Random() string {
	var secret [32]byte
	rand.Read(secret[:]) // never fails, see crypto/rand
	var text [secretLen]byte
	encodeSecret(&text, secret)
	return string(text[:])
}
