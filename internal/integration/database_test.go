package integration

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"
)

// long makes the proofs take as long as .ci/full has time.
var long = flag.Bool("long", false, "more rounds, more faults, more keys")

// A database is one of the three, with tables of its own.
type database struct {
	dialect string // as the packages under test call it
	driver  string
	source  string
	prefix  string
}

// sqliteOptions are what the stores want of SQLite.
const sqliteOptions = "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)"

// dialects are the names of all databases.
func dialects() []string { return []string{"sqlite", "postgres", "mysql"} }

// newDatabase returns a database without tables, which is gone after the test.
func newDatabase(t testing.TB, dialect string) database {
	t.Helper()
	d := database{dialect: dialect, prefix: fmt.Sprintf("t%s_", strings.ToLower(rand.Text()[:10]))}
	switch dialect {
	case "sqlite":
		d.driver, d.source = "sqlite", "file:"+filepath.Join(t.TempDir(), "test.db")+sqliteOptions
		return d
	case "postgres":
		d.driver, d.source = "pgx", cmp.Or(os.Getenv("LATCHWORK_POSTGRES"), "postgres://postgres@127.0.0.1:5432/test?sslmode=disable")
	case "mysql":
		d.driver, d.source = "mysql", cmp.Or(os.Getenv("LATCHWORK_MYSQL"), "root@tcp(127.0.0.1:3306)/test")
	}
	db := d.open(t)
	t.Cleanup(func() {
		for _, table := range d.tables(t, db) {
			d.exec(t, db, "DROP TABLE "+table)
		}
	})
	return d
}

// handle returns another handle on the database, which is closed after the
// test.
func (d database) handle(t testing.TB) *sql.DB {
	t.Helper()
	db, err := sql.Open(d.driver, d.source)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(16)
	db.SetMaxIdleConns(16)
	return db
}

// open returns another handle on a database that is there.
func (d database) open(t testing.TB) *sql.DB {
	t.Helper()
	db := d.handle(t)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	require.NoErrorf(t, db.PingContext(ctx), "the database %s is not there: .ci/lib starts it, or the environment names another one", d.dialect)
	return db
}

// numbered puts numbers for question marks where the database has some.
func (d database) numbered(text string) string {
	for n := 1; d.dialect == "postgres" && strings.Contains(text, "?"); n++ {
		text = strings.Replace(text, "?", fmt.Sprintf("$%d", n), 1)
	}
	return text
}

// exec executes a statement that ought not to fail.
func (d database) exec(t testing.TB, db *sql.DB, statement string, args ...any) {
	t.Helper()
	_, err := db.ExecContext(context.Background(), statement, args...)
	require.NoError(t, err, statement)
}

// tables returns the names of all tables, those that refer to others first.
func (d database) tables(t testing.TB, db *sql.DB) []string {
	t.Helper()
	query := map[string]string{
		"sqlite":   "SELECT name FROM sqlite_schema WHERE type = 'table'",
		"postgres": "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()",
		"mysql":    "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()",
	}[d.dialect]
	rows, err := db.QueryContext(context.Background(), query)
	require.NoError(t, err)
	defer func() { _ = rows.Close() }()
	var names []string
	for rows.Next() {
		var name string
		require.NoError(t, rows.Scan(&name))
		if strings.HasPrefix(name, d.prefix) {
			names = append(names, name)
		}
	}
	require.NoError(t, rows.Err())
	parents := []string{d.prefix + "keys", d.prefix + "grants"}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(slices.Index(parents, a), slices.Index(parents, b)), cmp.Compare(a, b))
	})
	return names
}

// analyze tells the database how many rows there are of which kind.
func (d database) analyze(t testing.TB, db *sql.DB) {
	t.Helper()
	for _, table := range d.tables(t, db) {
		d.exec(t, db, map[string]string{"sqlite": "ANALYZE ", "postgres": "ANALYZE ", "mysql": "ANALYZE TABLE "}[d.dialect]+table)
	}
}

// empty deletes every row but the versions of the schema.
func (d database) empty(t testing.TB, db *sql.DB) {
	t.Helper()
	for _, table := range d.tables(t, db) {
		if !strings.HasSuffix(table, "_schema") {
			d.exec(t, db, "DELETE FROM "+table)
		}
	}
}
