package oauthtest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/latchwork/latchwork/oauth"
)

func spendChecks() []check {
	return []check{
		{
			"spend", "Spend marks a credential spent and adds those that are issued for it, and changes nothing else.",
			checkSpend,
		},
		{
			"spent apart", "A credential is spent by itself: the others of its grant are not.",
			checkSpentApart,
		},
		{
			"loser", "Whoever is not first is told who was, without an error, and stores nothing.",
			checkLoser,
		},
		{
			"same attempt", "The same attempt again is First again and changes nothing.",
			checkSameAttempt,
		},
		{
			"spend at", "The time of a Spend comes back as the same instant, from the Spend and from Lookup.",
			checkSpendAt,
		},
	}
}

func checkSpend(ctx context.Context, t *trial) error {
	for n := range 4 {
		g, access, refresh, err := t.begin(ctx)
		if err != nil {
			return err
		}
		var issued []oauth.Credential
		for i := range n {
			kind := []oauth.CredentialKind{oauth.KindAccess, oauth.KindRefresh, oauth.KindTicket}[i]
			issued = append(issued, t.credential(g, kind))
		}
		s := t.spend(refresh)
		if err := t.takesEffect(ctx, s, issued...); err != nil {
			return fmt.Errorf("that issues %d: %w", n, err)
		}
		if err := t.is(ctx, g, append(issued, access, spent(refresh, s))...); err != nil {
			return fmt.Errorf("after a Spend that issues %d: %w", n, err)
		}
	}
	return checkChain(ctx, t)
}

// checkChain spends what was issued for what was issued.
func checkChain(ctx context.Context, t *trial) error {
	g, access, refresh, err := t.begin(ctx)
	if err != nil {
		return err
	}
	all := []oauth.Credential{access}
	for i := range 5 {
		s, issued := t.spend(refresh), t.pair(g)
		if err := t.takesEffect(ctx, s, issued...); err != nil {
			return fmt.Errorf("of generation %d: %w", i+1, err)
		}
		all = append(all, spent(refresh, s), issued[0])
		refresh = issued[1]
	}
	return wrap("after five generations", t.is(ctx, g, append(all, refresh)...))
}

func checkSpentApart(ctx context.Context, t *trial) error {
	g, access, refresh, err := t.begin(ctx)
	if err != nil {
		return err
	}
	first, issued := t.spend(access), t.pair(g)
	if err := t.takesEffect(ctx, first, issued...); err != nil {
		return fmt.Errorf("of the first of two: %w", err)
	}
	if err := t.is(ctx, g, append(issued, spent(access, first), refresh)...); err != nil {
		return fmt.Errorf("after the first of two was spent: %w", err)
	}
	second, more := t.spend(refresh), t.pair(g)
	if err := t.takesEffect(ctx, second, more...); err != nil {
		return fmt.Errorf("of the second of two: %w", err)
	}
	all := append(issued, more...)
	return wrap("after both were spent", t.is(ctx, g, append(all, spent(access, first), spent(refresh, second))...))
}

// loses checks that somebody else was first, and who.
func (t *trial) loses(ctx context.Context, what string, s, winner oauth.Spend, issue ...oauth.Credential) error {
	what = "Spend " + what
	got, err := t.Store.Spend(ctx, s, issue...)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if err := sameSpent(got, oauth.Spent{Attempt: winner.Attempt, At: winner.At}); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return wrap("what was to be issued by a "+what, t.hasNo(ctx, issue...))
}

func checkLoser(ctx context.Context, t *trial) error {
	g, access, refresh, err := t.begin(ctx)
	if err != nil {
		return err
	}
	winner, issued := t.spend(refresh), t.pair(g)
	if err := t.takesEffect(ctx, winner, issued...); err != nil {
		return err
	}
	all := append(issued, access, spent(refresh, winner))
	for _, loser := range []struct {
		what  string
		at    time.Time
		issue []oauth.Credential
	}{
		{"at the same time", winner.At, t.pair(g)},
		{"that says it was before the first", winner.At.Add(-time.Hour), t.pair(g)},
		{"after the first", winner.At.Add(time.Microsecond), t.pair(g)},
		{"that issues nothing", winner.At.Add(time.Second), nil},
		{"when the credential would be expired", refresh.ExpiresAt, t.pair(g)},
		{"when even the grant is expired", g.ExpiresAt.Add(time.Hour), t.pair(g)},
	} {
		s := t.spend(refresh, func(s *oauth.Spend) { s.At = loser.at })
		if err := t.loses(ctx, loser.what, s, winner, loser.issue...); err != nil {
			return err
		}
		if err := t.is(ctx, g, all...); err != nil {
			return fmt.Errorf("after a Spend %s: %w", loser.what, err)
		}
	}
	return nil
}

func checkSameAttempt(ctx context.Context, t *trial) error {
	g, access, refresh, err := t.begin(ctx)
	if err != nil {
		return err
	}
	first, issued := t.spend(refresh), t.pair(g)
	if err := t.takesEffect(ctx, first, issued...); err != nil {
		return err
	}
	all := append(slices.Clone(issued), access, spent(refresh, first))
	if err := t.again(ctx, first, issued, g, all...); err != nil {
		return err
	}
	// What was issued goes on living, and must not be stored anew.
	second := t.spend(issued[1])
	if err := t.takesEffect(ctx, second); err != nil {
		return err
	}
	all[1] = spent(issued[1], second)
	return wrap("when its successor was spent", t.again(ctx, first, issued, g, all...))
}

// again repeats an attempt that was the first, and checks that this changes
// nothing.
func (t *trial) again(ctx context.Context, first oauth.Spend, issued []oauth.Credential, g oauth.Grant, all ...oauth.Credential) error {
	other := t.pair(g)
	for _, issue := range [][]oauth.Credential{issued, nil, other} {
		for _, at := range []time.Time{first.At, first.At.Add(-time.Hour), first.At.Add(time.Hour), g.ExpiresAt} {
			s := first
			s.At = at
			got, err := t.Store.Spend(ctx, s, issue...)
			if err == nil {
				err = sameSpent(got, oauth.Spent{First: true, Attempt: first.Attempt, At: first.At})
			}
			if err != nil {
				return fmt.Errorf("Spend of the same attempt again, at %s: %w", instant(at), err)
			}
			if err := t.is(ctx, g, all...); err != nil {
				return fmt.Errorf("after the same attempt again: %w", err)
			}
			if err := t.hasNo(ctx, other...); err != nil {
				return fmt.Errorf("what the same attempt was to issue the second time: %w", err)
			}
		}
	}
	return nil
}

func checkSpendAt(ctx context.Context, t *trial) error {
	for _, expires := range instants() {
		if expires.IsZero() {
			continue // checked among the expiries
		}
		at := expires.Add(-time.Microsecond)
		g := t.grant(func(g *oauth.Grant) { g.ExpiresAt = expires })
		c := t.credential(g, oauth.KindCode, func(c *oauth.Credential) { c.ExpiresAt = expires })
		if err := t.create(ctx, g, c); err != nil {
			return fmt.Errorf("%s: %w", instant(at), err)
		}
		s := t.spend(c, func(s *oauth.Spend) { s.At = at })
		if err := t.takesEffect(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", instant(at), err)
		}
		if err := t.is(ctx, g, spent(c, s)); err != nil {
			return fmt.Errorf("%s: %w", instant(at), err)
		}
		if err := t.loses(ctx, "after one at "+instant(at), t.spend(c), s); err != nil {
			return err
		}
	}
	return nil
}
