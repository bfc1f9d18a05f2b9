package sqlkit

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"
)

// A migration is one file: it makes version of the one before, and says so in
// the table of versions with its last statement.
type migration struct {
	version int
	name    string
	text    string
}

// migrations returns all of them for the dialect, in order.
func (d *DB) migrations() ([]migration, error) {
	names, err := fs.Glob(d.pkg.Files, path.Join("migrations", string(d.dialect), "*.sql"))
	if err != nil {
		return nil, err
	}
	list := make([]migration, 0, len(names))
	for _, name := range names { // Glob sorts them
		text, err := fs.ReadFile(d.pkg.Files, name)
		if err != nil {
			return nil, err
		}
		base := path.Base(name)
		number, _, _ := strings.Cut(base, "_")
		version, err := strconv.Atoi(number)
		if err != nil || version != len(list)+1 {
			return nil, fmt.Errorf("%s: the migration %s is out of order", d.pkg.Name, base)
		}
		list = append(list, migration{version: version, name: base, text: d.named(string(text))})
	}
	return list, nil
}

// Migrations returns the files of a package.
func (p Package) Migrations(cfg Config) (fs.FS, error) {
	d, err := New(new(sql.DB), p, cfg)
	if err != nil {
		return nil, err
	}
	return d.Migrations()
}

// Migrations returns the files for the dialect and the table prefix.
func (d *DB) Migrations() (fs.FS, error) {
	list, err := d.migrations()
	if err != nil {
		return nil, err
	}
	// A zip.Reader is a file system in memory that needs no other code.
	var archive bytes.Buffer
	w := zip.NewWriter(&archive)
	for _, m := range list {
		file, err := w.CreateHeader(&zip.FileHeader{Name: m.name, Method: zip.Store, Modified: time.Unix(0, 0)})
		if err == nil {
			_, err = file.Write([]byte(m.text))
		}
		if err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return zip.NewReader(bytes.NewReader(archive.Bytes()), int64(archive.Len()))
}

// A VersionError says that the schema is not the one that this program knows.
type VersionError struct {
	Package    string
	Have, Want int // Have is 0 when there is no schema at all
}

// Error says what to do.
func (e *VersionError) Error() string {
	switch {
	case e.Have > e.Want:
		return fmt.Sprintf("%s: the schema has version %d, and this program knows version %d: run a newer release of github.com/latchwork/latchwork", e.Package, e.Have, e.Want)
	case e.Have > 0:
		return fmt.Sprintf("%s: the schema has version %d, and this program needs version %d: call %s.Migrate(ctx, db, cfg) first", e.Package, e.Have, e.Want, e.Package)
	default:
		return fmt.Sprintf("%s: there is no schema in this database: call %s.Migrate(ctx, db, cfg) first", e.Package, e.Package)
	}
}

// checkVersion refuses every schema but the newest one that is known.
func (d *DB) checkVersion(ctx context.Context) error {
	list, err := d.migrations()
	if err != nil {
		return err
	}
	conn, err := d.connection(ctx)
	if err != nil {
		return d.Fail(ctx, "open", err)
	}
	defer func() { _ = conn.Close() }() // back to the pool
	have, err := d.version(ctx, conn)
	if err != nil {
		return err
	}
	if have != len(list) {
		return &VersionError{Package: d.pkg.Name, Have: have, Want: len(list)}
	}
	return nil
}

// A querier is a connection or a transaction.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// version returns the version of the schema, 0 if there is none.
func (d *DB) version(ctx context.Context, q querier) (int, error) {
	var there int
	find := map[Dialect]string{
		SQLite:     "SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table' AND name = '%s'",
		PostgreSQL: "SELECT COUNT(*) FROM pg_catalog.pg_class WHERE oid = to_regclass('%s')",
		MySQL:      "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = '%s'",
	}[d.dialect]
	table := d.named(d.pkg.Versions)
	if err := q.QueryRowContext(ctx, fmt.Sprintf(find, table)).Scan(&there); err != nil {
		return 0, d.Fail(ctx, "schema version", err)
	}
	if there == 0 {
		return 0, nil
	}
	var version sql.NullInt64
	if err := q.QueryRowContext(ctx, "SELECT MAX(version) FROM "+table).Scan(&version); err != nil {
		return 0, d.Fail(ctx, "schema version", err)
	}
	return int(version.Int64), nil
}

// Migrate brings the schema of a database to the newest version.
func (p Package) Migrate(ctx context.Context, db *sql.DB, cfg Config) error {
	d, err := New(db, p, cfg)
	if err != nil {
		return err
	}
	return d.Migrate(ctx)
}

// Migrate brings the schema to the newest version. Several nodes may do it at
// once: one does, and the others wait for it.
func (d *DB) Migrate(ctx context.Context) error {
	list, err := d.migrations()
	if err != nil {
		return err
	}
	conn, err := d.connection(ctx)
	if err != nil {
		return d.Fail(ctx, "migrate", err)
	}
	defer func() { _ = conn.Close() }() // back to the pool
	apply := func(q querier) error { return d.apply(ctx, q, list) }
	switch d.dialect {
	case PostgreSQL:
		return d.migratePostgreSQL(ctx, conn, apply)
	case MySQL:
		return d.migrateMySQL(ctx, conn, apply)
	default:
		return d.migrateSQLite(ctx, conn, apply)
	}
}

// apply runs the migrations that are still to come.
func (d *DB) apply(ctx context.Context, q querier, list []migration) error {
	have, err := d.version(ctx, q)
	if err != nil {
		return err
	}
	if have > len(list) {
		return &VersionError{Package: d.pkg.Name, Have: have, Want: len(list)}
	}
	for _, m := range list[have:] {
		for statement := range strings.SplitSeq(m.text, ";\n") {
			if strings.TrimSpace(withoutComments(statement)) == "" {
				continue
			}
			if _, err := q.ExecContext(ctx, statement); err != nil {
				return d.Fail(ctx, "migration "+m.name, err)
			}
		}
	}
	return nil
}

func withoutComments(statement string) string {
	var b strings.Builder
	for line := range strings.Lines(statement) {
		before, _, _ := strings.Cut(line, "--")
		b.WriteString(before)
	}
	return b.String()
}

// migrateSQLite does it in one transaction that is a writer's from its
// beginning.
func (d *DB) migrateSQLite(ctx context.Context, conn *sql.Conn, apply func(querier) error) error {
	err := d.repeat(ctx, func() error {
		_, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE")
		return err
	})
	if err != nil {
		return d.Fail(ctx, "migrate", err)
	}
	err = apply(conn)
	if err == nil {
		_, err = conn.ExecContext(ctx, "COMMIT")
		err = d.Fail(ctx, "migrate", err)
	}
	if err != nil {
		_, _ = conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK") // it may be over already
	}
	return err
}

// migratePostgreSQL does it in one transaction behind an advisory lock.
func (d *DB) migratePostgreSQL(ctx context.Context, conn *sql.Conn, apply func(querier) error) error {
	// What the others have done while this one waited has to be seen.
	tx, err := conn.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return d.Fail(ctx, "migrate", err)
	}
	defer func() { _ = tx.Rollback() }() // after a COMMIT it does nothing
	sum := sha256.Sum256([]byte(d.named(d.pkg.Versions)))
	if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", int64(binary.BigEndian.Uint64(sum[:8]))); err != nil {
		return d.Fail(ctx, "migrate", err)
	}
	if err := apply(tx); err != nil {
		return err
	}
	return d.Fail(ctx, "migrate", tx.Commit())
}

