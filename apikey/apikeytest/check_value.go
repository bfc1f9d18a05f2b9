package apikeytest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/ipfilter"
	"github.com/latchwork/latchwork/scope"
)

func valueChecks() []check {
	return []check{
		{
			"times", "Times come in UTC and whole microseconds and are returned as the same instants; zero stays zero.",
			checkTimes,
		},
		{
			"lists", "A list that is there never becomes nil, which is from anywhere, and nil never becomes a list.",
			checkLists,
		},
		{
			"permissions", "What cannot be read back whole is an error, never a key with less on it.",
			checkPermissions,
		},
		{
			"metadata", "Metadata come back entry for entry.",
			checkMetadata,
		},
		{
			"largest", "The largest record and event that the limits allow come back whole.",
			checkLargest,
		},
	}
}

// instants returns what a careless store rounds, shifts or takes for none.
func instants() []time.Time {
	berlin := time.FixedZone("", 2*60*60)
	return []time.Time{
		{},
		time.Unix(0, 0).UTC(),
		time.Unix(0, 1000).UTC(),
		time.Unix(0, -1000).UTC(),
		time.Date(1969, 7, 20, 20, 17, 40, 123_456_000, time.UTC),
		time.Date(2026, 2, 28, 23, 59, 59, 999_999_000, time.UTC),
		time.Date(2026, 3, 29, 2, 30, 0, 1000, berlin).UTC(),
		time.Date(2038, 1, 19, 3, 14, 8, 0, time.UTC),
		time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC),
	}
}

func checkTimes(ctx context.Context, t *trial) error {
	for _, at := range instants() {
		r, err := t.create(ctx, func(r *apikey.Record) {
			r.Key.ExpiresAt, r.Key.RevokedAt, r.Key.CreatedAt, r.Key.UpdatedAt = at, at, at, at
			r.Secrets = append(r.Secrets, apikey.SecretHash{Hash: t.hash(), Deadline: at})
		})
		if err != nil {
			return fmt.Errorf("%s: %w", instant(at), err)
		}
		if err := t.is(ctx, r); err != nil {
			return fmt.Errorf("%s: %w", instant(at), err)
		}
	}
	return nil
}

func checkLists(ctx context.Context, t *trial) error {
	many := make([]string, ipfilter.MaxEntries)
	for i := range many {
		many[i] = fmt.Sprintf("2001:db8:0:%x::/64", 2*i)
	}
	for _, entries := range [][]string{
		nil,
		{"192.0.2.1"},
		{"10.0.0.0/8", "192.0.2.7-192.0.2.99", "2001:db8::/32", "2001:db9::1-2001:db9::ff"},
		many,
	} {
		var list *ipfilter.List
		if entries != nil {
			parsed, err := ipfilter.ParseList(entries, ipfilter.MaxEntries)
			if err != nil {
				return err
			}
			list = &parsed
		}
		r, err := t.create(ctx, func(r *apikey.Record) { r.Key.AllowedIPs = list })
		if err != nil {
			return fmt.Errorf("a list of %d: %w", len(entries), err)
		}
		if err := t.is(ctx, r); err != nil {
			return fmt.Errorf("a list of %d: %w", len(entries), err)
		}
	}
	return checkEmptyList(ctx, t)
}

// checkEmptyList accepts a store that refuses an empty list, at either end. Such
// a record does not come from a Manager, but from a bug or a broken row.
func checkEmptyList(ctx context.Context, t *trial) error {
	r := t.record(func(r *apikey.Record) { r.Key.AllowedIPs = new(ipfilter.List) })
	if t.Store.Create(ctx, r, t.event(r, apikey.Created)) != nil {
		return wrap("an empty list was refused", t.isNot(ctx, r))
	}
	if got, err := t.Store.Get(ctx, r.Key.ID); err == nil {
		if err := sameList(got.Key.AllowedIPs, r.Key.AllowedIPs); err != nil {
			return fmt.Errorf("an empty list: Get: %w", err)
		}
	}
	if got, err := t.Store.Find(ctx, []apikey.Hash{r.Secrets[0].Hash}); err == nil {
		if err := sameList(got.Key.AllowedIPs, r.Key.AllowedIPs); err != nil {
			return fmt.Errorf("an empty list: Find: %w", err)
		}
	}
	keys, _, err := t.keys(ctx, apikey.Query{Limit: 1})
	if err != nil {
		return nil // one of the two right answers
	}
	if len(keys) == 0 || keys[0].ID != r.Key.ID {
		return errors.New("an empty list: List: the key is not there")
	}
	return wrap("an empty list: List", sameList(keys[0].AllowedIPs, r.Key.AllowedIPs))
}

