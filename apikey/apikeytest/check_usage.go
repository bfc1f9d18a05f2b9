package apikeytest

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/latchwork/latchwork/apikey"
)

func checkDays(ctx context.Context, t *trial) error {
	r, other, err := t.createTwo(ctx)
	if err != nil {
		return err
	}
	// A month ends among them, and nothing happens on the day 4.
	var all []apikey.Day
	for _, n := range []int{0, 1, 2, 3, 5} {
		all = append(all, apikey.Day{Date: date(n), Counts: numbers(int64(n + 1))})
	}
	for _, i := range []int{3, 0, 4, 2, 1} {
		if err := t.recordUses(ctx, apikey.Use{KeyID: r.Key.ID, Day: all[i]}, counted(other, 6, numbers(1))); err != nil {
			return err
		}
	}
	for _, c := range []struct {
		since time.Time
		first int // of all
	}{
		{date(0).Add(-time.Hour), 0},
		{date(0), 0},
		{date(0).Add(time.Microsecond), 0},
		{date(1).Add(-time.Microsecond), 0},
		{date(1), 1},
		{date(1).Add(time.Microsecond), 1},
		{date(2).Add(23 * time.Hour), 2},
		{date(4), 4},
		{date(5).Add(12 * time.Hour), 4},
		{date(6).Add(-time.Microsecond), 4},
		{date(6), 5},
		{date(7), 5},
	} {
		if err := t.countsSince(ctx, r.Key.ID, c.since, all[c.first:]...); err != nil {
			return err
		}
	}
	return nil
}

func checkUseUnknown(ctx context.Context, t *trial) error {
	r, unused, err := t.createTwo(ctx)
	if err != nil {
		return err
	}
	ghost := t.record()
	known := usedAt(r, date(1), "192.0.2.1")
	if err := t.recordUses(ctx, usedAt(ghost, date(1), "192.0.2.2"), known, counted(ghost, 2, numbers(1))); err != nil {
		return fmt.Errorf("uses of a key that is not there, beside one that is: %w", err)
	}
	if err := t.isNot(ctx, ghost); err != nil {
		return fmt.Errorf("after uses of a key that is not there: %w", err)
	}
	if err := t.counts(ctx, r, known.Day); err != nil {
		return err
	}
	if err := t.lastUses(ctx, []apikey.Record{unused, t.record(), r}, known); err != nil {
		return err
	}
	if err := t.lastUses(ctx, nil); err != nil {
		return fmt.Errorf("of no keys: %w", err)
	}
	upper := r
	upper.Key.ID = strings.ToUpper(r.Key.ID)
	odd := []apikey.Record{unused, t.record(), upper}
	for _, text := range append(texts(), "no id at all", r.Key.ID+"0", "\x00", "\xff\xfe", strings.Repeat("9", 100_000)) {
		odd = append(odd, apikey.Record{Key: apikey.Key{ID: text}})
	}
	for _, r := range odd {
		if err := t.counts(ctx, r); err != nil {
			return fmt.Errorf("of %.60q: %w", r.Key.ID, err)
		}
	}
	return t.lastUses(ctx, append(odd, r), known)
}

func checkUseLeavesRecord(ctx context.Context, t *trial) error {
	r := t.record()
	created := t.event(r, apikey.Created)
	if err := t.Store.Create(ctx, r, created); err != nil {
		return fmt.Errorf("Create: %w", err)
	}
	use := usedAt(r, date(1), "192.0.2.1")
	if err := t.recordUses(ctx, use); err != nil {
		return err
	}
	if err := t.is(ctx, r); err != nil {
		return err
	}
	if err := t.history(ctx, r.Key.ID, created); err != nil {
		return err
	}
	if _, err := t.update(ctx, r); err != nil {
		return fmt.Errorf("a change of the version that was read before: %w", err)
	}
	if err := t.lastUse(ctx, use); err != nil {
		return fmt.Errorf("after an Update: %w", err)
	}
	return wrap("after an Update", t.counts(ctx, r, use.Day))
}

func checkManyUses(ctx context.Context, t *trial) error {
	const keys, days = 20, 50
	var records []apikey.Record
	var uses, last []apikey.Use
	for range keys {
		r, err := t.create(ctx)
		if err != nil {
			return err
		}
		records = append(records, r)
		for n := range days {
			uses = append(uses, usedAt(r, date(n), fmt.Sprintf("2001:db8::%d", n)))
		}
		last = append(last, uses[len(uses)-1])
	}
	if err := t.recordUses(ctx, uses...); err != nil {
		return err
	}
	for i, r := range records {
		want := make([]apikey.Day, days)
		for n := range want {
			want[n] = uses[i*days+n].Day
		}
		if err := t.counts(ctx, r, want...); err != nil {
			return err
		}
	}
	for len(records) < 1000 {
		records = append(records, t.record())
	}
	return t.lastUses(ctx, records, last...)
}
