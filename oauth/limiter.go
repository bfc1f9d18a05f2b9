package oauth

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"net/netip"
	"time"
)

// A Limiter counts wrong passwords for several Servers together, in a Redis for
// example: see Config.Limiter. It is safe for concurrent use. The suite in
// oauthtest holds an implementation against what is written here.
type Limiter interface {
	// Reserve counts one failure against each of the budgets and returns 0.
	// If there is one that has no room for it, nothing is counted against any
	// of them, and Reserve returns how long to wait until all have, should
	// nothing else happen. This is one atomic step: of many at once, no more
	// get through than there is room for. Of two budgets with the same Key,
	// which never come together, the Rate is the same.
	Reserve(ctx context.Context, budgets []Budget) (wait time.Duration, err error)

	// Release takes one failure back from each of returned, which never falls
	// below none, and forgets all there were against cleared.
	Release(ctx context.Context, returned, cleared []Budget) error
}

// A Budget is how many failures are tolerated of one account, of one address, or
// of one at the other.
type Budget struct {
	// Key is 43 characters of base64url which tell nothing: an HMAC-SHA-256
	// under Config.LimiterKey.
	Key string

	// Rate is what is tolerated: Burst failures at once, and then one in each
	// Every. What is older than Burst times Every may be forgotten.
	Rate Rate
}

// limiterTimeout is how long a Limiter may take to answer.
const limiterTimeout = time.Second

// shared is the Limiter that several Servers have. A nil one tolerates
// everything.
type shared struct {
	limiter  Limiter
	key      []byte
	limits   Limits
	required bool
	failed   func(context.Context, error)
}

// A reservation is what one guess takes from a shared Limiter.
type reservation struct {
	of      *shared
	budgets []Budget // as those of a guess
	count   int
	made    bool // unless the Limiter failed
}

func (s *shared) reservation(a attempt, name string, count int) *reservation {
	if s == nil {
		return nil
	}
	source := sourceText(a.source)
	r := &reservation{of: s, count: count, budgets: []Budget{
		{s.name("address", source), s.limits.Address},
		{s.name("pair", name, source), s.limits.Account},
		{s.name("pair sustained", name, source), s.limits.Sustained},
		{s.name("account", name), s.limits.Account},
		{s.name("account sustained", name), s.limits.Sustained},
	}}
	if a.method != "" {
		r.budgets[0] = Budget{s.name("backend", a.client.ID, source), s.limits.Backend}
	}
	return r
}

// name returns the Key of a budget. Each part is preceded by its length, so that
// no two sequences of parts are the same.
func (s *shared) name(parts ...string) string {
	mac := hmac.New(sha256.New, s.key)
	for _, part := range parts {
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		mac.Write([]byte(part))
	}
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// sourceText is what an address counts as: an IPv4 address, an IPv6 network, or
// nothing that is known.
func sourceText(addr netip.Addr) string {
	addr = addr.Unmap()
	if addr.Is6() {
		if network, err := addr.WithZone("").Prefix(64); err == nil {
			return network.String()
		}
	}
	return addr.String()
}

// reserve asks the Limiter. If that cannot be asked, the local limits have to do,
// unless it is required.
func (r *reservation) reserve(ctx context.Context) (time.Duration, error) {
	if r == nil {
		return 0, nil
	}
	asking, cancel := context.WithTimeout(ctx, limiterTimeout)
	defer cancel()
	wait, err := r.of.limiter.Reserve(asking, r.budgets[:r.count])
	if err == nil {
		r.made = true
		return max(0, wait), nil
	}
	if gone := ctx.Err(); gone != nil {
		return 0, gone
	}
	r.of.failed(ctx, err)
	if r.of.required {
		return 0, err
	}
	return 0, nil
}

// release takes back what was reserved for a guess that was right, or about
// which nothing was said. Its sender need not wait for that.
func (r *reservation) release(ctx context.Context, right bool) {
	if r == nil || !r.made {
		return
	}
	returned, cleared := r.budgets[:r.count], []Budget(nil)
	if right {
		cleared = r.budgets[1:3]
		returned = append([]Budget{r.budgets[0]}, r.budgets[3:max(3, r.count)]...)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limiterTimeout)
	defer cancel()
	if err := r.of.limiter.Release(ctx, returned, cleared); err != nil {
		r.of.failed(ctx, err)
	}
}

// newShared returns nil without a Limiter.
func newShared(cfg Config, failed func(context.Context, error)) (*shared, error) {
	const least = 32
	key := cfg.LimiterKey.Reveal()
	switch {
	case cfg.Limiter == nil && (key != "" || cfg.LimiterRequired):
		return nil, errors.New("LimiterKey and LimiterRequired are for a Limiter, and that is nil")
	case cfg.Limiter == nil:
		return nil, nil
	case len(key) < least:
		return nil, errors.New("LimiterKey is shorter than 32 bytes")
	case cfg.InsecureUnlimitedGuesses:
		return nil, errors.New("a Limiter and InsecureUnlimitedGuesses contradict each other")
	}
	return &shared{cfg.Limiter, []byte(key), cfg.Limits, cfg.LimiterRequired, failed}, nil
}
