package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/latchwork/latchwork/apikey/apikeysql"
	"github.com/latchwork/latchwork/examples/internal/opendb"
	"github.com/latchwork/latchwork/oauth/oauthsql"
)

// A database holds everything: the records, passwords and sessions of this
// service, and the tables of Latchwork. It is safe for concurrent use, also by
// several hosts.
type database struct {
	opendb.Database

	keys  *apikeysql.Store
	oauth *oauthsql.Store
}

// tables are the service's own, in the SQL that all databases have in common.
var tables = []string{
	"CREATE TABLE IF NOT EXISTS billing_records (type VARCHAR(32) NOT NULL, id BIGINT NOT NULL, attributes TEXT NOT NULL, PRIMARY KEY (type, id))",
	"CREATE TABLE IF NOT EXISTS billing_passwords (user_id BIGINT NOT NULL PRIMARY KEY, hash VARCHAR(255) NOT NULL)",
	"CREATE TABLE IF NOT EXISTS billing_sessions (token VARCHAR(64) NOT NULL PRIMARY KEY, data TEXT NOT NULL, expires_at BIGINT NOT NULL)",
	// The last id of each type, and a row that every writer locks first.
	"CREATE TABLE IF NOT EXISTS billing_counters (name VARCHAR(32) NOT NULL PRIMARY KEY, last BIGINT NOT NULL)",
	"CREATE TABLE IF NOT EXISTS billing_setup (id INT NOT NULL PRIMARY KEY, began_at BIGINT NOT NULL, done INT NOT NULL)",
}

// openDatabase opens the database of this name and makes its tables. Several
// hosts may do so at once.
func openDatabase(ctx context.Context, name string) (*database, error) {
	db, err := connect(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := db.prepare(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func connect(ctx context.Context, name string) (*database, error) {
	if name == "memory:" {
		db, err := sql.Open("sqlite", ":memory:?_pragma=foreign_keys(1)")
		if err == nil {
			db.SetMaxOpenConns(1) // each connection would have a memory of its own
		}
		return &database{Database: opendb.Database{DB: db, Dialect: "sqlite"}}, err
	}
	if name == "" {
		return nil, errors.New("no database is named")
	}
	db, err := opendb.Open(ctx, name)
	if err == nil && db.Dialect != "sqlite" {
		db.SetMaxOpenConns(20) // a server has a limit for all of its clients
	}
	if err == nil {
		db.SetMaxIdleConns(20)
	}
	return &database{Database: db}, err
}

func (db *database) prepare(ctx context.Context) error {
	keys := apikeysql.Config{Dialect: apikeysql.Dialect(db.Dialect)}
	grants := oauthsql.Config{Dialect: oauthsql.Dialect(db.Dialect)}
	// Migrate lets one host at a time in, and leaves the second statements of
	// the others nothing to do.
	if err := errors.Join(apikeysql.Migrate(ctx, db.DB, keys), oauthsql.Migrate(ctx, db.DB, grants)); err != nil {
		return err
	}
	for _, table := range tables {
		if db.Dialect == "mysql" { // whatever the database is made for
			table += " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
		}
		if err := again(ctx, func() error { _, err := db.ExecContext(ctx, table); return err }); err != nil {
			return fmt.Errorf("tables: %w", err)
		}
	}
	var err error
	if db.keys, err = apikeysql.New(db.DB, keys); err == nil {
		db.oauth, err = oauthsql.New(db.DB, grants)
	}
	return err
}

// again tries what another host may be doing at the same moment.
func again(ctx context.Context, do func() error) error {
	err := do()
	for range 3 {
		if err == nil || ctx.Err() != nil {
			return err
		}
		time.Sleep(50 * time.Millisecond)
		err = do()
	}
	return err
}

// sql numbers the question marks of a statement where the database wants that.
func (db *database) sql(text string) string {
	if db.Dialect != "postgres" {
		return text
	}
	for n := 1; strings.Contains(text, "?"); n++ {
		text = strings.Replace(text, "?", fmt.Sprintf("$%d", n), 1)
	}
	return text
}

// A querier is the database or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// write runs a transaction that no other writer of records runs beside.
func (db *database) write(ctx context.Context, do func(tx *sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a COMMIT it does nothing
	if _, err := tx.ExecContext(ctx, "UPDATE billing_counters SET last = last + 1 WHERE name = 'writes'"); err != nil {
		return err
	}
	if err := do(tx); err != nil {
		return err
	}
	return tx.Commit()
}
