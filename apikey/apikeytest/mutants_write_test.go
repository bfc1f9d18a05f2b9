package apikeytest_test

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/latchwork/latchwork/apikey"
)

// A mutant is a mistake that the authors of stores make, and the check that is
// there for it.
type mutant struct {
	mistake, check string
	make           func(o *overlay)
}

const window = 2 * time.Millisecond // in which a careless store loses a race

func writeMutants() []mutant {
	return []mutant{
		{"create keeps one key in two to itself", "create", func(o *overlay) {
			var calls atomic.Int64
			o.create = func(ctx context.Context, r apikey.Record, e apikey.Event) error {
				if calls.Add(1)%2 == 0 {
					return nil
				}
				return o.MemoryStore.Create(ctx, r, e)
			}
		}},
		{"create overwrites", "duplicate id", func(o *overlay) {
			o.create = func(ctx context.Context, r apikey.Record, e apikey.Event) error {
				err := o.MemoryStore.Create(ctx, r, e)
				if errors.Is(err, apikey.ErrExists) {
					err = o.force(ctx, r, e)
				}
				return err
			}
		}},
		{"create reports and overwrites", "duplicate id", func(o *overlay) {
			o.create = func(ctx context.Context, r apikey.Record, e apikey.Event) error {
				err := o.MemoryStore.Create(ctx, r, e)
				if errors.Is(err, apikey.ErrExists) {
					_ = o.force(ctx, r, e)
				}
				return err
			}
		}},
		{"create reports and stores the key without the hash", "duplicate hash", func(o *overlay) {
			o.create = func(ctx context.Context, r apikey.Record, e apikey.Event) error {
				err := o.MemoryStore.Create(ctx, r, e)
				if errors.Is(err, apikey.ErrExists) {
					r.Secrets = nil
					_ = o.MemoryStore.Create(ctx, r, e)
				}
				return err
			}
		}},
		{"create looks at the first hash only", "duplicate hash", func(o *overlay) {
			o.create = func(ctx context.Context, r apikey.Record, e apikey.Event) error {
				err := o.MemoryStore.Create(ctx, r, e)
				if errors.Is(err, apikey.ErrExists) {
					r.Secrets = r.Secrets[:1]
					err = o.MemoryStore.Create(ctx, r, e)
				}
				return err
			}
		}},
		{"create answers with an error of its own", "duplicate id", func(o *overlay) {
			o.create = func(ctx context.Context, r apikey.Record, e apikey.Event) error {
				if err := o.MemoryStore.Create(ctx, r, e); err != nil {
					return errors.New("UNIQUE constraint failed")
				}
				return nil
			}
		}},
		{"create loses a race for the id", "one create of an id wins", func(o *overlay) {
			o.create = func(ctx context.Context, r apikey.Record, e apikey.Event) error {
				if _, err := o.MemoryStore.Get(ctx, r.Key.ID); err == nil {
					return apikey.ErrExists
				}
				time.Sleep(window)
				if err := o.MemoryStore.Create(ctx, r, e); !errors.Is(err, apikey.ErrExists) {
					return err
				}
				return nil
			}
		}},
		{"create loses a race for the hash", "one taker of a hash wins", func(o *overlay) {
			o.create = func(ctx context.Context, r apikey.Record, e apikey.Event) error {
				for _, secret := range r.Secrets {
					if _, err := o.MemoryStore.Find(ctx, []apikey.Hash{secret.Hash}); err == nil {
						return apikey.ErrExists
					}
				}
				time.Sleep(window)
				if err := o.MemoryStore.Create(ctx, r, e); !errors.Is(err, apikey.ErrExists) {
					return err
				}
				return nil
			}
		}},
		{"update loses a race for the hash", "one taker of a hash wins", func(o *overlay) {
			o.update = func(ctx context.Context, r apikey.Record, e apikey.Event) error {
				for _, secret := range r.Secrets {
					other, err := o.MemoryStore.Find(ctx, []apikey.Hash{secret.Hash})
					if err == nil && other.Key.ID != r.Key.ID {
						return apikey.ErrExists
					}
				}
				time.Sleep(window)
				if err := o.MemoryStore.Update(ctx, r, e); !errors.Is(err, apikey.ErrExists) {
					return err
				}
				return nil
			}
		}},
		{"a loser gets the error of the database", "one update wins", func(o *overlay) {
			o.update = func(ctx context.Context, r apikey.Record, e apikey.Event) error {
				before, err := o.MemoryStore.Get(ctx, r.Key.ID)
				if err == nil && before.Key.Version != r.Key.Version-1 {
					return apikey.ErrConflict
				}
				time.Sleep(window)
				if err := o.MemoryStore.Update(ctx, r, e); errors.Is(err, apikey.ErrConflict) {
					return errors.New("database is locked")
				}
				return err
			}
		}},
		{"compare and swap are two steps", "one update wins", func(o *overlay) {
			o.update = func(ctx context.Context, r apikey.Record, e apikey.Event) error {
				before, err := o.MemoryStore.Get(ctx, r.Key.ID)
				switch {
				case err != nil:
					return err
				case before.Key.Version != r.Key.Version-1:
					return apikey.ErrConflict
				}
				time.Sleep(window)
				return o.force(ctx, r, e)
			}
		}},
		{"update does not compare", "update version", func(o *overlay) {
			o.update = func(ctx context.Context, r apikey.Record, e apikey.Event) error { return o.force(ctx, r, e) }
		}},
		{"update takes every later version", "update version", func(o *overlay) {
			o.update = func(ctx context.Context, r apikey.Record, e apikey.Event) error {
				if before, err := o.MemoryStore.Get(ctx, r.Key.ID); err == nil && before.Key.Version < r.Key.Version {
					return o.force(ctx, r, e)
				}
				return o.MemoryStore.Update(ctx, r, e)
			}
		}},
		{"update reports a conflict and stores", "update version", func(o *overlay) {
			o.update = func(ctx context.Context, r apikey.Record, e apikey.Event) error {
				err := o.MemoryStore.Update(ctx, r, e)
				if errors.Is(err, apikey.ErrConflict) {
					_ = o.force(ctx, r, e)
				}
				return err
			}
		}},
		{"update creates", "update missing", func(o *overlay) {
			o.update = func(ctx context.Context, r apikey.Record, e apikey.Event) error {
				err := o.MemoryStore.Update(ctx, r, e)
				if errors.Is(err, apikey.ErrNotFound) {
					err = o.MemoryStore.Create(ctx, r, e)
				}
				return err
			}
		}},
		{"update of nothing is a conflict", "update missing", func(o *overlay) {
			o.update = func(ctx context.Context, r apikey.Record, e apikey.Event) error {
				err := o.MemoryStore.Update(ctx, r, e)
				if errors.Is(err, apikey.ErrNotFound) {
					err = apikey.ErrConflict
				}
				return err
			}
		}},
		{"update leaves the owner", "update", func(o *overlay) {
			o.update = func(ctx context.Context, r apikey.Record, e apikey.Event) error {
				if before, err := o.MemoryStore.Get(ctx, r.Key.ID); err == nil {
					r.Key.Owner = before.Key.Owner
				}
				return o.MemoryStore.Update(ctx, r, e)
			}
		}},
		{"update does not take a list away", "update", func(o *overlay) {
			o.update = func(ctx context.Context, r apikey.Record, e apikey.Event) error {
				if before, err := o.MemoryStore.Get(ctx, r.Key.ID); err == nil && r.Key.AllowedIPs == nil {
					r.Key.AllowedIPs = before.Key.AllowedIPs
				}
				return o.MemoryStore.Update(ctx, r, e)
			}
		}},
		{"update leaves the old hash", "update forgets secrets", func(o *overlay) {
			var dropped shelf[apikey.Hash, string]
			o.update = func(ctx context.Context, r apikey.Record, e apikey.Event) error {
				before, _ := o.MemoryStore.Get(ctx, r.Key.ID)
				for _, secret := range before.Secrets {
					dropped.put(secret.Hash, r.Key.ID)
				}
				return o.MemoryStore.Update(ctx, r, e)
			}
			o.find = func(ctx context.Context, hashes []apikey.Hash) (apikey.Record, error) {
				for _, h := range hashes {
					if id, ok := dropped.take(h); ok {
						return o.MemoryStore.Get(ctx, id)
					}
				}
				return o.MemoryStore.Find(ctx, hashes)
			}
		}},
		{"update does not free the old hash", "update forgets secrets", func(o *overlay) {
			var used shelf[apikey.Hash, bool]
			o.create = func(ctx context.Context, r apikey.Record, e apikey.Event) error {
				for _, secret := range r.Secrets {
					if _, ok := used.take(secret.Hash); ok {
						return apikey.ErrExists
					}
				}
				err := o.MemoryStore.Create(ctx, r, e)
				for _, secret := range r.Secrets {
					used.put(secret.Hash, true)
				}
				return err
			}
		}},
		{"update leaves the secrets alone", "update", func(o *overlay) {
			o.update = func(ctx context.Context, r apikey.Record, e apikey.Event) error {
				if before, err := o.MemoryStore.Get(ctx, r.Key.ID); err == nil {
					r.Secrets = before.Secrets
				}
				return o.MemoryStore.Update(ctx, r, e)
			}
		}},
		{"update drops the hash that is taken and stores the rest", "update taken hash", func(o *overlay) {
			o.update = func(ctx context.Context, r apikey.Record, e apikey.Event) error {
				err := o.MemoryStore.Update(ctx, r, e)
				if errors.Is(err, apikey.ErrExists) {
					r.Secrets = nil
					_ = o.MemoryStore.Update(ctx, r, e)
				}
				return err
			}
		}},
		{"update keeps what it is given", "copies what it takes", func(o *overlay) { keepsGiven(o, false) }},
		{"create keeps what it is given", "copies what it takes", func(o *overlay) { keepsGiven(o, true) }},
		{"halves of two versions are read", "whole reads", func(o *overlay) {
			o.find = func(ctx context.Context, hashes []apikey.Hash) (apikey.Record, error) {
				r, err := o.MemoryStore.Find(ctx, hashes)
				if err != nil {
					return r, err
				}
				time.Sleep(window)
				later, err := o.MemoryStore.Get(ctx, r.Key.ID)
				r.Secrets = later.Secrets
				return r, err
			}
		}},
		{"a key that is changed is away for a moment", "whole reads", func(o *overlay) {
			var away shelf[string, bool]
			o.update = func(ctx context.Context, r apikey.Record, e apikey.Event) error {
				away.put(r.Key.ID, true)
				time.Sleep(window)
				away.put(r.Key.ID, false)
				return o.MemoryStore.Update(ctx, r, e)
			}
			o.get = func(ctx context.Context, id string) (apikey.Record, error) {
				if gone, _ := away.take(id); gone {
					return apikey.Record{}, apikey.ErrNotFound
				}
				return o.MemoryStore.Get(ctx, id)
			}
		}},
	}
}
