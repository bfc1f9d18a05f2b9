package apikey

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/latchwork/latchwork/internal/credential"
)

// A Verified key is one whose secret was presented, and which was active then.
// It is a small value that is cheap to copy; what it holds is immutable and
// shared. The zero Verified allows nothing.
type Verified struct {
	key *loaded

	// at is when that was, on the monotonic clock of Manager.uses. Zero: not
	// long ago.
	at time.Duration
}

// Key returns the key, with the permissions that are in effect.
func (v Verified) Key() Key {
	if v.key == nil {
		return Key{}
	}
	return v.key.key
}

// AllowsFrom says whether the key may be used from this address:
// ErrIPNotAllowed, or ErrIPUnknown when the key is bound to addresses and addr
// is not valid.
func (v Verified) AllowsFrom(addr netip.Addr) error {
	switch {
	case v.key == nil:
		return ErrInvalid
	case v.key.key.AllowedIPs == nil:
		return nil
	case !addr.IsValid():
		return ErrIPUnknown
	case !v.key.key.AllowedIPs.Contains(addr):
		return ErrIPNotAllowed
	default:
		return nil
	}
}

// VerifyCached is Verify without I/O: ErrNotCached when only the store can
// tell, which is the moment to look at a throttle. What cannot be a key at all
// is ErrInvalid at once.
func (m *Manager) VerifyCached(presented string) (Verified, error) {
	if !m.format.Valid(presented) && !m.recognizeForeign(presented) {
		return Verified{}, ErrInvalid
	}
	return Verified{}, ErrNotCached
}

// Verify returns the key whose secret was presented. ErrInvalid, ErrRevoked,
// ErrDisabled, ErrExpired: it may not be used, judged in this order. Any other
// error means that nothing is known. Addresses and permissions are for the
// caller to check.
func (m *Manager) Verify(ctx context.Context, presented string) (Verified, error) {
	v, err := m.VerifyCached(presented)
	if !errors.Is(err, ErrNotCached) {
		return v, err
	}
	return m.load(ctx, Hash(credential.Sum(presented)))
}
