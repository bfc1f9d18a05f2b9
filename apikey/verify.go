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
	v, _, err := m.known(presented)
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
	v, key, err := m.known(presented)
	if err == nil {
		return v, nil
	}
	if errors.Is(err, ErrNotCached) {
		v, err = m.load(ctx, key, Hash(credential.Sum(presented)))
	}
	m.countDenial(err)
	return v, err
}

// known answers from what is known without the store. The key is that of
// presented if the error is ErrNotCached.
//
// What is cached was well-formed when it came in. So the checksum, which costs
// half a hash, is only looked at for what is not.
func (m *Manager) known(presented string) (Verified, cache.Key, error) {
	if m.cache == nil || len(presented) > m.longest {
		return Verified{}, cache.Key{}, ErrInvalid
	}
	if e := m.cache.Find(presented); e != nil {
		age, now := m.instant(e.Value.dated)
		verdict := m.cache.Judge(e, age)
		if verdict == cache.Due {
			m.refresh(presented)
		}
		if verdict != cache.Old {
			m.counters.Add(countHit)
			v, err := m.verified(&e.Value, age, now)
			return v, cache.Key{}, err
		}
	} else if !m.wellFormed(presented) {
		return Verified{}, cache.Key{}, ErrInvalid
	}
	key := m.cache.Key(presented)
	if m.cache.Missed(key) {
		m.counters.Add(countUnknown)
		return Verified{}, cache.Key{}, ErrInvalid
	}
	return Verified{}, key, ErrNotCached
}

func (m *Manager) wellFormed(presented string) bool {
	return m.format.Valid(presented) || m.recognizeForeign(presented)
}

// instant returns the present by the cache's clock, and if it is needed the
// present by which expiry is judged, from a single look at the clock if that is
// possible.
func (m *Manager) instant(dated bool) (time.Duration, time.Time) {
	switch {
	case !dated:
		return m.cache.Now(), time.Time{}
	case m.wall:
		now := time.Now()
		return m.cache.At(now), now
	default:
		return m.cache.Now(), m.clock()
	}
}

// verified judges a key at an instant, which was at on the cache's clock.
func (m *Manager) verified(k *loaded, at time.Duration, now time.Time) (Verified, error) {
	err := k.judge(now)
	switch {
	case err == nil:
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
