package apikeytest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/latchwork/latchwork/apikey"
)

func raceUseChecks() []check {
	return []check{
		{
			"records at once", "Of what is recorded at the same time nothing is lost, whatever order the keys are in.",
			withActivity(checkRaceRecord),
		},
		{
			"record is whole", "Record records all of it or nothing: nobody sees half.",
			withActivity(checkRaceWhole),
		},
	}
}

func checkRaceRecord(ctx context.Context, t *trial) error {
	records := make([]apikey.Record, 8)
	for i := range records {
		var err error
		if records[i], err = t.create(ctx); err != nil {
			return err
		}
	}
	at := func(i int) time.Time { return date(1).Add(time.Duration(i) * time.Second) }
	errs := race(racers, func(i int) error {
		var uses []apikey.Use
		for _, r := range records {
			u := usedAt(r, at(i), fmt.Sprintf("2001:db8::%x", i))
			u.Day.Counts = numbers(int64(i))
			uses = append(uses, u)
		}
		if i%2 == 0 {
			slices.Reverse(uses)
		}
		return t.recordUses(ctx, uses...)
	})
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for _, r := range records {
		want := apikey.Day{Date: date(1), Counts: numbers(racers * (racers - 1) / 2)}
		if err := t.counts(ctx, r, want); err != nil {
			return err
		}
		if err := t.lastUse(ctx, usedAt(r, at(racers-1), fmt.Sprintf("2001:db8::%x", racers-1))); err != nil {
			return err
		}
	}
	return nil
}

// checkRaceWhole always records the same of two keys. Whoever reads of one and
// then of the other sees no less of the other.
func checkRaceWhole(ctx context.Context, t *trial) error {
	first, second, err := t.createTwo(ctx)
	if err != nil {
		return err
	}
	const readers = 4
	reads, over := make(chan struct{}), make(chan struct{})
	end := sync.OnceFunc(func() { close(over) })
	errs := race(readers+1, func(i int) error {
		defer end()
		if i == readers {
			return t.recordPairs(ctx, first, second, reads, over)
		}
		a, b := first, second
		if i%2 == 1 {
			a, b = b, a
		}
		for {
			if err := t.readPair(ctx, a, b); err != nil {
				return err
			}
			select {
			case reads <- struct{}{}:
			case <-over:
				return nil
			}
		}
	})
	return errors.Join(errs...)
}

func (t *trial) recordPairs(ctx context.Context, first, second apikey.Record, reads, over <-chan struct{}) error {
	for n := range 50 {
		for range 2 {
			select {
			case <-reads:
			case <-over:
				return nil
			}
		}
		at := date(1).Add(time.Duration(n+1) * time.Second)
		if err := t.recordUses(ctx, usedAt(first, at, "192.0.2.1"), usedAt(second, at, "192.0.2.1")); err != nil {
			return err
		}
	}
	return nil
}

func (t *trial) readPair(ctx context.Context, a, b apikey.Record) error {
	before, err := t.progress(ctx, a)
	if err != nil {
		return err
	}
	after, err := t.progress(ctx, b)
	if err != nil {
		return err
	}
	for i, n := range before {
		for j, m := range after {
			if m < n {
				names := [2]string{"the count", "the last use"}
				return fmt.Errorf("of what was recorded together, %s of the one key was there, and then not %s of the other", names[i], names[j])
			}
		}
	}
	return nil
}

// progress returns how often the key was counted, and which of these uses was
// the last.
func (t *trial) progress(ctx context.Context, r apikey.Record) (got [2]int64, err error) {
	days, err := t.Activity.Usage(ctx, r.Key.ID, time.Time{})
	if err != nil {
		return got, wrap("Usage", err)
	}
	for _, d := range days {
		got[0] += d.Allowed
	}
	last, err := t.Activity.LastUsed(ctx, []string{r.Key.ID})
	if err != nil {
		return got, wrap("LastUsed", err)
	}
	for _, u := range last {
		got[1] = int64(u.At.Sub(date(1)) / time.Second)
	}
	return got, nil
}
