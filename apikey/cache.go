package apikey

import (
	"cmp"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/latchwork/latchwork/internal/cache"
	"github.com/latchwork/latchwork/ipfilter"
)

const (
	defaultTTL = 5 * time.Second

	maxShared     = 4096 // values in either half of a pool
	maxSharedText = 1024 // bytes; what has a longer text is seldom that of another key, too
)

func newCache(cfg Config, m *Manager) (*cache.Cache[loaded], []error) {
	o, faults := cache.Configure(cmp.Or(cfg.CacheTTL, defaultTTL), cfg.CacheSize, cfg.MaxLoads)
	if faults != nil {
		return nil, faults
	}
	o.Start, o.Clock, o.Log = m.background.Start, m.glance, m.log
	return cache.New[loaded](o), nil
}

// A loaded key is what was read of it under one of its secrets, shared by all
// who verify it, and where its uses are counted at present.
type loaded struct {
	// What every request looks at stands together.
	tally   atomic.Pointer[tally]
	good    time.Duration // until when it is, by the Manager's glance at a clock
	bound   bool          // to the addresses that are allowed
	allowed ipfilter.List

	key      Key
	deadline time.Time // of the secret; zero: none
	denied   error     // what is true of the key at any time: ErrRevoked, ErrDisabled
}

// compile fills in what follows from a key and the deadline of a secret.
func (l *loaded) compile(k Key, deadline time.Time, since func(time.Time) time.Duration) {
	l.key, l.deadline, l.good = k, deadline, math.MaxInt64
	if k.AllowedIPs != nil {
		l.bound, l.allowed = true, *k.AllowedIPs
		l.key.AllowedIPs = &l.allowed
	}
	switch {
	case !k.RevokedAt.IsZero():
		l.denied, l.good = ErrRevoked, math.MinInt64
	case !k.Enabled:
		l.denied, l.good = ErrDisabled, math.MinInt64
	}
	for _, end := range []time.Time{deadline, k.ExpiresAt} {
		if !end.IsZero() {
			l.good = min(l.good, since(end))
		}
	}
}

// join puts the texts of the key behind one another, so that a cache of many
// keys is a few objects for each: the garbage collector goes through them all.
func (k *Key) join() {
	all := k.ID + k.Name + k.Owner + k.Hint + k.CreatedBy + k.RevokedReason
	for _, text := range []*string{&k.ID, &k.Name, &k.Owner, &k.Hint, &k.CreatedBy, &k.RevokedReason} {
		n := len(*text)
		*text, all = all[:n], all[n:]
	}
}

// judge says why the secret may not be used at an instant.
func (l *loaded) judge(now time.Time) error {
	switch {
	case !l.deadline.IsZero() && !now.Before(l.deadline):
		return ErrInvalid
	case l.denied != nil:
		return l.denied
	case l.key.expired(now):
		return ErrExpired
	default:
		return nil
	}
}

// A pool has one value for all keys with the same: sets of permissions and lists
// of addresses are larger than the rest of a key, and most are those of many keys.
// It is safe for concurrent use, and ready as it is.
type pool[V any] struct {
	mu          sync.Mutex
	young, aged map[string]V // by their texts
}

// shared returns a value with the same text as v.
func (p *pool[V]) shared(text string, v V) V {
	if len(text) > maxSharedText {
		return v
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if known, ok := p.young[text]; ok {
		return known
	}
	if known, ok := p.aged[text]; ok {
		v = known
	}
	// What is not asked for while so many others are is forgotten.
	if p.young == nil || len(p.young) >= maxShared {
		p.young, p.aged = map[string]V{}, p.young
	}
	p.young[text] = v
	return v
}
