package oauthtest_test

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/latchwork/latchwork/oauth"
)

// A failing store has one call that fails, counted from one. None: zero.
type failing struct {
	oauth.Store

	err   error
	at    int64
	calls atomic.Int64
}

func (f *failing) next() error {
	if f.calls.Add(1) == f.at {
		return f.err
	}
	return nil
}

func (f *failing) CreateGrant(ctx context.Context, g oauth.Grant, first ...oauth.Credential) error {
	if err := f.next(); err != nil {
		return err
	}
	return f.Store.CreateGrant(ctx, g, first...)
}

func (f *failing) Lookup(ctx context.Context, h oauth.Hash) (oauth.Credential, oauth.Grant, error) {
	if err := f.next(); err != nil {
		return oauth.Credential{}, oauth.Grant{}, err
	}
	return f.Store.Lookup(ctx, h)
}

func (f *failing) Spend(ctx context.Context, s oauth.Spend, issue ...oauth.Credential) (oauth.Spent, error) {
	if err := f.next(); err != nil {
		return oauth.Spent{}, err
	}
	return f.Store.Spend(ctx, s, issue...)
}

func (f *failing) RevokeGrants(ctx context.Context, filter oauth.Filter, at time.Time) (int, error) {
	if err := f.next(); err != nil {
		return 0, err
	}
	return f.Store.RevokeGrants(ctx, filter, at)
}

func (f *failing) Grants(ctx context.Context, filter oauth.Filter, page oauth.Page) ([]oauth.Grant, error) {
	if err := f.next(); err != nil {
		return nil, err
	}
	return f.Store.Grants(ctx, filter, page)
}

func (f *failing) DeleteExpired(ctx context.Context, before time.Time, limit int) (int, error) {
	if err := f.next(); err != nil {
		return 0, err
	}
	return f.Store.DeleteExpired(ctx, before, limit)
}
