package apikeysql

import (
	"context"
	"database/sql"
	"strings"

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

// List implements [apikey.Store].
func (s *Store) List(ctx context.Context, q apikey.Query) ([]apikey.Key, error) {
	if err := ctx.Err(); err != nil {
		return nil, s.fail(ctx, "list", err)
	}
	where, args, possible := s.conditions(q)
	if !possible || q.Limit <= 0 {
		return []apikey.Key{}, nil
	}
	from := " FROM latchwork_keys k"
	if s.db.Dialect() == sqlkit.MySQL && q.State != apikey.StateRevoked {
		// It would read all keys that are not revoked, and sort them.
		from += " IGNORE INDEX (latchwork_keys_revoked_at)"
	}
	query := "SELECT " + keyColumns + from + where + " ORDER BY k.id DESC LIMIT ?"
	keys := []apikey.Key{}
	r := s.newRow()
	err := s.db.Each(ctx, query, append(args, q.Limit), func(rows *sql.Rows) error {
		k, err := r.scanKey(rows)
		keys = append(keys, k)
		return err
	})
	if err != nil {
		return nil, s.fail(ctx, "list", err)
	}
	return keys, nil
}

// conditions turns a query into SQL. When nothing can match it is not possible.
func (s *Store) conditions(q apikey.Query) (where string, args []any, possible bool) {
	var terms []string
	add := func(term string, values ...any) { terms, args = append(terms, term), append(args, values...) }
	for _, f := range []struct{ term, value string }{
		{"k.id < ?", q.Before}, {"k.owner = ?", q.Owner}, {"k.created_by = ?", q.CreatedBy}, {"k.type = ?", q.Type},
	} {
		if f.value == "" {
			continue
		}
		if !sqlkit.IsText(f.value) {
			return "", nil, false
		}
		add(f.term, f.value)
	}
	switch now := sqlkit.Micros(q.Now); q.State {
	case "":
	case apikey.StateRevoked:
		add("k.revoked_at IS NOT NULL")
	case apikey.StateDisabled:
		add("k.revoked_at IS NULL AND NOT k.enabled")
	case apikey.StateExpired:
		add("k.revoked_at IS NULL AND k.enabled AND k.expires_at <= ?", now)
	case apikey.StateActive:
		add("k.revoked_at IS NULL AND k.enabled AND (k.expires_at IS NULL OR k.expires_at > ?)", now)
	default:
		return "", nil, false
	}
	if q.Search != "" {
		if !sqlkit.IsText(q.Search) {
			return "", nil, false
		}
		// No LIKE: what is searched for has no wildcards.
		contains := "INSTR(k.name_folded, ?) > 0"
		if s.db.Dialect() == sqlkit.PostgreSQL {
			contains = "STRPOS(k.name_folded, ?) > 0"
		}
		add("("+contains+" OR k.id = ? OR k.hint = ?)", sqlkit.FoldASCII(q.Search), q.Search, q.Search)
	}
	if len(terms) == 0 {
		return "", args, true
	}
	return " WHERE " + strings.Join(terms, " AND "), args, true
}