func checkPermissions(ctx context.Context, t *trial) error {
	many := make([]string, 256)
	for i := range many {
		many[i] = fmt.Sprintf("group%d.*.do_it-%d", i, i)
	}
	for _, grants := range [][]string{
		nil,
		{"*"},
		{"users.view"},
		{"users.*", "*.view", "admin.*.update", "Users.View", "users.viewAny", "a-b_c.D"},
		many,
	} {
		set, err := scope.ParseSet(grants...)
		if err != nil {
			return err
		}
		r, err := t.create(ctx, func(r *apikey.Record) { r.Key.Permissions = set })
		if err != nil {
			return fmt.Errorf("%d grants: %w", len(grants), err)
		}
		if err := t.is(ctx, r); err != nil {
			return fmt.Errorf("%d grants: %w", len(grants), err)
		}
	}
	return nil
}

func checkMetadata(ctx context.Context, t *trial) error {
	odd := map[string]string{}
	for i, text := range texts() {
		if len(text) < 200 {
			odd[fmt.Sprintf("%d %s", i, text)] = text + "\n\t"
		}
	}
	for _, entries := range []map[string]string{
		nil, {"a": ""}, {"plan": "gold", "Plan": "silver"}, {"v": strings.Repeat("\U0001F511", 1023)}, odd,
	} {
		metadata, err := apikey.NewMetadata(entries)
		if err != nil {
			return err
		}
		r, err := t.create(ctx, func(r *apikey.Record) { r.Key.Metadata = metadata })
		if err != nil {
			return fmt.Errorf("%d entries: %w", len(entries), err)
		}
		if err := t.is(ctx, r); err != nil {
			return fmt.Errorf("%d entries: %w", len(entries), err)
		}
	}
	return nil
}

// checkLargest has more than the 64 KiB at which some column types end.
func checkLargest(ctx context.Context, t *trial) error {
	grants := make([]string, 256)
	for i := range grants {
		segment := strings.Repeat("p", 63)
		grants[i] = fmt.Sprintf("%s.%s.%s.%059d.%03d", segment, segment, segment, 0, i)
	}
	set, err := scope.ParseSet(grants...)
	if err != nil {
		return err
	}
	r, err := t.create(ctx, func(r *apikey.Record) {
		r.Key.Permissions = set
		r.Secrets = append(r.Secrets, apikey.SecretHash{Hash: t.hash(), PepperID: "p", Deadline: start()})
	})
	if err != nil {
		return err
	}
	if err := t.is(ctx, r); err != nil {
		return err
	}
	changed := next(r, func(r *apikey.Record) { r.Key.Permissions = scope.Set{} })
	e := t.event(changed, apikey.Updated)
	e.Changes = append(e.Changes, apikey.FieldChange{Field: "permissions", Old: set.String(), New: strings.ToUpper(set.String())})
	if err := t.Store.Update(ctx, changed, e); err != nil {
		return fmt.Errorf("Update: %w", err)
	}
	if err := t.is(ctx, changed); err != nil || t.Activity == nil {
		return err
	}
	events, err := t.Activity.Events(ctx, r.Key.ID, apikey.Page{Limit: 1})
	if err != nil {
		return fmt.Errorf("reading the events: %w", err)
	}
	return sameEvents(events, []apikey.Event{e})
}
