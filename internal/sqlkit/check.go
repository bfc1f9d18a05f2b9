package sqlkit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// check refuses a database that would lose something, or is not ready, and says
// what to do.
func (d *DB) check(ctx context.Context) error {
	var err error
	switch d.dialect {
	case SQLite:
		err = d.checkSQLite(ctx)
	case MySQL:
		err = d.checkMySQL(ctx)
	}
	if err != nil {
		return err
	}
	return d.checkVersion(ctx)
}

// sqliteSource is a data source name with all that is needed, for the driver
// in use.
func (d *DB) sqliteSource() string {
	if strings.Contains(fmt.Sprintf("%T", d.Driver()), "SQLiteDriver") { // mattn/go-sqlite3
		return `sql.Open("sqlite3", "file:FILE?_busy_timeout=5000&_journal_mode=WAL&_foreign_keys=on")`
	}
	return `sql.Open("sqlite", "file:FILE?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)")`
}

// checkSQLite looks at the pragmas. They belong to a connection, so it looks at
// two at once: a PRAGMA that was executed on one of them is not enough.
func (d *DB) checkSQLite(ctx context.Context) error {
	first, err := d.connection(ctx)
	if err != nil {
		return d.Fail(ctx, "open", err)
	}
	defer func() { _ = first.Close() }() // back to the pool
	single := d.Stats().MaxOpenConnections == 1
	file, err := text(ctx, first, "SELECT file FROM pragma_database_list WHERE name = 'main'")
	if err != nil {
		return d.Fail(ctx, "open", err)
	}
	if file == "" && !single {
		return fmt.Errorf("%s: a database in memory is another one on each connection; have only one: db.SetMaxOpenConns(1)", d.pkg.Name)
	}
	if err := d.checkPragmas(ctx, first, file != ""); err != nil || single {
		return err
	}
	second, err := d.connection(ctx)
	if err != nil {
		return d.Fail(ctx, "open", err)
	}
	defer func() { _ = second.Close() }() // back to the pool
	return d.checkPragmas(ctx, second, file != "")
}

func (d *DB) checkPragmas(ctx context.Context, conn *sql.Conn, onDisk bool) error {
	var faults []error
	for _, pragma := range []struct {
		name, bad, without string
		needed             bool
	}{
		{"busy_timeout", "0", "whoever meets a writer fails at once", onDisk},
		{"foreign_keys", "0", "secrets would outlive their keys", true},
	} {
		value, err := text(ctx, conn, "PRAGMA "+pragma.name)
		if err != nil {
			return d.Fail(ctx, "PRAGMA "+pragma.name, err)
		}
		if pragma.needed && value == pragma.bad {
			faults = append(faults, fmt.Errorf("%s is %s: %s", pragma.name, value, pragma.without))
		}
	}
	mode, err := text(ctx, conn, "PRAGMA journal_mode")
	if err != nil {
		return d.Fail(ctx, "PRAGMA journal_mode", err)
	}
	if onDisk && !strings.EqualFold(mode, "wal") {
		faults = append(faults, fmt.Errorf("journal_mode is %s: readers and writers would block each other", mode))
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("%s: %w\nopen the database with %s", d.pkg.Name, err, d.sqliteSource())
	}
	return nil
}

// checkMySQL wants a mode in which what does not fit is an error and is not
// cut, and sessions in which a statement alone is committed.
func (d *DB) checkMySQL(ctx context.Context) error {
	conn, err := d.connection(ctx)
	if err != nil {
		return d.Fail(ctx, "open", err)
	}
	defer func() { _ = conn.Close() }() // back to the pool
	var mode string
	var commits bool
	if err := conn.QueryRowContext(ctx, "SELECT @@SESSION.sql_mode, @@SESSION.autocommit").Scan(&mode, &commits); err != nil {
		return d.Fail(ctx, "sql_mode, autocommit", err)
	}
	if !strings.Contains(mode, "STRICT_TRANS_TABLES") && !strings.Contains(mode, "STRICT_ALL_TABLES") {
		return fmt.Errorf("%s: sql_mode is %q, which cuts what does not fit instead of refusing it; add to the data source name: &sql_mode=%%27STRICT_ALL_TABLES%%27",
			d.pkg.Name, mode)
	}
	if !commits {
		return fmt.Errorf("%s: autocommit is off, so that what one statement writes is rolled back in the end; add to the data source name: &autocommit=1",
			d.pkg.Name)
	}
	return nil
}

// text reads one value.
func text(ctx context.Context, conn *sql.Conn, query string) (string, error) {
	var value string
	err := conn.QueryRowContext(ctx, query).Scan(&value)
	return value, err
}
