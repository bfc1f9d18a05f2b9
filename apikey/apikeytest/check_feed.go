package apikeytest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/latchwork/latchwork/apikey"
)

func feedChecks() []check {
	return []check{
		{
			"feed", "A change appears in the feed as soon as it is stored, whichever handle stored it.",
			checkFeed,
		},
		{
			"feed from now on", "The zero Cursor stands for the present: no changes, and where they will begin.",
			checkFeedBegins,
		},
		{
			"feed for all", "A cursor may be used any number of times: nobody takes changes away from others.",
			checkFeedAgain,
		},
		{
			"feed of changes only", "A change appears once it is stored, and a Rehash is none.",
			checkFeedTruth,
		},
		{
			"feed refuses cursors", "ErrCursor: the cursor is none of this feed's.",
			checkFeedCursor,
		},
		{
			"feed misses nothing", "Changes returns what changed after the cursor, also when changes are stored at the same time.",
			checkFeedRace,
		},
		{
			"copies changes", "A feed copies what it gives, so that nobody's later change shows through.",
			checkFeedCopies,
		},
	}
}

// calls bounds how many parts of a feed are read in a row: it may repeat itself
// without an end.
const calls = 50

// A tail reads on in the feed from where it stopped.
type tail struct {
	feed   apikey.Feed
	cursor apikey.Cursor
}

// errNoFeed ends the checks of a feed on a backend that has none.
var errNoFeed = errors.New("Backend.Feed is nil")

// tail begins at the present.
func (t *trial) tail(ctx context.Context) (*tail, error) {
	if t.Feed == nil {
		return nil, errNoFeed
	}
	changes, cursor, err := t.Feed.Changes(ctx, "")
	if err != nil {
		return nil, wrap("Changes after the zero cursor", err)
	}
	if len(changes) > 0 {
		return nil, fmt.Errorf("after the zero cursor: %d changes, want none", len(changes))
	}
	return &tail{t.Feed, cursor}, nil
}

// read returns what has come since.
func (f *tail) read(ctx context.Context) ([]apikey.Change, error) {
	var all []apikey.Change
	for range calls {
		changes, cursor, err := f.feed.Changes(ctx, f.cursor)
		if err != nil {
			return nil, wrap("Changes", err)
		}
		f.cursor = cursor
		all = append(all, changes...)
		if len(changes) == 0 {
			break
		}
	}
	return all, nil
}

// tells checks that the feed has come to the version of each of these records
// and to no other that there never was.
func (f *tail) tells(ctx context.Context, records ...apikey.Record) error {
	changes, err := f.read(ctx)
	if err != nil {
		return err
	}
	return told(changes, records...)
}

func told(changes []apikey.Change, records ...apikey.Record) error {
	versions := map[string]int64{}
	for _, c := range changes {
		versions[c.KeyID] = max(versions[c.KeyID], c.Version)
	}
	for _, r := range records {
		if got := versions[r.Key.ID]; got != r.Key.Version {
			return fmt.Errorf("of %q, which is at version %d, the latest change told is %d", r.Key.Name, r.Key.Version, got)
		}
	}
	return nil
}

func checkFeed(ctx context.Context, t *trial) error {
	feed, err := t.tail(ctx)
	if err != nil {
		return err
	}
	for i := range 6 {
		r := t.record()
		if err := t.handle(i).Create(ctx, r, t.event(r, apikey.Created)); err != nil {
			return fmt.Errorf("Create: %w", err)
		}
		if err := feed.tells(ctx, r); err != nil {
			return fmt.Errorf("after Create: %w", err)
		}
		for j := range 3 {
			r = next(r)
			if err := t.handle(j).Update(ctx, r, t.event(r, apikey.Updated)); err != nil {
				return fmt.Errorf("Update: %w", err)
			}
			if err := feed.tells(ctx, r); err != nil {
				return fmt.Errorf("after Update: %w", err)
			}
		}
	}
	return nil
}

func checkFeedBegins(ctx context.Context, t *trial) error {
	before, err := t.create(ctx)
	if err != nil {
		return err
	}
	if before, err = t.update(ctx, before); err != nil {
		return err
	}
	feed, err := t.tail(ctx)
	if err != nil {
		return err
	}
	// Whatever came before may come again, but what comes now must.
	after, err := t.create(ctx)
	if err != nil {
		return err
	}
	if before, err = t.update(ctx, before); err != nil {
		return err
	}
	return feed.tells(ctx, after, before)
}

func checkFeedAgain(ctx context.Context, t *trial) error {
	feed, err := t.tail(ctx)
	if err != nil {
		return err
	}
	records := make([]apikey.Record, 5)
	for i := range records {
		if records[i], err = t.create(ctx); err != nil {
			return err
		}
	}
	for range 3 {
		other := *feed
		if err := other.tells(ctx, records...); err != nil {
			return fmt.Errorf("from the same cursor: %w", err)
		}
	}
	return nil
}

func checkFeedTruth(ctx context.Context, t *trial) error {
	feed, err := t.tail(ctx)
	if err != nil {
		return err
	}
	r, err := t.create(ctx)
	if err != nil {
		return err
	}
	other, err := t.create(ctx)
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

// checkFeedRace has readers follow the feed while changes are stored at the
// same time: a cursor must not step over one that becomes visible late.
func checkFeedRace(ctx context.Context, t *trial) error {
	const writers, readers, keys, versions = 8, 3, 4, 4
	final := make([]apikey.Record, writers*keys)
	tails := make([]*tail, readers)
	for i := range tails {
		var err error
		if tails[i], err = t.tail(ctx); err != nil {
			return err
		}
	}
	seen := make([][]apikey.Change, readers)
	over := make(chan struct{})
	written := make(chan struct{}, writers)
	errs := race(writers+readers+1, func(i int) error {
		switch {
		case i < writers:
			defer func() { written <- struct{}{} }()
			for k := range keys {
				r := t.record()
				if err := t.handle(i).Create(ctx, r, t.event(r, apikey.Created)); err != nil {
					return fmt.Errorf("Create: %w", err)
				}
				for range versions - 1 {
					r = next(r)
					if err := t.handle(i).Update(ctx, r, t.event(r, apikey.Updated)); err != nil {
						return fmt.Errorf("Update: %w", err)
					}
				}
				final[i*keys+k] = r
			}
			return nil
		case i == writers:
			for range writers {
				<-written
			}
			close(over)
			return nil
		}
		reader := i - writers - 1
		for last := false; ; {
			changes, err := tails[reader].read(ctx)
			if err != nil {
				return err
			}
			seen[reader] = append(seen[reader], changes...)
			if last {
				return nil
			}
			select {
			case <-over:
				last = true
			default:
			}
		}
	})
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for i := range readers {
		if err := told(seen[i], final...); err != nil {
			return fmt.Errorf("reader %d: %w", i+1, err)
		}
	}
	return nil
}

func checkFeedCopies(ctx context.Context, t *trial) error {
	feed, err := t.tail(ctx)
	if err != nil {
		return err
	}
	r, err := t.create(ctx)
	if err != nil {
		return err
	}
	for range 2 {
		other := *feed
		changes, err := other.read(ctx)
		if err != nil {
			return err
		}
		if err := told(changes, r); err != nil {
			return err
		}
		// read has copied what it was given.
		given, _, err := t.Feed.Changes(ctx, feed.cursor)
		if err != nil {
			return wrap("Changes", err)
		}
		for i := range given {
			given[i] = apikey.Change{KeyID: "spoiled"}
		}
	}
	return nil
}