// migrateMySQL does it behind a named lock, without a transaction: there a
// CREATE TABLE ends one. So every statement of a migration may be run again.
func (d *DB) migrateMySQL(ctx context.Context, conn *sql.Conn, apply func(querier) error) (err error) {
	schema, err := text(ctx, conn, "SELECT COALESCE(DATABASE(), '')")
	if err != nil {
		return d.Fail(ctx, "migrate", err)
	}
	if schema == "" {
		return fmt.Errorf("%s: migrate: the data source name says no database: user@tcp(host)/DATABASE", d.pkg.Name)
	}
	// The name is the whole server's, and may have 64 characters.
	name := fmt.Sprintf("latchwork %x", sha256.Sum256([]byte(schema+" "+d.named(d.pkg.Versions))))[:42]
	for {
		var locked sql.NullInt64
		if err := conn.QueryRowContext(ctx, "SELECT GET_LOCK(?, 1)", name).Scan(&locked); err != nil {
			return d.Fail(ctx, "migrate", err)
		}
		if locked.Int64 == 1 {
			break
		}
	}
	defer func() {
		_, unlock := conn.ExecContext(context.WithoutCancel(ctx), "DO RELEASE_LOCK(?)", name)
		err = errors.Join(err, d.Fail(ctx, "migrate", unlock))
	}()
	return apply(conn)
}
