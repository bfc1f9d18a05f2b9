package oauthtest

import (
	"context"
	"fmt"
	"time"

	"github.com/latchwork/latchwork/oauth"
)

func createChecks() []check {
	return []check{
		{
			"create", "CreateGrant adds a grant and its first credentials, and Lookup and Grants return them whole.",
			checkCreate,
		},
		{
			"miss", "What is not there is ErrNotFound, never a zero record without an error; in a list it is nothing.",
			checkMiss,
		},
		{
			"duplicate grant", "CreateGrant returns ErrExists when the grant's ID is taken, and stores nothing then.",
			checkDuplicateGrant,
		},
		{
			"duplicate hash", "CreateGrant returns ErrExists when one of the hashes is taken, and stores nothing then.",
			checkDuplicateHash,
		},
		{
			"lookup judges nothing", "Lookup returns the credential and its grant, whatever their state.",
			checkLookupJudgesNothing,
		},
		{
			"two handles", "What one handle stores, spends, revokes and deletes, the other one sees at once.",
			checkHandles,
		},
	}
}

func checkCreate(ctx context.Context, t *trial) error {
	for n := range 4 {
		g := t.grant()
		var first []oauth.Credential
		for i := range n {
			kind := []oauth.CredentialKind{oauth.KindAccess, oauth.KindRefresh, oauth.KindCode}[i]
			first = append(first, t.credential(g, kind))
		}
		if err := t.create(ctx, g, first...); err != nil {
			return fmt.Errorf("with %d credentials: %w", n, err)
		}
		if err := t.is(ctx, g, first...); err != nil {
			return fmt.Errorf("with %d credentials: %w", n, err)
		}
	}
	return nil
}

func checkMiss(ctx context.Context, t *trial) error {
	// Once in an empty store, and once beside others.
	for range 2 {
		g := t.grant()
		ghost := t.credential(g, oauth.KindRefresh)
		if err := t.hasNo(ctx, ghost, oauth.Credential{}); err != nil {
			return err
		}
		if err := t.hasNoGrant(ctx, g.ID); err != nil {
			return err
		}
		issue := t.pair(g)
		if err := t.refuses(ctx, "of a hash that is not there", oauth.ErrNotFound, t.spend(ghost), issue...); err != nil {
			return err
		}
		zero := oauth.Spend{ClientID: "app", At: now(), Attempt: t.attempt()}
		if err := t.refuses(ctx, "of the zero hash", oauth.ErrNotFound, zero, issue...); err != nil {
			return err
		}
		if err := t.revokes(ctx, oauth.Filter{GrantID: g.ID}, now(), 0); err != nil {
			return err
		}
		if n, err := t.Store.DeleteExpired(ctx, start(), 10); n != 0 || err != nil {
			return fmt.Errorf("DeleteExpired of nothing: %d, %w", n, orNone(err))
		}
		if _, _, _, err := t.begin(ctx); err != nil {
			return err
		}
	}
	return nil
}

func checkDuplicateGrant(ctx context.Context, t *trial) error {
	g, access, refresh, err := t.begin(ctx)
	if err != nil {
		return err
	}
	again := t.grant(func(again *oauth.Grant) { again.ID, again.Subject.ID = g.ID, "mallory" })
	for _, first := range [][]oauth.Credential{nil, t.pair(again)} {
		call := fmt.Sprintf("CreateGrant with a taken ID and %d credentials", len(first))
		if err := fails(call, t.Store.CreateGrant(ctx, again, first...), oauth.ErrExists); err != nil {
			return err
		}
		if err := t.hasNo(ctx, first...); err != nil {
			return fmt.Errorf("%s: %w", call, err)
		}
		if err := t.is(ctx, g, access, refresh); err != nil {
			return fmt.Errorf("%s: what was there: %w", call, err)
		}
	}
	return nil
}

