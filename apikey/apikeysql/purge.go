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
	events, err := s.db.Delete(ctx, sqlkit.Batch{
		Table: "latchwork_key_events", Key: "id", By: "happened_at", Where: "happened_at < ?", Args: []any{at}, Limit: limit,
	})
	if err != nil {
		return 0, s.fail(ctx, "purge", err)
	}
	days := 0
	if events < limit {
		days, err = s.db.Delete(ctx, sqlkit.Batch{
			Table: "latchwork_key_days", Key: "key_id, day", By: "day", Where: "day <= ?", Args: []any{sqlkit.Micros(before.Add(-aDay))}, Limit: limit - events,
		})
	}
	if err == nil {
		err = s.purgeChanges(ctx, at, limit)
	}
	return events + days, s.fail(ctx, "purge", err)
}

// purgeChanges deletes changes from before, but for the newest: it shows that a
// cursor is this feed's.
func (s *Store) purgeChanges(ctx context.Context, before int64, limit int) error {
	var newest int64
	err := s.db.Each(ctx, "SELECT COALESCE(MAX(seq), 0) FROM latchwork_key_changes", nil, func(rows *sql.Rows) error { return rows.Scan(&newest) })
	if err != nil {
		return err
	}
	_, err = s.db.Delete(ctx, sqlkit.Batch{
		Table: "latchwork_key_changes", Key: "seq", By: "changed_at",
		Where: "changed_at < ? AND seq + 0 < ?", // MariaDB would go along the seq, through all of them
		Args:  []any{before, newest}, Limit: limit,
	})
	return err
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
	these, ids := sqlkit.In(ids)
	err := s.db.Tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		// Secrets and events go with their key.
		keys := s.db.SQL("DELETE FROM latchwork_keys WHERE revoked_at < ? AND id IN " + these)
		result, err := tx.ExecContext(ctx, keys, append([]any{sqlkit.Micros(before)}, ids...)...)
		if err != nil {
			return err
		}
		for _, table := range []string{"latchwork_key_days", "latchwork_key_uses"} {
			if _, err := tx.ExecContext(ctx, s.db.SQL("DELETE FROM "+table+" WHERE key_id IN "+these), ids...); err != nil {
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
