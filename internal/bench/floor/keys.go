// Package floor does by hand, with the standard library alone, what a service
// needs that has API keys and no library for them. It is the yardstick: the
// shortest code that does the job, without a store, revocation, statistics or
// a second kind of credential.
package floor

import (
	"crypto/sha256"
	"crypto/subtle"
	"maps"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"
	"unsafe"
)

// A Key is what is known about one key.
type Key struct {
	Hash        [sha256.Size]byte
	ID          string
	ExpiresAt   time.Time           // zero: never
	AllowedIPs  []netip.Prefix      // nil: anywhere
	Permissions map[string]struct{} // no wildcards

	Uses Uses
}

// Uses are how often something was used, and when last. The zero Uses is ready,
// and safe for concurrent use.
type Uses struct{ n, last int64 }

// Add counts a use.
func (u *Uses) Add() {
	atomic.AddInt64(&u.n, 1)
	atomic.StoreInt64(&u.last, time.Now().UnixNano())
}

// Keys finds keys by the SHA-256 of their secret. It is read concurrently and
// never changes.
type Keys map[[sha256.Size]byte]*Key

// NewKeys returns keys with these secrets, all else as in the one given. Each has
// its own copy of that, as if it had been read from a database.
func NewKeys(same Key, secrets ...string) Keys {
	keys := make(Keys, len(secrets))
	for _, secret := range secrets {
		key := same
		key.Hash = sha256.Sum256([]byte(secret))
		key.AllowedIPs, key.Permissions = slices.Clone(same.AllowedIPs), maps.Clone(same.Permissions)
		keys[key.Hash] = &key
	}
	return keys
}

// Verify returns the key whose secret was presented: a hash, a map read, a
// comparison, and a look at the clock if the key expires.
func (k Keys) Verify(presented string) (*Key, bool) {
	sum := sha256.Sum256(unsafe.Slice(unsafe.StringData(presented), len(presented))) // converting allocates
	key := k[sum]
	if key == nil || subtle.ConstantTimeCompare(key.Hash[:], sum[:]) != 1 {
		return nil, false
	}
	if !key.ExpiresAt.IsZero() && !time.Now().Before(key.ExpiresAt) {
		return nil, false
	}
	return key, true
}

// AllowsFrom reports whether the key may be used from the address.
func (k *Key) AllowsFrom(addr netip.Addr) bool {
	if k.AllowedIPs == nil {
		return true
	}
	for _, prefix := range k.AllowedIPs {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}
