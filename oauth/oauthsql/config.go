package oauthsql

import (
	"context"
	"database/sql"
	"embed"
	"io/fs"

	"github.com/latchwork/latchwork/internal/sqlkit"
)

// A Dialect is the SQL that a database speaks. The zero Dialect is refused.
type Dialect string

// The dialects, and the oldest releases that are supported.
const (
	SQLite     Dialect = "sqlite"   // 3.37
	PostgreSQL Dialect = "postgres" // 13
	MySQL      Dialect = "mysql"    // 8.0, and MariaDB from 10.6 on
)

// A Config says what the database is like.
type Config struct {
	Dialect Dialect

	// TablePrefix begins the names of all tables and indexes: a letter and
	// then at most 31 of a-z, 0-9 and underscore. Empty: "latchwork_".
	TablePrefix string

	// SQLState returns the SQLSTATE of a driver's error, for drivers that are
	// not known here: "23505" when a unique value was there already, "40001"
	// when the transaction was given up and may be run again. Nil, or an empty
	// answer: the driver is one of those that are known.
	SQLState func(error) string
}

//go:embed migrations
var files embed.FS

func open(db *sql.DB, cfg Config) (*sqlkit.DB, error) {
	pkg := sqlkit.Package{Name: "oauthsql", Versions: "latchwork_oauth_schema", Files: files}
	return sqlkit.New(db, pkg, sqlkit.Config{
		Dialect: sqlkit.Dialect(cfg.Dialect), TablePrefix: cfg.TablePrefix, SQLState: cfg.SQLState,
	})
}

// Migrate creates the tables, or brings them to the version that this release
// needs. It does nothing when they are there, and may be called by several
// nodes at once. Those of an even newer release are an error.
func Migrate(ctx context.Context, db *sql.DB, cfg Config) error {
	d, err := open(db, cfg)
	if err != nil {
		return err
	}
	return d.Migrate(ctx)
}

// Migrations returns what Migrate executes, as files for goose or another tool,
// in the order of their names: "0001_oauth.sql". The database of cfg.Dialect is
// not asked anything.
func Migrations(cfg Config) (fs.FS, error) {
	d, err := open(new(sql.DB), cfg)
	if err != nil {
		return nil, err
	}
	return d.Migrations()
}
