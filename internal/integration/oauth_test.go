package integration

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/oauth"
	"github.com/latchwork/latchwork/oauth/oauthsql"
	"github.com/latchwork/latchwork/oauth/oauthtest"
	"github.com/latchwork/latchwork/scope"
)

func (d database) oauthConfig() oauthsql.Config {
	return oauthsql.Config{Dialect: oauthsql.Dialect(d.dialect), TablePrefix: d.prefix}
}

// migrateOAuth creates the tables of grants, tokens and clients.
func (d database) migrateOAuth(t testing.TB, db *sql.DB) {
	t.Helper()
	require.NoError(t, oauthsql.Migrate(context.Background(), db, d.oauthConfig()))
}

// oauthStore returns a store on a handle.
func (d database) oauthStore(t testing.TB, db *sql.DB) *oauthsql.Store {
	t.Helper()
	store, err := oauthsql.New(db, d.oauthConfig())
	require.NoError(t, err)
	t.Cleanup(func() { _ = store.Close() })
	return store
}

func TestReq204_OAuthContract(t *testing.T) {
	for _, dialect := range dialects() {
		t.Run(dialect, func(t *testing.T) {
			d := newDatabase(t, dialect)
			first, second := d.open(t), d.open(t)
			d.migrateOAuth(t, first)
			store, other := d.oauthStore(t, first), d.oauthStore(t, second)
			oauthtest.TestStore(t, func(t *testing.T) oauthtest.Backend {
				d.empty(t, first)
				return oauthtest.Backend{Store: store, Second: other}
			})
			oauthtest.TestClients(t, func(t *testing.T) oauthtest.ClientBackend {
				d.empty(t, first)
				return oauthtest.ClientBackend{Registry: store, Second: other}
			})
		})
	}
}

// An oauthFixture is a store of grants on one of the databases.
type oauthFixture struct {
	database
	db    *sql.DB
	store *oauthsql.Store
}

// eachOAuthStore runs a test with a store of grants on every database.
func eachOAuthStore(t *testing.T, test func(t *testing.T, f oauthFixture)) {
	t.Helper()
	for _, dialect := range dialects() {
		t.Run(dialect, func(t *testing.T) { test(t, newOAuthFixture(t, dialect)) })
	}
}

func newOAuthFixture(t testing.TB, dialect string) oauthFixture {
	t.Helper()
	f := oauthFixture{database: newDatabase(t, dialect)}
	f.db = f.open(t)
	f.migrateOAuth(t, f.db)
	f.store = f.oauthStore(t, f.db)
	return f
}

// newGrant returns a grant of a user, and a refresh token for it.
func newGrant() (oauth.Grant, oauth.Credential) {
	g := oauth.Grant{
		ID: newID(), Subject: oauth.Subject{Kind: oauth.SubjectUser, ID: "ada"}, ClientID: "app",
		Scope: scope.MustParseSet("profile", "invoices"), CreatedAt: start, ExpiresAt: start.Add(24 * time.Hour),
	}
	return g, newCredential(g, oauth.KindRefresh)
}

func newCredential(g oauth.Grant, kind oauth.CredentialKind) oauth.Credential {
	c := oauth.Credential{
		Kind: kind, GrantID: g.ID, ClientID: g.ClientID, Scope: g.Scope, CreatedAt: start, ExpiresAt: start.Add(time.Hour),
	}
	rand.Read(c.Hash[:])
	c.ID = fmt.Sprintf("%x", c.Hash[:8])
	return c
}

// newSpend returns an attempt that nobody has made before.
func newSpend(c oauth.Credential) oauth.Spend {
	s := oauth.Spend{Hash: c.Hash, ClientID: c.ClientID, At: start.Add(time.Minute)}
	rand.Read(s.Attempt[:])
	return s
}

