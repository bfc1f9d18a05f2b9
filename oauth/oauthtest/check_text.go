package oauthtest

import (
	"context"
	"fmt"
	"strings"

	"github.com/latchwork/latchwork/oauth"
)

func textChecks() []check {
	return []check{
		{
			"text", "Texts come back as they went in, whatever characters they have.",
			checkText,
		},
		{
			"ids byte for byte", "The IDs of grants, subjects and clients are compared byte for byte.",
			checkIDs,
		},
		{
			"hostile text", "Whatever is asked for, what is not there is a miss and not an error.",
			checkHostile,
		},
	}
}

// texts returns what a careless store cuts, trims, folds or chokes on.
func texts() []string {
	return []string{
		"",
		" leading and trailing ",
		`it's "quoted" and \escaped\ and %s 100% a_b ?`,
		`'; DROP TABLE grants; --`,
		"<script>alert(1)</script> & \u202eltr",
		"Ünïcødé \u00e9 e\u0301 \u65e5\u672c\u8a9e \U0001F511 \u0130\u0131 \u00df\u1e9e",
		"line\nline\r\n\ttab",
		"NULL", "0", "1e3", "true", "{}", "null", "[]",
		strings.Repeat("\U0001F511", 63),
	}
}

func checkText(ctx context.Context, t *trial) error {
	for _, text := range texts() {
		err := t.comesBack(ctx, oauth.KindCode,
			func(g *oauth.Grant) {
				g.Subject.ID, g.Resources = text, []string{text, "", text}
				if text != "" {
					g.ClientID = text
				}
			},
			func(c *oauth.Credential) {
				c.ID, c.Challenge, c.RedirectURI = text, text, text
				c.Resources = []string{text}
			})
		if err != nil {
			return fmt.Errorf("%.60q: %w", text, err)
		}
	}
	return nil
}

// near returns texts that a careless store takes for this one.
func near(text string) []string {
	return []string{
		strings.ToUpper(text), text + " ", " " + text, text[:len(text)-1], text + "0", strings.ReplaceAll(text, "-", ""),
		"{" + text + "}", text[:len(text)-1] + "_", text[:len(text)-1] + "%", text + "\u00ad", text + "\u0301",
	}
}

func checkIDs(ctx context.Context, t *trial) error {
	// The letters matter: there must be some to fold.
	const lower = "abcdef01-ab"
	g, access, refresh, err := t.begin(ctx, func(g *oauth.Grant) { g.Subject.ID, g.ClientID = lower, lower })
	if err != nil {
		return err
	}
	var misses []oauth.Filter
	for _, text := range near(lower) {
		misses = append(misses,
			oauth.Filter{Subject: oauth.Subject{Kind: oauth.SubjectUser, ID: text}}, oauth.Filter{ClientID: text})
	}
	for _, text := range near(g.ID) {
		misses = append(misses, oauth.Filter{GrantID: text})
	}
	misses = append(misses, oauth.Filter{Subject: oauth.Subject{Kind: "USER", ID: lower}})
	for _, f := range misses {
		if err := t.matchesNothing(ctx, f); err != nil {
			return err
		}
		if err := t.is(ctx, g, access, refresh); err != nil {
			return fmt.Errorf("after RevokeGrants with %s: %w", describe(f), err)
		}
	}
	upper, upperAccess, upperRefresh, err := t.begin(ctx, func(other *oauth.Grant) {
		other.ID = strings.ToUpper(g.ID)
		other.Subject.ID, other.ClientID = strings.ToUpper(lower), strings.ToUpper(lower)
	})
	if err != nil {
		return fmt.Errorf("the grant %q beside %q: %w", upper.ID, g.ID, err)
	}
	if err := t.is(ctx, upper, upperAccess, upperRefresh); err != nil {
		return err
	}
	return t.is(ctx, g, access, refresh)
}

// matchesNothing checks that a filter selects nothing, neither for a list nor
// for a revocation.
func (t *trial) matchesNothing(ctx context.Context, f oauth.Filter) error {
	grants, err := t.Store.Grants(ctx, f, oauth.Page{Limit: 1000})
	if err != nil || len(grants) > 0 {
		return fmt.Errorf("Grants with %s: %d, %w, want none", describe(f), len(grants), orNone(err))
	}
	return t.revokes(ctx, f, now(), 0)
}

func checkHostile(ctx context.Context, t *trial) error {
	g, access, refresh, err := t.begin(ctx)
	if err != nil {
		return err
	}
	for _, text := range []string{"\x00", "app\x00", "\xff\xfe", "\xed\xa0\x80", "\xc0\xaf", strings.Repeat("9", 100_000)} {
		for _, f := range []oauth.Filter{
			{GrantID: text},
			{GrantID: g.ID, Subject: oauth.Subject{Kind: oauth.SubjectUser, ID: text}},
			{Subject: oauth.Subject{Kind: oauth.SubjectUser, ID: text}},
			{ClientID: text},
		} {
			if err := t.matchesNothing(ctx, f); err != nil {
				return err
			}
		}
		s := t.spend(refresh, func(s *oauth.Spend) { s.ClientID = text })
		if err := t.refuses(ctx, fmt.Sprintf("by the client %.20q", text), oauth.ErrNotFound, s, t.pair(g)...); err != nil {
			return err
		}
	}
	return t.is(ctx, g, access, refresh)
}
