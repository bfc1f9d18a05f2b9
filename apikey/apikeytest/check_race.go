package apikeytest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/latchwork/latchwork/apikey"
)

const (
	racers = 64

	// raceRounds is how often a race is run, because now and then a careless
	// store is lucky.
	raceRounds = 6
)

func raceChecks() []check {
	return []check{
		{
			"one update wins", "Of all Updates of one version exactly one succeeds; the others get ErrConflict and store nothing.",
			checkRaceUpdate,
		},
		{
			"one create of an id wins", "Of all Creates with one ID exactly one succeeds; the others get ErrExists and store nothing.",
			checkRaceCreateID,
		},
		{
			"one taker of a hash wins", "A hash belongs to one key at most, whoever takes it at the same time by Create or Update.",
			checkRaceHash,
		},
		{
			"whole reads", "A record is read as one Update stored it, never half of one version and half of another.",
			checkRaceRead,
		},
	}
}

// handle returns one of the two handles in turn.
func (t *trial) handle(i int) apikey.Store {
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

func checkRaceUpdate(ctx context.Context, t *trial) error {
	for range raceRounds {
		r, err := t.create(ctx)
		if err != nil {
			return err
		}
		versions := make([]apikey.Record, racers)
		for i := range versions {
			versions[i] = next(r, func(r *apikey.Record) {
				r.Key.Name = fmt.Sprintf("racer %d", i)
				r.Secrets = []apikey.SecretHash{t.secret()}
			})
		}
		errs := race(racers, func(i int) error {
			return t.handle(i).Update(ctx, versions[i], t.event(versions[i], apikey.Updated))
		})
		won, err := winner(errs, apikey.ErrConflict)
		if err != nil {
			return err
		}
		if err := t.is(ctx, versions[won]); err != nil {
			return fmt.Errorf("what the winner stored: %w", err)
		}
		for i, loser := range versions {
			if i == won {
				continue
			}
			if err := t.noHash(ctx, loser.Secrets[0].Hash); err != nil {
				return fmt.Errorf("what a loser wanted to store: %w", err)
			}
		}
	}
	return nil
}

func checkRaceCreateID(ctx context.Context, t *trial) error {
	for range raceRounds {
		id := t.record().Key.ID
		records := make([]apikey.Record, racers)
		for i := range records {
			records[i] = t.record(func(r *apikey.Record) { r.Key.ID = id })
		}
		errs := race(racers, func(i int) error {
			return t.handle(i).Create(ctx, records[i], t.event(records[i], apikey.Created))
		})
		won, err := winner(errs, apikey.ErrExists)
		if err != nil {
			return err
		}
		if err := t.is(ctx, records[won]); err != nil {
			return fmt.Errorf("what the winner stored: %w", err)
		}
		for i, loser := range records {
			if i == won {
				continue
			}
			if err := t.noHash(ctx, loser.Secrets[0].Hash); err != nil {
				return fmt.Errorf("what a loser wanted to store: %w", err)
			}
		}
	}
	return nil
}

// checkRaceHash lets racers create a key with a hash, or change a key that
// exists to have it: in turn all of them the one, all of them the other, and
// half of them each.
func checkRaceHash(ctx context.Context, t *trial) error {
	for round := range 2 * raceRounds {
		coveted := t.secret()
		before := make([]apikey.Record, racers)
		after := make([]apikey.Record, racers)
		for i := range racers {
			after[i] = t.record(func(r *apikey.Record) { r.Secrets = []apikey.SecretHash{coveted} })
			if creates := [][]bool{{true, true}, {false, false}, {true, false}}[round%3][i/2%2]; creates {
				continue
			}
			var err error
			if before[i], err = t.create(ctx); err != nil {
				return err
			}
			after[i] = next(before[i], func(r *apikey.Record) { r.Secrets = append(r.Secrets, coveted) })
		}
		errs := race(racers, func(i int) error {
			if before[i].Key.ID == "" {
				return t.handle(i).Create(ctx, after[i], t.event(after[i], apikey.Created))
			}
			return t.handle(i).Update(ctx, after[i], t.event(after[i], apikey.Updated))
		})
		won, err := winner(errs, apikey.ErrExists)
		if err != nil {
			return err
		}
		if err := t.is(ctx, after[won]); err != nil {
			return fmt.Errorf("what the winner stored: %w", err)
		}
		for i := range racers {
			switch {
			case i == won:
				continue
			case before[i].Key.ID == "":
				err = t.noID(ctx, after[i].Key.ID)
			default:
				err = t.is(ctx, before[i])
			}
			if err != nil {
				return fmt.Errorf("a loser: %w", err)
			}
		}
	}
	return nil
}

// checkRaceRead changes everything with every version, and reads meanwhile: the
// writer waits for some reads before each change, and the readers for it.
func checkRaceRead(ctx context.Context, t *trial) error {
	r, err := t.create(ctx, func(r *apikey.Record) {
		r.Key.Name = "version 1"
		r.Secrets = append(r.Secrets, apikey.SecretHash{Hash: t.hash(), PepperID: "v1"})
	})
	if err != nil {
		return err
	}
	const readers = 8
	id, stays := r.Key.ID, r.Secrets[0].Hash
	reads, over := make(chan struct{}), make(chan struct{})
	end := sync.OnceFunc(func() { close(over) })
	errs := race(readers+1, func(i int) error {
		defer end()
		if i == readers {
			return t.writeVersions(ctx, r, reads, over)
		}
		for {
			if err := t.readVersion(ctx, i, id, stays); err != nil {
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

func (t *trial) writeVersions(ctx context.Context, r apikey.Record, reads, over <-chan struct{}) error {
	for version := 2; version <= 50; version++ {
		for range 4 {
			select {
			case <-reads:
			case <-over:
				return nil
			}
		}
		var err error
		r, err = t.update(ctx, r, func(r *apikey.Record) {
			r.Key.Name = fmt.Sprintf("version %d", version)
			r.Secrets[1] = apikey.SecretHash{Hash: t.hash(), PepperID: fmt.Sprintf("v%d", version)}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *trial) readVersion(ctx context.Context, reader int, id string, h apikey.Hash) (err error) {
	var r apikey.Record
	if reader%4 < 2 {
		r, err = t.handle(reader).Find(ctx, []apikey.Hash{h})
	} else {
		r, err = t.handle(reader).Get(ctx, id)
	}
	if err != nil {
		return fmt.Errorf("reading a key that is being changed: %w", err)
	}
	return wholeVersion(r)
}

func wholeVersion(r apikey.Record) error {
	if len(r.Secrets) != 2 {
		return fmt.Errorf("a record of version %d has %d secrets, want 2", r.Key.Version, len(r.Secrets))
	}
	if err := same("the name", r.Key.Name, fmt.Sprintf("version %d", r.Key.Version)); err != nil {
		return err
	}
	for _, secret := range r.Secrets {
		if want := fmt.Sprintf("v%d", r.Key.Version); secret.PepperID != "" && secret.PepperID != want {
			return fmt.Errorf("a record of version %d has a secret of version %s", r.Key.Version, secret.PepperID)
		}
	}
	return nil
}