func TestUnreadableGrants(t *testing.T) {
	eachOAuthStore(t, func(t *testing.T, f oauthFixture) {
		g, c := newGrant()
		require.NoError(t, f.store.CreateGrant(t.Context(), g, c))
		client := oauth.Client{ID: "app", Secrets: make([]oauth.ClientSecret, 1), Version: 1}
		require.NoError(t, f.store.CreateClient(t.Context(), client))
		lookup := func() error { _, _, err := f.store.Lookup(t.Context(), c.Hash); return err }
		grants := func() error {
			_, err := f.store.Grants(t.Context(), oauth.Filter{GrantID: g.ID}, oauth.Page{Limit: 1})
			return err
		}
		one := func() error { _, err := f.store.Client(t.Context(), client.ID); return err }
		list := func() error { _, err := f.store.Clients(t.Context(), oauth.Page{Limit: 1}); return err }
		bad := []string{``, `null`, `{}`, `["profile"`, `["profile",null]`, `["profile",7]`, `profile`}
		hash := strings.Repeat("00", 32)
		for _, c := range []struct {
			table, column string
			values        []string
			reads         map[string]func() error
		}{
			{"credentials", "scope", append(bad, `["pro*file"]`), map[string]func() error{"lookup": lookup}},
			{"credentials", "resources", bad, map[string]func() error{"lookup": lookup}},
			{"grants", "scope", bad, map[string]func() error{"lookup": lookup, "grants": grants}},
			{"grants", "resources", bad, map[string]func() error{"lookup": lookup, "grants": grants}},
			{"clients", "scopes", bad, map[string]func() error{"client": one, "clients": list}},
			{"clients", "redirect_uris", bad, map[string]func() error{"client": one, "clients": list}},
			{"clients", "grant_types", bad, map[string]func() error{"client": one, "clients": list}},
			{
				"clients", "secrets",
				[]string{``, `null`, `{}`, `[null]`, `[{"hash":"00"}]`, `[{"hash":"` + hash + `","deadline":"x"}]`, `[{"hash":"` + hash},
				map[string]func() error{"client": one, "clients": list},
			},
		} {
			var good string
			require.NoError(t, f.db.QueryRowContext(t.Context(), "SELECT "+c.column+" FROM "+f.prefix+c.table).Scan(&good))
			set := func(value string) {
				f.exec(t, f.db, "UPDATE "+f.prefix+c.table+" SET "+c.column+" = '"+value+"'")
			}
			for _, value := range c.values {
				set(value)
				for what, read := range c.reads {
					err := read()
					require.ErrorContainsf(t, err, "oauthsql: "+what, "%s.%s is %s", c.table, c.column, value)
					require.NotErrorIs(t, err, oauth.ErrNotFound)
				}
			}
			set(good)
		}
		require.NoError(t, errors.Join(lookup(), grants(), one(), list()))
	})
}

// What could not be read back, or would read as nothing, is not stored.
func TestUnstorableGrants(t *testing.T) {
	eachOAuthStore(t, func(t *testing.T, f oauthFixture) {
		g, c := newGrant()
		require.NoError(t, f.store.CreateGrant(t.Context(), g, c))
		for name, edit := range map[string]func(*oauth.Grant, *oauth.Credential){
			"subject":     func(g *oauth.Grant, _ *oauth.Credential) { g.Subject.ID = "a\xff" },
			"client":      func(g *oauth.Grant, _ *oauth.Credential) { g.ClientID = "a\x00" },
			"resource":    func(g *oauth.Grant, _ *oauth.Credential) { g.Resources = []string{"\xff"} },
			"id":          func(_ *oauth.Grant, c *oauth.Credential) { c.ID = "\xff" },
			"redirect":    func(_ *oauth.Grant, c *oauth.Credential) { c.RedirectURI = "\xff" },
			"resource of": func(_ *oauth.Grant, c *oauth.Credential) { c.Resources = []string{"\xff"} },
		} {
			other, first := newGrant()
			edit(&other, &first)
			require.ErrorContains(t, f.store.CreateGrant(t.Context(), other, first), "oauthsql: create grant", name)
			_, _, err := f.store.Lookup(t.Context(), first.Hash)
			require.ErrorIs(t, err, oauth.ErrNotFound, name)
		}
		issue := newCredential(g, oauth.KindAccess)
		issue.Challenge = "\xff"
		_, err := f.store.Spend(t.Context(), newSpend(c), issue)
		require.ErrorContains(t, err, "oauthsql: spend")
		_, err = f.store.Spend(t.Context(), oauth.Spend{Hash: c.Hash, ClientID: c.ClientID})
		require.ErrorContains(t, err, "oauthsql: spend: the time is zero")
		_, err = f.store.RevokeGrants(t.Context(), oauth.Filter{GrantID: g.ID}, time.Time{})
		require.ErrorContains(t, err, "oauthsql: revoke grants: the time is zero")
		for _, bad := range []oauth.Client{{ID: "b", Name: "\xff", Version: 1}, {ID: "b", Grants: []oauth.GrantType{"\xff"}, Version: 1}} {
			require.ErrorContains(t, f.store.CreateClient(t.Context(), bad), "oauthsql: create client")
			require.ErrorContains(t, f.store.UpdateClient(t.Context(), bad), "oauthsql: update client")
		}
		spent, err := f.store.Spend(t.Context(), newSpend(c))
		require.NoError(t, err)
		require.True(t, spent.First)
	})
}
