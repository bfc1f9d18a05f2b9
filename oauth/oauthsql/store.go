package oauthsql

import (
	"context"
	"database/sql"
	"errors"

	"github.com/latchwork/latchwork/internal/sqlkit"
	"github.com/latchwork/latchwork/oauth"
	"github.com/latchwork/latchwork/scope"
)

// preparedCredentials is how many credentials are stored by one prepared
// statement; more take several.
const preparedCredentials = 3

// A Store is an [oauth.Store] and an [oauth.ClientRegistry] in a database. It
// is safe for concurrent use, also by several processes. It comes from [New].
type Store struct {
	db *sqlkit.DB

	lookup            *sql.Stmt
	spend             *sql.Stmt
	state             *sql.Stmt
	insertGrant       *sql.Stmt
	insertCredentials [preparedCredentials + 1]*sql.Stmt
	hasGrant          *sql.Stmt
	client            *sql.Stmt

	scopes    *sqlkit.Intern[scope.Set]
	resources *sqlkit.Intern[[]string]
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
	s := &Store{db: d, scopes: sqlkit.NewIntern(sqlkit.ParseSet), resources: sqlkit.NewIntern(parseStrings)}
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
		{&s.lookup, lookup},
		{&s.spend, spend(s.db.Dialect())},
		{&s.state, state},
		{&s.insertGrant, insertGrant},
		{&s.hasGrant, "SELECT COUNT(*) FROM latchwork_grants WHERE id = ? AND client_id = ? AND subject_kind = ? AND subject_id = ? AND created_at = ?"},
		{&s.client, selectClient + " WHERE id = ?"},
	} {
		if err := s.db.Prepare(ctx, p.stmt, p.text); err != nil {
			return err
		}
	}
	for n := 1; n < len(s.insertCredentials); n++ {
		if err := s.db.Prepare(ctx, &s.insertCredentials[n], insertCredentials(n)); err != nil {
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

// end returns what callers branch on as it is, and everything else as an error
// of the store.
func (s *Store) end(ctx context.Context, what string, err error) error {
	if ctx.Err() == nil {
		for _, answer := range []error{oauth.ErrNotFound, oauth.ErrExists, oauth.ErrConflict, oauth.ErrRevoked, oauth.ErrExpired} {
			if errors.Is(err, answer) {
				return err
			}
		}
	}
	return s.fail(ctx, what, err)
}
