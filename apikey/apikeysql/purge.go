package apikeysql

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/internal/sqlkit"
)

// Purge implements [apikey.Activity]. It drops what the Feed no longer needs,
// too, without counting it: changes from before that are older than a minute.
// Several nodes may purge at once.
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
	more := err == nil
	for more && err == nil {
		more, err = s.purgeChanges(ctx, min(at, sqlkit.Micros(time.Now().Add(-gapTime))), limit)
		more = more && events+days < limit // or the next call goes on
	}
	return events + days, s.fail(ctx, "purge", err)
}

// purgeChanges deletes the first changes, at most limit, up to one that is not
// from before, whatever the clocks of other nodes say of later ones: so a cursor
// whose own change is there has lost none behind it. The newest stays, to show
// that a cursor is this feed's. More says that there may be others.
func (s *Store) purgeChanges(ctx context.Context, before int64, limit int) (more bool, err error) {
	limit = min(limit, maxRows)
	type change struct{ seq, at int64 }
	var first []change
	err = s.db.Each(ctx, "SELECT seq, changed_at FROM latchwork_key_changes ORDER BY seq LIMIT ?", []any{limit + 1}, func(rows *sql.Rows) error {
		var c change
		err := rows.Scan(&c.seq, &c.at)
		first = append(first, c)
		return err
	})
	if err != nil || len(first) < 2 {
		return false, err
	}
	first = first[:len(first)-1] // without the newest, or one that is beyond the limit
	recent := slices.IndexFunc(first, func(c change) bool { return c.at >= before })
	if recent == 0 {
		return false, nil
	}
	if recent > 0 {
		first = first[:recent]
	}
	_, err = s.db.Change(ctx, "DELETE FROM latchwork_key_changes WHERE seq BETWEEN ? AND ? AND changed_at < ?",
		first[0].seq, first[len(first)-1].seq, before) // one that was just committed is for the nodes to see
	return len(first) == limit, err
}

// PurgeRevoked deletes keys that were revoked before the given time, at most
// limit of them, with everything that is known about them, and returns how
// many. How long revoked keys are kept is up to the host: as long as somebody
// may ask what became of one, and some minutes at least, since what nodes have
// counted of a key, and record when it is gone, nobody deletes. Several nodes may
// purge at once.
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
