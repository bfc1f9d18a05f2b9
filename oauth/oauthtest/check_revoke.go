package oauthtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/latchwork/latchwork/oauth"
)

func revokeChecks() []check {
	return []check{
		{
			"revoke", "RevokeGrants revokes the grants that match the filter and no others, and returns how many.",
			checkRevoke,
		},
		{
			"revoke once", "RevokeGrants only ever sets: what is revoked keeps its time and does not count again.",
			checkRevokeOnce,
		},
		{
			"empty filter", "An empty filter matches nothing, neither for RevokeGrants nor for Grants.",
			checkEmptyFilter,
		},
		{
			"revoke at", "The time of a revocation comes back as the same instant, and revokes whatever it is.",
			checkRevokeAt,
		},
	}
}

// revokes checks how many grants a revocation meets.
func (t *trial) revokes(ctx context.Context, f oauth.Filter, at time.Time, want int) error {
	n, err := t.Store.RevokeGrants(ctx, f, at)
	if err != nil {
		return fmt.Errorf("RevokeGrants with %s: %w", describe(f), err)
	}
	if n != want {
		return fmt.Errorf("RevokeGrants with %s: returned %d, want %d", describe(f), n, want)
	}
	return nil
}

func describe(f oauth.Filter) string {
	var parts []string
	if f.GrantID != "" {
		parts = append(parts, fmt.Sprintf("the grant %.60q", f.GrantID))
	}
	if f.Subject != (oauth.Subject{}) {
		parts = append(parts, fmt.Sprintf("the subject %.60q of the kind %q", f.Subject.ID, f.Subject.Kind))
	}
	if f.ClientID != "" {
		parts = append(parts, fmt.Sprintf("the client %.60q", f.ClientID))
	}
	if parts == nil {
		return "an empty filter"
	}
	return strings.Join(parts, " and ")
}

// A cast is six grants that have something in common with each other, and
// filters with the places of those that they match.
type cast struct {
	grants  []oauth.Grant
	filters []castFilter
}

type castFilter struct {
	filter  oauth.Filter
	matches []int
}

// cast returns a new one; all its IDs end like that.
func (t *trial) cast(end string) cast {
	user := func(id string) oauth.Subject { return oauth.Subject{Kind: oauth.SubjectUser, ID: id + end} }
	client := func(id string) oauth.Subject { return oauth.Subject{Kind: oauth.SubjectClient, ID: id + end} }
	var c cast
	for _, of := range []struct {
		subject oauth.Subject
		client  string
	}{
		{user("ada"), "app"},
		{user("ada"), "web"},
		{user("bob"), "app"},
		{client("ada"), "app"}, // a client whose ID is that of a user
		{client("app"), "app"},
		{user("app"), "web"}, // a user whose ID is that of a client
	} {
		c.grants = append(c.grants, t.grant(func(g *oauth.Grant) { g.Subject, g.ClientID = of.subject, of.client+end }))
	}
	id := c.grants[0].ID
	c.filters = []castFilter{
		{oauth.Filter{GrantID: id}, []int{0}},
		{oauth.Filter{Subject: user("ada")}, []int{0, 1}},
		{oauth.Filter{Subject: client("ada")}, []int{3}},
		{oauth.Filter{Subject: user("app")}, []int{5}},
		{oauth.Filter{Subject: client("app")}, []int{4}},
		{oauth.Filter{ClientID: "app" + end}, []int{0, 2, 3, 4}},
		{oauth.Filter{ClientID: "web" + end}, []int{1, 5}},
		{oauth.Filter{Subject: user("ada"), ClientID: "app" + end}, []int{0}},
		{oauth.Filter{Subject: client("ada"), ClientID: "app" + end}, []int{3}},
		{oauth.Filter{GrantID: id, Subject: user("ada")}, []int{0}},
		{oauth.Filter{GrantID: id, ClientID: "app" + end}, []int{0}},
		{oauth.Filter{GrantID: id, Subject: user("ada"), ClientID: "app" + end}, []int{0}},

		{oauth.Filter{GrantID: "019b0000-0000-7abc-8def-ffffffffffff"}, nil},
		{oauth.Filter{GrantID: id, Subject: user("bob")}, nil},
		{oauth.Filter{GrantID: id, Subject: client("ada")}, nil},
		{oauth.Filter{GrantID: id, ClientID: "web" + end}, nil},
		{oauth.Filter{GrantID: id, Subject: user("ada"), ClientID: "web" + end}, nil},
		{oauth.Filter{Subject: user("bob"), ClientID: "web" + end}, nil},
		{oauth.Filter{Subject: user("eve")}, nil},
		{oauth.Filter{ClientID: "ada" + end}, nil},
		// Half a subject is a subject that nobody is.
		{oauth.Filter{Subject: oauth.Subject{Kind: oauth.SubjectUser}}, nil},
		{oauth.Filter{Subject: oauth.Subject{Kind: oauth.SubjectClient}, ClientID: "app" + end}, nil},
		{oauth.Filter{Subject: oauth.Subject{ID: "ada" + end}}, nil},
		{oauth.Filter{GrantID: id, Subject: oauth.Subject{ID: "ada" + end}}, nil},
	}
	return c
}

