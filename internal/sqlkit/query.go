package sqlkit

import (
	"context"
	"database/sql"
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
// returns how many. The key is the primary key of the table. What somebody else
// is deleting is left to him, where that can be told.
func (d *DB) DeleteSome(ctx context.Context, table, key, where string, limit int, args ...any) (int, error) {
	some := "SELECT " + key + " FROM " + table + " WHERE " + where + " LIMIT ?"
	query := "DELETE FROM " + table + " WHERE (" + key + ") IN (" + some + ")"
	switch d.dialect {
	case PostgreSQL:
		query = "DELETE FROM " + table + " WHERE (" + key + ") IN (" + some + " FOR UPDATE SKIP LOCKED)"
	case MySQL:
		query = "DELETE FROM " + table + " WHERE " + where + " ORDER BY " + key + " LIMIT ?"
	}
	var n int64
	err := d.Try(ctx, func(ctx context.Context) error {
		result, err := d.ExecContext(ctx, d.SQL(query), append(args, limit)...)
		if err == nil {
			n, err = result.RowsAffected()
		}
		return err
	})
	return int(n), err
}
