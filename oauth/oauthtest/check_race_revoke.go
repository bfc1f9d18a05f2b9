package oauthtest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/latchwork/latchwork/oauth"
)

func raceRevokeChecks() []check {
	return []check{
		{
			"spend against revoke", "When RevokeGrants has returned, nothing of the grant is alive, and nothing comes to it by a Spend that goes on.",
			checkRaceRevoke,
		},
		{
			"one revocation counts", "A grant that is revoked several times at once counts once and has the time of that one.",
			checkRaceRevokeTwice,
		},
		{
			"one deletion counts", "What DeleteExpired deletes several times at once counts once.",
			checkRaceDelete,
		},
	}
}

const (
	revokeRounds = 100
	chains       = 4 // of refreshes that go on while the grant is revoked
	links        = 3
)

// checkRaceRevoke refreshes several tokens of a grant again and again until it
// is revoked meanwhile.
func checkRaceRevoke(ctx context.Context, t *trial) error {
	for round := range revokeRounds {
		g := t.grant(func(g *oauth.Grant) { g.Subject.ID = fmt.Sprintf("user %d", round) })
		tokens := make([][]oauth.Credential, chains)
		spends := make([][]oauth.Spend, chains)
		var first, all []oauth.Credential
		for i := range chains {
			for range links + 1 {
				c := t.credential(g, oauth.KindRefresh)
				tokens[i], spends[i], all = append(tokens[i], c), append(spends[i], t.spend(c)), append(all, c)
			}
			first = append(first, tokens[i][0])
		}
		if err := t.create(ctx, g, first...); err != nil {
			return err
		}
		filter := []oauth.Filter{{GrantID: g.ID}, {Subject: g.Subject}}[round%2]
		errs := race(chains+1, func(i int) error {
			if i == chains {
				n, err := t.handle(round).RevokeGrants(ctx, filter, now())
				if n != 1 || err != nil {
					return fmt.Errorf("RevokeGrants: %d, %w, want 1", n, orNone(err))
				}
				return t.allDead(ctx, all)
			}
			for j := range links {
				_, err := t.handle(i).Spend(ctx, spends[i][j], tokens[i][j+1])
				if errors.Is(err, oauth.ErrRevoked) {
					break
				}
				if err != nil {
					return fmt.Errorf("Spend while the grant is being revoked: %w", err)
				}
			}
			return nil
		})
		if err := errors.Join(append(errs, t.allDead(ctx, all))...); err != nil {
			return err
		}
	}
	return nil
}

// allDead checks that all credentials that are there belong to a grant that is
// revoked, and that those which are not spent cannot be spent any more.
func (t *trial) allDead(ctx context.Context, credentials []oauth.Credential) error {
	for i, c := range credentials {
		held, g, err := t.handle(i).Lookup(ctx, c.Hash)
		if errors.Is(err, oauth.ErrNotFound) {
			continue
		}
		if err != nil {
			return fmt.Errorf("Lookup: %w", err)
		}
		if g.RevokedAt.IsZero() {
			return errors.New("Lookup after RevokeGrants has returned: a credential is there whose grant is not revoked")
		}
		if !held.SpentAt.IsZero() {
			continue
		}
		_, err = t.handle(i).Spend(ctx, t.spend(c))
		if err := fails("Spend after RevokeGrants has returned", err, oauth.ErrRevoked); err != nil {
			return err
		}
	}
	return nil
}

func checkRaceRevokeTwice(ctx context.Context, t *trial) error {
	for range 8 {
		g, access, refresh, err := t.begin(ctx)
		if err != nil {
			return err
		}
		at := func(i int) time.Time { return now().Add(time.Duration(i) * time.Microsecond) }
		errAgain := errors.New("revoked already")
		won, err := winner(race(16, func(i int) error {
			n, err := t.handle(i).RevokeGrants(ctx, oauth.Filter{GrantID: g.ID}, at(i))
			if err == nil && n != 1 {
				return errAgain
			}
			return err
		}), errAgain)
		if err != nil {
			return fmt.Errorf("RevokeGrants: %w", err)
		}
		g.RevokedAt = at(won)
		if err := t.is(ctx, g, access, refresh); err != nil {
			return err
		}
	}
	return nil
}

func checkRaceDelete(ctx context.Context, t *trial) error {
	for range 4 {
		var all []oauth.Credential
		want := 0
		for range 8 {
			g := t.grant(func(g *oauth.Grant) { g.ExpiresAt = now().Add(-time.Hour) })
			first := t.pair(g)
			for i := range first {
				first[i].ExpiresAt = g.ExpiresAt
			}
			if err := t.create(ctx, g, first...); err != nil {
				return err
			}
			all = append(all, first...)
			want += 1 + len(first)
		}
		counts := make([]int, 8)
		errs := race(len(counts), func(i int) error {
			for {
				n, err := t.handle(i).DeleteExpired(ctx, now(), 5)
				if counts[i] += n; n == 0 || err != nil {
					return wrap("DeleteExpired", err)
				}
			}
		})
		if err := errors.Join(errs...); err != nil {
			return err
		}
		total := 0
		for _, n := range counts {
			total += n
		}
		if total != want {
			return fmt.Errorf("several DeleteExpired at once: returned %d in all, want %d", total, want)
		}
		if err := t.hasNo(ctx, all...); err != nil {
			return err
		}
	}
	return nil
}
