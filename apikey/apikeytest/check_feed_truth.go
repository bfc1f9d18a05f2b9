package apikeytest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/latchwork/latchwork/apikey"
)

func checkFeedTruth(ctx context.Context, t *trial) error {
	feed, err := t.tail(ctx)
	if err != nil {
		return err
	}
	r, other, err := t.createTwo(ctx)
	if err != nil {
		return err
	}
	if err := feed.tells(ctx, r, other); err != nil {
		return err
	}
	ghost := t.record()
	done, cancel := context.WithCancel(ctx)
	cancel()
	for what, refused := range map[string]func() error{
		"Create with a taken ID": func() error {
			again := t.record(func(again *apikey.Record) { again.Key.ID, again.Key.Version = r.Key.ID, 2 })
			return t.Store.Create(ctx, again, t.event(again, apikey.Created))
		},
		"Create with a taken hash": func() error {
			again := t.record(func(again *apikey.Record) { again.Secrets = r.Secrets })
			return t.Store.Create(ctx, again, t.event(again, apikey.Created))
		},
		"Update of another version": func() error {
			stale := next(r, func(r *apikey.Record) { r.Key.Version = 7 })
			return t.Store.Update(ctx, stale, t.event(stale, apikey.Updated))
		},
		"Update to a taken hash": func() error {
			thief := next(r, func(r *apikey.Record) { r.Secrets = other.Secrets })
			return t.Store.Update(ctx, thief, t.event(thief, apikey.Updated))
		},
		"Update of nothing": func() error { return t.Store.Update(ctx, ghost, t.event(ghost, apikey.Updated)) },
		"Update with a cancelled context": func() error {
			return t.Store.Update(done, next(r), t.event(r, apikey.Updated))
		},
	} {
		if refused() == nil {
			return fmt.Errorf("%s: returned no error", what)
		}
		changes, err := feed.read(ctx)
		if err != nil {
			return err
		}
		if err := onlyStored(changes, r, other); err != nil {
			return fmt.Errorf("after %s: %w", what, err)
		}
	}
	return t.rehashIsSilent(ctx, feed, r)
}

// onlyStored checks that no change is told of but of these records and of what
// was stored of them.
func onlyStored(changes []apikey.Change, records ...apikey.Record) error {
	for _, c := range changes {
		known := slices.ContainsFunc(records, func(r apikey.Record) bool {
			return r.Key.ID == c.KeyID && 1 <= c.Version && c.Version <= r.Key.Version
		})
		if !known {
			return fmt.Errorf("the feed tells of version %d of %q, which was never stored", c.Version, c.KeyID)
		}
	}
	return nil
}

// rehashIsSilent proves nothing of a feed that repeats itself anyway.
func (t *trial) rehashIsSilent(ctx context.Context, feed *tail, r apikey.Record) error {
	quiet, err := feed.read(ctx)
	if err != nil || len(quiet) > 0 {
		return err
	}
	if err := t.Store.Rehash(ctx, r.Key.ID, r.Secrets[0].Hash, apikey.SecretHash{Hash: t.hash(), PepperID: "new"}); err != nil {
		return fmt.Errorf("Rehash: %w", err)
	}
	changes, err := feed.read(ctx)
	if err == nil && len(changes) > 0 {
		err = errors.New("the feed tells of a Rehash")
	}
	return err
}

func checkFeedCursor(ctx context.Context, t *trial) error {
	feed, err := t.tail(ctx)
	if err != nil {
		return err
	}
	for range 3 {
		r, err := t.create(ctx)
		if err != nil {
			return err
		}
		if err := feed.tells(ctx, r); err != nil {
			return err
		}
	}
	good := string(feed.cursor)
	for _, text := range []string{
		"garbage", "-1", " ", "\x00", "\xff", "1.5", "' OR 1=1 --", strings.Repeat("9", 19), strings.Repeat("9", 1000),
		good + "0", good + " ", " " + good, good + "x", "x" + good,
	} {
		changes, _, err := t.Feed.Changes(ctx, apikey.Cursor(text))
		if err := fails(fmt.Sprintf("Changes after %.40q", text), err, apikey.ErrCursor); err != nil {
			return err
		}
		if len(changes) > 0 {
			return fmt.Errorf("after %.40q: %d changes beside the error", text, len(changes))
		}
	}
	r, err := t.create(ctx)
	if err != nil {
		return err
	}
	return wrap("after cursors that were refused", feed.tells(ctx, r))
}
