package apikeytest

import (
	"context"
	"fmt"
	"time"

	"github.com/latchwork/latchwork/apikey"
)

func rehashChecks() []check {
	return []check{
		{
			"rehash", "Rehash replaces one secret by another form of it, which keeps the deadline of the old one.",
			checkRehash,
		},
		{
			"rehash leaves the version", "Rehash leaves the version, and everything else of the record, alone.",
			checkRehashVersion,
		},
		{
			"rehash of what is gone", "Rehash does nothing when the record or the old hash is gone.",
			checkRehashGone,
		},
		{
			"rehash onto a taken hash", "A hash belongs to one key at most, so Rehash cannot take that of another one.",
			checkRehashTaken,
		},
	}
}

func checkRehash(ctx context.Context, t *trial) error {
	deadline := start().Add(24 * time.Hour)
	r, err := t.create(ctx, func(r *apikey.Record) {
		r.Secrets = append(r.Secrets, apikey.SecretHash{Hash: t.hash(), PepperID: "old", Deadline: deadline})
	})
	if err != nil {
		return err
	}
	for i := range r.Secrets {
		old := r.Secrets[i].Hash
		moved := apikey.SecretHash{Hash: t.hash(), PepperID: "new", Deadline: start().Add(-time.Hour)}
		if err := t.Store.Rehash(ctx, r.Key.ID, old, moved); err != nil {
			return fmt.Errorf("Rehash of secret %d: %w", i+1, err)
		}
		if err := t.noHash(ctx, old); err != nil {
			return fmt.Errorf("after Rehash of secret %d, by its old hash: %w", i+1, err)
		}
		moved.Deadline = r.Secrets[i].Deadline
		r = r.Clone()
		r.Secrets[i] = moved
		if err := t.is(ctx, r); err != nil {
			return fmt.Errorf("after Rehash of secret %d: %w", i+1, err)
		}
	}
	return nil
}

func checkRehashVersion(ctx context.Context, t *trial) error {
	r, err := t.create(ctx)
	if err != nil {
		return err
	}
	if err := t.Store.Rehash(ctx, r.Key.ID, r.Secrets[0].Hash, apikey.SecretHash{Hash: t.hash(), PepperID: "new"}); err != nil {
		return fmt.Errorf("Rehash: %w", err)
	}
	got, err := t.Store.Get(ctx, r.Key.ID)
	if err != nil {
		return fmt.Errorf("Get: %w", err)
	}
	if err := sameKey(got.Key, r.Key); err != nil {
		return err
	}
	if _, err = t.update(ctx, got); err != nil {
		return fmt.Errorf("a change of the version that was read before: %w", err)
	}
	return nil
}

func checkRehashGone(ctx context.Context, t *trial) error {
	r, other, err := t.createTwo(ctx)
	if err != nil {
		return err
	}
	ghost := t.record()
	for what, c := range map[string]struct {
		id  string
		old apikey.Hash
	}{
		"of a record that is not there":      {ghost.Key.ID, ghost.Secrets[0].Hash},
		"of a hash that is not there":        {r.Key.ID, t.hash()},
		"of the hash of another key":         {r.Key.ID, other.Secrets[0].Hash},
		"of a hash under a record not there": {ghost.Key.ID, r.Secrets[0].Hash},
	} {
		moved := apikey.SecretHash{Hash: t.hash(), PepperID: "new"}
		if err := t.Store.Rehash(ctx, c.id, c.old, moved); err != nil {
			return fmt.Errorf("Rehash %s: %w", what, err)
		}
		if err := t.noHash(ctx, moved.Hash); err != nil {
			return fmt.Errorf("Rehash %s: by the new hash: %w", what, err)
		}
		for _, unchanged := range []apikey.Record{r, other} {
			if err := t.is(ctx, unchanged); err != nil {
				return fmt.Errorf("Rehash %s: afterwards: %w", what, err)
			}
		}
	}
	return wrap("Rehash of a record that is not there", t.isNot(ctx, ghost))
}

func checkRehashTaken(ctx context.Context, t *trial) error {
	r, other, err := t.createTwo(ctx)
	if err != nil {
		return err
	}
	taken := apikey.SecretHash{Hash: other.Secrets[0].Hash, PepperID: "new"}
	if err := t.Store.Rehash(ctx, r.Key.ID, r.Secrets[0].Hash, taken); err == nil {
		return fmt.Errorf("Rehash: %w, want one", noneError{})
	}
	for _, unchanged := range []apikey.Record{r, other} {
		if err := t.is(ctx, unchanged); err != nil {
			return fmt.Errorf("after the refused Rehash: %w", err)
		}
	}
	return nil
}
