package integration

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey/apikeysql"
	"github.com/latchwork/latchwork/oauth/oauthsql"
)

// A schema is what a package with tables makes of a database.
type schema struct {
	name     string
	versions string
	migrate  func(ctx context.Context, db *sql.DB, d database) error
	open     func(db *sql.DB, d database) error
	files    func(d database) (fs.FS, error)
}

func schemas() []schema {
	return []schema{
		{
			"apikeysql", "key_schema",
			func(ctx context.Context, db *sql.DB, d database) error {
				return apikeysql.Migrate(ctx, db, d.keyConfig())
			},
			func(db *sql.DB, d database) error {
				store, err := apikeysql.New(db, d.keyConfig())
				if err == nil {
					err = store.Close()
				}
				return err
			},
			func(d database) (fs.FS, error) { return apikeysql.Migrations(d.keyConfig()) },
		},
		{
			"oauthsql", "oauth_schema",
			func(ctx context.Context, db *sql.DB, d database) error {
				return oauthsql.Migrate(ctx, db, d.oauthConfig())
			},
			func(db *sql.DB, d database) error {
				store, err := oauthsql.New(db, d.oauthConfig())
				if err == nil {
					err = store.Close()
				}
				return err
			},
			func(d database) (fs.FS, error) { return oauthsql.Migrations(d.oauthConfig()) },
		},
	}
}

// eachSchema runs a test with every package on every database.
func eachSchema(t *testing.T, test func(t *testing.T, d database, s schema)) {
	t.Helper()
	for _, dialect := range dialects() {
		for _, s := range schemas() {
			t.Run(dialect+"/"+s.name, func(t *testing.T) { test(t, newDatabase(t, dialect), s) })
		}
	}
}

func TestSchemaVersions(t *testing.T) {
	eachSchema(t, func(t *testing.T, d database, s schema) {
		db := d.open(t)
		require.EqualError(t, s.open(db, d),
			s.name+": there is no schema in this database: call "+s.name+".Migrate(ctx, db, cfg) first")
		for range 2 {
			require.NoError(t, s.migrate(t.Context(), db, d))
			require.NoError(t, s.open(db, d))
		}

		d.exec(t, db, "DELETE FROM "+d.prefix+s.versions)
		require.ErrorContains(t, s.open(db, d), "there is no schema")
		d.exec(t, db, "INSERT INTO "+d.prefix+s.versions+" (version) VALUES (1), (99)")
		newer := s.name + ": the schema has version 99, and this program knows version 1: run a newer release of github.com/latchwork/latchwork"
		require.EqualError(t, s.open(db, d), newer)
		require.EqualError(t, s.migrate(t.Context(), db, d), newer)

		over, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, s.migrate(over, db, d), context.Canceled)
	})
}

func TestMigrateFromManyNodes(t *testing.T) {
	eachSchema(t, func(t *testing.T, d database, s schema) {
		migrateFromManyNodes(t, d, s)
		switch d.dialect {
		case "sqlite": // the first connections to a new file get into each other's way now and then
			for range 50 {
				migrateFromManyNodes(t, newDatabase(t, d.dialect), s)
			}
		case "postgres": // whose snapshots can be older than what a lock was waited for
			d = newDatabase(t, d.dialect)
			d.source += "&default_transaction_isolation=repeatable%20read"
			migrateFromManyNodes(t, d, s)
		}
	})
}

