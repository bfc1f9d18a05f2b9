package apikeytest

import (
	"context"
	"errors"
	"fmt"

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
