package oauthtest

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/latchwork/latchwork/oauth"
	"github.com/latchwork/latchwork/scope"
)

func valueChecks() []check {
	return []check{
		{
			"kinds", "The kinds of subjects and credentials come back as they went in.",
			checkKinds,
		},
		{
			"codes", "Of a code, the challenge and the redirect URI come back as they went in.",
			checkCodes,
		},
		{
			"resources", "Resources come back one for one, in their order.",
			checkResources,
		},
		{
			"scopes", "What cannot be read back whole is an error, never a scope with less in it; a grant's is not its credentials'.",
			checkScopes,
		},
		{
			"times", "Times come in UTC and whole microseconds and are returned as the same instants; zero stays zero.",
			checkTimes,
		},
		{
			"largest", "The largest records that the limits allow come back whole.",
			checkLargest,
		},
	}
}

// comesBack stores a new grant with one credential of this kind, issues another
// one like it, and checks that all of them come back.
func (t *trial) comesBack(ctx context.Context, kind oauth.CredentialKind, grant func(*oauth.Grant), edit func(*oauth.Credential)) error {
	g := t.grant(grant)
	c := t.credential(g, kind, edit)
	bearer := t.credential(g, oauth.KindRefresh, func(c *oauth.Credential) { c.ExpiresAt = now().Add(time.Hour) })
	if err := t.create(ctx, g, c, bearer); err != nil {
		return err
	}
	if err := t.is(ctx, g, c, bearer); err != nil {
		return err
	}
	if !g.RevokedAt.IsZero() || !now().Before(g.ExpiresAt) {
		return nil // nothing can be issued
	}
	s, issued := t.spend(bearer), t.credential(g, kind, edit)
	if err := t.takesEffect(ctx, s, issued); err != nil {
		return err
	}
	return wrap("issued by a Spend", t.is(ctx, g, c, issued, spent(bearer, s)))
}

func asItIs[T any](*T) {}

func checkKinds(ctx context.Context, t *trial) error {
	for _, kind := range []oauth.CredentialKind{oauth.KindAccess, oauth.KindRefresh, oauth.KindCode, oauth.KindTicket} {
		for _, subject := range []oauth.SubjectKind{oauth.SubjectUser, oauth.SubjectClient, oauth.SubjectPending} {
			err := t.comesBack(ctx, kind, func(g *oauth.Grant) { g.Subject.Kind = subject }, asItIs)
			if err != nil {
				return fmt.Errorf("%s of a %s: %w", kind, subject, err)
			}
		}
	}
	return nil
}