func migrateFromManyNodes(t *testing.T, d database, s schema) {
	t.Helper()
	const nodes = 4
	handles := make([]*sql.DB, nodes)
	for i := range handles {
		handles[i] = d.handle(t) // the file of SQLite is not there yet
	}
	errs := make([]error, nodes)
	var all sync.WaitGroup
	for i, db := range handles {
		all.Go(func() {
			if errs[i] = s.migrate(context.Background(), db, d); errs[i] == nil {
				errs[i] = s.open(db, d)
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	var rows int
	require.NoError(t, handles[0].QueryRowContext(t.Context(), "SELECT COUNT(*) FROM "+d.prefix+s.versions).Scan(&rows))
	require.Equal(t, 1, rows)
}

// A migration that is cut off in the middle is completed by the next one.
func TestMigrateAgain(t *testing.T) {
	eachSchema(t, func(t *testing.T, d database, s schema) {
		db := d.open(t)
		require.NoError(t, s.migrate(t.Context(), db, d))
		if d.dialect != "mysql" {
			return // one transaction, all or nothing
		}
		d.exec(t, db, "DELETE FROM "+d.prefix+s.versions)
		tables := d.tables(t, db)
		d.exec(t, db, "DROP TABLE "+tables[0])
		require.NoError(t, s.migrate(t.Context(), db, d))
		require.NoError(t, s.open(db, d))
		require.Equal(t, tables, d.tables(t, db))
	})
}

// Who runs the files by other means gets the schema that New wants.
func TestMigrationFiles(t *testing.T) {
	eachSchema(t, func(t *testing.T, d database, s schema) {
		db := d.open(t)
		files, err := s.files(d)
		require.NoError(t, err)
		names, err := fs.Glob(files, "*.sql")
		require.NoError(t, err)
		require.NotEmpty(t, names)
		for _, name := range names {
			text, err := fs.ReadFile(files, name)
			require.NoError(t, err)
			for statement := range strings.SplitSeq(string(text), ";\n") {
				if strings.TrimSpace(statement) != "" {
					d.exec(t, db, statement)
				}
			}
		}
		require.NoError(t, s.open(db, d))
	})
}

func TestSQLiteRefusals(t *testing.T) {
	const advice = `sql.Open("sqlite", "file:FILE?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)")`
	for _, s := range schemas() {
		for name, c := range map[string]struct {
			source string
			conns  int
			once   string // executed on one connection
			want   []string
		}{
			"nothing set": {"file:FILE", 0, "", []string{
				"busy_timeout is 0: whoever meets a writer fails at once", "foreign_keys is 0: secrets would outlive their keys",
				"journal_mode is delete: readers and writers would block each other", advice,
			}},
			"no busy_timeout":        {"file:FILE?_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)&_pragma=busy_timeout(0)", 0, "", []string{"busy_timeout is 0", advice}},
			"no foreign_keys":        {"file:FILE?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)", 0, "", []string{"foreign_keys is 0", advice}},
			"on one connection only": {"file:FILE?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)", 0, "PRAGMA foreign_keys = ON", []string{"foreign_keys is 0", advice}},
			"memory in a pool":       {":memory:?_pragma=foreign_keys(1)", 0, "", []string{"a database in memory is another one on each connection", "db.SetMaxOpenConns(1)"}},
			"memory, no keys":        {":memory:", 1, "", []string{"foreign_keys is 0", advice}},
			"no directory":           {"file:/nowhere/to/be/found.db", 0, "", []string{"open: "}},
			"no database":            {"file:TEXT", 0, "", []string{"not a database"}},
		} {
			t.Run(s.name+"/"+name, func(t *testing.T) {
				dir := t.TempDir()
				require.NoError(t, os.WriteFile(filepath.Join(dir, "text"), []byte(strings.Repeat("no database ", 100)), 0o600))
				source := strings.NewReplacer("FILE", filepath.Join(dir, "test.db"), "TEXT", filepath.Join(dir, "text")).Replace(c.source)
				db, err := sql.Open("sqlite", source)
				require.NoError(t, err)
				defer func() { _ = db.Close() }()
				db.SetMaxOpenConns(c.conns)
				if c.once != "" {
					_, err := db.ExecContext(t.Context(), c.once)
					require.NoError(t, err)
				}
				err = s.open(db, database{dialect: "sqlite", prefix: "x_"})
				require.ErrorContains(t, err, s.name+": ")
				for _, want := range c.want {
					require.ErrorContains(t, err, want)
				}
			})
		}
	}
}

func TestSQLiteInMemory(t *testing.T) {
	for _, s := range schemas() {
		db, err := sql.Open("sqlite", ":memory:?_pragma=foreign_keys(1)")
		require.NoError(t, err)
		defer func() { _ = db.Close() }()
		db.SetMaxOpenConns(1)
		d := database{dialect: "sqlite", prefix: "x_"}
		require.NoError(t, s.migrate(t.Context(), db, d))
		require.NoError(t, s.open(db, d))
	}
}

func TestMySQLMustBeStrict(t *testing.T) {
	d := newDatabase(t, "mysql")
	for _, s := range schemas() {
		require.NoError(t, s.migrate(t.Context(), d.open(t), d))
		loose := d
		loose.source = withOption(d.source, "sql_mode=%27%27")
		require.ErrorContains(t, s.open(loose.open(t), d), "add to the data source name: &sql_mode=%27STRICT_ALL_TABLES%27")
		strict := d
		strict.source = withOption(d.source, "sql_mode=%27STRICT_ALL_TABLES%27")
		require.NoError(t, s.open(strict.open(t), d))
	}
}

func TestMySQLMustCommit(t *testing.T) {
	d := newDatabase(t, "mysql")
	for _, s := range schemas() {
		require.NoError(t, s.migrate(t.Context(), d.open(t), d))
		never := d
		never.source = withOption(d.source, "autocommit=0")
		require.ErrorContains(t, s.open(never.open(t), d), "add to the data source name: &autocommit=1")
	}
}

func withOption(source, option string) string {
	separator := "?"
	if strings.Contains(source, "?") {
		separator = "&"
	}
	return source + separator + option
}

// A wrong data source name, a server that is not there.
func TestNobodyThere(t *testing.T) {
	for _, c := range []struct{ driver, dialect, source string }{
		{"pgx", "postgres", "postgres://postgres@127.0.0.1:1/test?sslmode=disable"},
		{"mysql", "mysql", "root@tcp(127.0.0.1:1)/test"},
	} {
		for _, s := range schemas() {
			db, err := sql.Open(c.driver, c.source)
			require.NoError(t, err)
			defer func() { _ = db.Close() }()
			d := database{dialect: c.dialect, prefix: "x_"}
			for what, err := range map[string]error{"open": s.open(db, d), "migrate": s.migrate(t.Context(), db, d)} {
				require.ErrorContains(t, err, fmt.Sprintf("%s: %s: ", s.name, what))
				require.ErrorContains(t, err, "connection refused")
			}
		}
	}
}

func TestMySQLWithoutADatabase(t *testing.T) {
	d := newDatabase(t, "mysql")
	bare, _, found := strings.Cut(d.source, "/")
	require.True(t, found)
	d.source = bare + "/"
	for _, s := range schemas() {
		require.ErrorContains(t, s.migrate(t.Context(), d.open(t), d), "the data source name says no database")
	}
}
