package oauthtest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/latchwork/latchwork/oauth"
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
	g, access, refresh, err := t.begin(ctx)
	if err != nil {
		return err
	}
	expired := t.grant(func(g *oauth.Grant) { g.ExpiresAt = start() })
	old := t.credential(expired, oauth.KindAccess, func(c *oauth.Credential) { c.ExpiresAt = start() })
	if err := t.create(ctx, expired, old); err != nil {
		return err
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	cause, cancelCause := context.WithCancelCause(ctx)
	cancelCause(errors.New("the cause, which is not ctx.Err()"))
	late, cancel := context.WithDeadline(ctx, time.Unix(1, 0))
	defer cancel()
	for _, done := range []context.Context{cancelled, cause, late} {
		fresh := t.grant()
		first, issue, ghost := t.pair(fresh), t.pair(g), t.credential(g, oauth.KindRefresh)
		for name, call := range map[string]func() error{
			"CreateGrant":              func() error { return t.Store.CreateGrant(done, fresh, first...) },
			"CreateGrant of one taken": func() error { return t.Store.CreateGrant(done, g) },
			"Lookup":                   func() error { return third(t.Store.Lookup(done, refresh.Hash)) },
			"Lookup of nothing":        func() error { return third(t.Store.Lookup(done, ghost.Hash)) },
			"Spend":                    func() error { return second(t.Store.Spend(done, t.spend(refresh), issue...)) },
			"Spend of nothing":         func() error { return second(t.Store.Spend(done, t.spend(ghost), issue...)) },
			"RevokeGrants":             func() error { return second(t.Store.RevokeGrants(done, oauth.Filter{GrantID: g.ID}, now())) },
			"RevokeGrants of none":     func() error { return second(t.Store.RevokeGrants(done, oauth.Filter{}, now())) },
			"Grants": func() error {
				return second(t.Store.Grants(done, oauth.Filter{GrantID: g.ID}, oauth.Page{Limit: 10}))
			},
			"Grants of none":           func() error { return second(t.Store.Grants(done, oauth.Filter{}, oauth.Page{Limit: 10})) },
			"DeleteExpired":            func() error { return second(t.Store.DeleteExpired(done, now(), 10)) },
			"DeleteExpired of nothing": func() error { return second(t.Store.DeleteExpired(done, time.Unix(1, 0), 10)) },
		} {
			name += " with a context that is done"
			if err := fails(name, call(), done.Err()); err != nil {
				return err
			}
			if err := errors.Join(
				t.is(ctx, g, access, refresh), t.is(ctx, expired, old),
				t.hasNoGrant(ctx, fresh.ID), t.hasNo(ctx, first...), t.hasNo(ctx, issue...),
			); err != nil {
				return fmt.Errorf("after %s: %w", name, err)
			}
		}
	}
	return nil
}

// second drops what a call returned beside its error.
func second[T any](_ T, err error) error { return err }

// third does so for two results.
func third[S, T any](_ S, _ T, err error) error { return err }
