package apikeytest_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/latchwork/latchwork/apikey"
)

// A ledger is a careless feed: whoever stores something takes a number first
// and writes it down afterwards, and a cursor is the greatest number seen.
type ledger struct {
	numbers atomic.Int64

	mu   sync.Mutex
	told map[int64]apikey.Change
}

func (l *ledger) write(number int64, c apikey.Change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.told == nil {
		l.told = map[int64]apikey.Change{}
	}
	l.told[number] = c
}

func (l *ledger) after(cursor apikey.Cursor) (changes []apikey.Change, next apikey.Cursor) {
	from, _ := strconv.ParseInt(string(cursor), 10, 64)
	l.mu.Lock()
	defer l.mu.Unlock()
	last := from
	for number, c := range l.told {
		if number > from && cursor != "" {
			changes = append(changes, c)
		}
		last = max(last, number)
	}
	return changes, apikey.Cursor(strconv.FormatInt(last, 10))
}

func feedMutants() []mutant {
	type changes = func(context.Context, apikey.Cursor) ([]apikey.Change, apikey.Cursor, error)
	// feeds replaces what Changes returns without an error.
	feeds := func(change func([]apikey.Change) []apikey.Change) func(*overlay) {
		return func(o *overlay) {
			o.changes = func(ctx context.Context, after apikey.Cursor) ([]apikey.Change, apikey.Cursor, error) {
				list, cursor, err := o.MemoryStore.Changes(ctx, after)
				return change(list), cursor, err
			}
		}
	}
	// adds tells of changes beside those that there are.
	adds := func(o *overlay) func(apikey.Change) {
		var mu sync.Mutex
		var more []apikey.Change
		o.changes = func(ctx context.Context, after apikey.Cursor) ([]apikey.Change, apikey.Cursor, error) {
			list, cursor, err := o.MemoryStore.Changes(ctx, after)
			mu.Lock()
			defer mu.Unlock()
			if after != "" && err == nil {
				list, more = append(list, more...), nil
			}
			return list, cursor, err
		}
		return func(c apikey.Change) {
			mu.Lock()
			defer mu.Unlock()
			more = append(more, c)
		}
	}
	return []mutant{
		{"a feed without changes", "feed", feeds(func([]apikey.Change) []apikey.Change { return nil })},
		{"new keys are no change", "feed", feeds(func(list []apikey.Change) (kept []apikey.Change) {
			for _, c := range list {
				if c.Version > 1 {
					kept = append(kept, c)
				}
			}
			return kept
		})},
		{"a change has the version of before", "feed", feeds(func(list []apikey.Change) []apikey.Change {
			for i := range list {
				list[i].Version--
			}
			return list
		})},
		{"only the first of what is new", "feed for all", feeds(func(list []apikey.Change) []apikey.Change { return list[:min(1, len(list))] })},
		{"a change appears with the next", "feed", func(o *overlay) {
			o.changes = func(ctx context.Context, after apikey.Cursor) ([]apikey.Change, apikey.Cursor, error) {
				list, cursor, err := o.MemoryStore.Changes(ctx, after)
				if n, _ := strconv.Atoi(string(cursor)); err == nil && len(list) > 0 {
					return list[:len(list)-1], apikey.Cursor(strconv.Itoa(n - 1)), nil
				}
				return list, cursor, err
			}
		}},
		{"the zero cursor is the beginning", "feed from now on", func(o *overlay) {
			o.changes = func(ctx context.Context, after apikey.Cursor) ([]apikey.Change, apikey.Cursor, error) {
				if after == "" {
					after = "0"
				}
				return o.MemoryStore.Changes(ctx, after)
			}
		}},
		{"the zero cursor gives itself", "feed from now on", func(o *overlay) {
			o.changes = func(ctx context.Context, after apikey.Cursor) ([]apikey.Change, apikey.Cursor, error) {
				if after == "" {
					return nil, "", nil
				}
				return o.MemoryStore.Changes(ctx, after)
			}
		}},
		{"the zero cursor ends with what comes next", "feed from now on", func(o *overlay) {
			o.changes = func(ctx context.Context, after apikey.Cursor) ([]apikey.Change, apikey.Cursor, error) {
				if after == "end" {
					after = ""
				}
				list, cursor, err := o.MemoryStore.Changes(ctx, after)
				if after == "" {
					cursor = "end"
				}
				return list, cursor, err
			}
		}},
		{"changes are taken away", "feed for all", func(o *overlay) {
			var taken shelf[apikey.Cursor, bool]
			o.changes = func(ctx context.Context, after apikey.Cursor) ([]apikey.Change, apikey.Cursor, error) {
				list, cursor, err := o.MemoryStore.Changes(ctx, after)
				if gone, _ := taken.take(after); gone {
					list = nil
				}
				taken.put(after, len(list) > 0)
				return list, cursor, err
			}
		}},
		{"the feed tells before it is stored", "feed of changes only", func(o *overlay) {
			tell := adds(o)
			o.update = func(ctx context.Context, r apikey.Record, e apikey.Event) error {
				tell(apikey.Change{KeyID: r.Key.ID, Version: r.Key.Version})
				return o.MemoryStore.Update(ctx, r, e)
			}
		}},
		{"the feed tells of keys that were refused", "feed of changes only", func(o *overlay) {
			tell := adds(o)
			o.create = func(ctx context.Context, r apikey.Record, e apikey.Event) error {
				err := o.MemoryStore.Create(ctx, r, e)
				if errors.Is(err, apikey.ErrExists) {
					tell(apikey.Change{KeyID: r.Key.ID, Version: r.Key.Version})
				}
				return err
			}
		}},
		{"a rehash is a change", "feed of changes only", func(o *overlay) {
			tell := adds(o)
			o.rehash = func(ctx context.Context, id string, old apikey.Hash, secret apikey.SecretHash) error {
				tell(apikey.Change{KeyID: id, Version: 1})
				return o.MemoryStore.Rehash(ctx, id, old, secret)
			}
		}},
		{"a cursor that cannot be read is the present", "feed refuses cursors", func(o *overlay) {
			o.changes = orElse(o.MemoryStore.Changes, func(ctx context.Context, mem changes) ([]apikey.Change, apikey.Cursor, error) {
				return mem(ctx, "")
			})
		}},
		{"a cursor that cannot be read is an error", "feed refuses cursors", func(o *overlay) {
			o.changes = orElse(o.MemoryStore.Changes, func(context.Context, changes) ([]apikey.Change, apikey.Cursor, error) {
				return nil, "", errors.New("strconv.ParseInt: invalid syntax")
			})
		}},
		{"a cursor from the future is a cursor", "feed refuses cursors", func(o *overlay) {
			o.changes = func(ctx context.Context, after apikey.Cursor) ([]apikey.Change, apikey.Cursor, error) {
				list, cursor, err := o.MemoryStore.Changes(ctx, after)
				if n, bad := strconv.ParseInt(string(after), 10, 64); errors.Is(err, apikey.ErrCursor) && bad == nil && n > 0 {
					return nil, after, nil
				}
				return list, cursor, err
			}
		}},
		{"a cursor steps over what becomes visible late", "feed misses nothing", func(o *overlay) {
			var l ledger
			o.changes = func(_ context.Context, after apikey.Cursor) ([]apikey.Change, apikey.Cursor, error) {
				list, next := l.after(after)
				return list, next, nil
			}
			slowly := func(store func() error, r apikey.Record) error {
				number := l.numbers.Add(1)
				err := store()
				if number%3 == 0 {
					time.Sleep(5 * window)
				}
				if err == nil {
					l.write(number, apikey.Change{KeyID: r.Key.ID, Version: r.Key.Version})
				}
				return err
			}
			o.create = func(ctx context.Context, r apikey.Record, e apikey.Event) error {
				return slowly(func() error { return o.MemoryStore.Create(ctx, r, e) }, r)
			}
			o.update = func(ctx context.Context, r apikey.Record, e apikey.Event) error {
				return slowly(func() error { return o.MemoryStore.Update(ctx, r, e) }, r)
			}
		}},
		{"changes are given as they are kept", "copies changes", func(o *overlay) {
			var kept shelf[apikey.Cursor, []apikey.Change]
			o.changes = func(ctx context.Context, after apikey.Cursor) ([]apikey.Change, apikey.Cursor, error) {
				list, cursor, err := o.MemoryStore.Changes(ctx, after)
				if old, ok := kept.take(after); ok && len(old) == len(list) {
					list = old
				}
				kept.put(after, list)
				return list, cursor, err
			}
		}},
	}
}

// orElse answers in another way than with ErrCursor.
func orElse(
	mem func(context.Context, apikey.Cursor) ([]apikey.Change, apikey.Cursor, error),
	instead func(context.Context, func(context.Context, apikey.Cursor) ([]apikey.Change, apikey.Cursor, error)) ([]apikey.Change, apikey.Cursor, error),
) func(context.Context, apikey.Cursor) ([]apikey.Change, apikey.Cursor, error) {
	return func(ctx context.Context, after apikey.Cursor) ([]apikey.Change, apikey.Cursor, error) {
		list, cursor, err := mem(ctx, after)
		if errors.Is(err, apikey.ErrCursor) {
			return instead(ctx, mem)
		}
		return list, cursor, err
	}
}
