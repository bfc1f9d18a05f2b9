package oauth_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/oauth"
)

// A ledger is a Limiter that never forgets anything by itself.
type ledger struct {
	mu     sync.Mutex
	counts map[string]int
	calls  []string
	keys   []string
	before func(ctx context.Context) error
}

func (l *ledger) begin(ctx context.Context, call string, budgets ...oauth.Budget) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	before := l.before
	l.mu.Unlock()
	if before != nil {
		if err := before(ctx); err != nil {
			return err
		}
	}
	l.mu.Lock()
	if l.counts == nil {
		l.counts = map[string]int{}
	}
	for _, b := range budgets {
		call += " " + b.Rate.Every.String()
		l.keys = append(l.keys, b.Key)
	}
	l.calls = append(l.calls, call)
	return nil
}

func (l *ledger) Reserve(ctx context.Context, budgets []oauth.Budget) (time.Duration, error) {
	if err := l.begin(ctx, "reserve", budgets...); err != nil {
		return 0, err
	}
	defer l.mu.Unlock()
	for _, b := range budgets {
		if l.counts[b.Key] >= b.Rate.Burst {
			return 12300 * time.Millisecond, nil
		}
	}
	for _, b := range budgets {
		l.counts[b.Key]++
	}
	return 0, nil
}

func (l *ledger) Release(ctx context.Context, returned, cleared []oauth.Budget) error {
	if err := l.begin(ctx, "release", slices.Concat(returned, cleared)...); err != nil {
		return err
	}
	defer l.mu.Unlock()
	for _, b := range returned {
		l.counts[b.Key]--
	}
	for _, b := range cleared {
		l.counts[b.Key] = 0
	}
	return nil
}

func (l *ledger) do(before func(context.Context) error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.before, l.calls = before, nil
}

// sum is all that is counted.
func (l *ledger) sum() (sum int) {
	for _, n := range l.counts {
		sum += n
	}
	return sum
}

func sharing(l *ledger) func(*oauth.Config) {
	return func(c *oauth.Config) { c.Limiter, c.LimiterKey = l, limiterKey() }
}

// Each Server has its own limits, and with a Limiter they have one together.
func TestReq063_TwoServers(t *testing.T) {
	limited(t, func(t *testing.T, a *house) {
		b := newHouse(t)
		for i := range 5 {
			for _, h := range []*house{a, b} {
				requireError(t, h.from(host(i), "first", login("ada", "wrong")), 400, "invalid_grant")
			}
		}
		requireError(t, a.from(host(6), "first", byLogin), 429, "too_many_requests")
	})
}

func TestReq063_TwoServersWithALimiter(t *testing.T) {
	shared := new(ledger)
	limited(t, func(t *testing.T, a *house) {
		b := newHouse(t, sharing(shared))
		for i := range 5 {
			requireError(t, []*house{a, b}[i%2].from(host(i), "first", login("ada", "wrong")), 400, "invalid_grant")
		}
		a.tap.do(nil)
		for i := range 20 {
			requireLater(t, []*house{a, b}[i%2].from(host(6), "first", byLogin), 13*time.Second) // as the Limiter says
		}
		require.Empty(t, a.tap.since("Users", "Passwords"))
		require.Equal(t, oauth.EventLoginThrottled, a.kinds()[len(a.kinds())-1])
		clear(shared.counts)                                // as time does
		requireTokens(t, a.from(host(6), "first", byLogin)) // what was refused has cost nothing here
	}, sharing(shared))
}

