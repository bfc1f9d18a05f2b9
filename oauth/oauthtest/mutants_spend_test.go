package oauthtest_test

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/latchwork/latchwork/oauth"
)

// answers changes what a Spend that went right answers.
func answers(edit func(*oauth.Spent, oauth.Spend)) func(*ledger) {
	return func(l *ledger) {
		l.spend = func(ctx context.Context, s oauth.Spend, issue []oauth.Credential) (oauth.Spent, error) {
			spent, err := l.rightSpend(ctx, s, issue)
			if err == nil {
				edit(&spent, s)
			}
			return spent, err
		}
	}
}

// afterwards lets something happen to a store after a Spend.
func afterwards(then func(l *ledger, s oauth.Spend, issue []oauth.Credential, spent oauth.Spent, err error)) func(*ledger) {
	return func(l *ledger) {
		l.spend = func(ctx context.Context, s oauth.Spend, issue []oauth.Credential) (oauth.Spent, error) {
			spent, err := l.rightSpend(ctx, s, issue)
			l.mu.Lock()
			defer l.mu.Unlock()
			then(l, s, issue, spent, err)
			return spent, err
		}
	}
}

// stores makes a Spend that failed store what it was to issue.
func stores(failed error) func(*ledger) {
	return afterwards(func(l *ledger, _ oauth.Spend, issue []oauth.Credential, _ oauth.Spent, err error) {
		if errors.Is(err, failed) {
			l.put(issue...)
		}
	})
}

// marks makes a Spend that failed mark the credential.
func marks(failed error) func(*ledger) {
	return afterwards(func(l *ledger, s oauth.Spend, _ []oauth.Credential, _ oauth.Spent, err error) {
		if c, there := l.credentials[s.Hash]; there && errors.Is(err, failed) {
			c.SpentAt, c.Attempt = s.At, s.Attempt
			l.put(c)
		}
	})
}

// judges changes what is decided about a Spend, before the right decision.
func judges(decide func(oauth.Credential, oauth.Grant, oauth.Spend) (*oauth.Spent, error)) func(*ledger) {
	return func(l *ledger) {
		l.judge = func(c oauth.Credential, g oauth.Grant, s oauth.Spend) (*oauth.Spent, error) {
			if spent, err := decide(c, g, s); spent != nil || err != nil {
				return spent, err
			}
			return l.rightJudge(c, g, s)
		}
	}
}

