package oauthtest

import (
	"context"
	"fmt"
	"slices"

	"github.com/latchwork/latchwork/oauth"
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
	}
}

// lent returns a copy of credentials that shares nothing with them.
func lent(credentials []oauth.Credential) []oauth.Credential {
	credentials = slices.Clone(credentials)
	for i := range credentials {
		credentials[i].Resources = slices.Clone(credentials[i].Resources)
	}
	return credentials
}

// spoil changes everything that can be changed through a copy.
func spoil(g oauth.Grant, credentials []oauth.Credential) {
	for i := range g.Resources {
		g.Resources[i] = "https://spoiled.example/"
	}
	for _, c := range credentials {
		for i := range c.Resources {
			c.Resources[i] = "https://spoiled.example/"
		}
	}
	clear(credentials)
}

func checkCopiesTaken(ctx context.Context, t *trial) error {
	g := t.grant()
	first := t.pair(g)
	given, givenFirst := g, lent(first)
	given.Resources = slices.Clone(g.Resources)
	if err := t.create(ctx, given, givenFirst...); err != nil {
		return err
	}
	spoil(given, givenFirst)
	if err := t.is(ctx, g, first...); err != nil {
		return fmt.Errorf("after a change of what was given to CreateGrant: %w", err)
	}
	s, issued := t.spend(first[1]), t.pair(g)
	givenIssued := lent(issued)
	if err := t.takesEffect(ctx, s, givenIssued...); err != nil {
		return err
	}
	spoil(oauth.Grant{}, givenIssued)
	if err := t.is(ctx, g, append(issued, first[0], spent(first[1], s))...); err != nil {
		return fmt.Errorf("after a change of what was given to Spend: %w", err)
	}
	return nil
}

func checkCopiesGiven(ctx context.Context, t *trial) error {
	g, access, refresh, err := t.begin(ctx)
	if err != nil {
		return err
	}
	s, issued := t.spend(refresh), t.pair(g)
	if err := t.takesEffect(ctx, s, issued...); err != nil {
		return err
	}
	all := append(issued, access, spent(refresh, s))
	// Once as it was stored, and once after a change.
	for range 2 {
		for _, c := range all {
			got, of, err := t.Store.Lookup(ctx, c.Hash)
			if err != nil {
				return fmt.Errorf("Lookup: %w", err)
			}
			spoil(of, []oauth.Credential{got})
			if err := t.is(ctx, g, all...); err != nil {
				return fmt.Errorf("after a change of what Lookup returned: %w", err)
			}
		}
		grants, err := t.Store.Grants(ctx, oauth.Filter{GrantID: g.ID}, oauth.Page{Limit: 10})
		if err != nil {
			return fmt.Errorf("Grants: %w", err)
		}
		for i := range grants {
			spoil(grants[i], nil)
			grants[i] = oauth.Grant{}
		}
		if err := t.is(ctx, g, all...); err != nil {
			return fmt.Errorf("after a change of what Grants returned: %w", err)
		}
		if g.RevokedAt.IsZero() {
			g.RevokedAt = now()
			if err := t.revokes(ctx, oauth.Filter{GrantID: g.ID}, g.RevokedAt, 1); err != nil {
				return err
			}
		}
	}
	return nil
}
