package oauthtest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/latchwork/latchwork/oauth"
)

// A LimiterBackend is what the suite for limiters tests.
type LimiterBackend struct {
	// Limiter is the limiter, in which nothing is counted.
	Limiter oauth.Limiter

	// Second is another handle on the same counts, as another node has. Nil:
	// Limiter itself.
	Second oauth.Limiter
}

// TestLimiter runs the suite for limiters, each check as a subtest on a limiter
// of its own. It takes a few seconds, in which it waits for what is counted to
// be forgotten.
func TestLimiter(t *testing.T, open func(t *testing.T) LimiterBackend) {
	t.Helper()
	testAll(t, limiterChecks(), func(t *testing.T) (*limiterTrial, error) { return open(t).trial() })
}

// CheckLimiter is TestLimiter without a testing.T, like CheckStore.
func CheckLimiter(ctx context.Context, open func() (LimiterBackend, error)) error {
	return checkAll(ctx, limiterChecks(), opening(open, LimiterBackend.trial), checkTimeout)
}

func (b LimiterBackend) trial() (*limiterTrial, error) {
	if b.Limiter == nil {
		return nil, errors.New("the LimiterBackend has no Limiter")
	}
	if b.Second == nil {
		b.Second = b.Limiter
	}
	return &limiterTrial{LimiterBackend: b}, nil
}

// A limiterTrial is one run of a check of a limiter.
type limiterTrial struct {
	LimiterBackend

	budgets int
}

// A Limiter is an [oauth.Limiter] in memory, for tests of several Servers. It
// forgets no key. The zero Limiter has counted nothing. It is safe for
// concurrent use.
type Limiter struct {
	mu sync.Mutex
	at map[string]time.Time // when all that was counted will be forgotten
}

// Reserve implements [oauth.Limiter].
func (l *Limiter) Reserve(ctx context.Context, budgets []oauth.Budget) (wait time.Duration, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for _, b := range budgets {
		wait = max(wait, l.after(b, 1, now).Sub(now)-time.Duration(b.Rate.Burst)*b.Rate.Every)
	}
	if wait > 0 {
		return wait, nil
	}
	for _, b := range budgets {
		l.set(b, l.after(b, 1, now))
	}
	return 0, nil
}

// Release implements [oauth.Limiter].
func (l *Limiter) Release(ctx context.Context, returned, cleared []oauth.Budget) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for _, b := range returned {
		l.set(b, l.after(b, -1, now))
	}
	for _, b := range cleared {
		delete(l.at, b.Key)
	}
	return nil
}

// after is when all would be forgotten with so many failures more.
func (l *Limiter) after(b oauth.Budget, failures int, now time.Time) time.Time {
	at := l.at[b.Key]
	if at.Before(now) {
		at = now
	}
	return at.Add(time.Duration(failures) * b.Rate.Every)
}

func (l *Limiter) set(b oauth.Budget, at time.Time) {
	if l.at == nil {
		l.at = map[string]time.Time{}
	}
	l.at[b.Key] = at
}
