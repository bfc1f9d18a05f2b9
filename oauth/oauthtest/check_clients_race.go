package oauthtest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/latchwork/latchwork/oauth"
)

// crowd is how many take part in a race.
const crowd = 16

func checkClientRace(ctx context.Context, t *clientTrial) error {
	for range 10 {
		c, err := t.created(ctx)
		if err != nil {
			return err
		}
		var won atomic.Int64
		errs := race(crowd, func(i int) error {
			r := []oauth.ClientRegistry{t.Registry, t.Second}[i%2]
			err := r.UpdateClient(ctx, changed(c, func(c *oauth.Client) { c.Name = fmt.Sprint("update ", i) }))
			if err == nil {
				won.Add(1)
				return nil
			}
			return fails("UpdateClient of one that somebody else has changed", err, oauth.ErrConflict)
		})
		if err := errors.Join(errs...); err != nil {
			return err
		}
		if won.Load() != 1 {
			return fmt.Errorf("%d of %d updates of the same version were stored", won.Load(), crowd)
		}
	}
	return nil
}

func checkClientDelete(ctx context.Context, t *clientTrial) error {
	for range 10 {
		other, err := t.created(ctx)
		if err != nil {
			return err
		}
		c, err := t.created(ctx)
		if err != nil {
			return err
		}
		errs := race(crowd, func(i int) error {
			if i == crowd/2 {
				return wrap("DeleteClient", t.Second.DeleteClient(ctx, c.ID))
			}
			err := t.Registry.UpdateClient(ctx, changed(c))
			if err == nil || errors.Is(err, oauth.ErrConflict) || errors.Is(err, oauth.ErrNotFound) {
				return nil
			}
			return fmt.Errorf("UpdateClient beside a DeleteClient: %w", err)
		})
		if err := errors.Join(errs...); err != nil {
			return err
		}
		if err := errors.Join(
			t.misses(ctx, c.ID), t.has(ctx, other),
			fails("DeleteClient again", t.Registry.DeleteClient(ctx, c.ID), oauth.ErrNotFound),
			fails("UpdateClient of one deleted", t.Registry.UpdateClient(ctx, changed(c)), oauth.ErrNotFound),
			t.misses(ctx, c.ID),
		); err != nil {
			return err
		}
	}
	return nil
}

func checkClientCopies(ctx context.Context, t *clientTrial) error {
	spoil := func(c oauth.Client) {
		c.Secrets[0].Hash, c.Grants[0], c.RedirectURIs[0] = oauth.Hash{}, "spoiled", "https://spoiled.example/"
	}
	want := t.client()
	given := want.Clone()
	if err := wrap("CreateClient", t.Registry.CreateClient(ctx, given)); err != nil {
		return err
	}
	spoil(given)
	if err := t.has(ctx, want); err != nil {
		return fmt.Errorf("after a change of what was given to CreateClient: %w", err)
	}
	want = changed(want)
	given = want.Clone()
	if err := wrap("UpdateClient", t.Registry.UpdateClient(ctx, given)); err != nil {
		return err
	}
	spoil(given)
	if err := t.has(ctx, want); err != nil {
		return fmt.Errorf("after a change of what was given to UpdateClient: %w", err)
	}
	got, err := t.Registry.Client(ctx, want.ID)
	if err != nil {
		return wrap("Client", err)
	}
	spoil(got)
	if err := t.has(ctx, want); err != nil {
		return fmt.Errorf("after a change of what Client returned: %w", err)
	}
	clients, err := t.Registry.Clients(ctx, oauth.Page{Limit: 10})
	if err == nil && len(clients) != 1 {
		err = fmt.Errorf("%d, want one", len(clients))
	}
	if err != nil {
		return wrap("Clients", err)
	}
	spoil(clients[0])
	return wrap("after a change of what Clients returned", t.has(ctx, want))
}

func checkClientContext(ctx context.Context, t *clientTrial) error {
	c, err := t.created(ctx)
	if err != nil {
		return err
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	late, cancel := context.WithDeadline(ctx, time.Unix(1, 0))
	defer cancel()
	for _, done := range []context.Context{cancelled, late} {
		fresh := t.client()
		for name, call := range map[string]func() error{
			"CreateClient":              func() error { return t.Registry.CreateClient(done, fresh) },
			"CreateClient of one taken": func() error { return t.Registry.CreateClient(done, c) },
			"Client":                    func() error { return second(t.Registry.Client(done, c.ID)) },
			"Client of nobody":          func() error { return second(t.Registry.Client(done, "nobody")) },
			"UpdateClient":              func() error { return t.Registry.UpdateClient(done, changed(c)) },
			"UpdateClient of nobody":    func() error { return t.Registry.UpdateClient(done, changed(fresh)) },
			"DeleteClient":              func() error { return t.Registry.DeleteClient(done, c.ID) },
			"DeleteClient of nobody":    func() error { return t.Registry.DeleteClient(done, "nobody") },
			"Clients":                   func() error { return second(t.Registry.Clients(done, oauth.Page{Limit: 10})) },
		} {
			name += " with a context that is done"
			err := fails(name, call(), done.Err())
			if err := errors.Join(err, wrap("after "+name, errors.Join(t.has(ctx, c), t.misses(ctx, fresh.ID)))); err != nil {
				return err
			}
		}
	}
	return nil
}
