package oauthtest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/latchwork/latchwork/oauth"
)

const racers = 64

func raceChecks() []check {
	return []check{
		{
			"one spend wins", "Of any number of callers exactly one is First; all are told its attempt and time, and the others store nothing.",
			checkRaceSpend,
		},
		{
			"one attempt at once", "The same attempt, made at the same time, is First each time and takes effect once.",
			checkRaceAttempt,
		},
		{
			"one create wins", "Of all CreateGrants with one ID exactly one succeeds; the others get ErrExists and store nothing.",
			checkRaceCreate,
		},
		{
			"one taker of a hash wins", "A hash is taken once, whoever takes it at the same time by CreateGrant or Spend.",
			checkRaceHash,
		},
		{
			"in one transaction", "Whoever sees that a credential is spent finds what was issued for it.",
			checkRaceRead,
		},
	}
}

// handle returns one of the two handles in turn.
func (t *trial) handle(i int) oauth.Store {
	if i%2 == 0 {
		return t.Store
	}
	return t.Second
}

// winner returns the only racer without an error. All others must have got
// the error of those who come too late.
func winner(errs []error, late error) (int, error) {
	won := -1
	for i, err := range errs {
		switch {
		case err == nil && won >= 0:
			return 0, fmt.Errorf("of %d at once at least two succeeded", len(errs))
		case err == nil:
			won = i
		case !errors.Is(err, late):
			return 0, fmt.Errorf("one of %d at once got %w, want %w", len(errs), err, late)
		}
	}
	if won < 0 {
		return 0, fmt.Errorf("of %d at once none succeeded", len(errs))
	}
	return won, nil
}

func checkRaceSpend(ctx context.Context, t *trial) error {
	errSecond := errors.New("somebody else was first")
	for range 4 {
		g, access, refresh, err := t.begin(ctx)
		if err != nil {
			return err
		}
		spends, issues, got := make([]oauth.Spend, racers), make([][]oauth.Credential, racers), make([]oauth.Spent, racers)
		for i := range racers {
			spends[i] = t.spend(refresh, func(s *oauth.Spend) { s.At = now().Add(time.Duration(i) * time.Microsecond) })
			issues[i] = t.pair(g)
		}
		won, err := winner(race(racers, func(i int) (err error) {
			got[i], err = t.handle(i).Spend(ctx, spends[i], issues[i]...)
			if err == nil && !got[i].First {
				return errSecond
			}
			return err
		}), errSecond)
		if err != nil {
			return err
		}
		want := oauth.Spent{Attempt: spends[won].Attempt, At: spends[won].At}
		for i := range racers {
			want.First = i == won
			if err := sameSpent(got[i], want); err != nil {
				return fmt.Errorf("what one of %d at once was told: %w", racers, err)
			}
			if i == won {
				continue
			}
			if err := t.hasNo(ctx, issues[i]...); err != nil {
				return fmt.Errorf("what a loser was to issue: %w", err)
			}
		}
		if err := t.is(ctx, g, append(issues[won], access, spent(refresh, spends[won]))...); err != nil {
			return fmt.Errorf("what the winner stored: %w", err)
		}
	}
	return nil
}

func checkRaceAttempt(ctx context.Context, t *trial) error {
	for range 4 {
		g, access, refresh, err := t.begin(ctx)
		if err != nil {
			return err
		}
		s, issue := t.spend(refresh), t.pair(g)
		errs := race(racers, func(i int) error {
			got, err := t.handle(i).Spend(ctx, s, issue...)
			if err != nil {
				return fmt.Errorf("Spend: %w", err)
			}
			return sameSpent(got, oauth.Spent{First: true, Attempt: s.Attempt, At: s.At})
		})
		for _, err := range errs {
			if err != nil {
				return fmt.Errorf("one of %d at once: %w", racers, err)
			}
		}
		if err := t.is(ctx, g, append(issue, access, spent(refresh, s))...); err != nil {
			return err
		}
	}
	return nil
}

