package oauthtest_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/oauth"
	"github.com/latchwork/latchwork/oauth/oauthtest"
)

func TestLimiter(t *testing.T) {
	t.Parallel()
	oauthtest.TestLimiter(t, func(*testing.T) oauthtest.LimiterBackend {
		return oauthtest.LimiterBackend{Limiter: new(oauthtest.Limiter)}
	})
	require.NoError(t, oauthtest.CheckLimiter(t.Context(), func() (oauthtest.LimiterBackend, error) {
		l := newTally()
		return oauthtest.LimiterBackend{Limiter: l, Second: &l.Limiter}, nil
	}), "what the mutants are made from")
	require.ErrorContains(t, oauthtest.CheckLimiter(t.Context(), func() (oauthtest.LimiterBackend, error) {
		return oauthtest.LimiterBackend{}, nil
	}), "no Limiter")
}

// A tally is a right limiter, of which both methods can be replaced by wrong
// ones.
type tally struct {
	oauthtest.Limiter

	reserve func(context.Context, []oauth.Budget) (time.Duration, error)
	release func(_ context.Context, returned, cleared []oauth.Budget) error
}

func newTally() *tally {
	l := new(tally)
	l.reserve, l.release = l.Limiter.Reserve, l.Limiter.Release
	return l
}

func (l *tally) Reserve(ctx context.Context, budgets []oauth.Budget) (time.Duration, error) {
	return l.reserve(ctx, budgets)
}

func (l *tally) Release(ctx context.Context, returned, cleared []oauth.Budget) error {
	return l.release(ctx, returned, cleared)
}

// sees changes every budget before it is looked at.
func sees(edit func(*oauth.Budget)) func(*tally) {
	return func(l *tally) {
		changed := func(budgets []oauth.Budget) []oauth.Budget {
			budgets = slices.Clone(budgets)
			for i := range budgets {
				edit(&budgets[i])
			}
			return budgets
		}
		l.reserve = func(ctx context.Context, budgets []oauth.Budget) (time.Duration, error) {
			return l.Limiter.Reserve(ctx, changed(budgets))
		}
		l.release = func(ctx context.Context, returned, cleared []oauth.Budget) error {
			return l.Limiter.Release(ctx, changed(returned), changed(cleared))
		}
	}
}

// says changes how long to wait.
func says(edit func(wait time.Duration) time.Duration) func(*tally) {
	return func(l *tally) {
		l.reserve = func(ctx context.Context, budgets []oauth.Budget) (time.Duration, error) {
			wait, err := l.Limiter.Reserve(ctx, budgets)
			return edit(wait), err
		}
	}
}

