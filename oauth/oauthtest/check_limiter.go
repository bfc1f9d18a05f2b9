package oauthtest

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/latchwork/latchwork/oauth"
)

// limiterChecks returns the whole contract of an oauth.Limiter.
func limiterChecks() []checkOf[*limiterTrial] {
	return []checkOf[*limiterTrial]{
		{
			"limiter burst", "Reserve counts Burst failures at once and then says how long to wait; what is refused is not counted.",
			checkLimiterBurst,
		},
		{
			"limiter wait", "Whoever waits as long as Reserve says has room for one failure, and for no more.",
			checkLimiterWait,
		},
		{
			"limiter keys", "Each Key is counted apart from all others, byte for byte, and every handle counts the same.",
			checkLimiterKeys,
		},
		{
			"limiter rates", "Each Budget is held against its own Rate.",
			checkLimiterRates,
		},
		{
			"limiter all or none", "If one of the budgets has no room, nothing is counted against the others.",
			checkLimiterAllOrNone,
		},
		{
			"limiter longest wait", "Of several budgets without room, it is the one that takes longest that says how long to wait.",
			checkLimiterLongestWait,
		},
		{
			"limiter returned", "Release takes one failure back from each budget returned, and never falls below none.",
			checkLimiterReturned,
		},
		{
			"limiter cleared", "Release forgets all there was against each budget cleared, and nothing else.",
			checkLimiterCleared,
		},
		{
			"limiter at once", "Of many at once no more get through than there is room for.",
			checkLimiterAtOnce,
		},
		{
			"limiter all or none at once", "Of many at once that have several budgets, each counts against all of its own or against none.",
			checkLimiterAllOrNoneAtOnce,
		},
		{
			"limiter done context", "When the context is done, Reserve and Release return an error and change nothing.",
			checkLimiterContext,
		},
	}
}

// slow is a Rate at which nothing is forgotten while a check runs.
func slow(burst int) oauth.Rate { return oauth.Rate{Burst: burst, Every: time.Hour} }

// budget returns a Budget with a Key that no other has.
func (t *limiterTrial) budget(rate oauth.Rate) oauth.Budget {
	t.budgets++
	sum := sha256.Sum256(fmt.Append(nil, "oauthtest ", t.budgets))
	return oauth.Budget{Key: base64.RawURLEncoding.EncodeToString(sum[:]), Rate: rate}
}

// takes checks that the budgets have room.
func (t *limiterTrial) takes(ctx context.Context, budgets ...oauth.Budget) error {
	wait, err := t.Limiter.Reserve(ctx, budgets)
	if err == nil && wait != 0 {
		err = fmt.Errorf("says to wait %v, want 0: there is room", wait)
	}
	return wrap("Reserve", err)
}

// refuses checks that the budgets have no room, nearly for so long.
func (t *limiterTrial) refuses(ctx context.Context, longest time.Duration, budgets ...oauth.Budget) error {
	wait, err := t.Second.Reserve(ctx, budgets)
	if err == nil && (wait <= longest/2 || wait > longest) {
		err = fmt.Errorf("says to wait %v, want more than %v and at most %v: there is no room", wait, longest/2, longest)
	}
	return wrap("Reserve", err)
}

// room checks that there is room for exactly so many failures.
func (t *limiterTrial) room(ctx context.Context, b oauth.Budget, n int) error {
	for i := range n {
		if err := t.takes(ctx, b); err != nil {
			return fmt.Errorf("failure %d of %d: %w", i+1, n, err)
		}
	}
	return wrap(fmt.Sprintf("after %d", n), t.refuses(ctx, b.Rate.Every, b))
}

func checkLimiterBurst(ctx context.Context, t *limiterTrial) error {
	b, one := t.budget(slow(5)), t.budget(slow(1))
	if err := errors.Join(t.room(ctx, b, 5), t.room(ctx, one, 1)); err != nil {
		return err
	}
	for range 10 {
		if err := t.refuses(ctx, time.Hour, b); err != nil {
			return fmt.Errorf("once more: %w", err)
		}
	}
	return wrap("of no budgets", t.takes(ctx))
}

