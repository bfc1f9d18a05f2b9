package oauthsql_test

import (
	"context"
	"database/sql"
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/oauth/oauthsql"
)

func TestConfigIsRefused(t *testing.T) {
	_, err := oauthsql.New(new(sql.DB), oauthsql.Config{})
	require.ErrorContains(t, err, "oauthsql: no Dialect is set")
	require.Equal(t, err, oauthsql.Migrate(t.Context(), new(sql.DB), oauthsql.Config{}))
	_, again := oauthsql.Migrations(oauthsql.Config{})
	require.Equal(t, err, again)
}

func TestMigrations(t *testing.T) {
	for _, dialect := range []oauthsql.Dialect{oauthsql.SQLite, oauthsql.PostgreSQL, oauthsql.MySQL} {
		files, err := oauthsql.Migrations(oauthsql.Config{Dialect: dialect, TablePrefix: "acme_"})
		require.NoError(t, err)
		text, err := fs.ReadFile(files, "0001_oauth.sql")
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(string(text), "-- +goose Up\n"), "as goose wants it")
		require.Contains(t, string(text), "acme_credentials")
		require.NotContains(t, string(text), "latchwork")
	}
}

func Example() {
	// Import a driver: _ "modernc.org/sqlite"
	db, err := sql.Open("sqlite", "file:oauth.db?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)")
	if err != nil {
		panic(err)
	}
	cfg := oauthsql.Config{Dialect: oauthsql.SQLite}
	if err := oauthsql.Migrate(context.Background(), db, cfg); err != nil {
		panic(err)
	}
	store, err := oauthsql.New(db, cfg)
	if err != nil {
		panic(err)
	}
	defer func() { _ = store.Close() }()
}