func spendMutants() []mutant {
	return []mutant{
		{"nothing is issued", "spend", func(l *ledger) {
			l.spend = func(ctx context.Context, s oauth.Spend, _ []oauth.Credential) (oauth.Spent, error) {
				return l.rightSpend(ctx, s, nil)
			}
		}},
		{"only one is issued", "spend", func(l *ledger) {
			l.spend = func(ctx context.Context, s oauth.Spend, issue []oauth.Credential) (oauth.Spent, error) {
				return l.rightSpend(ctx, s, issue[:min(1, len(issue))])
			}
		}},
		{"nothing is marked", "spend", afterwards(func(l *ledger, s oauth.Spend, _ []oauth.Credential, _ oauth.Spent, _ error) {
			if c, there := l.credentials[s.Hash]; there {
				c.SpentAt, c.Attempt = time.Time{}, oauth.Attempt{}
				l.put(c)
			}
		})},
		{"what is spent is deleted", "spend", afterwards(func(l *ledger, s oauth.Spend, _ []oauth.Credential, _ oauth.Spent, _ error) {
			delete(l.credentials, s.Hash)
		})},
		{"what is issued is spent", "spend", afterwards(func(l *ledger, s oauth.Spend, issue []oauth.Credential, _ oauth.Spent, _ error) {
			for _, c := range issue {
				c.SpentAt, c.Attempt = s.At, s.Attempt
				l.put(c)
			}
		})},
		{"the grant is spent", "spent apart", afterwards(func(l *ledger, s oauth.Spend, issue []oauth.Credential, _ oauth.Spent, _ error) {
			for _, c := range l.credentials {
				if c.GrantID == l.credentials[s.Hash].GrantID && c.SpentAt.IsZero() {
					c.SpentAt, c.Attempt = s.At, s.Attempt
					l.put(c)
				}
			}
			l.put(issue...)
		})},
		{"a loser stores", "loser", afterwards(func(l *ledger, _ oauth.Spend, issue []oauth.Credential, spent oauth.Spent, err error) {
			if err == nil && !spent.First {
				l.put(issue...)
			}
		})},
		{"a loser gets an error", "loser", judges(func(c oauth.Credential, _ oauth.Grant, s oauth.Spend) (*oauth.Spent, error) {
			if !c.SpentAt.IsZero() && c.Attempt != s.Attempt {
				return nil, errors.New("spent already")
			}
			return nil, nil
		})},
		{"a loser that comes late gets ErrExpired", "loser", judges(func(c oauth.Credential, _ oauth.Grant, s oauth.Spend) (*oauth.Spent, error) {
			if !c.SpentAt.IsZero() && !s.At.Before(c.ExpiresAt) && c.Attempt != s.Attempt {
				return nil, oauth.ErrExpired
			}
			return nil, nil
		})},
		{"a loser is told its own attempt", "loser", answers(func(spent *oauth.Spent, s oauth.Spend) { spent.Attempt = s.Attempt })},
		{"a loser is told its own time", "loser", answers(func(spent *oauth.Spent, s oauth.Spend) { spent.At = s.At })},
		{"the last one wins", "loser", func(l *ledger) {
			l.judge = func(c oauth.Credential, g oauth.Grant, s oauth.Spend) (*oauth.Spent, error) {
				c.SpentAt = time.Time{}
				return l.rightJudge(c, g, s)
			}
		}},
		{"the attempt is forgotten", "same attempt", gives(grantAsIs, func(c *oauth.Credential) { c.Attempt = oauth.Attempt{} })},
		{"the same attempt is a loser", "same attempt", judges(func(c oauth.Credential, _ oauth.Grant, _ oauth.Spend) (*oauth.Spent, error) {
			if !c.SpentAt.IsZero() {
				return &oauth.Spent{Attempt: c.Attempt, At: c.SpentAt}, nil
			}
			return nil, nil
		})},
		{"the same attempt is refused later", "same attempt", judges(func(_ oauth.Credential, g oauth.Grant, s oauth.Spend) (*oauth.Spent, error) {
			if !s.At.Before(g.ExpiresAt) {
				return nil, oauth.ErrExpired
			}
			return nil, nil
		})},
		{"the same attempt stores anew", "same attempt", afterwards(func(l *ledger, _ oauth.Spend, issue []oauth.Credential, spent oauth.Spent, _ error) {
			if spent.First {
				l.put(issue...)
			}
		})},
		{"the same attempt collides with itself", "same attempt", judges(func(c oauth.Credential, _ oauth.Grant, s oauth.Spend) (*oauth.Spent, error) {
			if c.Attempt == s.Attempt {
				return nil, oauth.ErrExists
			}
			return nil, nil
		})},
		{"the same attempt moves the time", "same attempt", afterwards(func(l *ledger, s oauth.Spend, _ []oauth.Credential, spent oauth.Spent, _ error) {
			if spent.First {
				c := l.credentials[s.Hash]
				c.SpentAt = s.At
				l.put(c)
			}
		})},
		{"the time is rounded in the answer", "spend at", answers(func(spent *oauth.Spent, _ oauth.Spend) {
			spent.At = spent.At.Round(time.Millisecond)
		})},
		{"what was spent in 1970 is unspent", "spend at", func(l *ledger) {
			l.judge = func(c oauth.Credential, g oauth.Grant, s oauth.Spend) (*oauth.Spent, error) {
				if c.SpentAt.Unix() == 0 {
					c.SpentAt = time.Time{}
				}
				return l.rightJudge(c, g, s)
			}
		}},
	}
}

