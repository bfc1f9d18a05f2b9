package oauthtest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/latchwork/latchwork/oauth"
)

func listChecks() []check {
	return []check{
		{
			"newest first", "Grants returns the grants with the greatest IDs first, at most Limit of them.",
			checkOrder,
		},
		{
			"pages", "Pages that follow each other by Before have every grant once, whatever is added meanwhile.",
			checkPages,
		},
		{
			"filters", "Grants returns the grants that match the filter in all of its fields, in whatever state they are.",
			checkFilters,
		},
	}
}

// lists checks that a filter selects exactly these grants, the newest of them
// first.
func (t *trial) lists(ctx context.Context, f oauth.Filter, page oauth.Page, want ...oauth.Grant) error {
	got, err := t.Store.Grants(ctx, f, page)
	if err == nil {
		want = slices.SortedFunc(slices.Values(want), func(a, b oauth.Grant) int { return strings.Compare(b.ID, a.ID) })
		err = sameGrants(got, want)
	}
	if err != nil {
		return fmt.Errorf("Grants with %s, before %q, limit %d: %w", describe(f), page.Before, page.Limit, err)
	}
	return nil
}

func checkOrder(ctx context.Context, t *trial) error {
	grants := []oauth.Grant{t.grant(), t.grant(), t.grant(), t.grant()}
	for i := range grants {
		// The times are not in the order of the IDs.
		grants[i].CreatedAt = start().Add(time.Duration(i*3%4) * time.Hour)
		grants[i].ExpiresAt = now().Add(time.Duration(i*3%4) * time.Hour)
	}
	for _, i := range []int{2, 0, 3, 1} { // and neither is the insertion
		if err := t.create(ctx, grants[i], t.pair(grants[i])...); err != nil {
			return err
		}
	}
	ada := oauth.Filter{Subject: grants[0].Subject}
	list := func(when string) error {
		for limit := 1; limit <= 5; limit++ {
			if err := t.lists(ctx, ada, oauth.Page{Limit: limit}, grants[max(0, 4-limit):]...); err != nil {
				return fmt.Errorf("%s: %w", when, err)
			}
		}
		return nil
	}
	if err := list("at first"); err != nil {
		return err
	}
	grants[0].RevokedAt = now()
	if err := t.revokes(ctx, oauth.Filter{GrantID: grants[0].ID}, now(), 1); err != nil {
		return err
	}
	return list("when the oldest was revoked")
}

func checkPages(ctx context.Context, t *trial) error {
	const total, size = 25, 4
	grants := make([]oauth.Grant, total)
	for i := range grants {
		grants[i] = t.grant(func(g *oauth.Grant) { g.ClientID = []string{"app", "web"}[i%2] })
		if err := t.create(ctx, grants[i]); err != nil {
			return err
		}
	}
	subject := grants[0].Subject
	for _, f := range []oauth.Filter{{Subject: subject}, {ClientID: "web"}, {Subject: subject, ClientID: "app"}} {
		var want []oauth.Grant
		for _, g := range grants {
			if f.ClientID == "" || f.ClientID == g.ClientID {
				want = append(want, g)
			}
		}
		page := oauth.Page{Limit: size}
		for len(want) > 0 {
			part := want[max(0, len(want)-size):]
			want = want[:len(want)-len(part)]
			if err := t.lists(ctx, f, page, part...); err != nil {
				return err
			}
			page.Before = part[0].ID
			added := t.grant(func(g *oauth.Grant) { g.ClientID = "web" })
			if err := t.create(ctx, added); err != nil {
				return err
			}
			grants = append(grants, added)
		}
		if err := t.lists(ctx, f, page); err != nil {
			return err
		}
	}
	return nil
}

func checkFilters(ctx context.Context, t *trial) error {
	c := t.cast("")
	c.grants[1].RevokedAt = start()                 // revoked
	c.grants[2].ExpiresAt = start().Add(-time.Hour) // expired
	for _, g := range c.grants {
		if err := t.create(ctx, g, t.pair(g)...); err != nil {
			return err
		}
	}
	for _, of := range c.filters {
		var want []oauth.Grant
		for _, i := range of.matches {
			want = append(want, c.grants[i])
		}
		if err := t.lists(ctx, of.filter, oauth.Page{Limit: 1000}, want...); err != nil {
			return err
		}
		// A page is cut from what matches, and not what matches from a page.
		if len(want) > 0 {
			if err := t.lists(ctx, of.filter, oauth.Page{Limit: 1}, want[len(want)-1]); err != nil {
				return err
			}
		}
	}
	return nil
}
