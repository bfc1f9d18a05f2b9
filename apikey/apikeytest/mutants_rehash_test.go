package apikeytest_test

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/latchwork/latchwork/apikey"
)

// index returns the place of a hash among the secrets of a record, or -1.
func index(r apikey.Record, h apikey.Hash) int {
	return slices.IndexFunc(r.Secrets, func(s apikey.SecretHash) bool { return s.Hash == h })
}

// rereads makes a Rehash that reads a record, waits, and then puts back what
// merge makes of what it has read and what is there by now.
func rereads(o *overlay, merge func(read, now *apikey.Record, at int, secret apikey.SecretHash) apikey.Record) {
	o.rehash = func(ctx context.Context, id string, old apikey.Hash, secret apikey.SecretHash) error {
		read, err := o.MemoryStore.Get(ctx, id)
		at := index(read, old)
		if errors.Is(err, apikey.ErrNotFound) || at < 0 {
			return nil
		}
		secret.Deadline = read.Secrets[at].Deadline
		time.Sleep(window)
		for {
			now, err := o.MemoryStore.Get(ctx, id)
			if err != nil {
				return err
			}
			version := now.Key.Version
			put := merge(&read, &now, at, secret)
			put.Key.Version = version + 1
			if err := o.MemoryStore.Update(ctx, put, apikey.Event{At: put.Key.UpdatedAt}); !errors.Is(err, apikey.ErrConflict) {
				return err
			}
		}
	}
}

func rehashMutants() []mutant {
	return []mutant{
		{"rehash takes the deadline it is given", "rehash", func(o *overlay) {
			o.rehash = func(ctx context.Context, id string, old apikey.Hash, secret apikey.SecretHash) error {
				r, err := o.MemoryStore.Get(ctx, id)
				if at := index(r, old); err == nil && at >= 0 {
					r.Secrets[at] = secret
					return o.force(ctx, r, apikey.Event{})
				}
				return err
			}
		}},
		{"rehash leaves the old hash", "rehash", func(o *overlay) {
			rereads(o, func(_, now *apikey.Record, _ int, secret apikey.SecretHash) apikey.Record {
				now.Secrets = append(now.Secrets, secret)
				return *now
			})
		}},
		{"rehash does nothing", "rehash", func(o *overlay) {
			o.rehash = func(ctx context.Context, _ string, _ apikey.Hash, _ apikey.SecretHash) error { return ctx.Err() }
		}},
		{"rehash is a new version", "rehash leaves the version", func(o *overlay) {
			rereads(o, func(_, now *apikey.Record, at int, secret apikey.SecretHash) apikey.Record {
				now.Secrets[at] = secret
				return *now
			})
		}},
		{"rehash of nothing is an error", "rehash of what is gone", func(o *overlay) {
			o.rehash = func(ctx context.Context, id string, old apikey.Hash, secret apikey.SecretHash) error {
				if _, err := o.MemoryStore.Find(ctx, []apikey.Hash{old}); err != nil {
					return err
				}
				return o.MemoryStore.Rehash(ctx, id, old, secret)
			}
		}},
		{"rehash adds the new hash though the old one is gone", "rehash of what is gone", func(o *overlay) {
			o.rehash = func(ctx context.Context, id string, old apikey.Hash, secret apikey.SecretHash) error {
				r, err := o.MemoryStore.Get(ctx, id)
				if err == nil && index(r, old) < 0 {
					r.Secrets = append(r.Secrets, secret)
					return o.force(ctx, r, apikey.Event{})
				}
				return o.MemoryStore.Rehash(ctx, id, old, secret)
			}
		}},
		{"rehash looks at the hash and not at the id", "rehash of what is gone", func(o *overlay) {
			o.rehash = func(ctx context.Context, id string, old apikey.Hash, secret apikey.SecretHash) error {
				if r, err := o.MemoryStore.Find(ctx, []apikey.Hash{old}); err == nil {
					id = r.Key.ID
				}
				return o.MemoryStore.Rehash(ctx, id, old, secret)
			}
		}},
		{"rehash onto a taken hash says that it worked", "rehash onto a taken hash", func(o *overlay) {
			o.rehash = func(ctx context.Context, id string, old apikey.Hash, secret apikey.SecretHash) error {
				err := o.MemoryStore.Rehash(ctx, id, old, secret)
				if errors.Is(err, apikey.ErrExists) {
					return nil
				}
				return err
			}
		}},
		{"rehash onto a taken hash drops the old one", "rehash onto a taken hash", func(o *overlay) {
			o.rehash = func(ctx context.Context, id string, old apikey.Hash, secret apikey.SecretHash) error {
				err := o.MemoryStore.Rehash(ctx, id, old, secret)
				if errors.Is(err, apikey.ErrExists) {
					r, _ := o.MemoryStore.Get(ctx, id)
					r.Secrets = slices.Delete(r.Secrets, index(r, old), index(r, old)+1)
					_ = o.force(ctx, r, apikey.Event{})
				}
				return err
			}
		}},
		{"rehash puts back the record it has read", "rehash against revoke", func(o *overlay) {
			rereads(o, func(read, _ *apikey.Record, at int, secret apikey.SecretHash) apikey.Record {
				put := read.Clone()
				put.Secrets[at] = secret
				return put
			})
		}},
		{"rehash puts back the secrets it has read", "rehash against rotation", func(o *overlay) {
			rereads(o, func(read, now *apikey.Record, at int, secret apikey.SecretHash) apikey.Record {
				now.Secrets = slices.Clone(read.Secrets)
				now.Secrets[at] = secret
				return *now
			})
		}},
		{"rehash puts back the deadline it has read", "rehash against overlap", func(o *overlay) {
			var deadlines shelf[apikey.Hash, time.Time]
			o.rehash = func(ctx context.Context, id string, old apikey.Hash, secret apikey.SecretHash) error {
				r, err := o.MemoryStore.Get(ctx, id)
				if at := index(r, old); err == nil && at >= 0 {
					deadlines.put(secret.Hash, r.Secrets[at].Deadline)
					time.Sleep(window)
				}
				return o.MemoryStore.Rehash(ctx, id, old, secret)
			}
			o.read(func(r *apikey.Record) {
				for i, secret := range r.Secrets {
					if read, ok := deadlines.take(secret.Hash); ok {
						r.Secrets[i].Deadline = read
					}
				}
			})
		}},
	}
}
