package apikeytest_test

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/latchwork/latchwork/apikey"
)

func eventMutants() []mutant {
	return []mutant{
		{"the event of a change is dropped", "event of a change", func(o *overlay) {
			o.events = func(ctx context.Context, id string, page apikey.Page) ([]apikey.Event, error) {
				events, err := o.MemoryStore.Events(ctx, id, page)
				return slices.DeleteFunc(events, func(e apikey.Event) bool { return e.Kind == apikey.Disabled }), err
			}
		}},
		{"changes are not kept", "event of a change", func(o *overlay) {
			o.events = func(ctx context.Context, id string, page apikey.Page) ([]apikey.Event, error) {
				events, err := o.MemoryStore.Events(ctx, id, page)
				for i := range events {
					events[i].Changes = nil
				}
				return events, err
			}
		}},
		{"rehash has an event", "event of a change", func(o *overlay) {
			rereads(o, func(_, now *apikey.Record, at int, secret apikey.SecretHash) apikey.Record {
				now.Secrets[at] = secret
				return *now
			})
		}},
		{"the event is written though the change failed", "no event without a change", func(o *overlay) {
			var failed shelf[string, apikey.Event]
			o.update = func(ctx context.Context, r apikey.Record, e apikey.Event) error {
				err := o.MemoryStore.Update(ctx, r, e)
				if err != nil {
					failed.put(e.KeyID, e)
				}
				return err
			}
			o.events = func(ctx context.Context, id string, page apikey.Page) ([]apikey.Event, error) {
				events, err := o.MemoryStore.Events(ctx, id, page)
				if e, ok := failed.take(id); ok {
					events = append([]apikey.Event{e}, events...)
				}
				return events, err
			}
		}},
		{"the oldest events come first", "events newest first", func(o *overlay) {
			o.events = func(ctx context.Context, id string, page apikey.Page) ([]apikey.Event, error) {
				events, err := o.MemoryStore.Events(ctx, id, page)
				slices.Reverse(events)
				return events, err
			}
		}},
		{"events are in the order in which they were stored", "events newest first", func(o *overlay) {
			var order shelf[string, int64]
			var calls atomic.Int64
			o.update = func(ctx context.Context, r apikey.Record, e apikey.Event) error {
				order.put(e.ID, calls.Add(1))
				return o.MemoryStore.Update(ctx, r, e)
			}
			o.events = func(ctx context.Context, id string, page apikey.Page) ([]apikey.Event, error) {
				events, err := o.MemoryStore.Events(ctx, id, page)
				slices.SortFunc(events, func(a, b apikey.Event) int {
					first, _ := order.take(a.ID)
					second, _ := order.take(b.ID)
					return cmp.Compare(second, first)
				})
				return events, err
			}
		}},
		{"every page is the first", "events newest first", func(o *overlay) {
			o.events = func(ctx context.Context, id string, page apikey.Page) ([]apikey.Event, error) {
				page.Before = ""
				return o.MemoryStore.Events(ctx, id, page)
			}
		}},
		{"nothing known is a miss", "events newest first", func(o *overlay) {
			o.events = func(ctx context.Context, id string, page apikey.Page) ([]apikey.Event, error) {
				if _, err := o.MemoryStore.Get(ctx, id); err != nil {
					return nil, err
				}
				return o.MemoryStore.Events(ctx, id, page)
			}
		}},
		{"events are kept as they are given", "copies events", func(o *overlay) {
			var given shelf[string, []apikey.FieldChange]
			o.create = func(ctx context.Context, r apikey.Record, e apikey.Event) error {
				given.put(e.ID, e.Changes)
				return o.MemoryStore.Create(ctx, r, e)
			}
			o.events = func(ctx context.Context, id string, page apikey.Page) ([]apikey.Event, error) {
				events, err := o.MemoryStore.Events(ctx, id, page)
				for i, e := range events {
					if changes, ok := given.take(e.ID); ok {
						events[i].Changes = slices.Clone(changes)
					}
				}
				return events, err
			}
		}},
		{"events are given as they are kept", "copies events", func(o *overlay) {
			var kept shelf[string, []apikey.FieldChange]
			o.events = func(ctx context.Context, id string, page apikey.Page) ([]apikey.Event, error) {
				events, err := o.MemoryStore.Events(ctx, id, page)
				for i, e := range events {
					if changes, ok := kept.take(e.ID); ok {
						events[i].Changes = changes
					}
					kept.put(e.ID, events[i].Changes)
				}
				return events, err
			}
		}},
	}
}

