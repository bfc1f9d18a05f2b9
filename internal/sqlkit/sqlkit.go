// Package sqlkit is what the stores on database/sql share: three dialects,
// table names, errors of drivers that are not imported, transactions that are
// repeated, migrations, and values as they stand in columns.
package sqlkit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A Dialect is the SQL that a database speaks. The zero Dialect is none.
type Dialect string

// The dialects.
const (
	SQLite     Dialect = "sqlite"
	PostgreSQL Dialect = "postgres"
	MySQL      Dialect = "mysql" // and MariaDB
)

// DefaultPrefix begins the names of all tables and indexes, in statements and
// migrations alike, and stands for the one that is configured.
const DefaultPrefix = "latchwork_"

const maxPrefix = 32

// A Package is one package with tables of its own.
type Package struct {
	Name string // "apikeysql"

	// Versions is the table with the versions of the schema.
	Versions string

	// Files holds the migrations, in a directory for each dialect.
	Files fs.FS
}

// A Config is what a package's own Config says.
type Config struct {
	Dialect     Dialect
	TablePrefix string // empty: DefaultPrefix

	// SQLState says what kind of error a driver's is. Nil, and an empty
	// answer: the errors of well-known drivers are known.
	SQLState func(error) string
}

// A DB is a database with the tables of one package.
type DB struct {
	*sql.DB

	pkg      Package
	dialect  Dialect
	prefix   string
	sqlState func(error) string

	mu    sync.Mutex
	stmts []*sql.Stmt
}

// New validates the configuration. It asks the database nothing.
func New(db *sql.DB, pkg Package, cfg Config) (*DB, error) {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf(pkg.Name+": "+format, args...))
	}
	if db == nil {
		fault("the *sql.DB is nil")
	}
	switch cfg.Dialect {
	case SQLite, PostgreSQL, MySQL:
	case "":
		fault("no Dialect is set: SQLite, PostgreSQL or MySQL, which is MariaDB's too")
	default:
		fault("unknown Dialect %.40q", cfg.Dialect)
	}
	if cfg.TablePrefix == "" {
		cfg.TablePrefix = DefaultPrefix
	}
	if !isPrefix(cfg.TablePrefix) {
		fault("TablePrefix %.40q: want a letter and then at most %d of a-z, 0-9 and underscore", cfg.TablePrefix, maxPrefix-1)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return &DB{DB: db, pkg: pkg, dialect: cfg.Dialect, prefix: cfg.TablePrefix, sqlState: cfg.SQLState}, nil
}

// isPrefix reports whether s may begin the names of tables. Capital letters are
// not among them: one database folds them, another one does not.
func isPrefix(s string) bool {
	if s == "" || len(s) > maxPrefix || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z')
	})
}

// Dialect returns the dialect.
func (d *DB) Dialect() Dialect { return d.dialect }

// SQL returns a statement as this database wants it: with its table names, and
// with numbers for the question marks where they have some.
func (d *DB) SQL(text string) string {
	text = d.named(text)
	if d.dialect != PostgreSQL {
		return text
	}
	var b strings.Builder
	for n := 1; ; n++ {
		before, after, found := strings.Cut(text, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(n))
		text = after
	}
}

// named puts the configured prefix into a text.
func (d *DB) named(text string) string {
	if d.prefix == DefaultPrefix {
		return text
	}
	return strings.ReplaceAll(text, DefaultPrefix, d.prefix)
}

// Is compares a column with one value in a SELECT that joins. It is what = ? is,
// but for SQLite with the statistics of ANALYZE (where it is built with STAT4):
// that plans = ? again for every value, which takes twice as long as the rest.
const Is = "IN (?)"

// Marks returns n question marks, separated by commas.
func Marks(n int) string {
	if n == 0 {
		return ""
	}
	return strings.Repeat("?, ", n-1) + "?"
}

// In returns what stands behind IN for some values, and the values, the last of
// them repeated up to a power of two: servers and drivers keep statements by
// their text, so there must be few.
func In(values []any) (list string, padded []any) {
	n := 1
	for n < len(values) {
		n *= 2
	}
	padded = slices.Grow(slices.Clone(values), n-len(values))
	for len(values) > 0 && len(padded) < n {
		padded = append(padded, values[len(values)-1])
	}
	return "(" + Marks(len(padded)) + ")", padded
}

// Rows returns n rows of question marks, width of them each, as VALUES wants
// them.
func Rows(n, width int) string {
	row := "(" + Marks(width) + ")"
	return strings.Repeat(row+", ", n-1) + row
}

// setupTimeout bounds what a constructor asks the database.
const setupTimeout = 10 * time.Second

// Prepare prepares a statement that lives as long as the DB, into *stmt.
func (d *DB) Prepare(ctx context.Context, stmt **sql.Stmt, text string) error {
	prepared, err := d.PrepareContext(ctx, d.SQL(text))
	if err != nil {
		return d.Fail(ctx, "prepare", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	*stmt = prepared
	d.stmts = append(d.stmts, prepared)
	return nil
}

// Close closes what Prepare prepared, and not the database. It does not wait
// long for a connection that is not answered.
func (d *DB) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	stmts := d.stmts
	d.stmts = nil
	return answered(func() error {
		var faults []error
		for _, stmt := range stmts {
			faults = append(faults, stmt.Close())
		}
		return errors.Join(faults...)
	})
}

// Setup checks the database and lets prepare make the statements. What fails
// leaves nothing behind.
func (d *DB) Setup(prepare func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), setupTimeout)
	defer cancel()
	err := d.check(ctx)
	if err == nil {
		err = prepare(ctx)
	}
	if err != nil {
		_ = d.Close() // what is wrong is known already
	}
	return err
}
