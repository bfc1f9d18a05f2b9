package oauthtest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/latchwork/latchwork/oauth"
)

func refusalChecks() []check {
	return []check{
		{
			"foreign client", "To another client than its own a credential is ErrNotFound, whatever its state, and nothing changes.",
			checkForeignClient,
		},
		{
			"revoked grant", "Spend returns ErrRevoked when the grant is revoked: nothing is spent then, and nothing issued.",
			checkRevokedGrant,
		},
		{
			"spent and revoked", "What was spent before its grant was revoked is not spent anew, and nothing is issued for it.",
			checkSpentAndRevoked,
		},
		{
			"expiry", "Spend returns ErrExpired from the very instant on when the credential or its grant expires.",
			checkExpiry,
		},
		{
			"no expiry", "A credential or a grant whose ExpiresAt is zero is expired: zero never grants.",
			checkNoExpiry,
		},
		{
			"issued hash taken", "Spend returns ErrExists when a hash of what is issued is taken: nothing is stored then, and nothing spent.",
			checkIssuedTaken,
		},
	}
}

// refuses checks that a Spend fails with this error and stores nothing.
func (t *trial) refuses(ctx context.Context, what string, want error, s oauth.Spend, issue ...oauth.Credential) error {
	what = "Spend " + what
	_, err := t.Store.Spend(ctx, s, issue...)
	if err := fails(what, err, want); err != nil {
		return err
	}
	return wrap("what was to be issued by a "+what, t.hasNo(ctx, issue...))
}

func checkForeignClient(ctx context.Context, t *trial) error {
	past := start().Add(-time.Hour)
	for _, state := range []struct {
		what       string
		grant      func(*oauth.Grant)
		credential func(*oauth.Credential)
	}{
		{"a credential", func(*oauth.Grant) {}, func(*oauth.Credential) {}},
		{"a spent credential", func(*oauth.Grant) {}, func(c *oauth.Credential) { c.SpentAt, c.Attempt = past, t.attempt() }},
		{"an expired credential", func(*oauth.Grant) {}, func(c *oauth.Credential) { c.ExpiresAt = past }},
		{"a credential of an expired grant", func(g *oauth.Grant) { g.ExpiresAt = past }, func(*oauth.Credential) {}},
		{"a credential of a revoked grant", func(g *oauth.Grant) { g.RevokedAt = past }, func(*oauth.Credential) {}},
	} {
		g := t.grant(state.grant)
		c := t.credential(g, oauth.KindRefresh, state.credential)
		if err := t.create(ctx, g, c); err != nil {
			return fmt.Errorf("%s: %w", state.what, err)
		}
		for _, client := range []string{"other", "", "APP", "App", "app ", " app", "ap", "appp", "%", "ada"} {
			s := t.spend(c, func(s *oauth.Spend) { s.ClientID = client })
			if !c.SpentAt.IsZero() {
				s.Attempt = c.Attempt
			}
			what := fmt.Sprintf("of %s by the client %q, which is not its own", state.what, client)
			if err := t.refuses(ctx, what, oauth.ErrNotFound, s, t.pair(g)...); err != nil {
				return err
			}
			if err := t.is(ctx, g, c); err != nil {
				return fmt.Errorf("after a Spend %s: %w", what, err)
			}
		}
		if state.what != "a credential" {
			continue
		}
		if err := t.takesEffect(ctx, t.spend(c)); err != nil {
			return fmt.Errorf("by its own client, after others tried: %w", err)
		}
	}
	return nil
}

func checkRevokedGrant(ctx context.Context, t *trial) error {
	// What counts is that it was revoked, not when.
	for _, at := range []time.Time{now().Add(-time.Hour), now(), now().Add(time.Hour)} {
		g, access, refresh, err := t.begin(ctx)
		if err != nil {
			return err
		}
		g.RevokedAt = at
		if err := t.revokes(ctx, oauth.Filter{GrantID: g.ID}, at, 1); err != nil {
			return err
		}
		what := fmt.Sprintf("at %s of a grant that was revoked at %s", instant(now()), instant(at))
		if err := t.refusesRevoked(ctx, what, g, access, refresh); err != nil {
			return err
		}
	}
	born := t.grant(func(g *oauth.Grant) { g.RevokedAt = g.CreatedAt })
	first := t.pair(born)
	if err := t.create(ctx, born, first...); err != nil {
		return err
	}
	return t.refusesRevoked(ctx, "of a grant that was revoked when it was stored", born, first...)
}

// refusesRevoked checks that no credential of a revoked grant can be spent,
// however often somebody tries.
func (t *trial) refusesRevoked(ctx context.Context, what string, g oauth.Grant, credentials ...oauth.Credential) error {
	for range 2 {
		for _, c := range credentials {
			for _, issue := range [][]oauth.Credential{nil, t.pair(g)} {
				if err := t.refuses(ctx, what, oauth.ErrRevoked, t.spend(c), issue...); err != nil {
					return err
				}
			}
		}
		if err := t.is(ctx, g, credentials...); err != nil {
			return fmt.Errorf("after a Spend %s: %w", what, err)
		}
	}
	return nil
}

