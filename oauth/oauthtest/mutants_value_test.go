package oauthtest_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/latchwork/latchwork/oauth"
	"github.com/latchwork/latchwork/scope"
)

// gives changes what comes out of the store, and keeps what goes in.
func gives(grant func(*oauth.Grant), credential func(*oauth.Credential)) func(*ledger) {
	return func(l *ledger) {
		l.giveGrant = func(g oauth.Grant) oauth.Grant {
			g = cloneGrant(g)
			grant(&g)
			return g
		}
		l.giveCredential = func(c oauth.Credential) oauth.Credential {
			c = cloneCredential(c)
			credential(&c)
			return c
		}
	}
}

func grantAsIs(*oauth.Grant)           {}
func credentialAsIs(*oauth.Credential) {}

// issues changes credentials on their way in through a Spend.
func issues(edit func(*oauth.Credential)) func(*ledger) {
	return func(l *ledger) {
		l.spend = func(ctx context.Context, s oauth.Spend, issue []oauth.Credential) (oauth.Spent, error) {
			issue = slices.Clone(issue)
			for i := range issue {
				edit(&issue[i])
			}
			return l.rightSpend(ctx, s, issue)
		}
	}
}

// times passes every time that comes out of the store through change.
func times(change func(time.Time) time.Time) func(*ledger) {
	return gives(
		func(g *oauth.Grant) {
			g.CreatedAt, g.ExpiresAt, g.RevokedAt = change(g.CreatedAt), change(g.ExpiresAt), change(g.RevokedAt)
		},
		func(c *oauth.Credential) {
			c.CreatedAt, c.ExpiresAt, c.SpentAt = change(c.CreatedAt), change(c.ExpiresAt), change(c.SpentAt)
		})
}

// asText passes every text that comes out of the store through change.
func asText(change func(string) string) func(*ledger) {
	list := func(texts []string) {
		for i := range texts {
			texts[i] = change(texts[i])
		}
	}
	return gives(
		func(g *oauth.Grant) {
			g.Subject.ID, g.ClientID = change(g.Subject.ID), change(g.ClientID)
			list(g.Resources)
		},
		func(c *oauth.Credential) {
			c.ClientID, c.Challenge, c.RedirectURI = change(c.ClientID), change(c.Challenge), change(c.RedirectURI)
			list(c.Resources)
		})
}

// less returns the scope that is left of a text that is cut.
func less(s scope.Set, length int) scope.Set {
	text := s.String()
	if len(text) <= length {
		return s
	}
	cut, _, _ := strings.Cut(text, " ")
	return scope.MustParseSet(cut)
}