func checkRaceCreate(ctx context.Context, t *trial) error {
	for range 4 {
		id := t.grant().ID
		grants, first := make([]oauth.Grant, racers), make([][]oauth.Credential, racers)
		for i := range racers {
			grants[i] = t.grant(func(g *oauth.Grant) { g.ID = id })
			first[i] = t.pair(grants[i])
		}
		won, err := winner(race(racers, func(i int) error {
			return t.handle(i).CreateGrant(ctx, grants[i], first[i]...)
		}), oauth.ErrExists)
		if err != nil {
			return err
		}
		if err := t.is(ctx, grants[won], first[won]...); err != nil {
			return fmt.Errorf("what the winner stored: %w", err)
		}
		for i := range racers {
			if i == won {
				continue
			}
			if err := t.hasNo(ctx, first[i]...); err != nil {
				return fmt.Errorf("what a loser wanted to store: %w", err)
			}
		}
	}
	return nil
}

// checkRaceHash lets half of the racers begin a grant with a hash, and the
// other half issue a credential that has it. They take turns: whoever is made
// last is often the first.
func checkRaceHash(ctx context.Context, t *trial) error {
	for round := range 6 {
		coveted := t.hash()
		grants, held, wanted := make([]oauth.Grant, racers), make([]oauth.Credential, racers), make([][]oauth.Credential, racers)
		spends := make([]oauth.Spend, racers)
		begins := func(i int) bool { return (i+2*round)%4 < 2 }
		for i := range racers {
			grants[i] = t.grant()
			held[i], wanted[i] = t.credential(grants[i], oauth.KindRefresh), t.pair(grants[i])
			wanted[i][1].Hash = coveted
			spends[i] = t.spend(held[i])
			if begins(i) {
				continue
			}
			if err := t.create(ctx, grants[i], held[i]); err != nil {
				return err
			}
		}
		won, err := winner(race(racers, func(i int) error {
			if begins(i) {
				return t.handle(i).CreateGrant(ctx, grants[i], wanted[i]...)
			}
			_, err := t.handle(i).Spend(ctx, spends[i], wanted[i]...)
			return err
		}), oauth.ErrExists)
		if err != nil {
			return err
		}
		for i := range racers {
			switch {
			case i == won && begins(i):
				err = t.is(ctx, grants[i], wanted[i]...)
			case i == won:
				err = t.is(ctx, grants[i], append(wanted[i], spent(held[i], spends[i]))...)
			case begins(i):
				err = errors.Join(t.hasNoGrant(ctx, grants[i].ID), t.hasNo(ctx, wanted[i][0]))
			default:
				err = errors.Join(t.is(ctx, grants[i], held[i]), t.hasNo(ctx, wanted[i][0]))
			}
			if err != nil {
				return fmt.Errorf("one of %d at once, of which number %d won: %w", racers, won+1, err)
			}
		}
	}
	return nil
}

// checkRaceRead looks at a credential until it is spent, as somebody does who
// lost the answer, and then for what was issued.
func checkRaceRead(ctx context.Context, t *trial) error {
	for range 100 {
		g, _, refresh, err := t.begin(ctx)
		if err != nil {
			return err
		}
		s := t.spend(refresh)
		issue := append(t.pair(g), t.pair(g)...)
		var over atomic.Bool
		errs := race(2, func(i int) error {
			if i == 1 {
				defer over.Store(true)
				return t.takesEffect(ctx, s, issue...)
			}
			for reads, last := 0, false; ; reads, last = reads+1, over.Load() {
				c, _, err := t.Second.Lookup(ctx, refresh.Hash)
				if err != nil {
					return fmt.Errorf("Lookup: %w", err)
				}
				if c.SpentAt.IsZero() && !last {
					if reads%16 == 0 {
						runtime.Gosched()
					}
					continue
				}
				if err := sameCredential(c, spent(refresh, s)); err != nil {
					return fmt.Errorf("Lookup during a Spend: %w", err)
				}
				for _, c := range slices.Backward(issue) {
					if _, _, err := t.Second.Lookup(ctx, c.Hash); err != nil {
						return fmt.Errorf("Lookup of what was issued, when the credential was seen to be spent: %w", err)
					}
				}
				return nil
			}
		})
		if err := errors.Join(errs...); err != nil {
			return err
		}
	}
	return nil
}