func checkLimiterWait(ctx context.Context, t *limiterTrial) error {
	b := t.budget(oauth.Rate{Burst: 3, Every: 500 * time.Millisecond})
	for range 3 {
		if err := t.takes(ctx, b); err != nil {
			return err
		}
	}
	for round := range 2 {
		wait, err := t.Limiter.Reserve(ctx, []oauth.Budget{b})
		if err != nil || wait <= 0 || wait > b.Rate.Every {
			return fmt.Errorf("Reserve: says to wait %v, %w, want more than 0 and at most %v", wait, orNone(err), b.Rate.Every)
		}
		due := time.Now().Add(wait)
		time.Sleep(wait + time.Millisecond)
		late, err := t.soon(ctx, b, 1, due)
		if err != nil {
			return fmt.Errorf("round %d, after waiting %v: %w", round+1, wait, err)
		}
		if late {
			return nil // on a machine this busy, nothing more can be told
		}
	}
	time.Sleep(time.Duration(b.Rate.Burst)*b.Rate.Every + 10*time.Millisecond)
	_, err := t.soon(ctx, b, 3, time.Now())
	return wrap("after all is forgotten", err)
}

// soon is room where things are forgotten. If more time has passed since there
// should be room than it takes until there may be more, it is too late to say.
func (t *limiterTrial) soon(ctx context.Context, b oauth.Budget, n int, due time.Time) (late bool, err error) {
	for range n {
		if err := t.takes(ctx, b); err != nil {
			return false, err
		}
	}
	err = t.refuses(ctx, b.Rate.Every, b)
	if time.Since(due) >= b.Rate.Every/2 {
		return true, nil
	}
	return false, wrap("one more", err)
}

func checkLimiterKeys(ctx context.Context, t *limiterTrial) error {
	b := t.budget(slow(2))
	others := []oauth.Budget{t.budget(slow(2)), b, b}
	swapped := []byte(b.Key)
	for i, c := range swapped { // another case
		if c >= 'a' && c <= 'z' {
			swapped[i] = c - 'a' + 'A'
			break
		}
	}
	others[1].Key, others[2].Key = string(swapped), b.Key[:42]+string(rune(b.Key[42]^1))
	if err := t.room(ctx, b, 2); err != nil {
		return err
	}
	for i, other := range others {
		if err := t.room(ctx, other, 2); err != nil {
			return fmt.Errorf("other key %d: %w", i+1, err)
		}
	}
	return nil
}

func checkLimiterRates(ctx context.Context, t *limiterTrial) error {
	few, many := t.budget(slow(2)), t.budget(oauth.Rate{Burst: 300, Every: time.Minute})
	for range 2 {
		if err := t.takes(ctx, few, many); err != nil {
			return err
		}
	}
	return errors.Join(t.refuses(ctx, time.Hour, few, many), t.room(ctx, many, 298))
}

func checkLimiterAllOrNone(ctx context.Context, t *limiterTrial) error {
	full, a, b := t.budget(slow(1)), t.budget(slow(2)), t.budget(slow(2))
	if err := t.takes(ctx, full); err != nil {
		return err
	}
	for _, budgets := range [][]oauth.Budget{{full, a, b}, {a, full, b}, {a, b, full}} {
		if err := t.refuses(ctx, time.Hour, budgets...); err != nil {
			return err
		}
	}
	return errors.Join(wrap("the first", t.room(ctx, a, 2)), wrap("the second", t.room(ctx, b, 2)))
}

func checkLimiterLongestWait(ctx context.Context, t *limiterTrial) error {
	minutes, hours := t.budget(oauth.Rate{Burst: 1, Every: time.Minute}), t.budget(slow(1))
	if err := t.takes(ctx, minutes, hours); err != nil {
		return err
	}
	return errors.Join(t.refuses(ctx, time.Hour, minutes, hours), t.refuses(ctx, time.Hour, hours, minutes), t.refuses(ctx, time.Minute, minutes))
}

