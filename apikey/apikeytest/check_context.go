package apikeytest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/latchwork/latchwork/apikey"
)

func contextChecks() []check {
	return []check{
		{
			"done context", "When the context is done, every method returns an error that matches ctx.Err() and has changed nothing.",
			checkContext,
		},
	}
}

func checkContext(ctx context.Context, t *trial) error {
	r := t.record()
	created := t.event(r, apikey.Created)
	if err := t.Store.Create(ctx, r, created); err != nil {
		return fmt.Errorf("Create: %w", err)
	}
	use := usedAt(r, date(1), "192.0.2.1")
	if t.Activity != nil {
		if err := t.recordUses(ctx, use); err != nil {
			return err
		}
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	cause, cancelCause := context.WithCancelCause(ctx)
	cancelCause(errors.New("the cause, which is not ctx.Err()"))
	late, cancel := context.WithDeadline(ctx, time.Unix(1, 0))
	defer cancel()
	for _, done := range []context.Context{cancelled, cause, late} {
		if err := t.heeds(ctx, done, r, created, use); err != nil {
			return err
		}
	}
	return nil
}

// heeds calls every method with a context that is done, and looks with one that
// is not what came of it.
func (t *trial) heeds(ctx, done context.Context, r apikey.Record, created apikey.Event, use apikey.Use) error {
	fresh, changed := t.record(), next(r)
	moved := apikey.SecretHash{Hash: t.hash(), PepperID: "new"}
	type call struct {
		name string
		do   func() error
	}
	calls := []call{
		{"Create", func() error { return t.Store.Create(done, fresh, t.event(fresh, apikey.Created)) }},
		{"Find", func() error { return second(t.Store.Find(done, []apikey.Hash{r.Secrets[0].Hash})) }},
		{"Find of nothing", func() error { return second(t.Store.Find(done, []apikey.Hash{moved.Hash})) }},
		{"Get", func() error { return second(t.Store.Get(done, r.Key.ID)) }},
		{"Get of nothing", func() error { return second(t.Store.Get(done, fresh.Key.ID)) }},
		{"List", func() error { return second(t.Store.List(done, apikey.Query{Limit: 10})) }},
		{"Update", func() error { return t.Store.Update(done, changed, t.event(changed, apikey.Updated)) }},
		{"Update of nothing", func() error { return t.Store.Update(done, fresh, t.event(fresh, apikey.Updated)) }},
		{"Rehash", func() error { return t.Store.Rehash(done, r.Key.ID, r.Secrets[0].Hash, moved) }},
		{"Rehash of nothing", func() error { return t.Store.Rehash(done, fresh.Key.ID, moved.Hash, t.secret()) }},
	}
	if t.Activity != nil {
		more := usedAt(r, date(2), "192.0.2.2")
		calls = append(calls,
			call{"Events", func() error { return second(t.Activity.Events(done, r.Key.ID, apikey.Page{Limit: 10})) }},
			call{"Record", func() error { return t.Activity.Record(done, []apikey.Use{more}) }},
			call{"LastUsed", func() error { return second(t.Activity.LastUsed(done, []string{r.Key.ID})) }},
			call{"Usage", func() error { return second(t.Activity.Usage(done, r.Key.ID, time.Time{})) }},
			call{"Purge", func() error { return second(t.Activity.Purge(done, date(9), 10)) }})
	}
	if t.Feed != nil {
		calls = append(calls, call{"Changes", func() error {
			_, _, err := t.Feed.Changes(done, "")
			return err
		}})
	}
	for _, call := range calls {
		if err := fails(call.name+" with a context that is done", call.do(), done.Err()); err != nil {
			return err
		}
		if err := t.is(ctx, r); err != nil {
			return fmt.Errorf("after %s with a context that is done: %w", call.name, err)
		}
		if err := t.isNot(ctx, fresh); err != nil {
			return fmt.Errorf("after %s with a context that is done: %w", call.name, err)
		}
		if err := t.noHash(ctx, moved.Hash); err != nil {
			return fmt.Errorf("after %s with a context that is done: %w", call.name, err)
		}
		if t.Activity == nil {
			continue
		}
		err := errors.Join(t.history(ctx, r.Key.ID, created), t.counts(ctx, r, use.Day), t.lastUse(ctx, use))
		if err != nil {
			return fmt.Errorf("after %s with a context that is done: %w", call.name, err)
		}
	}
	return nil
}

// second drops what a call returned beside its error.
func second[T any](_ T, err error) error { return err }