// checkSpentAndRevoked accepts both answers that the contract allows: who was
// first, and ErrRevoked.
func checkSpentAndRevoked(ctx context.Context, t *trial) error {
	g, access, refresh, err := t.begin(ctx)
	if err != nil {
		return err
	}
	winner := t.spend(refresh)
	if err := t.takesEffect(ctx, winner); err != nil {
		return err
	}
	g.RevokedAt = now().Add(time.Minute)
	if err := t.revokes(ctx, oauth.Filter{GrantID: g.ID}, g.RevokedAt, 1); err != nil {
		return err
	}
	for _, s := range []oauth.Spend{winner, t.spend(refresh)} {
		issue := t.pair(g)
		got, err := t.Store.Spend(ctx, s, issue...)
		if err == nil {
			err = sameSpent(got, oauth.Spent{First: s == winner, Attempt: winner.Attempt, At: winner.At})
		}
		if err != nil && !errors.Is(err, oauth.ErrRevoked) {
			return fmt.Errorf("Spend of a spent credential of a revoked grant: %w", err)
		}
		if err := t.hasNo(ctx, issue...); err != nil {
			return fmt.Errorf("what was issued for a spent credential of a revoked grant: %w", err)
		}
		if err := t.is(ctx, g, access, spent(refresh, winner)); err != nil {
			return err
		}
	}
	return nil
}

func checkExpiry(ctx context.Context, t *trial) error {
	const early, late = -time.Microsecond, time.Microsecond
	for _, expires := range []struct{ credential, grant time.Duration }{
		{early, time.Hour},
		{0, time.Hour},
		{late, time.Hour},
		{time.Hour, early},
		{time.Hour, 0},
		{time.Hour, late},
		{late, late},
		{-24 * time.Hour, time.Hour},
		{time.Hour, -24 * time.Hour},
	} {
		g := t.grant(func(g *oauth.Grant) { g.ExpiresAt = now().Add(expires.grant) })
		c := t.credential(g, oauth.KindCode, func(c *oauth.Credential) { c.ExpiresAt = now().Add(expires.credential) })
		if err := t.create(ctx, g, c); err != nil {
			return err
		}
		what := fmt.Sprintf("at 0s of a credential that expires at %v and its grant at %v", expires.credential, expires.grant)
		s, issue := t.spend(c), t.pair(g)
		if expires.credential > 0 && expires.grant > 0 {
			if err := t.takesEffect(ctx, s, issue...); err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
			continue
		}
		if err := t.refuses(ctx, what, oauth.ErrExpired, s, issue...); err != nil {
			return err
		}
		if err := t.is(ctx, g, c); err != nil {
			return fmt.Errorf("after a Spend %s: %w", what, err)
		}
	}
	return nil
}

func checkNoExpiry(ctx context.Context, t *trial) error {
	for what, zero := range map[string]func(*oauth.Grant, *oauth.Credential){
		"of a credential without ExpiresAt":        func(_ *oauth.Grant, c *oauth.Credential) { c.ExpiresAt = time.Time{} },
		"of a credential of one without ExpiresAt": func(g *oauth.Grant, _ *oauth.Credential) { g.ExpiresAt = time.Time{} },
	} {
		g := t.grant()
		c := t.credential(g, oauth.KindRefresh)
		zero(&g, &c)
		if err := t.create(ctx, g, c); err != nil {
			return err
		}
		if err := t.refuses(ctx, what, oauth.ErrExpired, t.spend(c), t.pair(g)...); err != nil {
			return err
		}
		if err := t.is(ctx, g, c); err != nil {
			return fmt.Errorf("after a Spend %s: %w", what, err)
		}
	}
	return nil
}

func checkIssuedTaken(ctx context.Context, t *trial) error {
	other, taken, used, err := t.begin(ctx)
	if err != nil {
		return err
	}
	s := t.spend(used)
	if err := t.takesEffect(ctx, s); err != nil {
		return err
	}
	used = spent(used, s)
	g, access, refresh, err := t.begin(ctx)
	if err != nil {
		return err
	}
	for what, collide := range map[string]func(issue []oauth.Credential){
		"whose first hash is another grant's":   func(issue []oauth.Credential) { issue[0].Hash = taken.Hash },
		"whose second hash is another grant's":  func(issue []oauth.Credential) { issue[1].Hash = taken.Hash },
		"with the hash of a spent credential":   func(issue []oauth.Credential) { issue[1].Hash = used.Hash },
		"with a hash of the same grant":         func(issue []oauth.Credential) { issue[1].Hash = access.Hash },
		"with the hash of what is to be spent":  func(issue []oauth.Credential) { issue[1].Hash = refresh.Hash },
		"with one hash twice":                   func(issue []oauth.Credential) { issue[1].Hash = issue[0].Hash },
		"with nothing but a hash that is taken": func(issue []oauth.Credential) { issue[0].Hash, issue[1].Hash = taken.Hash, access.Hash },
	} {
		issue := t.pair(g)
		free := []oauth.Credential{issue[0], issue[1]}
		collide(issue)
		_, err := t.Store.Spend(ctx, t.spend(refresh), issue...)
		if err := fails("Spend "+what, err, oauth.ErrExists); err != nil {
			return err
		}
		if err := errors.Join(t.hasNo(ctx, free...), t.is(ctx, g, access, refresh), t.is(ctx, other, taken, used)); err != nil {
			return fmt.Errorf("after a Spend %s: %w", what, err)
		}
	}
	s, issue := t.spend(refresh), t.pair(g)
	if err := t.takesEffect(ctx, s, issue...); err != nil {
		return fmt.Errorf("with hashes that are free, after all of that: %w", err)
	}
	return t.is(ctx, g, append(issue, access, spent(refresh, s))...)
}
