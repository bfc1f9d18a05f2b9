package apikeysql

import (
	"context"
	"database/sql"
	"errors"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/internal/sqlkit"
)

// errVersion ends an Update that found no record with the version it wants.
var errVersion = errors.New("no such version")

// Create implements [apikey.Store].
func (s *Store) Create(ctx context.Context, r apikey.Record, e apikey.Event) error {
	key, told, err := columns(r, e)
	if err != nil {
		return s.fail(ctx, "create", err)
	}
	key = append([]any{r.Key.ID}, key...)
	err = s.db.Tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := sqlkit.Exec(ctx, tx, s.insertKey, key...); err != nil {
			return err
		}
		return s.storeRest(ctx, tx, r, e, told)
	}, func(ctx context.Context, err error, lost bool) (known bool, answer error) {
		return s.decide(ctx, err, lost, e)
	})
	return s.end(ctx, "create", err)
}

// Update implements [apikey.Store].
func (s *Store) Update(ctx context.Context, r apikey.Record, e apikey.Event) error {
	if !sqlkit.IsText(r.Key.ID) {
		return s.end(ctx, "update", errors.Join(ctx.Err(), apikey.ErrNotFound))
	}
	key, told, err := columns(r, e)
	if err != nil {
		return s.fail(ctx, "update", err)
	}
	key = append(key, r.Key.ID, r.Key.Version-1)
	err = s.db.Tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		n, err := sqlkit.Exec(ctx, tx, s.updateKey, key...)
		if err != nil {
			return err
		}
		if n == 0 {
			return errVersion
		}
		if _, err := sqlkit.Exec(ctx, tx, s.deleteSecrets, r.Key.ID); err != nil {
			return err
		}
		return s.storeRest(ctx, tx, r, e, told)
	}, func(ctx context.Context, err error, lost bool) (known bool, answer error) {
		known, answer = s.decide(ctx, err, lost, e)
		if !errors.Is(answer, errVersion) {
			return known, answer
		}
		var version int64
		err = s.version.QueryRowContext(ctx, r.Key.ID).Scan(&version)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return true, apikey.ErrNotFound
		case err != nil:
			return false, err
		default:
			return true, apikey.ErrConflict
		}
	})
	return s.end(ctx, "update", err)
}

// storeRest stores the secrets of a key, and tells of its change.
func (s *Store) storeRest(ctx context.Context, tx *sql.Tx, r apikey.Record, e apikey.Event, told []any) error {
	for secrets := r.Secrets; len(secrets) > 0; {
		n := min(len(secrets), preparedSecrets)
		args := make([]any, 0, 4*preparedSecrets)
		for i := range secrets[:n] {
			h := &secrets[i]
			args = append(args, h.Hash[:], r.Key.ID, h.PepperID, sqlkit.NullMicros(h.Deadline))
		}
		if _, err := sqlkit.Exec(ctx, tx, s.insertSecrets[n], args...); err != nil {
			return err
		}
		secrets = secrets[n:]
	}
	if _, err := sqlkit.Exec(ctx, tx, s.insertEvent, told...); err != nil {
		return err
	}
	_, err := sqlkit.Exec(ctx, tx, s.insertChange, r.Key.ID, r.Key.Version, sqlkit.Micros(e.At))
	return err
}

// decide says what a failed change means. The event stands in the transaction
// of the change and has an ID of its own: if it is there, the change was made
// by an earlier try, and what stood in the way now was our own.
func (s *Store) decide(ctx context.Context, err error, lost bool, e apikey.Event) (known bool, answer error) {
	duplicate := s.db.IsDuplicate(err)
	if !duplicate && !errors.Is(err, errVersion) {
		return false, err
	}
	if lost {
		var there int
		if err := s.hasEvent.QueryRowContext(ctx, e.ID, e.KeyID).Scan(&there); err != nil {
			return false, err
		}
		if there > 0 {
			return true, nil
		}
	}
	if duplicate {
		err = apikey.ErrExists
	}
	return true, err
}

// Rehash implements [apikey.Store]. It is one statement, and safe to repeat.
func (s *Store) Rehash(ctx context.Context, id string, old apikey.Hash, secret apikey.SecretHash) error {
	if err := ctx.Err(); err != nil || !sqlkit.IsText(id) {
		return s.fail(ctx, "rehash", err)
	}
	if !sqlkit.IsText(secret.PepperID) {
		return s.fail(ctx, "rehash", errNotText)
	}
	_, err := s.db.Change(ctx, "UPDATE latchwork_key_secrets SET hash = ?, pepper_id = ? WHERE hash = ? AND key_id = ?",
		secret.Hash[:], secret.PepperID, old[:], id)
	if s.db.IsDuplicate(err) {
		err = apikey.ErrExists
	}
	return s.end(ctx, "rehash", err)
}

// end returns what callers branch on as it is, and everything else as an error
// of the store.
func (s *Store) end(ctx context.Context, what string, err error) error {
	if ctx.Err() == nil && isAnswer(err) {
		return err
	}
	return s.fail(ctx, what, err)
}