func TestBrokenLimiters(t *testing.T) {
	t.Parallel()
	caught := map[string]bool{}
	for _, mutant := range []struct {
		mistake, check string
		make           func(*tally)
	}{
		{"never refuses", "limiter burst", says(func(time.Duration) time.Duration { return 0 })},
		{"one more than the burst", "limiter burst", sees(func(b *oauth.Budget) { b.Rate.Burst++ })},
		{"one less than the burst", "limiter burst", sees(func(b *oauth.Budget) { b.Rate.Burst-- })},
		{"waits for the whole burst", "limiter burst", says(func(wait time.Duration) time.Duration { return 5 * wait })},
		{"counts what it refuses", "limiter wait", func(l *tally) {
			l.reserve = func(ctx context.Context, budgets []oauth.Budget) (time.Duration, error) {
				wait, err := l.Limiter.Reserve(ctx, budgets)
				if wait > 0 {
					for i := range budgets {
						more := budgets[i]
						more.Rate.Burst = 1000
						_, err = l.Limiter.Reserve(ctx, []oauth.Budget{more})
					}
				}
				return wait, err
			}
		}},
		{"waits too short", "limiter wait", says(func(wait time.Duration) time.Duration { return wait * 3 / 4 })},
		{"forgets too fast", "limiter wait", func(l *tally) {
			sees(func(b *oauth.Budget) { b.Rate.Every /= 2 })(l)
			inner := l.reserve
			l.reserve = func(ctx context.Context, budgets []oauth.Budget) (time.Duration, error) {
				wait, err := inner(ctx, budgets)
				return 2 * wait, err
			}
		}},
		{"keys are folded", "limiter keys", sees(func(b *oauth.Budget) { b.Key = strings.ToLower(b.Key) })},
		{"keys are cut", "limiter keys", sees(func(b *oauth.Budget) { b.Key = b.Key[:42] })},
		{"each handle for itself", "limiter burst", func(l *tally) { l.reserve = new(oauthtest.Limiter).Reserve }},
		{"the first rate for all", "limiter rates", func(l *tally) {
			l.reserve = func(ctx context.Context, budgets []oauth.Budget) (time.Duration, error) {
				budgets = slices.Clone(budgets)
				for i := range budgets {
					budgets[i].Rate = budgets[0].Rate
				}
				return l.Limiter.Reserve(ctx, budgets)
			}
		}},
		{"one budget after the other", "limiter all or none", func(l *tally) {
			l.reserve = func(ctx context.Context, budgets []oauth.Budget) (time.Duration, error) {
				for i := range budgets {
					if wait, err := l.Limiter.Reserve(ctx, budgets[i:i+1]); err != nil || wait > 0 {
						return wait, err
					}
				}
				return 0, nil
			}
		}},
		{"the first wait", "limiter longest wait", func(l *tally) {
			l.reserve = func(ctx context.Context, budgets []oauth.Budget) (time.Duration, error) {
				wait, err := l.Limiter.Reserve(ctx, budgets)
				if wait > 0 {
					wait, err = l.Limiter.Reserve(ctx, budgets[:1])
				}
				return wait, err
			}
		}},
		{"nothing is returned", "limiter returned", func(l *tally) {
			l.release = func(ctx context.Context, _, cleared []oauth.Budget) error {
				return l.Limiter.Release(ctx, nil, cleared)
			}
		}},
		{"returned is cleared", "limiter returned", func(l *tally) {
			l.release = func(ctx context.Context, returned, cleared []oauth.Budget) error {
				return l.Limiter.Release(ctx, nil, slices.Concat(returned, cleared))
			}
		}},
		{"falls below none", "limiter returned", func(l *tally) {
			credit, inner := map[string]int{}, l.reserve
			l.reserve = func(ctx context.Context, budgets []oauth.Budget) (time.Duration, error) {
				if len(budgets) == 1 && credit[budgets[0].Key] > 1 {
					credit[budgets[0].Key]--
					return 0, ctx.Err()
				}
				return inner(ctx, budgets)
			}
			l.release = func(ctx context.Context, returned, cleared []oauth.Budget) error {
				for _, b := range returned {
					credit[b.Key]++
				}
				return l.Limiter.Release(ctx, returned, cleared)
			}
		}},
		{"nothing is cleared", "limiter cleared", func(l *tally) {
			l.release = func(ctx context.Context, returned, _ []oauth.Budget) error {
				return l.Limiter.Release(ctx, returned, nil)
			}
		}},
		{"cleared is returned", "limiter cleared", func(l *tally) {
			l.release = func(ctx context.Context, returned, cleared []oauth.Budget) error {
				return l.Limiter.Release(ctx, slices.Concat(returned, cleared), nil)
			}
		}},
		{"cleared is everything", "limiter cleared", func(l *tally) {
			l.release = func(ctx context.Context, returned, cleared []oauth.Budget) error {
				if len(cleared) > 0 {
					*l = *newTally()
				}
				return l.Limiter.Release(ctx, returned, nil)
			}
		}},
		{"looks and then counts", "limiter at once", racing(1)},
		{"looks and then counts several", "limiter all or none at once", racing(2)},
		{"the context is ignored by Reserve", "limiter done context", func(l *tally) {
			l.reserve = func(ctx context.Context, budgets []oauth.Budget) (time.Duration, error) {
				return l.Limiter.Reserve(context.WithoutCancel(ctx), budgets)
			}
		}},
		{"the context is ignored by Release", "limiter done context", func(l *tally) {
			l.release = func(ctx context.Context, returned, cleared []oauth.Budget) error {
				return l.Limiter.Release(context.WithoutCancel(ctx), returned, cleared)
			}
		}},
		{"says so too late", "limiter done context", func(l *tally) {
			l.reserve = func(ctx context.Context, budgets []oauth.Budget) (time.Duration, error) {
				wait, err := l.Limiter.Reserve(context.WithoutCancel(ctx), budgets)
				return wait, errors.Join(err, ctx.Err())
			}
		}},
	} {
		caught[mutant.check] = true
		t.Run(mutant.mistake, func(t *testing.T) {
			t.Parallel()
			err := oauthtest.CheckOnlyLimiter(t.Context(), mutant.check, func() (oauthtest.LimiterBackend, error) {
				l := newTally()
				mutant.make(l)
				return oauthtest.LimiterBackend{Limiter: l, Second: &l.Limiter}, nil
			})
			if mutant.mistake == "never refuses" || err == nil { // which needs both handles to be wrong
				err = oauthtest.CheckOnlyLimiter(t.Context(), mutant.check, func() (oauthtest.LimiterBackend, error) {
					l := newTally()
					mutant.make(l)
					return oauthtest.LimiterBackend{Limiter: l}, nil
				})
			}
			require.ErrorContains(t, err, "oauthtest: "+mutant.check+": ")
		})
	}
	for _, name := range oauthtest.LimiterCheckNames() {
		require.True(t, caught[name], "no mutant is for %q", name)
	}
}

// racing looks for room in one step and counts in the next, when it has n
// budgets or more.
func racing(n int) func(*tally) {
	return func(l *tally) {
		var mu sync.Mutex
		taken := map[string]int{}
		l.reserve = func(ctx context.Context, budgets []oauth.Budget) (time.Duration, error) {
			if len(budgets) < n {
				return l.Limiter.Reserve(ctx, budgets)
			}
			mu.Lock()
			for _, b := range budgets {
				if taken[b.Key] >= b.Rate.Burst {
					mu.Unlock()
					return b.Rate.Every, ctx.Err()
				}
			}
			mu.Unlock()
			time.Sleep(time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			for _, b := range budgets {
				taken[b.Key]++
				b.Rate.Burst = 1000
				if _, err := l.Limiter.Reserve(ctx, []oauth.Budget{b}); err != nil {
					return 0, err
				}
			}
			return 0, nil
		}
	}
}
