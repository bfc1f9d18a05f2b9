package oauthtest_test

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/latchwork/latchwork/oauth"
)

func raceMutants() []mutant {
	return []mutant{
		{"two winners", "one spend wins", func(l *ledger) { l.checked = l.pause }},
		{"a loser of a race stores", "one spend wins", func(l *ledger) {
			l.spend = func(ctx context.Context, s oauth.Spend, issue []oauth.Credential) (oauth.Spent, error) {
				spent, err := l.rightSpend(ctx, s, issue)
				if err == nil && !spent.First {
					l.mu.Lock()
					defer l.mu.Unlock()
					l.put(issue[0])
				}
				return spent, err
			}
		}},
		{"a loser of a race gets the error of the database", "one spend wins", func(l *ledger) {
			l.spend = func(ctx context.Context, s oauth.Spend, issue []oauth.Credential) (oauth.Spent, error) {
				before, _, _ := l.rightLookup(ctx, s.Hash)
				time.Sleep(window)
				spent, err := l.rightSpend(ctx, s, issue)
				if err == nil && before.SpentAt.IsZero() && !spent.First {
					return oauth.Spent{}, errors.New("database is locked")
				}
				return spent, err
			}
		}},
		{"a loser of a race does not know the winner", "one spend wins", func(l *ledger) {
			l.spend = func(ctx context.Context, s oauth.Spend, issue []oauth.Credential) (oauth.Spent, error) {
				before, _, _ := l.rightLookup(ctx, s.Hash)
				time.Sleep(window)
				spent, err := l.rightSpend(ctx, s, issue)
				if err == nil && before.SpentAt.IsZero() && !spent.First {
					return oauth.Spent{}, nil
				}
				return spent, err
			}
		}},
		{"the same attempt collides with itself at once", "one attempt at once", func(l *ledger) { l.judged = l.pause }},
		{"two grants with one ID", "one create wins", func(l *ledger) { l.checked = l.pause }},
		{"two credentials with one hash", "one taker of a hash wins", func(l *ledger) { l.checked = l.pause }},
		{"marked first and issued later", "in one transaction", func(l *ledger) { l.marked = l.pause }},
		{"the mark is in two parts", "in one transaction", func(l *ledger) {
			l.marked = func() {
				for h, c := range l.credentials {
					if !c.SpentAt.IsZero() {
						c.Attempt = oauth.Attempt{}
						l.credentials[h] = c
					}
				}
				l.pause()
			}
		}},
		{"every credential is revoked by itself", "spend against revoke", revokesEach},
		{"a revocation takes effect a little later", "spend against revoke", func(l *ledger) {
			l.revoke = func(ctx context.Context, f oauth.Filter, at time.Time) (int, error) {
				grants, err := l.rightList(ctx, f, oauth.Page{Limit: 100})
				time.AfterFunc(window, func() { _, _ = l.rightRevoke(context.WithoutCancel(ctx), f, at) })
				return len(grants), err
			}
		}},
		{"everybody revoked it", "one revocation counts", func(l *ledger) { l.checked = l.pause }},
		{"everybody deleted it", "one deletion counts", func(l *ledger) { l.checked = l.pause }},
	}
}