// contextMutants has a store for each method that does not heed its context.
func contextMutants() []mutant {
	deaf := context.WithoutCancel
	mutants := map[string]func(o *overlay){
		"create": func(o *overlay) {
			o.create = func(ctx context.Context, r apikey.Record, e apikey.Event) error {
				return o.MemoryStore.Create(deaf(ctx), r, e)
			}
		},
		"find": func(o *overlay) {
			o.find = func(ctx context.Context, hashes []apikey.Hash) (apikey.Record, error) {
				return o.MemoryStore.Find(deaf(ctx), hashes)
			}
		},
		"get": func(o *overlay) {
			o.get = func(ctx context.Context, id string) (apikey.Record, error) { return o.MemoryStore.Get(deaf(ctx), id) }
		},
		"list": func(o *overlay) {
			o.list = func(ctx context.Context, q apikey.Query) ([]apikey.Key, error) {
				return o.keys(deaf(ctx), q)
			}
		},
		"update": func(o *overlay) {
			o.update = func(ctx context.Context, r apikey.Record, e apikey.Event) error {
				return o.MemoryStore.Update(deaf(ctx), r, e)
			}
		},
		"rehash": func(o *overlay) {
			o.rehash = func(ctx context.Context, id string, old apikey.Hash, secret apikey.SecretHash) error {
				return o.MemoryStore.Rehash(deaf(ctx), id, old, secret)
			}
		},
		"events": func(o *overlay) {
			o.events = func(ctx context.Context, id string, page apikey.Page) ([]apikey.Event, error) {
				return o.MemoryStore.Events(deaf(ctx), id, page)
			}
		},
		"record": func(o *overlay) {
			o.record = func(ctx context.Context, uses []apikey.Use) error { return o.MemoryStore.Record(deaf(ctx), uses) }
		},
		"record reports, and": func(o *overlay) {
			o.record = func(ctx context.Context, uses []apikey.Use) error {
				return errors.Join(o.MemoryStore.Record(deaf(ctx), uses), ctx.Err())
			}
		},
		"last used": func(o *overlay) {
			o.lastUsed = func(ctx context.Context, ids []string) ([]apikey.LastUse, error) {
				return o.MemoryStore.LastUsed(deaf(ctx), ids)
			}
		},
		"usage": func(o *overlay) {
			o.usage = func(ctx context.Context, id string, since time.Time) ([]apikey.Day, error) {
				return o.MemoryStore.Usage(deaf(ctx), id, since)
			}
		},
		"purge": func(o *overlay) {
			o.purge = func(ctx context.Context, before time.Time, limit int) (int, error) {
				return o.MemoryStore.Purge(deaf(ctx), before, limit)
			}
		},
		"purge reports, and": func(o *overlay) {
			o.purge = func(ctx context.Context, before time.Time, limit int) (int, error) {
				n, err := o.MemoryStore.Purge(deaf(ctx), before, limit)
				return n, errors.Join(err, ctx.Err())
			}
		},
		"the feed": func(o *overlay) {
			o.changes = func(ctx context.Context, after apikey.Cursor) ([]apikey.Change, apikey.Cursor, error) {
				return o.MemoryStore.Changes(deaf(ctx), after)
			}
		},
		"create reports, and": func(o *overlay) {
			o.create = func(ctx context.Context, r apikey.Record, e apikey.Event) error {
				return errors.Join(o.MemoryStore.Create(deaf(ctx), r, e), ctx.Err())
			}
		},
		"update reports, and": func(o *overlay) {
			o.update = func(ctx context.Context, r apikey.Record, e apikey.Event) error {
				return errors.Join(o.MemoryStore.Update(deaf(ctx), r, e), ctx.Err())
			}
		},
		"get returns the cause, as if it": func(o *overlay) {
			o.get = func(ctx context.Context, id string) (apikey.Record, error) {
				if ctx.Err() != nil {
					return apikey.Record{}, context.Cause(ctx)
				}
				return o.MemoryStore.Get(ctx, id)
			}
		},
		"get returns an error of its own and so": func(o *overlay) {
			o.get = func(ctx context.Context, id string) (apikey.Record, error) {
				r, err := o.MemoryStore.Get(ctx, id)
				if ctx.Err() != nil {
					err = errors.New("driver: " + strings.ToLower(err.Error()))
				}
				return r, err
			}
		},
	}
	var list []mutant
	for name, broken := range mutants {
		list = append(list, mutant{name + " does not heed the context", "done context", broken})
	}
	return list
}
