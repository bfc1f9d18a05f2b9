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

// common is the Config as sqlkit has it.
func (c Config) common() sqlkit.Config {
	return sqlkit.Config{Dialect: sqlkit.Dialect(c.Dialect), TablePrefix: c.TablePrefix, SQLState: c.SQLState}
}

//go:embed migrations
var files embed.FS

// tables are those of this package.
func tables() sqlkit.Package {
	return sqlkit.Package{Name: "oauthsql", Versions: "latchwork_oauth_schema", Files: files}
}

// Migrate creates the tables, or brings them to the version that this release
// needs. It does nothing when they are there, and may be called by several
// nodes at once. Those of an even newer release are an error.
func Migrate(ctx context.Context, db *sql.DB, cfg Config) error {
	return tables().Migrate(ctx, db, cfg.common())
}

// Migrations returns what Migrate executes, as files for goose or another tool,
// in the order of their names: "0001_oauth.sql". No database is asked anything.
func Migrations(cfg Config) (fs.FS, error) { return tables().Migrations(cfg.common()) }
