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
	r, err := t.create(ctx)
	if err != nil {
		return err
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	cause, cancelCause := context.WithCancelCause(ctx)
	cancelCause(errors.New("the cause, which is not ctx.Err()"))
	late, cancel := context.WithDeadline(ctx, time.Unix(1, 0))
	defer cancel()
	for _, done := range []context.Context{cancelled, cause, late} {
		if err := t.heeds(ctx, done, r); err != nil {
			return err
		}
	}
	return nil
}

// heeds calls every method with a context that is done, and looks with one that
// is not what came of it.
func (t *trial) heeds(ctx, done context.Context, r apikey.Record) error {
	fresh, changed := t.record(), next(r)
	moved := apikey.SecretHash{Hash: t.hash(), PepperID: "new"}
	calls := []struct {
		name string
		do   func() error
	}{
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
		calls = append(calls, struct {
			name string
			do   func() error
		}{"Events", func() error { return second(t.Activity.Events(done, r.Key.ID, apikey.Page{Limit: 10})) }})
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
	}
	return nil
}

// second drops what a call returned beside its error.
func second[T any](_ T, err error) error { return err }
