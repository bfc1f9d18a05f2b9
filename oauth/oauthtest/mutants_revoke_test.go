package oauthtest_test

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/latchwork/latchwork/oauth"
)

// revokesAlso makes RevokeGrants revoke grants that it should not.
func revokesAlso(wrongly func(oauth.Filter, oauth.Grant) bool) func(*ledger) {
	return func(l *ledger) {
		l.revoke = func(ctx context.Context, f oauth.Filter, at time.Time) (int, error) {
			l.mu.Lock()
			right := l.matches
			l.matches = func(f oauth.Filter, g oauth.Grant) bool { return right(f, g) || wrongly(f, g) }
			l.mu.Unlock()
			defer func() { l.matches = right }()
			return l.rightRevoke(ctx, f, at)
		}
	}
}

func revokeMutants() []mutant {
	return []mutant{
		{"the kind of a subject is ignored", "revoke", func(l *ledger) {
			l.matches = func(f oauth.Filter, g oauth.Grant) bool {
				if f.Subject.ID == g.Subject.ID {
					f.Subject.Kind = g.Subject.Kind
				}
				return f.Matches(g)
			}
		}},
		{"one field is enough", "revoke", revokesAlso(func(f oauth.Filter, g oauth.Grant) bool {
			return oauth.Filter{GrantID: f.GrantID}.Matches(g) || oauth.Filter{Subject: f.Subject}.Matches(g) ||
				oauth.Filter{ClientID: f.ClientID}.Matches(g)
		})},
		{"beside a grant's ID nothing counts", "revoke", revokesAlso(func(f oauth.Filter, g oauth.Grant) bool {
			return f.GrantID == g.ID
		})},
		{"half a subject is everybody", "revoke", revokesAlso(func(f oauth.Filter, g oauth.Grant) bool {
			return f.Subject.ID == "" && f.Subject.Kind == g.Subject.Kind
		})},
		{"the client is ignored", "revoke", revokesAlso(func(f oauth.Filter, g oauth.Grant) bool {
			return f.ClientID != "" && f.Subject == g.Subject
		})},
		{"only one is revoked", "revoke", func(l *ledger) {
			l.revoke = func(ctx context.Context, f oauth.Filter, at time.Time) (int, error) {
				grants, err := l.rightList(ctx, f, oauth.Page{Limit: 1})
				if err != nil || len(grants) == 0 {
					return 0, err
				}
				return l.rightRevoke(ctx, oauth.Filter{GrantID: grants[0].ID}, at)
			}
		}},
		{"nothing is counted", "revoke", func(l *ledger) {
			l.revoke = func(ctx context.Context, f oauth.Filter, at time.Time) (int, error) {
				_, err := l.rightRevoke(ctx, f, at)
				return 0, err
			}
		}},
		{"only a list tells of a revocation", "revoke", func(l *ledger) {
			l.lookup = func(ctx context.Context, h oauth.Hash) (oauth.Credential, oauth.Grant, error) {
				c, g, err := l.rightLookup(ctx, h)
				g.RevokedAt = time.Time{}
				return c, g, err
			}
		}},
		{"the last revocation counts", "revoke once", func(l *ledger) {
			l.revoked = func(oauth.Grant, time.Time) bool { return false }
		}},
		{"the first instant counts", "revoke once", func(l *ledger) {
			l.revoked = func(g oauth.Grant, at time.Time) bool { return !g.RevokedAt.IsZero() && !at.Before(g.RevokedAt) }
		}},
		{"what was revoked counts again", "revoke once", func(l *ledger) {
			l.revoke = func(ctx context.Context, f oauth.Filter, at time.Time) (int, error) {
				if _, err := l.rightRevoke(ctx, f, at); err != nil {
					return 0, err
				}
				grants, err := l.rightList(ctx, f, oauth.Page{Limit: 100})
				return len(grants), err
			}
		}},
		{"an empty filter revokes everything", "empty filter", revokesAlso(func(f oauth.Filter, _ oauth.Grant) bool { return f.IsZero() })},
		{"an empty filter lists everything", "empty filter", func(l *ledger) {
			l.list = func(ctx context.Context, f oauth.Filter, page oauth.Page) ([]oauth.Grant, error) {
				if !f.IsZero() {
					return l.rightList(ctx, f, page)
				}
				return slices.Collect(maps.Values(l.grants)), nil
			}
		}},
		{"what was revoked in 1970 is not", "revoke at", func(l *ledger) {
			l.revoked = func(g oauth.Grant, _ time.Time) bool { return g.RevokedAt.Unix() > 0 }
		}},
		{"the time of a revocation is in whole seconds", "revoke at", func(l *ledger) {
			l.revoke = func(ctx context.Context, f oauth.Filter, at time.Time) (int, error) {
				return l.rightRevoke(ctx, f, at.Truncate(time.Second))
			}
		}},
	}
}

