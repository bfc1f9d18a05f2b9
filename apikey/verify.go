package apikey

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/latchwork/latchwork/internal/cache"
	"github.com/latchwork/latchwork/internal/credential"
	"github.com/latchwork/latchwork/scope"
)

// A Verified key is one whose secret was presented, and which was active then.
// It is a small value that is cheap to copy; what it holds is immutable and
// shared. The zero Verified allows nothing.
type Verified struct {
	key *loaded

	// at is when that was, on the monotonic clock of the cache and of uses.
	at time.Duration
}

// Key returns the key, with the permissions that are in effect.
func (v Verified) Key() Key {
	if v.key == nil {
		return Key{}
	}
	return v.key.key
}

// Type returns the key's type. It is Key().Type, without a copy of the rest.
func (v Verified) Type() string {
	if v.key == nil {
		return ""
	}
	return v.key.key.Type
}

// Permissions returns what the key may do at present. It is Key().Permissions,
// without a copy of the rest.
func (v Verified) Permissions() scope.Set {
	if v.key == nil {
		return scope.Set{}
	}
	return v.key.key.Permissions
}

// AllowsFrom says whether the key may be used from this address:
// ErrIPNotAllowed, or ErrIPUnknown when the key is bound to addresses and addr
// is not valid.
func (v Verified) AllowsFrom(addr netip.Addr) error {
	switch {
	case v.key == nil:
		return ErrInvalid
	case !v.key.bound:
		return nil
	case !addr.IsValid():
		return ErrIPUnknown
	case !v.key.allowed.Contains(addr):
		return ErrIPNotAllowed
	default:
		return nil
	}
}

// VerifyCached is Verify without I/O: ErrNotCached when only the store can
// tell, which is the moment to look at a throttle. What cannot be a key at all
// is ErrInvalid at once.
func (m *Manager) VerifyCached(presented string) (Verified, error) {
	v, err := m.known(presented)
	if err != nil {
		m.countDenial(err)
	}
	return v, err
}

// Verify returns the key whose secret was presented. ErrInvalid, ErrRevoked,
// ErrDisabled, ErrExpired: it may not be used, judged in this order. ErrBusy:
// too many others wait for the store. Any other error, too, means that nothing
// is known. Addresses and permissions are for the caller to check.
func (m *Manager) Verify(ctx context.Context, presented string) (Verified, error) {
	v, err := m.known(presented)
	if err == nil {
		return v, nil
	}
	if errors.Is(err, ErrNotCached) {
		v, err = m.load(ctx, presented)
	}
	m.countDenial(err)
	return v, err
}

// known answers from what is known without the store, or with ErrNotCached.
//
// What is cached was well-formed when it came in. So the checksum, which costs
// half a hash, is only looked at for what is not.
func (m *Manager) known(presented string) (Verified, error) {
	if m.cache == nil || len(presented) > m.longest {
		return Verified{}, ErrInvalid
	}
	if e := m.cache.Find(presented); e != nil {
		age, since := m.glance.Instant()
		verdict := m.cache.Judge(e, age)
		if verdict == cache.Due {
			m.refresh(presented)
		}
		if verdict != cache.Old {
			m.counters.Add(countHit)
			return m.verified(&e.Value, age, since)
		}
	} else if !m.wellFormed(presented) {
		return Verified{}, ErrInvalid
	}
	if m.cache.Missed(m.cache.Key(presented)) {
		m.counters.Add(countUnknown)
		return Verified{}, ErrInvalid
	}
	return Verified{}, ErrNotCached
}

func (m *Manager) wellFormed(presented string) bool {
	return m.format.Valid(presented) || m.recognizeForeign(presented)
}

// verified judges a key at an instant, by both times of the clock.
func (m *Manager) verified(k *loaded, at, since time.Duration) (Verified, error) {
	if since < k.good {
		return Verified{key: k, at: at}, nil
	}
	err := k.judge(m.clock())
	switch {
	case err == nil: // the clock has just been put back
		return Verified{key: k, at: at}, nil
	case !errors.Is(err, ErrInvalid): // a secret that is none any more is no use of the key
		m.uses.record(k, at, netip.Addr{}, deniedState)
	}
	return Verified{}, err
}

// refresh reads a record in the background before it becomes too old. What is
// presented is not kept.
func (m *Manager) refresh(presented string) {
	m.cache.Refresh(m.cache.Key(presented), m.reader(Hash(credential.Sum(presented))))
}
