package apikeytest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/latchwork/latchwork/apikey"
)

func createChecks() []check {
	return []check{
		{
			"create", "Create adds a record, and Find, Get and List return it whole.",
			checkCreate,
		},
		{
			"miss", "What is not there is ErrNotFound, never a zero record without an error; in a list it is nothing.",
			checkMiss,
		},
		{
			"duplicate id", "Create returns ErrExists when the ID is taken, and stores nothing then.",
			checkDuplicateID,
		},
		{
			"duplicate hash", "Create returns ErrExists when one of the hashes is taken, by this or another key, and stores nothing then.",
			checkDuplicateHash,
		},
	}
}

func checkCreate(ctx context.Context, t *trial) error {
	for range 3 {
		r, err := t.create(ctx)
		if err != nil {
			return err
		}
		if err := t.is(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

func checkMiss(ctx context.Context, t *trial) error {
	// Once in an empty store, and once beside a record.
	for range 2 {
		if err := t.isNot(ctx, t.record()); err != nil {
			return err
		}
		got, err := t.Store.Find(ctx, nil)
		if err := missed("Find without hashes", got, err); err != nil {
			return err
		}
		got, err = t.Store.Find(ctx, []apikey.Hash{{}, t.hash(), t.hash()})
		if err := missed("Find by three hashes", got, err); err != nil {
			return err
		}
		keys, _, err := t.keys(ctx, apikey.Query{Owner: "nobody", Limit: 10})
		if err != nil || len(keys) != 0 {
			return fmt.Errorf("List of nothing: %d keys, %w", len(keys), orNone(err))
		}
		if _, err := t.create(ctx); err != nil {
			return err
		}
	}
	return nil
}

func checkDuplicateID(ctx context.Context, t *trial) error {
	first, err := t.create(ctx)
	if err != nil {
		return err
	}
	again := t.record(func(r *apikey.Record) { r.Key.ID = first.Key.ID })
	return t.refusesCreate(ctx, "with a taken ID", again, first)
}

func checkDuplicateHash(ctx context.Context, t *trial) error {
	taken, err := t.create(ctx, func(r *apikey.Record) {
		overlapping := t.secret()
		overlapping.Deadline = start()
		r.Secrets = append(r.Secrets, overlapping)
	})
	if err != nil {
		return err
	}
	cases := []struct {
		what    string
		secrets []apikey.SecretHash
	}{
		{"with the hash of another key", []apikey.SecretHash{taken.Secrets[0]}},
		{"with the second hash of another key", []apikey.SecretHash{taken.Secrets[1]}},
		{"whose second hash is that of another key", []apikey.SecretHash{t.secret(), taken.Secrets[0]}},
		{"with a taken hash under another pepper id", []apikey.SecretHash{{Hash: taken.Secrets[0].Hash, PepperID: "p"}}},
	}
	for _, c := range cases {
		r := t.record(func(r *apikey.Record) { r.Secrets = c.secrets })
		if err := t.refusesCreate(ctx, c.what, r, taken); err != nil {
			return err
		}
	}
	twice := t.record(func(r *apikey.Record) {
		r.Secrets = append(r.Secrets, apikey.SecretHash{Hash: r.Secrets[0].Hash, Deadline: start()})
	})
	if err := fails("Create with one hash twice", t.Store.Create(ctx, twice, t.event(twice, apikey.Created)), apikey.ErrExists); err != nil {
		return err
	}
	return wrap("Create with one hash twice", t.isNot(ctx, twice))
}

// refusesCreate checks that a record which collides with another one is refused
// and leaves no trace: its other hashes, and its ID if it is its own, are free.
func (t *trial) refusesCreate(ctx context.Context, what string, r, taken apikey.Record) error {
	what = "Create " + what
	if err := fails(what, t.Store.Create(ctx, r, t.event(r, apikey.Created)), apikey.ErrExists); err != nil {
		return err
	}
	if err := t.is(ctx, taken); err != nil {
		return fmt.Errorf("%s: the record that was there: %w", what, err)
	}
	if r.Key.ID != taken.Key.ID {
		if err := t.noID(ctx, r.Key.ID); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	for _, secret := range r.Secrets {
		got, err := t.Store.Find(ctx, []apikey.Hash{secret.Hash})
		if err == nil && got.Key.ID == taken.Key.ID {
			continue
		}
		if err := missed("Find", got, err); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	keys, _, err := t.keys(ctx, apikey.Query{Limit: 10})
	if err != nil {
		return fmt.Errorf("List: %w", err)
	}
	return wrap(what+": List", sameIDs(keys, taken))
}

func findChecks() []check {
	return []check{
		{
			"find any", "Find returns the record that has one of the hashes among its secrets, whatever their deadlines.",
			checkFindAny,
		},
		{
			"find judges nothing", "Revoked, disabled and expired records are found like any other.",
			checkFindJudgesNothing,
		},
	}
}

func checkFindAny(ctx context.Context, t *trial) error {
	r, err := t.create(ctx, func(r *apikey.Record) {
		over := apikey.SecretHash{Hash: t.hash(), PepperID: "old", Deadline: time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)}
		r.Secrets = append(r.Secrets, over)
	})
	if err != nil {
		return err
	}
	if _, err := t.create(ctx); err != nil {
		return err
	}
	for i, secret := range r.Secrets {
		for place := range 5 {
			hashes := make([]apikey.Hash, 5)
			for j := range hashes {
				hashes[j] = t.hash()
			}
			hashes[place] = secret.Hash
			got, err := t.Store.Find(ctx, hashes)
			if err != nil {
				return fmt.Errorf("Find by secret %d as hash %d of 5: %w", i+1, place+1, err)
			}
			if err := sameRecord(got, r); err != nil {
				return fmt.Errorf("Find by secret %d as hash %d of 5: %w", i+1, place+1, err)
			}
		}
	}
	got, err := t.Store.Find(ctx, []apikey.Hash{r.Secrets[0].Hash, r.Secrets[1].Hash, r.Secrets[0].Hash})
	if err != nil {
		return fmt.Errorf("Find by both secrets: %w", err)
	}
	return wrap("Find by both secrets", sameRecord(got, r))
}

func checkFindJudgesNothing(ctx context.Context, t *trial) error {
	long := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	for state, edit := range map[apikey.State]func(*apikey.Record){
		apikey.StateRevoked:  func(r *apikey.Record) { r.Key.RevokedAt, r.Key.RevokedReason = long, "lost" },
		apikey.StateDisabled: func(r *apikey.Record) { r.Key.Enabled = false },
		apikey.StateExpired:  func(r *apikey.Record) { r.Key.ExpiresAt = long },
	} {
		r, err := t.create(ctx, edit)
		if err == nil {
			err = t.is(ctx, r)
		}
		if errors.Is(err, apikey.ErrRevoked) || errors.Is(err, apikey.ErrDisabled) || errors.Is(err, apikey.ErrExpired) {
			return fmt.Errorf("a key that is %s: %w: judging is not the store's", state, err)
		}
		if err != nil {
			return fmt.Errorf("a key that is %s: %w", state, err)
		}
	}
	return nil
}
