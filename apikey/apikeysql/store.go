package apikeysql

import (
	"context"
	"database/sql"
	"errors"
	"sync"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/internal/sqlkit"
	"github.com/latchwork/latchwork/ipfilter"
	"github.com/latchwork/latchwork/scope"
)

const (
	// preparedFinds is for how many hashes Find has a prepared statement: one
	// for each pepper, and one. More are looked up without.
	preparedFinds = 4

	// preparedSecrets is likewise how many secrets are stored at once.
	preparedSecrets = 2
)

// A Store is an [apikey.Store] in a database. It is safe for concurrent use,
// also by several processes. It comes from [New].
type Store struct {
	db *sqlkit.DB

	find          [preparedFinds + 1]*sql.Stmt
	get           *sql.Stmt
	version       *sql.Stmt
	insertKey     *sql.Stmt
	insertSecrets [preparedSecrets + 1]*sql.Stmt
	insertEvent   *sql.Stmt
	insertChange  *sql.Stmt
	updateKey     *sql.Stmt
	deleteSecrets *sql.Stmt
	hasEvent      *sql.Stmt

	mu   sync.Mutex
	full upserts

	permissions *sqlkit.Intern[scope.Set]
	lists       *sqlkit.Intern[*ipfilter.List]
	metadata    *sqlkit.Intern[apikey.Metadata]
}

// New returns a Store, once it has looked at the database for at most ten
// seconds: the schema must have the version that this release needs, SQLite
// must have a busy_timeout, foreign_keys and, on disk, a journal_mode of WAL on
// every connection, and MySQL must not cut what does not fit and must commit by
// itself. The errors say what to do.
func New(db *sql.DB, cfg Config) (*Store, error) {
	d, err := sqlkit.New(db, tables(), cfg.common())
	if err != nil {
		return nil, err
	}
	s := &Store{
		db:          d,
		permissions: sqlkit.NewIntern(sqlkit.ParseSet),
		lists:       sqlkit.NewIntern(parseList),
		metadata:    sqlkit.NewIntern(parseMetadata),
	}
	if err := d.Setup(s.prepare); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Store) prepare(ctx context.Context) error {
	for _, p := range []struct {
		stmt **sql.Stmt
		text string
	}{
		{&s.get, selectRecord + "WHERE k.id " + sqlkit.Is},
		{&s.version, "SELECT version FROM latchwork_keys WHERE id = ?"},
		{&s.insertKey, insertKey},
		{&s.insertEvent, "INSERT INTO latchwork_key_events (id, key_id, kind, happened_at, actor, changes) VALUES (?, ?, ?, ?, ?, ?)"},
		{&s.insertChange, "INSERT INTO latchwork_key_changes (key_id, version, changed_at) VALUES (?, ?, ?)"},
		{&s.updateKey, updateKey},
		{&s.deleteSecrets, "DELETE FROM latchwork_key_secrets WHERE key_id = ?"},
		{&s.hasEvent, "SELECT COUNT(*) FROM latchwork_key_events WHERE id = ? AND key_id = ?"},
	} {
		if err := s.db.Prepare(ctx, p.stmt, p.text); err != nil {
			return err
		}
	}
	for n := 1; n < len(s.find); n++ {
		if err := s.db.Prepare(ctx, &s.find[n], findBy(n)); err != nil {
			return err
		}
	}
	for n := 1; n < len(s.insertSecrets); n++ {
		if err := s.db.Prepare(ctx, &s.insertSecrets[n], insertSecrets(n)); err != nil {
			return err
		}
	}
	return nil
}

// Close releases the prepared statements. The database stays open. Whoever
// closes that need not close the Store.
func (s *Store) Close() error { return s.db.Close() }

// fail makes an error of the store's own.
func (s *Store) fail(ctx context.Context, what string, err error) error {
	return s.db.Fail(ctx, what, err)
}

// isAnswer reports whether callers branch on an error.
func isAnswer(err error) bool {
	return errors.Is(err, apikey.ErrNotFound) || errors.Is(err, apikey.ErrExists) || errors.Is(err, apikey.ErrConflict) ||
		errors.Is(err, apikey.ErrCursor)
}
