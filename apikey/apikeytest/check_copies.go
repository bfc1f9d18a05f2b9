package apikeytest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/ipfilter"
)

func copyChecks() []check {
	return []check{
		{
			"copies what it takes", "A store copies what it takes, so that nobody's later change shows through.",
			checkCopiesTaken,
		},
		{
			"copies what it gives", "A store copies what it gives, so that nobody's later change shows through.",
			checkCopiesGiven,
		},
		{
			"copies events", "Events are copied when they are taken and when they are given, as records are.",
			withActivity(checkCopiesEvents),
		},
	}
}

// listed makes a record with everything in it that points somewhere.
func listed(r *apikey.Record) {
	list := ipfilter.MustParseList("192.0.2.0/24")
	r.Key.AllowedIPs = &list
}

// spoil changes everything of a record that can be changed through a copy.
func (t *trial) spoil(r apikey.Record) {
	for i := range r.Secrets {
		r.Secrets[i] = t.secret()
	}
	spoilKey(r.Key)
}

func spoilKey(k apikey.Key) {
	if k.AllowedIPs != nil {
		*k.AllowedIPs = ipfilter.MustParseList("198.51.100.0/24", "203.0.113.0/24")
	}
}

func checkCopiesTaken(ctx context.Context, t *trial) error {
	r := t.record(listed)
	given := r.Clone()
	if err := t.Store.Create(ctx, given, t.event(r, apikey.Created)); err != nil {
		return fmt.Errorf("Create: %w", err)
	}
	t.spoil(given)
	if err := t.is(ctx, r); err != nil {
		return fmt.Errorf("after a change of what was given to Create: %w", err)
	}
	r = next(r, func(r *apikey.Record) { r.Secrets = append(r.Secrets, t.secret()) })
	given = r.Clone()
	if err := t.Store.Update(ctx, given, t.event(r, apikey.Updated)); err != nil {
		return fmt.Errorf("Update: %w", err)
	}
	t.spoil(given)
	return wrap("after a change of what was given to Update", t.is(ctx, r))
}

func checkCopiesGiven(ctx context.Context, t *trial) error {
	r, err := t.create(ctx, listed, func(r *apikey.Record) { r.Secrets = append(r.Secrets, t.secret()) })
	if err != nil {
		return err
	}
	hashes := []apikey.Hash{r.Secrets[0].Hash, r.Secrets[1].Hash}
	for _, give := range []struct {
		call string
		do   func() (apikey.Record, error)
	}{
		{"Get", func() (apikey.Record, error) { return t.Store.Get(ctx, r.Key.ID) }},
		{"Find", func() (apikey.Record, error) { return t.Store.Find(ctx, hashes) }},
	} {
		got, err := give.do()
		if err != nil {
			return fmt.Errorf("%s: %w", give.call, err)
		}
		t.spoil(got)
		if err := t.is(ctx, r); err != nil {
			return fmt.Errorf("after a change of what %s returned: %w", give.call, err)
		}
	}
	page, err := t.Store.List(ctx, apikey.Query{Limit: 10})
	if err != nil {
		return fmt.Errorf("List: %w", err)
	}
	for i := range page.Keys {
		spoilKey(page.Keys[i])
		page.Keys[i] = apikey.Key{}
	}
	return wrap("after a change of what List returned", t.is(ctx, r))
}

func checkCopiesEvents(ctx context.Context, t *trial) error {
	r := t.record()
	want := t.event(r, apikey.Created)
	given := want
	given.Changes = append([]apikey.FieldChange{}, want.Changes...)
	if err := t.Store.Create(ctx, r, given); err != nil {
		return fmt.Errorf("Create: %w", err)
	}
	given.Changes[0] = apikey.FieldChange{Field: "spoiled"}
	if err := t.history(ctx, r.Key.ID, want); err != nil {
		return fmt.Errorf("after a change of what was given to Create: %w", err)
	}
	updated := next(r)
	second := t.event(updated, apikey.Updated)
	given = second
	given.Changes = append([]apikey.FieldChange{}, second.Changes...)
	if err := t.Store.Update(ctx, updated, given); err != nil {
		return fmt.Errorf("Update: %w", err)
	}
	given.Changes[0] = apikey.FieldChange{Field: "spoiled"}
	if err := t.history(ctx, r.Key.ID, second, want); err != nil {
		return fmt.Errorf("after a change of what was given to Update: %w", err)
	}
	got, err := t.Activity.Events(ctx, r.Key.ID, apikey.Page{Limit: 10})
	if err != nil {
		return fmt.Errorf("reading the events: %w", err)
	}
	for i := range got {
		got[i].Changes[0] = apikey.FieldChange{Field: "spoiled"}
		got[i] = apikey.Event{}
	}
	return wrap("after a change of what Events returned", t.history(ctx, r.Key.ID, second, want))
}

func checkCopiesUses(ctx context.Context, t *trial) error {
	r, err := t.create(ctx)
	if err != nil {
		return err
	}
	want := usedAt(r, date(1), "192.0.2.1")
	given := []apikey.Use{want}
	if err := t.recordUses(ctx, given...); err != nil {
		return err
	}
	given[0] = usedAt(r, date(3), "192.0.2.3")
	ids := []string{r.Key.ID}
	for range 2 {
		if err := errors.Join(t.lastUse(ctx, want), t.counts(ctx, r, want.Day)); err != nil {
			return err
		}
		last, err := t.Activity.LastUsed(ctx, ids)
		if err != nil {
			return wrap("LastUsed", err)
		}
		days, err := t.Activity.Usage(ctx, r.Key.ID, time.Time{})
		if err != nil {
			return wrap("Usage", err)
		}
		for i := range last {
			last[i] = apikey.LastUse{KeyID: "spoiled"}
		}
		for i := range days {
			days[i] = apikey.Day{}
		}
		slices.Reverse(ids)
	}
	return nil
}
