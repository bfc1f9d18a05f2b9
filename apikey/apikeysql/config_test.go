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
	for name, c := range map[string]struct {
		db   *sql.DB
		cfg  apikeysql.Config
		want string
	}{
		"zero":   {new(sql.DB), apikeysql.Config{}, "apikeysql: no Dialect is set: SQLite, PostgreSQL or MySQL"},
		"nil":    {nil, apikeysql.Config{Dialect: apikeysql.SQLite}, "apikeysql: the *sql.DB is nil"},
		"prefix": {new(sql.DB), apikeysql.Config{Dialect: apikeysql.MySQL, TablePrefix: "my-"}, `apikeysql: TablePrefix "my-"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := apikeysql.New(c.db, c.cfg)
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, apikeysql.Migrate(t.Context(), c.db, c.cfg), c.want)
		})
	}
	_, err := apikeysql.Migrations(apikeysql.Config{})
	require.Error(t, err)
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