func checkLimiterReturned(ctx context.Context, t *limiterTrial) error {
	a, b, fresh, cleared := t.budget(slow(3)), t.budget(slow(1)), t.budget(slow(2)), t.budget(slow(1))
	for range 3 {
		if err := t.takes(ctx, a); err != nil {
			return err
		}
	}
	if err := t.takes(ctx, b); err != nil {
		return err
	}
	for range 3 {
		if err := t.Second.Release(ctx, []oauth.Budget{b, fresh}, []oauth.Budget{cleared}); err != nil {
			return fmt.Errorf("Release: %w", err)
		}
	}
	if err := wrap("Release", t.Second.Release(ctx, []oauth.Budget{a}, nil)); err != nil {
		return err
	}
	return errors.Join(
		wrap("one of three", t.room(ctx, a, 1)), wrap("more than there was", t.room(ctx, b, 1)),
		wrap("where nothing was", t.room(ctx, fresh, 2)), wrap("Release of none", t.Limiter.Release(ctx, nil, nil)),
	)
}

func checkLimiterCleared(ctx context.Context, t *limiterTrial) error {
	gone, stays, returned := t.budget(slow(3)), t.budget(slow(3)), t.budget(slow(3))
	for range 3 {
		if err := t.takes(ctx, gone, stays, returned); err != nil {
			return err
		}
	}
	if err := t.Second.Release(ctx, []oauth.Budget{returned}, []oauth.Budget{gone}); err != nil {
		return fmt.Errorf("Release: %w", err)
	}
	return errors.Join(
		wrap("cleared", t.room(ctx, gone, 3)), wrap("left alone", t.room(ctx, stays, 0)), wrap("returned", t.room(ctx, returned, 1)),
	)
}

// both returns one handle after the other.
func (t *limiterTrial) both(i int) oauth.Limiter { return []oauth.Limiter{t.Limiter, t.Second}[i%2] }

func checkLimiterAtOnce(ctx context.Context, t *limiterTrial) error {
	for range 10 {
		b := t.budget(slow(5))
		var through atomic.Int64
		errs := race(64, func(i int) error {
			wait, err := t.both(i).Reserve(ctx, []oauth.Budget{b})
			if err == nil && wait == 0 {
				through.Add(1)
			}
			return err
		})
		if err := errors.Join(errs...); err != nil {
			return fmt.Errorf("Reserve: %w", err)
		}
		if n := through.Load(); n != 5 {
			return fmt.Errorf("Reserve: %d of 64 at once got through, want 5", n)
		}
	}
	return nil
}

// Half of them have one budget, the other half another, and all have a third,
// which each half finds in another place.
func checkLimiterAllOrNoneAtOnce(ctx context.Context, t *limiterTrial) error {
	for range 10 {
		shared, a, b := t.budget(slow(8)), t.budget(slow(20)), t.budget(slow(20))
		var throughA, throughB atomic.Int64
		errs := race(40, func(i int) error {
			budgets, through := []oauth.Budget{shared, a}, &throughA
			if i/2%2 == 0 {
				budgets, through = []oauth.Budget{b, shared}, &throughB
			}
			wait, err := t.both(i).Reserve(ctx, budgets)
			if err == nil && wait == 0 {
				through.Add(1)
			}
			return err
		})
		if err := errors.Join(errs...); err != nil {
			return fmt.Errorf("Reserve: %w", err)
		}
		inA, inB := int(throughA.Load()), int(throughB.Load())
		if inA+inB != 8 {
			return fmt.Errorf("Reserve: %d of 40 at once got through, want 8", inA+inB)
		}
		if err := errors.Join(t.room(ctx, a, 20-inA), t.room(ctx, b, 20-inB)); err != nil {
			return fmt.Errorf("of those that did not get through something is counted: %w", err)
		}
	}
	return nil
}

func checkLimiterContext(ctx context.Context, t *limiterTrial) error {
	b := t.budget(slow(2))
	if err := t.takes(ctx, b); err != nil {
		return err
	}
	done, cancel := context.WithCancel(ctx)
	cancel()
	all := []oauth.Budget{b}
	if _, err := t.Limiter.Reserve(done, all); err == nil {
		return errors.New("Reserve: returned no error")
	}
	if t.Limiter.Release(done, all, nil) == nil || t.Limiter.Release(done, nil, all) == nil {
		return errors.New("Release: returned no error")
	}
	return t.room(ctx, b, 1)
}