// Whatever comes of a guess, the Limiter is told, and is never told a name.
func TestReq063_WhatTheLimiterIsTold(t *testing.T) {
	shared := new(ledger)
	const all, pair = " 15m0s 30s 15m0s", " 30s 15m0s"
	limited(t, func(t *testing.T, h *house) {
		told := func() []string {
			calls := shared.calls
			shared.do(nil)
			return calls
		}
		requireTokens(t, h.as("app", byLogin))
		require.Equal(t, []string{"reserve 3s 30s" + all, "release 3s 30s 15m0s" + pair}, told())
		require.Zero(t, shared.sum())
		requireError(t, h.as("app", login("ada", "wrong")), 400, "invalid_grant")
		require.Equal(t, []string{"reserve 3s" + pair}, told(), "from where somebody signed in")
		requireError(t, h.as("first", login("ada", "wrong")), 400, "invalid_grant")
		require.Equal(t, []string{"reserve 200ms" + pair}, told(), "of a backend")
		require.Equal(t, 6, shared.sum())
		requireTokens(t, h.as("app", byLogin))
		require.Equal(t, []string{"reserve 3s" + pair, "release 3s" + pair}, told())
		require.Equal(t, 2, shared.sum(), "both addresses, and the pairs are cleared")

		var want []string
		for _, name := range []string{"nobody", "eve"} { // 059: nothing tells one from the other
			requireError(t, h.from(host(1), "app", login(name, right)), 400, "invalid_grant")
			calls := told()
			require.True(t, want == nil || slices.Equal(want, calls))
			want = calls
		}
		before := shared.sum()
		h.tap.do(fail("Users"))
		requireError(t, h.from(host(1), "app", login("bob", right)), 503, "temporarily_unavailable")
		require.Equal(t, []string{"reserve 3s 30s" + all, "release 3s 30s" + all}, told())
		require.Equal(t, before, shared.sum())
		h.tap.do(nil)

		keys := slices.Compact(slices.Sorted(slices.Values(shared.keys)))
		require.Greater(t, len(keys), 10)
		for _, key := range keys {
			require.Regexp(t, `^[0-9A-Za-z_-]{43}$`, key)
		}
		shared.keys = nil
		h.from("1.2.3.4", "app", login("name1", right)) // "name1" and "1.2.3.4", "name" and "11.2.3.4"
		h.from("11.2.3.4", "app", login("name", right))
		require.Len(t, slices.Compact(slices.Sorted(slices.Values(shared.keys))), 10)
		other := new(ledger)
		h = newHouse(t, sharing(other), func(c *oauth.Config) { c.LimiterKey = oauth.NewSecret(strings.Repeat("x", 32)) })
		h.as("app", byLogin)
		for _, key := range other.keys {
			require.NotContains(t, keys, key, "another key gives others")
		}
	}, sharing(shared))
}

func TestReq063_FailingLimiter(t *testing.T) {
	shared := new(ledger)
	limited(t, func(t *testing.T, h *house) {
		shared.do(func(context.Context) error { return errBoom })
		for i := range 5 {
			requireError(t, h.from(host(i), "first", login("ada", "wrong")), 400, "invalid_grant")
		}
		requireLater(t, h.from(host(6), "first", byLogin), 30*time.Second) // the Server's own still hold
		requireTokens(t, h.from(host(7), "first", login("ann", right)))
		require.Contains(t, h.kinds(), oauth.EventLimiterFailed)
		require.Contains(t, h.log.String(), "db7.internal")

		shared.do(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }) // hangs
		start := time.Now()
		requireTokens(t, h.from(host(7), "first", login("ann", right)))
		require.Equal(t, time.Second, time.Since(start))

		// It fails only when it is to take back: nobody minds.
		shared.do(nil)
		h.tap.do(func(call string) error {
			if call == "Passwords.Verify" {
				shared.do(func(context.Context) error { return errBoom })
			}
			return nil
		})
		requireTokens(t, h.from(host(7), "first", login("ann", right)))
	}, sharing(shared), func(c *oauth.Config) {
		c.Users.(*people).put("ann", oauth.User{Subject: "u9", PasswordHash: rightHash()})
	})
}

func TestReq063_RequiredLimiter(t *testing.T) {
	shared := new(ledger)
	limited(t, func(t *testing.T, h *house) {
		shared.do(func(context.Context) error { return errBoom })
		for range 20 { // and nothing is counted
			requireError(t, h.as("first", byLogin), 503, "temporarily_unavailable")
		}
		require.Empty(t, h.tap.since("Users", "Passwords"))
		shared.do(nil)
		requireTokens(t, h.as("first", byLogin))
	}, sharing(shared), func(c *oauth.Config) { c.LimiterRequired = true })
}

// A sender that is gone is no failure of the Limiter, and what was taken is given
// back all the same.
func TestReq063_SenderThatIsGone(t *testing.T) {
	shared := new(ledger)
	limited(t, func(t *testing.T, h *house) {
		ctx, cancel := context.WithCancel(t.Context())
		shared.do(func(ctx context.Context) error { cancel(); return ctx.Err() })
		require.True(t, h.send(request(byLogin, h.basic("first")).WithContext(ctx)).silent())
		require.Empty(t, h.kinds())
		require.Empty(t, h.log.String())

		ctx, cancel = context.WithCancel(t.Context())
		shared.do(nil)
		h.tap.do(func(call string) error {
			if call == "Passwords.Verify" {
				cancel()
			}
			return nil
		})
		h.send(request(byLogin, h.basic("first")).WithContext(ctx))
		require.Zero(t, shared.sum())
	}, sharing(shared), func(c *oauth.Config) { c.LimiterRequired = true })
}

// On one Server, right passwords wait for each other with a Limiter, too.
func TestReq063_RightPasswordsAtOnce(t *testing.T) {
	shared := new(ledger)
	limited(t, func(t *testing.T, h *house) {
		shared.do(func(context.Context) error { time.Sleep(time.Millisecond); return nil })
		h.tap.do(func(string) error { time.Sleep(10 * time.Millisecond); return nil })
		together(32, func(int) { requireTokens(t, h.as("first", byLogin)) })
		require.Zero(t, shared.sum())
	}, sharing(shared))
}
