package apikeytest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/latchwork/latchwork/apikey"
)

func eventChecks() []check {
	return []check{
		{
			"event of a change", "Create and Update store the event in the transaction of the change: after a success it is there.",
			withActivity(checkEventThere),
		},
		{
			"no event without a change", "Create and Update store the event in the transaction of the change: after a failure it is not there.",
			withActivity(checkEventAbsent),
		},
		{
			"events newest first", "Events returns what happened to a key, the newest first, at most page.Limit, with lesser IDs than page.Before.",
			withActivity(checkEventPages),
		},
	}
}

// withActivity is for checks that prove nothing without one.
func withActivity(run func(context.Context, *trial) error) func(context.Context, *trial) error {
	return func(ctx context.Context, t *trial) error {
		if t.Activity == nil {
			return errors.New("Backend.Activity is nil, so nobody can tell whether the store keeps its events")
		}
		return run(ctx, t)
	}
}

// history checks that these events, the newest first, are all of a key.
func (t *trial) history(ctx context.Context, id string, want ...apikey.Event) error {
	got, err := t.Activity.Events(ctx, id, apikey.Page{Limit: 1000})
	if err != nil {
		return fmt.Errorf("reading the events: %w", err)
	}
	return wrap("what Events returned", sameEvents(got, want))
}

func checkEventThere(ctx context.Context, t *trial) error {
	r, other := t.record(), t.record()
	created, otherCreated := t.event(r, apikey.Created), t.event(other, apikey.Created)
	for _, text := range texts() {
		created.Changes = append(created.Changes, apikey.FieldChange{Field: "name", Old: text, New: "was " + text})
	}
	if err := t.Store.Create(ctx, r, created); err != nil {
		return fmt.Errorf("Create: %w", err)
	}
	if err := t.Store.Create(ctx, other, otherCreated); err != nil {
		return fmt.Errorf("Create: %w", err)
	}
	want := []apikey.Event{created}
	for _, kind := range []apikey.EventKind{apikey.Updated, apikey.Disabled, apikey.Enabled, apikey.Rotated, apikey.Revoked} {
		r = next(r)
		e := t.event(r, kind)
		e.Actor = "key:" + other.Key.ID
		if kind == apikey.Rotated {
			e.Changes = nil
		}
		if err := t.Store.Update(ctx, r, e); err != nil {
			return fmt.Errorf("Update: %w", err)
		}
		want = slices.Insert(want, 0, e)
		if err := t.history(ctx, r.Key.ID, want...); err != nil {
			return fmt.Errorf("after %s: %w", kind, err)
		}
	}
	if err := t.Store.Rehash(ctx, r.Key.ID, r.Secrets[0].Hash, t.secret()); err != nil {
		return fmt.Errorf("Rehash: %w", err)
	}
	if err := t.history(ctx, r.Key.ID, want...); err != nil {
		return fmt.Errorf("after Rehash, which has no event: %w", err)
	}
	return wrap("of another key", t.history(ctx, other.Key.ID, otherCreated))
}

func checkEventAbsent(ctx context.Context, t *trial) error {
	r, other, ghost := t.record(), t.record(), t.record()
	created, otherCreated := t.event(r, apikey.Created), t.event(other, apikey.Created)
	if err := t.Store.Create(ctx, r, created); err != nil {
		return fmt.Errorf("Create: %w", err)
	}
	if err := t.Store.Create(ctx, other, otherCreated); err != nil {
		return fmt.Errorf("Create: %w", err)
	}
	sameID := t.record(func(again *apikey.Record) { again.Key.ID = r.Key.ID })
	sameHash := t.record(func(again *apikey.Record) { again.Secrets = r.Secrets })
	stale := next(r, func(r *apikey.Record) { r.Key.Version = 7 })
	thief := next(r, func(r *apikey.Record) { r.Secrets = other.Secrets })
	over, cancel := context.WithCancel(ctx)
	cancel()
	for _, refused := range []struct {
		what   string
		record apikey.Record
		err    error
		call   func(context.Context, apikey.Record, apikey.Event) error
	}{
		{"Create with a taken ID", sameID, apikey.ErrExists, t.Store.Create},
		{"Create with a taken hash", sameHash, apikey.ErrExists, t.Store.Create},
		{"Update of an older version", stale, apikey.ErrConflict, t.Store.Update},
		{"Update of nothing", ghost, apikey.ErrNotFound, t.Store.Update},
		{"Update to a taken hash", thief, apikey.ErrExists, t.Store.Update},
	} {
		e := t.event(refused.record, apikey.Updated)
		if err := fails(refused.what, refused.call(ctx, refused.record, e), refused.err); err != nil {
			return err
		}
		if err := t.onlyCreated(ctx, created, otherCreated, sameHash, ghost); err != nil {
			return fmt.Errorf("after %s: %w", refused.what, err)
		}
	}
	if t.Store.Update(over, next(r), t.event(r, apikey.Updated)) == nil {
		return errors.New("Update with a cancelled context succeeded")
	}
	return wrap("after Update with a cancelled context", t.onlyCreated(ctx, created, otherCreated, sameHash, ghost))
}

// onlyCreated checks that two keys have no event but this one each, and that
// the others have none.
func (t *trial) onlyCreated(ctx context.Context, first, second apikey.Event, none ...apikey.Record) error {
	for _, e := range []apikey.Event{first, second} {
		if err := t.history(ctx, e.KeyID, e); err != nil {
			return err
		}
	}
	for _, r := range none {
		if err := t.history(ctx, r.Key.ID); err != nil {
			return fmt.Errorf("of a key that is not there: %w", err)
		}
	}
	return nil
}

func checkEventPages(ctx context.Context, t *trial) error {
	r := t.record()
	events := []apikey.Event{t.event(r, apikey.Created)}
	for range 10 {
		events = append(events, t.event(r, apikey.Updated))
	}
	// Two nodes whose clocks differ: what was stored later has the lesser ID.
	events[4], events[5] = events[5], events[4]
	if err := t.Store.Create(ctx, r, events[0]); err != nil {
		return fmt.Errorf("Create: %w", err)
	}
	for _, e := range events[1:] {
		r = next(r)
		if err := t.Store.Update(ctx, r, e); err != nil {
			return fmt.Errorf("Update: %w", err)
		}
	}
	events[4], events[5] = events[5], events[4]
	slices.Reverse(events)
	for limit := 1; limit <= len(events)+1; limit++ {
		page := apikey.Page{Limit: limit}
		for at := 0; at <= len(events); at += limit {
			got, err := t.Activity.Events(ctx, r.Key.ID, page)
			if err != nil {
				return fmt.Errorf("reading the events: %w", err)
			}
			want := events[at:min(at+limit, len(events))]
			if err := sameEvents(got, want); err != nil {
				return fmt.Errorf("page of %d before %q: %w", limit, page.Before, err)
			}
			if len(want) > 0 {
				page.Before = want[len(want)-1].ID
			}
		}
	}
	for _, nobody := range []string{"", t.record().Key.ID, "no id at all", r.Key.ID + "0"} {
		if err := t.history(ctx, nobody); err != nil {
			return fmt.Errorf("of the unknown key %q: %w", nobody, err)
		}
	}
	return nil
}
