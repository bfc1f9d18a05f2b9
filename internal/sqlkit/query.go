package sqlkit

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// Each runs a query that is not prepared and hands over each of its rows.
func (d *DB) Each(ctx context.Context, query string, args []any, row func(*sql.Rows) error) error {
	rows, err := d.QueryContext(ctx, d.SQL(query), args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // Err says what is wrong
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// DeleteSome deletes rows of a table that match, at most limit of them, and
// returns how many: none only when there are none. The key is the primary key
// of the table. Several nodes may do it at once.
func (d *DB) DeleteSome(ctx context.Context, table, key, where string, limit int, args ...any) (int, error) {
	some := "SELECT " + key + " FROM " + table + " WHERE " + where + " LIMIT ?"
	query := "DELETE FROM " + table + " WHERE (" + key + ") IN (" + some + ")"
	switch d.dialect {
	case PostgreSQL:
		// What another node is deleting is left to it, or both would choose the
		// same rows, and one of them find them gone.
		query = "DELETE FROM " + table + " WHERE (" + key + ") IN (" + some + " FOR UPDATE SKIP LOCKED)"
	case MySQL:
		query = "DELETE FROM " + table + " WHERE " + where + " ORDER BY " + key + " LIMIT ?"
	}
	args = append(args, limit)
	for attempt := 1; ; attempt++ {
		n, err := d.Change(ctx, query, args...)
		if n > 0 || err != nil || d.dialect != PostgreSQL {
			return n, err
		}
		left := false
		err = d.Each(ctx, "SELECT 1 FROM "+table+" WHERE "+where+" LIMIT 1", args[:len(args)-1], func(*sql.Rows) error {
			left = true
			return nil
		})
		if !left || err != nil || ctx.Err() != nil {
			return 0, errors.Join(err, ctx.Err())
		}
		pause(ctx, attempt)
	}
}

// Change runs one statement that is not prepared and may be repeated, and
// returns how many rows it changed.
func (d *DB) Change(ctx context.Context, query string, args ...any) (int, error) {
	query = d.SQL(query)
	began := time.Now()
	for attempt := 1; ; attempt++ {
		var n int64
		result, err := d.ExecContext(ctx, query, args...)
		if err == nil {
			n, err = result.RowsAffected()
		}
		if d.classify(err) != transient || attempt == maxAttempts || ctx.Err() != nil || time.Since(began) > maxTrying {
			return int(n), err
		}
		pause(ctx, attempt)
	}
}