// revokesEach makes a revocation something that each credential has: those that
// are issued meanwhile do not have it.
func revokesEach(l *ledger) {
	dead := map[oauth.Hash]time.Time{}
	l.revoke = func(ctx context.Context, f oauth.Filter, at time.Time) (int, error) {
		grants, err := l.rightList(ctx, f, oauth.Page{Limit: 100})
		if err != nil || len(grants) == 0 {
			return 0, err
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		var found []oauth.Hash
		for h, c := range l.credentials {
			if c.GrantID == grants[0].ID {
				found = append(found, h)
			}
		}
		l.pause()
		for _, h := range found {
			dead[h] = at
		}
		return len(grants), nil
	}
	l.judge = func(c oauth.Credential, g oauth.Grant, s oauth.Spend) (*oauth.Spent, error) {
		g.RevokedAt = dead[c.Hash]
		return l.rightJudge(c, g, s)
	}
	l.lookup = func(ctx context.Context, h oauth.Hash) (oauth.Credential, oauth.Grant, error) {
		c, g, err := l.rightLookup(ctx, h)
		l.mu.Lock()
		defer l.mu.Unlock()
		g.RevokedAt = dead[h]
		return c, g, err
	}
}

func copyMutants() []mutant {
	return []mutant{
		{"what CreateGrant takes is kept", "copies what it takes", func(l *ledger) {
			l.keepGrant = func(g oauth.Grant) oauth.Grant { return g }
		}},
		{"what is issued is kept", "copies what it takes", func(l *ledger) {
			l.keepCredential = func(c oauth.Credential) oauth.Credential { return c }
		}},
		{"what is kept is given as a grant", "copies what it gives", func(l *ledger) {
			l.giveGrant = func(g oauth.Grant) oauth.Grant { return g }
		}},
		{"what is kept is given as a credential", "copies what it gives", func(l *ledger) {
			l.giveCredential = func(c oauth.Credential) oauth.Credential { return c }
		}},
		{"what is kept is given in a list", "copies what it gives", func(l *ledger) {
			l.list = func(ctx context.Context, f oauth.Filter, page oauth.Page) ([]oauth.Grant, error) {
				grants, err := l.rightList(ctx, f, page)
				for i, g := range grants {
					grants[i].Resources = l.grants[g.ID].Resources
				}
				return grants, err
			}
		}},
	}
}

func contextMutants() []mutant {
	mutants := []mutant{
		{"the context is ignored", "done context", func(l *ledger) { l.heeds = func(context.Context) error { return nil } }},
		{"only a deadline is heeded", "done context", func(l *ledger) {
			l.heeds = func(ctx context.Context) error {
				if errors.Is(ctx.Err(), context.Canceled) {
					return nil
				}
				return ctx.Err()
			}
		}},
		{"the cause is returned", "done context", func(l *ledger) { l.heeds = context.Cause }},
		{"the error of the driver is returned", "done context", func(l *ledger) {
			l.heeds = func(ctx context.Context) error {
				if ctx.Err() != nil {
					return errors.New("query cancelled")
				}
				return nil
			}
		}},
		{"a miss comes before the context", "done context", func(l *ledger) {
			l.lookup = func(ctx context.Context, h oauth.Hash) (oauth.Credential, oauth.Grant, error) {
				if _, there := l.credentials[h]; !there {
					return oauth.Credential{}, oauth.Grant{}, oauth.ErrNotFound
				}
				return l.rightLookup(ctx, h)
			}
		}},
	}
	// A method that does its work and then tells that the context is done.
	for name, mistake := range map[string]func(*ledger){
		"CreateGrant": func(l *ledger) {
			l.createGrant = func(ctx context.Context, g oauth.Grant, first []oauth.Credential) error {
				return orDone(l.rightCreateGrant(context.WithoutCancel(ctx), g, first), ctx.Err())
			}
		},
		"Spend": func(l *ledger) {
			l.spend = func(ctx context.Context, s oauth.Spend, issue []oauth.Credential) (oauth.Spent, error) {
				spent, err := l.rightSpend(context.WithoutCancel(ctx), s, issue)
				return spent, orDone(err, ctx.Err())
			}
		},
		"RevokeGrants": func(l *ledger) {
			l.revoke = func(ctx context.Context, f oauth.Filter, at time.Time) (int, error) {
				n, err := l.rightRevoke(context.WithoutCancel(ctx), f, at)
				return n, orDone(err, ctx.Err())
			}
		},
		"DeleteExpired": func(l *ledger) {
			l.deleteExpired = func(ctx context.Context, before time.Time, limit int) (int, error) {
				n, err := l.rightDelete(context.WithoutCancel(ctx), before, limit)
				return n, orDone(err, ctx.Err())
			}
		},
	} {
		mutants = append(mutants, mutant{name + " is done all the same", "done context", mistake})
	}
	return mutants
}

// orDone returns the error of the context if it is done.
func orDone(err, done error) error {
	if done != nil {
		return done
	}
	return err
}

func mutants() []mutant {
	return slices.Concat(createMutants(), valueMutants(), spendMutants(), refusalMutants(), revokeMutants(), listMutants(),
		deleteMutants(), raceMutants(), copyMutants(), contextMutants())
}
