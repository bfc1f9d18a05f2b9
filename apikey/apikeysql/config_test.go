package apikeysql_test

import (
	"context"
	"database/sql"
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey/apikeysql"
)

func TestConfigIsRefused(t *testing.T) {
	_, err := apikeysql.New(new(sql.DB), apikeysql.Config{})
	require.ErrorContains(t, err, "apikeysql: no Dialect is set")
	require.Equal(t, err, apikeysql.Migrate(t.Context(), new(sql.DB), apikeysql.Config{}))
	_, again := apikeysql.Migrations(apikeysql.Config{})
	require.Equal(t, err, again)
}

func TestMigrations(t *testing.T) {
	for _, dialect := range []apikeysql.Dialect{apikeysql.SQLite, apikeysql.PostgreSQL, apikeysql.MySQL} {
		files, err := apikeysql.Migrations(apikeysql.Config{Dialect: dialect, TablePrefix: "acme_"})
		require.NoError(t, err)
		text, err := fs.ReadFile(files, "0001_keys.sql")
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(string(text), "-- +goose Up\n"), "as goose wants it")
		require.Contains(t, string(text), "acme_key_secrets")
		require.NotContains(t, string(text), "latchwork")
	}
}

func Example() {
	// Import a driver: _ "modernc.org/sqlite"
	db, err := sql.Open("sqlite", "file:keys.db?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)")
	if err != nil {
		panic(err)
	}
	cfg := apikeysql.Config{Dialect: apikeysql.SQLite}
	if err := apikeysql.Migrate(context.Background(), db, cfg); err != nil {
		panic(err)
	}
	store, err := apikeysql.New(db, cfg)
	if err != nil {
		panic(err)
	}
	defer func() { _ = store.Close() }()
}
