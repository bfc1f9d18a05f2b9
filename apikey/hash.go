package apikey

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"
)

// A Hash is what a store keeps instead of a secret: its SHA-256, or with a
// pepper the HMAC-SHA-256 of that under the pepper.
type Hash [sha256.Size]byte

// ParseHash reads 64 hexadecimal digits, as a foreign database may hold them.
func ParseHash(text string) (Hash, error) {
	var h Hash
	if len(text) != hex.EncodedLen(len(h)) {
		return Hash{}, fmt.Errorf("apikey: a SHA-256 has 64 hexadecimal digits, not %d characters", len(text))
	}
	if _, err := hex.Decode(h[:], []byte(text)); err != nil {
		return Hash{}, errors.New("apikey: a SHA-256 has only hexadecimal digits")
	}
	return h, nil
}

// String returns the first eight digits: enough to tell rows apart.
func (h Hash) String() string { return hex.EncodeToString(h[:4]) + "..." }

// A SecretHash is one secret of a key as a store keeps it.
type SecretHash struct {
	Hash     Hash
	PepperID string    // empty: no pepper
	Deadline time.Time // of a secret that was rotated out; zero: lives as long as the key
}

// A Pepper is a server-side key that is mixed into every stored hash, so that
// whoever can write to the database still cannot plant a key. It prints
// without its key.
type Pepper struct {
	id  string
	key func() []byte // see Secret
}

// NewPepper names a pepper. The id is stored beside every hash made with it:
// 1 to 32 characters of a-z, 0-9 and underscore. The key has at least 32 bytes
// and is copied.
func NewPepper(id string, key []byte) Pepper {
	key = append([]byte(nil), key...)
	return Pepper{id: id, key: func() []byte { return key }}
}

// Format implements [fmt.Formatter] for every verb.
func (p Pepper) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, "pepper "+p.id) }

func (p Pepper) validate() error {
	if !isIdentifier(p.id) {
		return fmt.Errorf("pepper id %.40q: want 1 to %d of a-z, 0-9 and underscore", p.id, maxIdentifier)
	}
	if p.key == nil || len(p.key()) < 32 {
		return fmt.Errorf("pepper %q: the key has fewer than 32 bytes", p.id)
	}
	return nil
}

func (p Pepper) hash(sum Hash) SecretHash {
	mac := hmac.New(sha256.New, p.key())
	mac.Write(sum[:])
	return SecretHash{Hash: Hash(mac.Sum(nil)), PepperID: p.id}
}

// A hasher knows the forms in which the hash of a secret may be stored.
type hasher struct {
	peppers    []Pepper // the first one writes
	unpeppered bool     // rows without a pepper are looked up, too
}

// stored returns the form in which a new secret is written.
func (h hasher) stored(sum Hash) SecretHash {
	if len(h.peppers) == 0 {
		return SecretHash{Hash: sum}
	}
	return h.peppers[0].hash(sum)
}

// candidates returns every form under which the secret may be found, the one
// for new secrets first.
func (h hasher) candidates(sum Hash) []SecretHash {
	all := make([]SecretHash, 0, len(h.peppers)+1)
	for _, p := range h.peppers {
		all = append(all, p.hash(sum))
	}
	if h.unpeppered {
		all = append(all, SecretHash{Hash: sum})
	}
	return all
}

// hashes returns what to look for.
func hashes(candidates []SecretHash) []Hash {
	list := make([]Hash, len(candidates))
	for i, c := range candidates {
		list[i] = c.Hash
	}
	return list
}

// match returns the secret of the record that is one of the candidates, and
// which. A store that answers with somebody else's record does not get through
// here.
func match(candidates, secrets []SecretHash) (secret SecretHash, candidate int, ok bool) {
	for i, c := range candidates {
		for _, s := range secrets {
			if s.PepperID == c.PepperID && subtle.ConstantTimeCompare(s.Hash[:], c.Hash[:]) == 1 {
				return s, i, true
			}
		}
	}
	return SecretHash{}, 0, false
}