func checkCodes(ctx context.Context, t *trial) error {
	for _, code := range []struct{ challenge, redirect string }{
		{"", ""},
		{"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "https://app.example/callback?a=1&b=%20"},
		{strings.Repeat("-", 43), "http://127.0.0.1:8081/callback"},
		{strings.Repeat("_", 43), "com.example.app:/oauth2redirect"},
		{strings.Repeat("A", 128), "https://app.example/" + strings.Repeat("long/", 400)},
	} {
		err := t.comesBack(ctx, oauth.KindCode, asItIs, func(c *oauth.Credential) {
			c.Challenge, c.RedirectURI = code.challenge, code.redirect
		})
		if err != nil {
			return fmt.Errorf("%.60q: %w", code.redirect, err)
		}
	}
	return nil
}

func checkResources(ctx context.Context, t *trial) error {
	for _, resources := range [][]string{
		nil,
		{"https://api.example/"},
		{"https://b.example/", "https://a.example/", "https://b.example/"},
		{"https://api.example/a,b;c|d e", `https://api.example/"['\`, "urn:x:{}", "urn:x:null"},
		{strings.Repeat("https://api.example/long/", 80), ""},
	} {
		for _, others := range [][]string{nil, resources} {
			err := t.comesBack(ctx, oauth.KindAccess,
				func(g *oauth.Grant) { g.Resources = resources }, func(c *oauth.Credential) { c.Resources = others })
			if err == nil {
				err = t.comesBack(ctx, oauth.KindAccess,
					func(g *oauth.Grant) { g.Resources = others }, func(c *oauth.Credential) { c.Resources = resources })
			}
			if err != nil {
				return fmt.Errorf("%.80q: %w", resources, err)
			}
		}
	}
	return nil
}

// many returns a set of the greatest size.
func many(lead string) (scope.Set, error) {
	grants := make([]string, 256)
	for i := range grants {
		grants[i] = fmt.Sprintf("%s.%03d", lead, i)
	}
	return scope.ParseSet(grants...)
}

func checkScopes(ctx context.Context, t *trial) error {
	all, err := many("group.do_it-")
	if err != nil {
		return err
	}
	for _, set := range []scope.Set{
		{}, scope.MustParseSet("profile"), scope.MustParseSet("Profile", "users.viewAny", "a-b_c.D", "0"), all,
	} {
		for _, other := range []scope.Set{{}, set} {
			err := t.comesBack(ctx, oauth.KindAccess,
				func(g *oauth.Grant) { g.Scope = set }, func(c *oauth.Credential) { c.Scope = other })
			if err == nil {
				err = t.comesBack(ctx, oauth.KindAccess,
					func(g *oauth.Grant) { g.Scope = other }, func(c *oauth.Credential) { c.Scope = set })
			}
			if err != nil {
				return fmt.Errorf("a scope of %d: %w", set.Len(), err)
			}
		}
	}
	return nil
}

// instants returns what a careless store rounds, shifts or takes for none.
func instants() []time.Time {
	berlin := time.FixedZone("", 2*60*60)
	return []time.Time{
		{},
		time.Unix(0, 0).UTC(),
		time.Unix(0, 1000).UTC(),
		time.Unix(0, -1000).UTC(),
		time.Date(1969, 7, 20, 20, 17, 40, 123_456_000, time.UTC),
		time.Date(2026, 2, 28, 23, 59, 59, 999_999_000, time.UTC),
		time.Date(2026, 3, 29, 2, 30, 0, 1000, berlin).UTC(),
		time.Date(2038, 1, 19, 3, 14, 8, 0, time.UTC),
		time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC),
	}
}

func checkTimes(ctx context.Context, t *trial) error {
	for _, at := range instants() {
		for what, edit := range map[string]struct {
			grant      func(*oauth.Grant)
			credential func(*oauth.Credential)
		}{
			"a grant's CreatedAt and a credential's ExpiresAt": {
				func(g *oauth.Grant) { g.CreatedAt = at }, func(c *oauth.Credential) { c.ExpiresAt = at },
			},
			"a grant's ExpiresAt and a credential's CreatedAt": {
				func(g *oauth.Grant) { g.ExpiresAt = at }, func(c *oauth.Credential) { c.CreatedAt = at },
			},
			"a grant's RevokedAt and a credential's SpentAt": {
				func(g *oauth.Grant) { g.RevokedAt = at }, func(c *oauth.Credential) { c.SpentAt = at },
			},
		} {
			g := t.grant(edit.grant)
			c := t.credential(g, oauth.KindAccess, edit.credential)
			if err := t.create(ctx, g, c); err != nil {
				return fmt.Errorf("%s: %s: %w", what, instant(at), err)
			}
			if err := t.is(ctx, g, c); err != nil {
				return fmt.Errorf("%s: %s: %w", what, instant(at), err)
			}
		}
	}
	return nil
}

// checkLargest has more than the 64 KiB at which some column types end.
func checkLargest(ctx context.Context, t *trial) error {
	segment := strings.Repeat("p", 63)
	all, err := many(fmt.Sprintf("%s.%s.%s.%059d", segment, segment, segment, 0))
	if err != nil {
		return err
	}
	resources := make([]string, 64)
	for i := range resources {
		resources[i] = fmt.Sprintf("https://api.example/%04d/%s", i, strings.Repeat("r", 1024))
	}
	return t.comesBack(ctx, oauth.KindCode,
		func(g *oauth.Grant) {
			g.Scope, g.Resources = all, resources
			g.ClientID, g.Subject.ID = strings.Repeat("c", 255), strings.Repeat("s", 255)
		},
		func(c *oauth.Credential) {
			c.Scope, c.Resources = all, resources
			c.RedirectURI = "https://app.example/" + strings.Repeat("u", 2000)
			c.Challenge = strings.Repeat("Z", 128)
		})
}
