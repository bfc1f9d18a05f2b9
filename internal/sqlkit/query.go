package sqlkit

import (
	"context"
	"database/sql"
	"errors"
	"slices"
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

// A Batch is some rows of a table, to be deleted.
type Batch struct {
	Table string
	Key   string // its primary key
	Where string // which rows
	Args  []any  // for the question marks in Where

	// By is the column of an index that leads to the rows, those with the
	// least values first: other rows are neither read nor locked.
	By string

	Limit int
}

// errKept is why rows that match cannot be deleted.
var errKept = errors.New("other transactions keep what is left")

// Delete deletes a batch and returns how many rows there were: none only when
// there are none. Several nodes may do it at once.
func (d *DB) Delete(ctx context.Context, b Batch) (int, error) {
	some := "SELECT " + b.Key + " FROM " + b.Table + " WHERE " + b.Where + " ORDER BY " + b.By + " LIMIT ?"
	query := "DELETE FROM " + b.Table + " WHERE (" + b.Key + ") IN (" + some + ")"
	switch d.dialect {
	case PostgreSQL:
		// What another node is deleting is left to it, or both would choose the
		// same rows, and one of them find them gone. MATERIALIZED: some plans
		// would choose again for every row, and delete more.
		query = "WITH batch AS MATERIALIZED (" + some + " FOR UPDATE SKIP LOCKED) DELETE FROM " + b.Table +
			" WHERE (" + b.Key + ") IN (SELECT " + b.Key + " FROM batch)"
	case MySQL:
		query = "DELETE FROM " + b.Table + " WHERE " + b.Where + " ORDER BY " + b.By + " LIMIT ?"
	}
	began := time.Now()
	for attempt := 1; ; attempt++ {
		n, err := d.Change(ctx, query, slices.Concat(b.Args, []any{b.Limit})...)
		if n > 0 || err != nil || d.dialect != PostgreSQL {
			return n, err
		}
		left := false
		err = d.Each(ctx, "SELECT 1 FROM "+b.Table+" WHERE "+b.Where+" LIMIT 1", b.Args, func(*sql.Rows) error {
			left = true
			return nil
		})
		if err == nil && left && time.Since(began) > maxTrying {
			err = errKept
		}
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
	var n int64
	err := d.repeat(ctx, func() error {
		result, err := d.ExecContext(ctx, query, args...)
		if err == nil {
			n, err = result.RowsAffected()
		}
		return err
	})
	return int(n), err
}
