package middleware

import (
	"net/http"
	"net/netip"
	"time"

	"github.com/latchwork/latchwork/internal/throttle"
	"github.com/latchwork/latchwork/ipfilter"
)

const (
	// brakeEntries is how many addresses a brake can tell apart, and how many
	// credentials it remembers: what fits in a MiB each.
	brakeEntries = 7 << 13

	// acceptance is how long a credential that was good is let through to the
	// store, whatever else comes from its address.
	acceptance = 30 * 24 * time.Hour
)

// A brake limits how often what comes from one address may be no good. A nil
// one limits nothing.
type brake struct {
	hash     throttle.Hasher
	sources  *throttle.Limiter
	accepted *throttle.Recent // credentials, each at an address
}

// newBrake returns nil for the zero Limit.
func newBrake(l throttle.Limit) (*brake, error) {
	if l == (throttle.Limit{}) {
		return nil, nil
	}
	if l.Every == 0 {
		l.Every = 3 * time.Second
	}
	if err := l.Validate(); err != nil {
		return nil, err
	}
	return &brake{
		hash: throttle.NewHasher(), sources: throttle.NewLimiter(l, brakeEntries), accepted: throttle.NewRecent(acceptance, brakeEntries),
	}, nil
}

// source returns where a request comes from as far as the brake goes: the peer
// if nobody can tell who is behind it, and the zero Addr if that has none.
func (b *brake) source(r *http.Request, addr netip.Addr) netip.Addr {
	if b != nil && !addr.IsValid() {
		addr, _ = new(ipfilter.Resolver).Addr(r) // the zero one on an error
	}
	return addr
}

// A trial is a credential that is about to be judged. The zero trial is
// unlimited.
type trial struct {
	brake     *brake
	source    netip.Addr
	presented string
}

func (t *trial) member() throttle.Key {
	return t.brake.hash.Pair(t.brake.hash.Text(t.presented), t.brake.hash.Addr(t.source))
}

// Admit says whether a store may be asked about the credential: an
// Authenticator calls it when it has found nothing in memory, and returns the
// error as it is. It is nil unless Config.FailureBurst is used up.
func (r Request) Admit() error { return r.trial.admit() }

func (t *trial) admit() error {
	if t.brake == nil {
		return nil
	}
	wait := t.brake.sources.Wait(t.brake.hash.Addr(t.source))
	if wait == 0 || t.brake.accepted.Has(t.member()) {
		return nil
	}
	return &throttledError{wait}
}

// accepted remembers that the store knew the credential.
func (t *trial) accepted() {
	if t.brake != nil {
		t.brake.accepted.Add(t.member())
	}
}

// failed counts a credential that is no good. It returns how long to wait if that
// was one too many.
func (t *trial) failed() time.Duration {
	if t.brake == nil {
		return 0
	}
	t.brake.accepted.Remove(t.member())
	return t.brake.sources.Take(t.brake.hash.Addr(t.source))
}

// A throttledError is what Request.Admit returns.
type throttledError struct{ wait time.Duration }

func (e *throttledError) Error() string {
	return "middleware: too many failures from this address, wait " + e.wait.String()
}