// pages makes Grants cut its pages in another way from all grants that match.
func pages(cut func(all []oauth.Grant, page oauth.Page) []oauth.Grant) func(*ledger) {
	return func(l *ledger) {
		l.list = func(ctx context.Context, f oauth.Filter, page oauth.Page) ([]oauth.Grant, error) {
			all, err := l.rightList(ctx, f, oauth.Page{Limit: 1 << 20})
			return cut(all, page), err
		}
	}
}

func listMutants() []mutant {
	return []mutant{
		{"the oldest come first", "newest first", func(l *ledger) {
			l.order = func(a, b oauth.Grant) int { return cmp.Compare(a.ID, b.ID) }
		}},
		{"the latest come first", "newest first", func(l *ledger) {
			l.order = func(a, b oauth.Grant) int { return b.CreatedAt.Compare(a.CreatedAt) }
		}},
		{"lists have no limit", "newest first", pages(func(all []oauth.Grant, _ oauth.Page) []oauth.Grant { return all })},
		{"a page has one more", "newest first", pages(func(all []oauth.Grant, page oauth.Page) []oauth.Grant {
			return all[:min(len(all), page.Limit+1)]
		})},
		{"a page begins with the last of the one before", "pages", pages(func(all []oauth.Grant, page oauth.Page) []oauth.Grant {
			all = slices.DeleteFunc(all, func(g oauth.Grant) bool { return page.Before != "" && g.ID > page.Before })
			return all[:min(len(all), page.Limit)]
		})},
		{"every page is the first", "pages", pages(func(all []oauth.Grant, page oauth.Page) []oauth.Grant {
			return all[:min(len(all), page.Limit)]
		})},
		{"a page is cut before it is filtered", "filters", func(l *ledger) {
			l.list = func(ctx context.Context, f oauth.Filter, page oauth.Page) ([]oauth.Grant, error) {
				l.mu.Lock()
				all := slices.SortedFunc(maps.Values(l.grants), l.order)
				l.mu.Unlock()
				all = all[:min(len(all), page.Limit)]
				return slices.DeleteFunc(all, func(g oauth.Grant) bool { return !f.Matches(g) }), ctx.Err()
			}
		}},
		{"what is revoked is not listed", "filters", pages(func(all []oauth.Grant, page oauth.Page) []oauth.Grant {
			all = slices.DeleteFunc(all, func(g oauth.Grant) bool { return !g.RevokedAt.IsZero() })
			return all[:min(len(all), page.Limit)]
		})},
		{"what is expired is not listed", "filters", pages(func(all []oauth.Grant, page oauth.Page) []oauth.Grant {
			all = slices.DeleteFunc(all, func(g oauth.Grant) bool { return g.ExpiresAt.Before(g.CreatedAt) })
			return all[:min(len(all), page.Limit)]
		})},
	}
}

// spares makes DeleteExpired pass over some credentials.
func spares(spared func(oauth.Credential) bool) func(*ledger) {
	return func(l *ledger) {
		l.deleteExpired = func(ctx context.Context, before time.Time, limit int) (int, error) {
			l.mu.Lock()
			kept := maps.Clone(l.credentials)
			maps.DeleteFunc(kept, func(_ oauth.Hash, c oauth.Credential) bool { return !spared(c) })
			l.mu.Unlock()
			n, err := l.rightDelete(ctx, before, limit)
			maps.Copy(l.credentials, kept)
			return n, err
		}
	}
}