func checkDuplicateHash(ctx context.Context, t *trial) error {
	g, access, refresh, err := t.begin(ctx)
	if err != nil {
		return err
	}
	s := t.spend(refresh)
	if err := t.takesEffect(ctx, s); err != nil {
		return err
	}
	refresh = spent(refresh, s)
	for what, collide := range map[string]func(first []oauth.Credential){
		"whose only hash is taken":            func(first []oauth.Credential) { first[0].Hash, first[1].Hash = access.Hash, t.hash() },
		"whose second hash is taken":          func(first []oauth.Credential) { first[1].Hash = access.Hash },
		"with the hash of a spent credential": func(first []oauth.Credential) { first[1].Hash = refresh.Hash },
		"with one hash twice":                 func(first []oauth.Credential) { first[1].Hash = first[0].Hash },
	} {
		next := t.grant()
		first := t.pair(next)
		free := []oauth.Credential{first[0], first[1]}
		collide(first)
		call := "CreateGrant " + what
		if err := fails(call, t.Store.CreateGrant(ctx, next, first...), oauth.ErrExists); err != nil {
			return err
		}
		if err := t.hasNo(ctx, free...); err != nil {
			return fmt.Errorf("%s: %w", call, err)
		}
		if err := t.hasNoGrant(ctx, next.ID); err != nil {
			return fmt.Errorf("%s: %w", call, err)
		}
		if err := t.is(ctx, g, access, refresh); err != nil {
			return fmt.Errorf("%s: what was there: %w", call, err)
		}
		// Nothing was stored, so everything is free.
		if err := t.create(ctx, next, free...); err != nil {
			return fmt.Errorf("%s, and then with hashes that are free: %w", call, err)
		}
		if err := t.is(ctx, next, free...); err != nil {
			return fmt.Errorf("%s, and then with hashes that are free: %w", call, err)
		}
	}
	return nil
}

func checkLookupJudgesNothing(ctx context.Context, t *trial) error {
	long := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	for state, edit := range map[string]struct {
		grant      func(*oauth.Grant)
		credential func(*oauth.Credential)
	}{
		"an expired credential":            {func(*oauth.Grant) {}, func(c *oauth.Credential) { c.ExpiresAt = long }},
		"a spent credential":               {func(*oauth.Grant) {}, func(c *oauth.Credential) { c.SpentAt, c.Attempt = long, t.attempt() }},
		"a credential of an expired grant": {func(g *oauth.Grant) { g.ExpiresAt = long }, func(*oauth.Credential) {}},
		"a credential of a revoked grant":  {func(g *oauth.Grant) { g.RevokedAt = long }, func(*oauth.Credential) {}},
		"a credential with all of that at once": {
			func(g *oauth.Grant) { g.ExpiresAt, g.RevokedAt = long, long },
			func(c *oauth.Credential) { c.ExpiresAt, c.SpentAt, c.Attempt = long, long, t.attempt() },
		},
	} {
		g := t.grant(edit.grant)
		c := t.credential(g, oauth.KindAccess, edit.credential)
		if err := t.create(ctx, g, c); err != nil {
			return fmt.Errorf("%s: %w", state, err)
		}
		if err := t.is(ctx, g, c); err != nil {
			return fmt.Errorf("%s: %w", state, err)
		}
	}
	return nil
}

func checkHandles(ctx context.Context, t *trial) error {
	other := &trial{Backend: Backend{Store: t.Second, Second: t.Store}}
	g, access, refresh, err := t.begin(ctx)
	if err != nil {
		return err
	}
	if err := other.is(ctx, g, access, refresh); err != nil {
		return fmt.Errorf("after CreateGrant on the other handle: %w", err)
	}
	s, issued := t.spend(refresh), t.pair(g)
	if err := t.takesEffect(ctx, s, issued...); err != nil {
		return err
	}
	all := append(issued, access, spent(refresh, s))
	if err := other.is(ctx, g, all...); err != nil {
		return fmt.Errorf("after Spend on the other handle: %w", err)
	}
	g.RevokedAt = now()
	if err := t.revokes(ctx, oauth.Filter{GrantID: g.ID}, g.RevokedAt, 1); err != nil {
		return err
	}
	if err := other.is(ctx, g, all...); err != nil {
		return fmt.Errorf("after RevokeGrants on the other handle: %w", err)
	}
	if err := t.deletes(ctx, g.ExpiresAt.Add(time.Hour), 10, len(all)+1); err != nil {
		return err
	}
	if err := other.hasNo(ctx, all...); err != nil {
		return fmt.Errorf("after DeleteExpired on the other handle: %w", err)
	}
	return wrap("after DeleteExpired on the other handle", other.hasNoGrant(ctx, g.ID))
}