func valueMutants() []mutant {
	never := time.Time{}
	return []mutant{
		{"a ticket becomes a code", "kinds", gives(grantAsIs, func(c *oauth.Credential) {
			if c.Kind == oauth.KindTicket {
				c.Kind = oauth.KindCode
			}
		})},
		{"every subject is a user", "kinds", gives(func(g *oauth.Grant) { g.Subject.Kind = oauth.SubjectUser }, credentialAsIs)},
		{"only access tokens are issued", "kinds", issues(func(c *oauth.Credential) { c.Kind = oauth.KindAccess })},
		{"the challenge is lost", "codes", gives(grantAsIs, func(c *oauth.Credential) { c.Challenge = "" })},
		{"the challenge of what is issued is lost", "codes", issues(func(c *oauth.Credential) { c.Challenge = "" })},
		{"redirect URIs are cut", "codes", gives(grantAsIs, func(c *oauth.Credential) {
			c.RedirectURI = c.RedirectURI[:min(255, len(c.RedirectURI))]
		})},
		{"resources are separated by spaces", "resources", gives(
			func(g *oauth.Grant) { g.Resources = strings.Fields(strings.Join(g.Resources, " ")) }, credentialAsIs)},
		{"resources are sorted", "resources", gives(grantAsIs, func(c *oauth.Credential) { slices.Sort(c.Resources) })},
		{"a credential has its grant's resources", "resources", func(l *ledger) {
			l.giveCredential = func(c oauth.Credential) oauth.Credential {
				c.Resources = slices.Clone(l.grants[c.GrantID].Resources)
				return c
			}
		}},
		{"a credential has its grant's scope", "scopes", func(l *ledger) {
			l.giveCredential = func(c oauth.Credential) oauth.Credential {
				c = cloneCredential(c)
				c.Scope = l.grants[c.GrantID].Scope
				return c
			}
		}},
		{"scopes are cut", "scopes", gives(grantAsIs, func(c *oauth.Credential) { c.Scope = less(c.Scope, 255) })},
		{"a grant's scope is lost", "scopes", gives(func(g *oauth.Grant) { g.Scope = scope.Set{} }, credentialAsIs)},
		{"times are whole seconds", "times", times(func(at time.Time) time.Time { return at.Truncate(time.Second) })},
		{"times are whole milliseconds", "times", times(func(at time.Time) time.Time { return at.Truncate(time.Millisecond) })},
		{"zero becomes 1970", "times", times(func(at time.Time) time.Time {
			if at.IsZero() {
				return time.Unix(0, 0)
			}
			return at
		})},
		{"1970 becomes zero", "times", times(func(at time.Time) time.Time {
			if at.Unix() == 0 {
				return never
			}
			return at
		})},
		{"times are nanoseconds in 64 bits", "times", times(func(at time.Time) time.Time {
			if at.IsZero() {
				return at
			}
			return time.Unix(0, at.UnixNano()).UTC()
		})},
		{"times are of another zone", "times", times(func(at time.Time) time.Time { return at.Add(time.Hour) })},
		{"columns end at 64 KiB", "largest", gives(grantAsIs, func(c *oauth.Credential) {
			for len(strings.Join(c.Resources, " ")) >= 1<<16 {
				c.Resources = c.Resources[1:]
			}
		})},
		{"texts are trimmed", "text", asText(strings.TrimSpace)},
		{"texts are cut", "text", asText(func(text string) string { return text[:min(len(text), 64)] })},
		{"texts are ASCII", "text", asText(func(text string) string { return strings.ToValidUTF8(strings.Map(ascii, text), "") })},
		{"line ends are changed", "text", asText(func(text string) string { return strings.ReplaceAll(text, "\r\n", "\n") })},
		{"null is nothing", "text", asText(func(text string) string {
			if strings.EqualFold(text, "null") {
				return ""
			}
			return text
		})},
		{"IDs are folded", "ids byte for byte", compares(strings.EqualFold)},
		{"space at the end is ignored", "ids byte for byte", compares(func(a, b string) bool {
			return strings.TrimRight(a, " ") == strings.TrimRight(b, " ")
		})},
		{"IDs are patterns", "ids byte for byte", compares(func(pattern, text string) bool {
			lead, found := strings.CutSuffix(pattern, "%")
			return pattern == text || (found && strings.HasPrefix(text, lead))
		})},
		{"NUL is an error", "hostile text", chokes(func(text string) bool { return strings.Contains(text, "\x00") })},
		{"what is not UTF-8 is an error", "hostile text", chokes(func(text string) bool { return !utf8.ValidString(text) })},
		{"what is too long is an error", "hostile text", chokes(func(text string) bool { return len(text) > 1024 })},
	}
}

func ascii(r rune) rune {
	if r > 127 {
		return '?'
	}
	return r
}

// compares makes filters match by something else than equality.
func compares(equal func(asked, held string) bool) func(*ledger) {
	return func(l *ledger) {
		l.matches = func(f oauth.Filter, g oauth.Grant) bool {
			return !f.IsZero() && (f.GrantID == "" || equal(f.GrantID, g.ID)) && (f.ClientID == "" || equal(f.ClientID, g.ClientID)) &&
				(f.Subject == oauth.Subject{} || f.Subject.Kind == g.Subject.Kind && equal(f.Subject.ID, g.Subject.ID))
		}
	}
}

// chokes makes a text in a question an error.
func chokes(on func(text string) bool) func(*ledger) {
	return func(l *ledger) {
		l.revoke = func(ctx context.Context, f oauth.Filter, at time.Time) (int, error) {
			if on(f.GrantID) || on(f.ClientID) || on(f.Subject.ID) {
				return 0, errors.New("invalid byte sequence")
			}
			return l.rightRevoke(ctx, f, at)
		}
	}
}
