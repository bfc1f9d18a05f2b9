package apikeysql

import (
	"context"
	"database/sql"
	"time"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/internal/sqlkit"
)

// Purge implements [apikey.Activity]. It drops what the Feed no longer needs,
// too, without counting it. Several nodes may purge at once.
func (s *Store) Purge(ctx context.Context, before time.Time, limit int) (int, error) {
	if err := ctx.Err(); err != nil || limit <= 0 {
		return 0, s.fail(ctx, "purge", err)
	}
	at := sqlkit.Micros(before)
	events, err := s.db.DeleteSome(ctx, "latchwork_key_events", "id", "happened_at < ?", limit, at)
	if err != nil {
		return 0, s.fail(ctx, "purge", err)
	}
	days := 0
	if events < limit {
		days, err = s.db.DeleteSome(ctx, "latchwork_key_days", "key_id, day", "day <= ?", limit-events, sqlkit.Micros(before.Add(-aDay)))
		if err != nil {
			return events, s.fail(ctx, "purge", err)
		}
	}
	// The newest change stays: it shows that a cursor is this feed's.
	_, err = s.db.DeleteSome(ctx, "latchwork_key_changes", "seq",
		"changed_at < ? AND seq < (SELECT newest FROM (SELECT MAX(seq) AS newest FROM latchwork_key_changes) AS m)", limit, at)
	return events + days, s.fail(ctx, "purge", err)
}

// PurgeRevoked deletes keys that were revoked before the given time, at most
// limit of them, with everything that is known about them, and returns how
// many. How long revoked keys are kept is up to the host: as long as somebody
// may ask what became of one. Several nodes may purge at once.
func (s *Store) PurgeRevoked(ctx context.Context, before time.Time, limit int) (int, error) {
	if err := ctx.Err(); err != nil || limit <= 0 {
		return 0, s.fail(ctx, "purge revoked", err)
	}
	for {
		ids, err := s.revoked(ctx, before, min(limit, maxRows))
		if err != nil || len(ids) == 0 {
			return 0, s.fail(ctx, "purge revoked", err)
		}
		n, err := s.deleteKeys(ctx, before, ids)
		if n > 0 || err != nil {
			return n, s.fail(ctx, "purge revoked", err)
		}
		// Another node was faster with all of these.
	}
}

// revoked returns the IDs of keys that were revoked before the given time.
func (s *Store) revoked(ctx context.Context, before time.Time, limit int) (ids []any, err error) {
	query := "SELECT id FROM latchwork_keys WHERE revoked_at < ? ORDER BY revoked_at LIMIT ?"
	err = s.db.Each(ctx, query, []any{sqlkit.Micros(before), limit}, func(rows *sql.Rows) error {
		var id string
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	})
	return ids, err
}

// deleteKeys deletes those of the keys that are there and were revoked.
func (s *Store) deleteKeys(ctx context.Context, before time.Time, ids []any) (int, error) {
	var n int64
	these := " IN (" + sqlkit.Marks(len(ids)) + ")"
	err := s.db.Tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		// Secrets and events go with their key.
		keys := s.db.SQL("DELETE FROM latchwork_keys WHERE revoked_at < ? AND id" + these)
		result, err := tx.ExecContext(ctx, keys, append([]any{sqlkit.Micros(before)}, ids...)...)
		if err != nil {
			return err
		}
		for _, table := range []string{"latchwork_key_days", "latchwork_key_uses"} {
			if _, err := tx.ExecContext(ctx, s.db.SQL("DELETE FROM "+table+" WHERE key_id"+these), ids...); err != nil {
				return err
			}
		}
		n, err = result.RowsAffected()
		return err
	}, nil)
	if err != nil {
		return 0, err
	}
	return int(n), nil
}

var _ apikey.Activity = (*Store)(nil)
