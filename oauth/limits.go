package oauth

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"
	"unicode"

	"github.com/latchwork/latchwork/internal/throttle"
	"github.com/latchwork/latchwork/ipfilter"
)

// A Rate is how many failures are tolerated: Burst of them at once, and then one
// in each Every.
type Rate struct {
	Burst int
	Every time.Duration
}

// Limits say how many failures are tolerated before the answer is 429 with
// Retry-After. A field that is zero, of a Rate too, has its default. Successes
// never count. An address is an IPv4 address or a network of IPv6, /64.
//
// Everything is counted in memory of a fixed size, 8 MiB with passwords and 1
// without, and names only as a keyed hash.
type Limits struct {
	// Account limits wrong passwords for one user name, those of users who do
	// not exist alike: over all addresses, and from each. Meanwhile the right
	// password is refused, too. A success forgets what came from its own
	// address, and for 30 days that address is spared the limit over all, so
	// that nobody can be kept out from where they use to sign in. Zero: 5, and
	// then one every 30 seconds.
	Account Rate

	// Sustained does the same for whoever does not give up. NIST SP 800-63B
	// wants no more than 100 failures. Zero: 100, and then one every 15
	// minutes.
	Sustained Rate

	// Address limits wrong passwords from one address, for whatever names. No
	// success changes it. Zero: 20, and then one every 3 seconds.
	Address Rate

	// Backend takes the place of Address for wrong passwords that a
	// confidential client sends from one address: a backend signs in all its
	// users from there. Zero: 300, and then one every 200 ms.
	Backend Rate

	// ClientSecret limits wrong secrets for one client from one address,
	// known or not, RFC 6749 section 2.3.1. The right secret is refused
	// meanwhile, too, unless the client had it at this address in the last 30
	// days. Many clients send each of them twice, in the header and then in
	// the body. Zero: 20, and then one every
	// 3 seconds.
	ClientSecret Rate
}

// complete fills in the defaults. Whoever tolerates more for an account does not
// want to meet the other limits first.
func (l Limits) complete() Limits {
	fill := func(r Rate, burst int, every time.Duration) Rate {
		if r.Burst == 0 {
			r.Burst = burst
		}
		return Rate{r.Burst, or(r.Every, every)}
	}
	l.Account = fill(l.Account, 5, 30*time.Second)
	l.Sustained = fill(l.Sustained, max(100, l.Account.Burst), 15*time.Minute)
	l.Address = fill(l.Address, max(20, 4*l.Account.Burst), 3*time.Second)
	l.Backend = fill(l.Backend, max(300, l.Address.Burst), 200*time.Millisecond)
	l.ClientSecret = fill(l.ClientSecret, 20, 3*time.Second)
	return l
}

// validate names everything that is wrong with limits that are complete.
func (l Limits) validate() error {
	var faults []error
	for _, r := range []struct {
		name string
		rate Rate
	}{
		{"Account", l.Account}, {"Sustained", l.Sustained}, {"Address", l.Address}, {"Backend", l.Backend}, {"ClientSecret", l.ClientSecret},
	} {
		if err := throttle.Limit(r.rate).Validate(); err != nil {
			faults = append(faults, fmt.Errorf("the limit %s: %w", r.name, err))
		}
	}
	return errors.Join(faults...)
}

// entries is how many keys each limit can tell apart: what fits in a MiB.
const entries = 7 << 13

// source is where a request comes from, as far as limits go: where
// Config.ClientAddr says, or if that cannot be told, the peer. It is the zero
// Addr if the peer has none.
func (s *Server) source(r *http.Request) netip.Addr {
	if s.cfg.ClientAddr != nil {
		if addr, err := s.cfg.ClientAddr(r); err == nil && addr.IsValid() {
			return addr
		}
	}
	addr, _ := new(ipfilter.Resolver).Addr(r) // the zero one on an error
	return addr
}

// foldName is what a user name counts as unless the host says otherwise: without
// the space around it, and in any case the same.
func foldName(name string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return least
	}, strings.TrimSpace(name))
}
