package oauth_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/oauth"
	"github.com/latchwork/latchwork/scope"
)

func TestApplicationsWithAccess(t *testing.T) {
	t.Parallel()
	catalogue, err := scope.NewCatalog(
		scope.Permission{Name: "profile", Group: "you", Label: "View your profile"}, scope.Permission{Name: "invoices", Group: "you", Label: "View your invoices"})
	require.NoError(t, err)
	h := newSite(t, func(c *oauth.Config) { c.Scopes = catalogue })
	h.register("named", func(c *oauth.Client) { c.Name = "An application" })
	start := h.clock.now().UTC().Truncate(time.Microsecond)
	h.approved("client_id", "named")
	h.clock.advance(time.Hour)
	h.approved("client_id", "app", "scope", "invoices")
	h.clock.advance(time.Hour)
	h.approved("client_id", "named", "scope", "profile invoices")
	h.question("u1", asking().Encode()) // nobody has answered
	requireTokens(t, h.as("first", byClient+"&scope=profile"))
	h.people.put("eve", oauth.User{Subject: "u2"})
	q := h.question("u2", asking().Encode())
	h.redirected(h.decide("u2", q.Ticket.Reveal(), "approve"))

	profile := scope.Permission{Name: "profile", Group: "you", Label: "View your profile"}
	invoices := scope.Permission{Name: "invoices", Group: "you", Label: "View your invoices"}
	got, err := h.server.Applications(t.Context(), "u1")
	require.NoError(t, err)
	require.Equal(t, []oauth.Application{
		{"named", "An application", []scope.Permission{invoices, profile}, start, start.Add(2 * time.Hour)},
		{"app", "", []scope.Permission{invoices}, start.Add(time.Hour), start.Add(time.Hour)},
	}, got)

	n, err := h.server.RevokeApplication(t.Context(), "u1", "named")
	require.NoError(t, err)
	require.Equal(t, 2, n)
	got, err = h.server.Applications(t.Context(), "u1")
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.Equal(t, "app", got[0].ClientID)
	others, err := h.server.Applications(t.Context(), "u2")
	require.NoError(t, err)
	require.Len(t, others, 1)
	h.clock.advance(91 * 24 * time.Hour)
	got, err = h.server.Applications(t.Context(), "u1")
	require.NoError(t, err)
	require.Empty(t, got)
}

// A user who signs in every day has more grants than one page.
func TestApplicationsOverManyPages(t *testing.T) {
	t.Parallel()
	h := newSite(t)
	h.approved("client_id", "app")
	for range 1500 {
		h.code(func(g *oauth.Grant, c *oauth.Credential) { g.ID = "1" + g.ID; c.GrantID = g.ID }) // after app's
	}
	got, err := h.server.Applications(t.Context(), "u1")
	require.NoError(t, err)
	require.Len(t, got, 2)
	require.Equal(t, "app", got[1].ClientID)
}

// A page that is open while access is taken away cannot give it again.
func TestRevokeApplicationWithAnOpenPage(t *testing.T) {
	t.Parallel()
	h := newSite(t)
	first, app := h.question("u1", asking().Encode()), h.question("u1", asking("client_id", "app").Encode())
	_, err := h.server.RevokeApplication(t.Context(), "u1", "first")
	require.NoError(t, err)
	requirePage(t, h.decide("u1", first.Ticket.Reveal(), "approve"), 403)
	h.redirected(h.decide("u1", app.Ticket.Reveal(), "approve"))
	app = h.question("u1", asking("client_id", "app").Encode())
	_, err = h.server.RevokeSubject(t.Context(), "u1")
	require.NoError(t, err)
	requirePage(t, h.decide("u1", app.Ticket.Reveal(), "approve"), 403)
}

func TestApplicationsRefuse(t *testing.T) {
	t.Parallel()
	h := newSite(t)
	h.approved()
	ctx := t.Context()
	for _, call := range []string{"Store.Grants", "Clients"} {
		h.tap.do(fail(call))
		_, err := h.server.Applications(ctx, "u1")
		require.ErrorIs(t, err, errBoom)
	}
	h.tap.do(fail("Store.RevokeGrants"))
	_, err := h.server.RevokeApplication(ctx, "u1", "first")
	require.ErrorIs(t, err, errBoom)
	h.tap.do(nil)
	for _, s := range []*oauth.Server{h.server, new(oauth.Server)} {
		_, err := s.Applications(ctx, "")
		require.Error(t, err)
		_, err = s.RevokeApplication(ctx, "", "first")
		require.ErrorIs(t, err, oauth.ErrNotFound)
		_, err = s.RevokeApplication(ctx, "u1", "")
		require.ErrorIs(t, err, oauth.ErrNotFound, "everything is RevokeSubject")
	}
	_, err = new(oauth.Server).RevokeApplication(ctx, "u1", "first")
	require.Error(t, err)
	_, err = new(oauth.Server).Applications(ctx, "u1")
	require.Error(t, err)
	require.Len(t, h.approvals(), 1)
}
