package apikeytest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/latchwork/latchwork/apikey"
)

func purgeChecks() []check {
	return []check{
		{
			"purge", "Purge deletes events from before, and days that are over by then, and nothing else; last uses stay.",
			withActivity(checkPurge),
		},
		{
			"purge in parts", "Purge deletes at most limit of both together, and returns how many: none only when none is left.",
			withActivity(checkPurgeParts),
		},
	}
}

// past creates a key with events and uses around the midnight before the day 2,
// and returns what of it is older than that, and what is not.
func (t *trial) past(ctx context.Context) (r apikey.Record, oldEvents, events []apikey.Event, oldDays, days []apikey.Day, err error) {
	midnight := date(2)
	r = t.record()
	for i, at := range []time.Time{
		date(0), date(1), midnight.Add(-time.Microsecond), midnight, midnight.Add(time.Microsecond), date(3),
	} {
		e := t.event(r, apikey.Updated)
		e.At = at
		if i == 0 {
			err = t.Store.Create(ctx, r, e)
		} else {
			r = next(r)
			err = t.Store.Update(ctx, r, e)
		}
		if err != nil {
			return r, nil, nil, nil, nil, fmt.Errorf("Create or Update: %w", err)
		}
		if i < 3 {
			oldEvents = append([]apikey.Event{e}, oldEvents...)
		} else {
			events = append([]apikey.Event{e}, events...)
		}
	}
	for n := range 4 {
		u := counted(r, n, numbers(int64(n+1)))
		if n < 2 { // the first of these days ends long before, the other one then
			u.LastAt = date(n)
			oldDays = append(oldDays, u.Day)
		} else {
			days = append(days, u.Day)
		}
		if err := t.recordUses(ctx, u); err != nil {
			return r, nil, nil, nil, nil, err
		}
	}
	return r, oldEvents, events, oldDays, days, nil
}

func checkPurge(ctx context.Context, t *trial) error {
	r, oldEvents, events, oldDays, days, err := t.past(ctx)
	if err != nil {
		return err
	}
	for _, c := range []struct {
		before  time.Time
		deleted int
		events  []apikey.Event
		days    []apikey.Day
	}{
		{date(0), 0, slices.Concat(events, oldEvents), slices.Concat(oldDays, days)},
		{date(2), len(oldEvents) + len(oldDays), events, days},
		{date(2), 0, events, days},
		{date(2).Add(time.Microsecond), 1, events[:2], days},
		{date(9), 4, nil, nil},
	} {
		n, err := t.Activity.Purge(ctx, c.before, 1000)
		if err != nil {
			return wrap("Purge", err)
		}
		if n != c.deleted {
			return fmt.Errorf("a purge of what is before %s: returned %d, want %d", instant(c.before), n, c.deleted)
		}
		if err := errors.Join(t.history(ctx, r.Key.ID, c.events...), t.counts(ctx, r, c.days...)); err != nil {
			return fmt.Errorf("after Purge of what is before %s: %w", instant(c.before), err)
		}
		if err := t.lastUse(ctx, apikey.Use{KeyID: r.Key.ID, LastAt: date(1)}); err != nil {
			return fmt.Errorf("after Purge: %w", err)
		}
		if err := t.is(ctx, r); err != nil {
			return fmt.Errorf("after Purge: %w", err)
		}
	}
	use := counted(r, 1, numbers(1))
	if err := t.recordUses(ctx, use); err != nil {
		return err
	}
	return wrap("of a day that was purged", t.counts(ctx, r, use.Day))
}

func checkPurgeParts(ctx context.Context, t *trial) error {
	const keys, old = 3, 3 * (3 + 2)
	records := make([]apikey.Record, keys)
	for i := range records {
		var err error
		if records[i], _, _, _, _, err = t.past(ctx); err != nil {
			return err
		}
	}
	left, err := t.remembered(ctx, records)
	if err != nil {
		return err
	}
	deleted := 0
	for _, limit := range []int{1, 2, 4, 1, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4} {
		n, err := t.Activity.Purge(ctx, date(2), limit)
		if err != nil {
			return wrap("Purge", err)
		}
		if n < 0 || n > limit {
			return fmt.Errorf("a purge of at most %d: returned %d", limit, n)
		}
		if n == 0 && deleted < old {
			return fmt.Errorf("a purge returned 0 with %d left to delete", old-deleted)
		}
		deleted += n
		left -= n
		now, err := t.remembered(ctx, records)
		if err != nil {
			return err
		}
		if now != left {
			return fmt.Errorf("a purge of at most %d: returned %d, and deleted %d", limit, n, n+left-now)
		}
	}
	if deleted != old {
		return fmt.Errorf("the purges deleted %d altogether, want %d", deleted, old)
	}
	return nil
}

// remembered returns how many events and days there are of these keys.
func (t *trial) remembered(ctx context.Context, records []apikey.Record) (int, error) {
	sum := 0
	for _, r := range records {
		events, err := t.Activity.Events(ctx, r.Key.ID, apikey.Page{Limit: 1000})
		if err != nil {
			return 0, fmt.Errorf("reading the events: %w", err)
		}
		days, err := t.Activity.Usage(ctx, r.Key.ID, time.Time{})
		if err != nil {
			return 0, wrap("Usage", err)
		}
		sum += len(events) + len(days)
	}
	return sum, nil
}