func checkRevoke(ctx context.Context, t *trial) error {
	at := now()
	for i := range t.cast("").filters {
		c := t.cast(fmt.Sprintf("-%d", i))
		first := make([][]oauth.Credential, len(c.grants))
		for j, g := range c.grants {
			first[j] = t.pair(g)
			if err := t.create(ctx, g, first[j]...); err != nil {
				return err
			}
		}
		of := c.filters[i]
		if err := t.revokes(ctx, of.filter, at, len(of.matches)); err != nil {
			return err
		}
		for _, j := range of.matches {
			c.grants[j].RevokedAt = at
		}
		for j, g := range c.grants {
			if err := t.is(ctx, g, first[j]...); err != nil {
				return fmt.Errorf("after RevokeGrants with %s: the grant of %v for %q: %w", describe(of.filter), g.Subject, g.ClientID, err)
			}
		}
	}
	return nil
}

func checkRevokeOnce(ctx context.Context, t *trial) error {
	one, a1, r1, err1 := t.begin(ctx)
	two, a2, r2, err2 := t.begin(ctx)
	three, a3, r3, err3 := t.begin(ctx, func(g *oauth.Grant) { g.RevokedAt = g.CreatedAt })
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	ada := oauth.Filter{Subject: one.Subject}
	one.RevokedAt, two.RevokedAt = now(), now().Add(time.Hour)
	for _, step := range []struct {
		filter oauth.Filter
		at     time.Time
		want   int
	}{
		{oauth.Filter{GrantID: one.ID}, one.RevokedAt, 1},
		{oauth.Filter{GrantID: one.ID}, one.RevokedAt.Add(time.Minute), 0},
		{ada, two.RevokedAt, 1},
		{ada, start(), 0},
		{ada, now().Add(1000 * time.Hour), 0},
		{oauth.Filter{GrantID: one.ID}, start(), 0},
	} {
		if err := t.revokes(ctx, step.filter, step.at, step.want); err != nil {
			return err
		}
	}
	return errors.Join(t.is(ctx, one, a1, r1), t.is(ctx, two, a2, r2), t.is(ctx, three, a3, r3))
}

func checkEmptyFilter(ctx context.Context, t *trial) error {
	c := t.cast("")
	for _, g := range c.grants {
		if err := t.create(ctx, g, t.pair(g)...); err != nil {
			return err
		}
	}
	if err := t.matchesNothing(ctx, oauth.Filter{}); err != nil {
		return err
	}
	for _, g := range c.grants {
		if err := t.is(ctx, g); err != nil {
			return err
		}
	}
	return nil
}

func checkRevokeAt(ctx context.Context, t *trial) error {
	for _, at := range instants() {
		if at.IsZero() {
			continue // is no time to revoke anything
		}
		g, access, refresh, err := t.begin(ctx)
		if err != nil {
			return err
		}
		g.RevokedAt = at
		if err := t.revokes(ctx, oauth.Filter{GrantID: g.ID}, at, 1); err != nil {
			return err
		}
		if err := t.refusesRevoked(ctx, "of a grant that was revoked at "+instant(at), g, access, refresh); err != nil {
			return err
		}
	}
	return nil
}
