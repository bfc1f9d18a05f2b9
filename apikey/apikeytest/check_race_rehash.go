package apikeytest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/latchwork/latchwork/apikey"
)

func raceRehashChecks() []check {
	return []check{
		{
			"rehash against revoke", "Rehash changes one secret and nothing else, so a key that is revoked meanwhile stays revoked.",
			checkRaceRevoke,
		},
		{
			"rehash against rotation", "Rehash does nothing when the old hash is gone, so a secret that is rotated out meanwhile stays out.",
			checkRaceRotate,
		},
		{
			"rehash against overlap", "Rehash keeps the deadline of the old secret, and it may have got one just now.",
			checkRaceOverlap,
		},
	}
}

// A rehashed record was changed while its secret was moved to another form.
type rehashed struct {
	old, wanted, got apikey.Record
	moved            []apikey.Hash // one of them may have taken the place of the old one
}

// raceRehash stores a key, lets one racer change it and the others move its
// secret, and returns what came out of it.
func (t *trial) raceRehash(ctx context.Context, edit func(*apikey.Record)) (r rehashed, err error) {
	if r.old, err = t.create(ctx); err != nil {
		return r, err
	}
	r.wanted = next(r.old, edit)
	r.moved = make([]apikey.Hash, 8)
	for i := range r.moved {
		r.moved[i] = t.hash()
	}
	errs := race(len(r.moved), func(i int) error {
		if i == len(r.moved)/2 {
			return wrap("Update", t.handle(i).Update(ctx, r.wanted, t.event(r.wanted, apikey.Updated)))
		}
		form := apikey.SecretHash{Hash: r.moved[i], PepperID: "new"}
		return wrap("Rehash", t.handle(i).Rehash(ctx, r.old.Key.ID, r.old.Secrets[0].Hash, form))
	})
	if err := errors.Join(errs...); err != nil {
		return r, err
	}
	if r.got, err = t.Store.Get(ctx, r.old.Key.ID); err != nil {
		return r, fmt.Errorf("Get: %w", err)
	}
	return r, t.is(ctx, r.got)
}

const rehashRounds = 16

func checkRaceRevoke(ctx context.Context, t *trial) error {
	for range rehashRounds {
		raced, err := t.raceRehash(ctx, func(r *apikey.Record) {
			r.Key.RevokedAt, r.Key.RevokedReason = start().Add(time.Hour), "lost"
		})
		if err != nil {
			return err
		}
		if err := sameKey(raced.got.Key, raced.wanted.Key); err != nil {
			return err
		}
		if len(raced.got.Secrets) != 1 {
			return fmt.Errorf("the key has %d secrets, want 1", len(raced.got.Secrets))
		}
	}
	return nil
}

func checkRaceRotate(ctx context.Context, t *trial) error {
	for range rehashRounds {
		raced, err := t.raceRehash(ctx, func(r *apikey.Record) {
			r.Secrets = []apikey.SecretHash{t.secret()}
		})
		if err != nil {
			return err
		}
		if err := sameRecord(raced.got, raced.wanted); err != nil {
			return err
		}
		for _, h := range append(raced.moved, raced.old.Secrets[0].Hash) {
			if err := t.noHash(ctx, h); err != nil {
				return fmt.Errorf("by a form of the secret that was rotated out: %w", err)
			}
		}
	}
	return nil
}

func checkRaceOverlap(ctx context.Context, t *trial) error {
	deadline := start().Add(time.Hour)
	for range rehashRounds {
		raced, err := t.raceRehash(ctx, func(r *apikey.Record) {
			r.Secrets[0].Deadline = deadline
			r.Secrets = append(r.Secrets, t.secret())
		})
		if err != nil {
			return err
		}
		if len(raced.got.Secrets) != 2 {
			return fmt.Errorf("the key has %d secrets, want 2", len(raced.got.Secrets))
		}
		for _, secret := range raced.got.Secrets {
			if secret.Hash == raced.wanted.Secrets[1].Hash {
				continue
			}
			if err := sameTime("the deadline of the secret that was rotated out", secret.Deadline, deadline); err != nil {
				return err
			}
		}
	}
	return nil
}