func refusalMutants() []mutant {
	return []mutant{
		{"a foreign client spends", "foreign client", func(l *ledger) {
			l.mine = func(oauth.Credential, oauth.Spend) bool { return true }
		}},
		{"a client with the same letters spends", "foreign client", func(l *ledger) {
			l.mine = func(c oauth.Credential, s oauth.Spend) bool { return strings.EqualFold(c.ClientID, s.ClientID) }
		}},
		{"nobody in particular spends", "foreign client", func(l *ledger) {
			l.mine = func(c oauth.Credential, s oauth.Spend) bool { return s.ClientID == "" || c.ClientID == s.ClientID }
		}},
		{"the subject spends", "foreign client", func(l *ledger) {
			l.mine = func(c oauth.Credential, s oauth.Spend) bool {
				return s.ClientID == c.ClientID || s.ClientID == l.grants[c.GrantID].Subject.ID
			}
		}},
		{"a foreign client learns who was first", "foreign client", func(l *ledger) {
			l.mine = func(c oauth.Credential, s oauth.Spend) bool { return !c.SpentAt.IsZero() || c.ClientID == s.ClientID }
		}},
		{"a foreign client learns of a revocation", "foreign client", func(l *ledger) {
			l.mine = func(c oauth.Credential, s oauth.Spend) bool {
				return !l.grants[c.GrantID].RevokedAt.IsZero() || c.ClientID == s.ClientID
			}
		}},
		{"a foreign client marks", "foreign client", marks(oauth.ErrNotFound)},
		{"a foreign client stores", "foreign client", stores(oauth.ErrNotFound)},
		{"a revoked grant accepts", "revoked grant", func(l *ledger) {
			l.revoked = func(oauth.Grant, time.Time) bool { return false }
		}},
		{"a grant is revoked from then on", "revoked grant", func(l *ledger) {
			l.revoked = func(g oauth.Grant, at time.Time) bool { return !g.RevokedAt.IsZero() && !at.Before(g.RevokedAt) }
		}},
		{"a revoked grant is expired", "revoked grant", judges(func(_ oauth.Credential, g oauth.Grant, _ oauth.Spend) (*oauth.Spent, error) {
			if !g.RevokedAt.IsZero() {
				return nil, oauth.ErrExpired
			}
			return nil, nil
		})},
		{"a revoked grant is marked", "revoked grant", marks(oauth.ErrRevoked)},
		{"a revoked grant is added to", "revoked grant", stores(oauth.ErrRevoked)},
		{"what was spent before a revocation is added to", "spent and revoked", afterwards(
			func(l *ledger, s oauth.Spend, issue []oauth.Credential, _ oauth.Spent, _ error) {
				if !l.grants[l.credentials[s.Hash].GrantID].RevokedAt.IsZero() {
					l.put(issue...)
				}
			})},
		{"what was spent before a revocation is spent again", "spent and revoked", func(l *ledger) {
			l.judge = func(c oauth.Credential, g oauth.Grant, s oauth.Spend) (*oauth.Spent, error) {
				if !g.RevokedAt.IsZero() {
					return nil, nil
				}
				return l.rightJudge(c, g, s)
			}
		}},
		{"the instant of expiry belongs to the time before", "expiry", func(l *ledger) {
			l.expired = func(expires, at time.Time) bool { return at.After(expires) }
		}},
		{"expiry is in whole seconds", "expiry", func(l *ledger) {
			l.expired = func(expires, at time.Time) bool { return at.Unix() >= expires.Unix() }
		}},
		{"a grant's expiry does not count", "expiry", func(l *ledger) {
			l.judge = func(c oauth.Credential, g oauth.Grant, s oauth.Spend) (*oauth.Spent, error) {
				g.ExpiresAt = c.ExpiresAt
				return l.rightJudge(c, g, s)
			}
		}},
		{"a credential's expiry does not count", "expiry", func(l *ledger) {
			l.judge = func(c oauth.Credential, g oauth.Grant, s oauth.Spend) (*oauth.Spent, error) {
				c.ExpiresAt = g.ExpiresAt
				return l.rightJudge(c, g, s)
			}
		}},
		{"what is expired is marked", "expiry", marks(oauth.ErrExpired)},
		{"what is expired is added to", "expiry", stores(oauth.ErrExpired)},
		{"what is expired is not found", "expiry", judges(func(c oauth.Credential, _ oauth.Grant, s oauth.Spend) (*oauth.Spent, error) {
			if !s.At.Before(c.ExpiresAt) {
				return nil, oauth.ErrNotFound
			}
			return nil, nil
		})},
		{"zero is never", "no expiry", func(l *ledger) {
			l.expired = func(expires, at time.Time) bool { return !expires.IsZero() && !at.Before(expires) }
		}},
		{"what is issued overwrites", "issued hash taken", func(l *ledger) {
			l.taken = func([]oauth.Credential) bool { return false }
		}},
		{"a taken hash is told, and the spending stays", "issued hash taken", marks(oauth.ErrExists)},
		{"a taken hash is told, and the others stay", "issued hash taken", afterwards(
			func(l *ledger, _ oauth.Spend, issue []oauth.Credential, _ oauth.Spent, err error) {
				for _, c := range issue {
					if errors.Is(err, oauth.ErrExists) && !l.rightTaken([]oauth.Credential{c}) {
						l.put(c)
					}
				}
			})},
		{"a taken hash is not told", "issued hash taken", func(l *ledger) {
			l.spend = func(ctx context.Context, s oauth.Spend, issue []oauth.Credential) (oauth.Spent, error) {
				spent, err := l.rightSpend(ctx, s, issue)
				if errors.Is(err, oauth.ErrExists) {
					return l.rightSpend(ctx, s, nil)
				}
				return spent, err
			}
		}},
	}
}