// deletesAlso makes DeleteExpired delete more than it should.
func deletesAlso(grant func(*ledger, oauth.Grant, time.Time) bool, credential func(*ledger, oauth.Credential) bool) func(*ledger) {
	return func(l *ledger) {
		l.deleteExpired = func(ctx context.Context, before time.Time, limit int) (int, error) {
			n, err := l.rightDelete(ctx, before, limit)
			maps.DeleteFunc(l.credentials, func(_ oauth.Hash, c oauth.Credential) bool { return credential(l, c) })
			maps.DeleteFunc(l.grants, func(_ string, g oauth.Grant) bool { return grant(l, g, before) })
			return n, err
		}
	}
}

func noGrant(*ledger, oauth.Grant, time.Time) bool { return false }
func noCredential(*ledger, oauth.Credential) bool  { return false }
func (l *ledger) isEmpty(id string) bool {
	for _, c := range l.credentials {
		if c.GrantID == id {
			return false
		}
	}
	return true
}

func deleteMutants() []mutant {
	return []mutant{
		{"what expires just now is deleted", "delete expired", func(l *ledger) {
			l.old = func(expires, before time.Time) bool { return !expires.After(before) }
		}},
		{"what expired just now is kept", "delete expired", func(l *ledger) {
			l.old = func(expires, before time.Time) bool { return expires.Before(before.Add(-time.Microsecond)) }
		}},
		{"codes are kept", "delete expired", spares(func(c oauth.Credential) bool { return c.Kind == oauth.KindCode })},
		{"grants are never deleted", "delete expired", func(l *ledger) {
			l.deleteExpired = func(ctx context.Context, before time.Time, limit int) (int, error) {
				l.mu.Lock()
				kept := maps.Clone(l.grants)
				l.mu.Unlock()
				n, err := l.rightDelete(ctx, before, limit)
				maps.Copy(l.grants, kept)
				return n, err
			}
		}},
		{"what is spent is deleted, too", "delete keeps", deletesAlso(noGrant, func(_ *ledger, c oauth.Credential) bool {
			return !c.SpentAt.IsZero()
		})},
		{"what is revoked is deleted, too", "delete keeps", deletesAlso(noGrant, func(l *ledger, c oauth.Credential) bool {
			return !l.grants[c.GrantID].RevokedAt.IsZero()
		})},
		{"expired grants are deleted before their credentials", "delete keeps", deletesAlso(func(_ *ledger, g oauth.Grant, before time.Time) bool {
			return g.ExpiresAt.Before(before)
		}, noCredential)},
		{"grants with nothing left are deleted, too", "delete keeps", deletesAlso(func(l *ledger, g oauth.Grant, _ time.Time) bool {
			return l.isEmpty(g.ID)
		}, noCredential)},
		{"what is spent is kept for ever", "delete keeps", spares(func(c oauth.Credential) bool { return !c.SpentAt.IsZero() })},
		{"deleting has no limit", "delete limit", func(l *ledger) {
			l.deleteExpired = func(ctx context.Context, before time.Time, _ int) (int, error) {
				return l.rightDelete(ctx, before, 1<<20)
			}
		}},
		{"limit zero is no limit", "delete limit", func(l *ledger) {
			l.deleteExpired = func(ctx context.Context, before time.Time, limit int) (int, error) {
				return l.rightDelete(ctx, before, cmp.Or(limit, 1<<20))
			}
		}},
		{"more is deleted than counted", "delete limit", func(l *ledger) {
			l.deleteExpired = func(ctx context.Context, before time.Time, limit int) (int, error) {
				n, err := l.rightDelete(ctx, before, limit+1)
				return min(n, limit), err
			}
		}},
		{"more is counted than deleted", "delete limit", func(l *ledger) {
			l.deleteExpired = func(ctx context.Context, before time.Time, limit int) (int, error) {
				n, err := l.rightDelete(ctx, before, limit/2)
				return min(2*n, limit), err
			}
		}},
		{"one at a time is too much", "delete limit", func(l *ledger) {
			l.deleteExpired = func(ctx context.Context, before time.Time, limit int) (int, error) {
				return l.rightDelete(ctx, before, limit-1)
			}
		}},
	}
}
