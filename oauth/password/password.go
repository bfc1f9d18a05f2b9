// Package password hashes the passwords of people with argon2id, verifies what
// Laravel hashed with bcrypt, and bounds how much of either goes on at once.
//
// Start with [New] and [Hasher.Hash]. A login is one [Hasher.Verify], for
// people who do not exist, too: pass the empty hash then, so that the answer
// takes as long as for those who do.
//
// # Security considerations
//
// A slow hash is a lever for whoever wants to exhaust a server: each takes
// 19 MiB of memory and some ten milliseconds. The gate in a Hasher lets only a
// few run at once; some others wait a little for their turn, and everybody else
// gets ErrBusy at once, so that a flood holds neither memory nor goroutines.
// It does not replace a limit on guesses. API keys, tokens and client secrets
// have 256 random bits and never need this package.
//
// Whoever signs in for the first time since their bcrypt hash was imported is
// compared by bcrypt, which takes another time than argon2id does for nobody.
// Until then, somebody who may guess often and measures well can tell that they
// exist.
package password

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// ErrBusy says that too many passwords are being hashed already. Answer 503.
var ErrBusy = errors.New("password: busy")

// ErrFormat says that a stored hash is none that this package can verify.
var ErrFormat = errors.New("password: unknown format of a stored hash")

// MaxLength is the longest password that is looked at, in bytes. Longer ones,
// and those with a NUL, are wrong without being hashed.
const MaxLength = 4096

// Config is what a Hasher may be told. The zero value is what OWASP recommends
// for argon2id.
type Config struct {
	Memory      uint32 // KiB; zero: 19456
	Iterations  uint32 // zero: 2
	Parallelism uint8  // zero: 1

	// Concurrent is how many passwords are hashed at once. Zero: twice
	// GOMAXPROCS.
	Concurrent int

	// Queue is how many others wait for their turn. Whoever comes when there
	// are as many gets ErrBusy at once. Zero: 16 times Concurrent, which two
	// cores work off in a second or two.
	Queue int

	// Wait is how long they wait before ErrBusy. Zero: five seconds.
	Wait time.Duration
}

// A Hasher hashes and verifies passwords. It is safe for concurrent use.
type Hasher struct {
	params params
	gate   gate
	dummy  string // what the password of nobody is compared with
}

// New returns a Hasher, or everything that is wrong with the configuration.
func New(cfg Config) (*Hasher, error) {
	p := params{memory: or(cfg.Memory, 19456), iterations: or(cfg.Iterations, 2), parallelism: or(cfg.Parallelism, 1)}
	if err := errors.Join(p.validate(), positive("Concurrent", cfg.Concurrent), positive("Queue", cfg.Queue), positive("Wait", int(cfg.Wait))); err != nil {
		return nil, fmt.Errorf("password: %w", err)
	}
	concurrent := or(cfg.Concurrent, 2*runtime.GOMAXPROCS(0))
	h := &Hasher{
		params: p,
		gate:   newGate(concurrent, or(cfg.Queue, 16*concurrent), or(cfg.Wait, 5*time.Second)),
	}
	// The salt and the tag of nobody are zero: no password has that tag.
	h.dummy = p.encode(make([]byte, saltLen), make([]byte, tagLen))
	return h, nil
}

func or[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}

func positive(name string, n int) error {
	if n < 0 {
		return fmt.Errorf("%s is negative", name)
	}
	return nil
}

// Hash returns the hash of a password as a PHC string, with a new salt.
// ErrBusy; an error for a password that is longer than MaxLength or has a NUL.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	if !acceptable(password) {
		return "", fmt.Errorf("password: longer than %d bytes, or with a NUL", MaxLength)
	}
	salt := make([]byte, saltLen)
	rand.Read(salt)
	var tag []byte
	err := h.gate.through(ctx, func() { tag = h.params.derive(password, salt, tagLen) })
	if err != nil {
		return "", err
	}
	return h.params.encode(salt, tag), nil
}

// Verify compares a password with a stored hash: a PHC string of argon2id, or
// bcrypt as Laravel writes it ($2y$) and others do ($2a$, $2b$). The empty hash
// stands for somebody who does not exist: the same work, and the answer no.
// outdated says that a right password should be hashed anew with Hash, because
// the stored hash is of another kind or cheaper. ErrBusy, ErrFormat.
func (h *Hasher) Verify(ctx context.Context, hash, password string) (ok, outdated bool, err error) {
	if !acceptable(password) {
		return false, false, nil
	}
	if isBcrypt(hash) {
		if cost, err := bcrypt.Cost([]byte(hash)); err != nil || cost > maxCost {
			return false, false, ErrFormat
		}
		var compared error
		if err := h.gate.through(ctx, func() { compared = bcrypt.CompareHashAndPassword([]byte(hash), []byte(password)) }); err != nil {
			return false, false, err
		}
		switch {
		case compared == nil:
			return true, true, nil
		case errors.Is(compared, bcrypt.ErrMismatchedHashAndPassword):
			return false, false, nil
		default:
			return false, false, ErrFormat
		}
	}
	nobody := hash == ""
	if nobody {
		hash = h.dummy
	}
	p, salt, tag, err := decode(hash)
	if err != nil {
		return false, false, err
	}
	if err := h.gate.through(ctx, func() { ok = subtle.ConstantTimeCompare(p.derive(password, salt, uint32(len(tag))), tag) == 1 }); err != nil {
		return false, false, err
	}
	ok = ok && !nobody
	return ok, ok && p != h.params, nil
}

// acceptable reports whether a password is worth hashing.
func acceptable(password string) bool {
	return len(password) <= MaxLength && strings.IndexByte(password, 0) < 0
}

func isBcrypt(hash string) bool {
	return strings.HasPrefix(hash, "$2y$") || strings.HasPrefix(hash, "$2a$") || strings.HasPrefix(hash, "$2b$")
}

// maxCost is the highest cost of bcrypt that is verified. Each step up takes
// twice as long; this one takes seconds.
const maxCost = 16

const (
	saltLen = 16
	tagLen  = 32
)

// params are the cost of an argon2id hash.
type params struct {
	memory, iterations uint32
	parallelism        uint8
}

// validate refuses costs that are a joke, and those that would exhaust the
// machine: a stored hash may have been written by somebody else.
func (p params) validate() error {
	if p.memory < 8*uint32(p.parallelism) || p.memory > 1<<18 || p.iterations < 1 || p.iterations > 16 || p.parallelism < 1 || p.parallelism > 64 {
		return fmt.Errorf("argon2id with m=%d KiB, t=%d, p=%d is out of bounds", p.memory, p.iterations, p.parallelism)
	}
	return nil
}

func (p params) derive(password string, salt []byte, length uint32) []byte {
	return argon2.IDKey([]byte(password), salt, p.iterations, p.memory, p.parallelism, length)
}
