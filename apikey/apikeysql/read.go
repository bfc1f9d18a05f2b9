package apikeysql

import (
	"context"
	"database/sql"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/internal/sqlkit"
)

// Find implements [apikey.Store]. It is one statement.
func (s *Store) Find(ctx context.Context, hashes []apikey.Hash) (apikey.Record, error) {
	if err := ctx.Err(); err != nil {
		return apikey.Record{}, s.fail(ctx, "find", err)
	}
	if len(hashes) == 0 {
		return apikey.Record{}, apikey.ErrNotFound
	}
	args := make([]any, len(hashes))
	for i := range hashes {
		args[i] = hashes[i][:]
	}
	var rows *sql.Rows
	var err error
	if len(hashes) < len(s.find) {
		rows, err = s.find[len(hashes)].QueryContext(ctx, args...)
	} else {
		rows, err = s.db.QueryContext(ctx, s.db.SQL(findBy(len(hashes))), args...)
	}
	return s.record(ctx, "find", rows, err)
}

// Get implements [apikey.Store].
func (s *Store) Get(ctx context.Context, id string) (apikey.Record, error) {
	if err := ctx.Err(); err != nil {
		return apikey.Record{}, s.fail(ctx, "get", err)
	}
	if !sqlkit.IsText(id) {
		return apikey.Record{}, apikey.ErrNotFound
	}
	rows, err := s.get.QueryContext(ctx, id)
	return s.record(ctx, "get", rows, err)
}

// record reads what a query has found.
func (s *Store) record(ctx context.Context, what string, rows *sql.Rows, err error) (apikey.Record, error) {
	var record apikey.Record
	if err == nil {
		record, err = s.scanRecord(rows)
	}
	if err != nil && !isAnswer(err) {
		return apikey.Record{}, s.fail(ctx, what, err)
	}
	return record, err
}
