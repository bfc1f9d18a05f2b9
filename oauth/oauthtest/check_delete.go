package oauthtest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/latchwork/latchwork/oauth"
)

func deleteChecks() []check {
	return []check{
		{
			"delete expired", "DeleteExpired deletes the credentials that expired before the given time, and the grants without any that did.",
			checkDelete,
		},
		{
			"delete keeps", "DeleteExpired keeps what has not expired, spent and revoked or not, and grants that have credentials left.",
			checkDeleteKeeps,
		},
		{
			"delete limit", "DeleteExpired deletes at most limit credentials and grants, and returns how many of both.",
			checkDeleteLimit,
		},
	}
}

// deletes calls DeleteExpired until nothing is left for it, and checks how many
// it counted.
func (t *trial) deletes(ctx context.Context, before time.Time, limit, want int) error {
	total := 0
	for range want + 2 {
		n, err := t.Store.DeleteExpired(ctx, before, limit)
		if err != nil {
			return fmt.Errorf("DeleteExpired: %w", err)
		}
		if n < 0 || n > limit {
			return fmt.Errorf("DeleteExpired with limit %d: returned %d", limit, n)
		}
		if total += n; n == 0 {
			break
		}
	}
	if total != want {
		return fmt.Errorf("DeleteExpired until it returns 0: returned %d in all, want %d", total, want)
	}
	return nil
}

func checkDelete(ctx context.Context, t *trial) error {
	before := now()
	for _, expires := range []time.Duration{-time.Microsecond, 0, time.Microsecond} {
		g := t.grant(func(g *oauth.Grant) { g.ExpiresAt = before.Add(expires) })
		var all, gone, kept []oauth.Credential
		for _, at := range []time.Duration{-1000 * time.Hour, -time.Microsecond, 0, time.Microsecond} {
			for _, kind := range []oauth.CredentialKind{oauth.KindAccess, oauth.KindRefresh, oauth.KindCode, oauth.KindTicket} {
				c := t.credential(g, kind, func(c *oauth.Credential) { c.ExpiresAt = before.Add(at) })
				if all = append(all, c); at < 0 {
					gone = append(gone, c)
				} else {
					kept = append(kept, c)
				}
			}
		}
		if err := t.create(ctx, g, all...); err != nil {
			return err
		}
		what := fmt.Sprintf("of a grant that expires %v after the time given", expires)
		if err := t.deletes(ctx, before, 100, len(gone)); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		if err := t.hasNo(ctx, gone...); err != nil {
			return fmt.Errorf("%s: what expired: %w", what, err)
		}
		if err := t.is(ctx, g, kept...); err != nil {
			return fmt.Errorf("%s: what had not expired: %w", what, err)
		}
		if err := t.refuses(ctx, "of what was deleted", oauth.ErrNotFound, t.spend(gone[0]), t.pair(g)...); err != nil {
			return err
		}
		// When all of its credentials are gone, the grant goes, too.
		if err := t.deletes(ctx, before.Add(time.Millisecond), 100, len(kept)+1); err != nil {
			return fmt.Errorf("%s, later: %w", what, err)
		}
		if err := t.hasNoGrant(ctx, g.ID); err != nil {
			return fmt.Errorf("%s, later: %w", what, err)
		}
		if err := t.hasNo(ctx, all...); err != nil {
			return fmt.Errorf("%s, later: %w", what, err)
		}
	}
	return nil
}

func checkDeleteKeeps(ctx context.Context, t *trial) error {
	before := now()
	used := func(c *oauth.Credential) { c.SpentAt, c.Attempt = start(), t.attempt() }
	over := func(c *oauth.Credential) { c.ExpiresAt = before.Add(-time.Hour) }
	type kept struct {
		grant       oauth.Grant
		credentials []oauth.Credential
	}
	var all []kept
	expired := 0
	for _, grant := range []func(*oauth.Grant){
		asItIs[oauth.Grant],
		func(g *oauth.Grant) { g.RevokedAt = start() },
		func(g *oauth.Grant) { g.ExpiresAt = before.Add(-time.Hour) },
		func(g *oauth.Grant) { g.ExpiresAt, g.RevokedAt = before.Add(-time.Hour), start() },
	} {
		k := kept{grant: t.grant(grant)}
		gone := t.credential(k.grant, oauth.KindAccess, over)
		k.credentials = []oauth.Credential{
			t.credential(k.grant, oauth.KindRefresh), t.credential(k.grant, oauth.KindRefresh, used),
		}
		if err := t.create(ctx, k.grant, append([]oauth.Credential{gone}, k.credentials...)...); err != nil {
			return err
		}
		all = append(all, k)
		expired++
	}
	// A grant that lives keeps standing, even if nothing of it is left.
	for _, first := range []int{0, 1} {
		k := kept{grant: t.grant()}
		credentials := []oauth.Credential{t.credential(k.grant, oauth.KindTicket, over, used)}[:first]
		if err := t.create(ctx, k.grant, credentials...); err != nil {
			return err
		}
		all = append(all, k)
		expired += first
	}
	if err := t.deletes(ctx, before, 100, expired); err != nil {
		return err
	}
	for _, k := range all {
		if err := t.is(ctx, k.grant, k.credentials...); err != nil {
			return fmt.Errorf("after DeleteExpired of others: %w", err)
		}
	}
	return nil
}

func checkDeleteLimit(ctx context.Context, t *trial) error {
	before := now()
	var grants []oauth.Grant
	var credentials []oauth.Credential
	for range 5 {
		g := t.grant(func(g *oauth.Grant) { g.ExpiresAt = before.Add(-time.Hour) })
		first := t.pair(g)
		for i := range first {
			first[i].ExpiresAt = g.ExpiresAt
		}
		if err := t.create(ctx, g, first...); err != nil {
			return err
		}
		grants, credentials = append(grants, g), append(credentials, first...)
	}
	left := len(grants) + len(credentials)
	for round, limit := range []int{0, 1, 3, 4, 2, 100, 100} {
		n, err := t.Store.DeleteExpired(ctx, before, limit)
		if err != nil {
			return fmt.Errorf("DeleteExpired: %w", err)
		}
		if n < 0 || n > limit || (n == 0 && limit > 0 && left > 0) {
			return fmt.Errorf("DeleteExpired with limit %d: returned %d while %d were left", limit, n, left)
		}
		left -= n
		there, err := t.count(ctx, grants, credentials)
		if err != nil {
			return err
		}
		if there != left {
			return fmt.Errorf("after %d times DeleteExpired: %d grants and credentials are there, want %d", round+1, there, left)
		}
	}
	if left > 0 {
		return fmt.Errorf("DeleteExpired left %d of what expired", left)
	}
	return nil
}

// count returns how many of these are there.
func (t *trial) count(ctx context.Context, grants []oauth.Grant, credentials []oauth.Credential) (int, error) {
	there := 0
	for _, g := range grants {
		found, err := t.Store.Grants(ctx, oauth.Filter{GrantID: g.ID}, oauth.Page{Limit: 10})
		if err != nil {
			return 0, fmt.Errorf("Grants: %w", err)
		}
		there += len(found)
	}
	for _, c := range credentials {
		_, _, err := t.Store.Lookup(ctx, c.Hash)
		if err != nil && !errors.Is(err, oauth.ErrNotFound) {
			return 0, fmt.Errorf("Lookup: %w", err)
		}
		if err == nil {
			there++
		}
	}
	return there, nil
}
