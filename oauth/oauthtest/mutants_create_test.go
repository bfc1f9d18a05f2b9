package oauthtest_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/latchwork/latchwork/oauth"
)

// A mutant is a mistake that the authors of stores make, and the check that is
// there for it.
type mutant struct {
	mistake, check string
	make           func(l *ledger)
}

func createMutants() []mutant {
	return []mutant{
		{"only the first credential is stored", "create", func(l *ledger) {
			l.createGrant = func(ctx context.Context, g oauth.Grant, first []oauth.Credential) error {
				return l.rightCreateGrant(ctx, g, first[:min(1, len(first))])
			}
		}},
		{"a grant without credentials is not stored", "create", func(l *ledger) {
			l.createGrant = func(ctx context.Context, g oauth.Grant, first []oauth.Credential) error {
				if len(first) == 0 {
					return nil
				}
				return l.rightCreateGrant(ctx, g, first)
			}
		}},
		{"a miss is no error", "miss", func(l *ledger) {
			l.lookup = func(ctx context.Context, h oauth.Hash) (oauth.Credential, oauth.Grant, error) {
				c, g, err := l.rightLookup(ctx, h)
				if errors.Is(err, oauth.ErrNotFound) {
					err = nil
				}
				return c, g, err
			}
		}},
		{"a miss is the error of the database", "miss", func(l *ledger) {
			l.lookup = func(ctx context.Context, h oauth.Hash) (oauth.Credential, oauth.Grant, error) {
				c, g, err := l.rightLookup(ctx, h)
				if err != nil {
					err = errors.New("no rows in result set")
				}
				return c, g, err
			}
		}},
		{"to spend nothing is no error", "miss", func(l *ledger) {
			l.spend = func(ctx context.Context, s oauth.Spend, issue []oauth.Credential) (oauth.Spent, error) {
				spent, err := l.rightSpend(ctx, s, issue)
				if errors.Is(err, oauth.ErrNotFound) {
					err = nil
				}
				return spent, err
			}
		}},
		{"to spend nothing issues something", "miss", func(l *ledger) {
			l.spend = func(ctx context.Context, s oauth.Spend, issue []oauth.Credential) (oauth.Spent, error) {
				spent, err := l.rightSpend(ctx, s, issue)
				if errors.Is(err, oauth.ErrNotFound) {
					l.put(issue...)
				}
				return spent, err
			}
		}},
		{"the last grant wins", "duplicate grant", func(l *ledger) {
			l.createGrant = func(ctx context.Context, g oauth.Grant, first []oauth.Credential) error {
				delete(l.grants, g.ID)
				return l.rightCreateGrant(ctx, g, first)
			}
		}},
		{"the last grant wins, and is reported", "duplicate grant", func(l *ledger) {
			l.createGrant = func(ctx context.Context, g oauth.Grant, first []oauth.Credential) error {
				err := l.rightCreateGrant(ctx, g, first)
				l.grants[g.ID] = g
				return err
			}
		}},
		{"the credentials of a grant that is refused stay", "duplicate grant", func(l *ledger) {
			l.createGrant = func(ctx context.Context, g oauth.Grant, first []oauth.Credential) error {
				err := l.rightCreateGrant(ctx, g, first)
				l.put(first...)
				return err
			}
		}},
		{"the constraint's own error", "duplicate grant", func(l *ledger) {
			l.createGrant = func(ctx context.Context, g oauth.Grant, first []oauth.Credential) error {
				if err := l.rightCreateGrant(ctx, g, first); err != nil {
					return errors.New("UNIQUE constraint failed")
				}
				return nil
			}
		}},
		{"hashes are overwritten", "duplicate hash", func(l *ledger) {
			l.taken = func([]oauth.Credential) bool { return false }
		}},
		{"hashes that are taken are left out", "duplicate hash", func(l *ledger) {
			l.createGrant = func(ctx context.Context, g oauth.Grant, first []oauth.Credential) error {
				return l.rightCreateGrant(ctx, g, slices.DeleteFunc(slices.Clone(first), func(c oauth.Credential) bool {
					return l.rightTaken([]oauth.Credential{c})
				}))
			}
		}},
		{"half a CreateGrant", "duplicate hash", func(l *ledger) {
			l.createGrant = func(ctx context.Context, g oauth.Grant, first []oauth.Credential) error {
				if err := l.rightCreateGrant(ctx, g, nil); err != nil {
					return err
				}
				for _, c := range first {
					if l.rightTaken([]oauth.Credential{c}) {
						return oauth.ErrExists
					}
					l.put(c)
				}
				return nil
			}
		}},
		{"the grant of a CreateGrant that failed stays", "duplicate hash", func(l *ledger) {
			l.createGrant = func(ctx context.Context, g oauth.Grant, first []oauth.Credential) error {
				err := l.rightCreateGrant(ctx, g, first)
				if errors.Is(err, oauth.ErrExists) {
					l.grants[g.ID] = g
				}
				return err
			}
		}},
		{"one hash twice in a call", "duplicate hash", func(l *ledger) {
			l.taken = func(credentials []oauth.Credential) bool {
				return slices.ContainsFunc(credentials, func(c oauth.Credential) bool {
					return l.rightTaken([]oauth.Credential{c})
				})
			}
		}},
		{"what is expired is not found", "lookup judges nothing", hides(func(c oauth.Credential, _ oauth.Grant) bool {
			return c.ExpiresAt.Before(time.Date(2002, 1, 1, 0, 0, 0, 0, time.UTC))
		})},
		{"what is spent is not found", "lookup judges nothing", hides(func(c oauth.Credential, _ oauth.Grant) bool {
			return !c.SpentAt.IsZero()
		})},
		{"what is revoked is not found", "lookup judges nothing", hides(func(_ oauth.Credential, g oauth.Grant) bool {
			return !g.RevokedAt.IsZero()
		})},
		{"a handle remembers what it has seen", "two handles", func(l *ledger) {
			other := newLedger()
			other.createGrant, other.spend, other.revoke = l.rightCreateGrant, l.rightSpend, l.rightRevoke
			other.list, other.deleteExpired = l.rightList, l.rightDelete
			type answer struct {
				c oauth.Credential
				g oauth.Grant
			}
			var seen sync.Map
			other.lookup = func(ctx context.Context, h oauth.Hash) (oauth.Credential, oauth.Grant, error) {
				if a, ok := seen.Load(h); ok {
					return a.(answer).c, a.(answer).g, ctx.Err()
				}
				c, g, err := l.rightLookup(ctx, h)
				if err == nil {
					seen.Store(h, answer{c, g})
				}
				return c, g, err
			}
			l.second = other
		}},
	}
}

// hides makes Lookup pass over some credentials.
func hides(hidden func(oauth.Credential, oauth.Grant) bool) func(*ledger) {
	return func(l *ledger) {
		l.lookup = func(ctx context.Context, h oauth.Hash) (oauth.Credential, oauth.Grant, error) {
			c, g, err := l.rightLookup(ctx, h)
			if err == nil && hidden(c, g) {
				return oauth.Credential{}, oauth.Grant{}, oauth.ErrNotFound
			}
			return c, g, err
		}
	}
}
