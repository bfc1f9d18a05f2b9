package apikeysql

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/internal/sqlkit"
)

// maxExamined is how many keys one List looks at, at most.
const maxExamined = 10_000

// List implements [apikey.Store]. Keys of an owner or of a creator are found by
// an index, and so are all keys; for whatever else is asked, it looks at no more
// than the next 10,000 of those.
func (s *Store) List(ctx context.Context, q apikey.Query) (apikey.Listing, error) {
	if err := ctx.Err(); err != nil {
		return apikey.Listing{}, s.fail(ctx, "list", err)
	}
	page := apikey.Listing{Keys: []apikey.Key{}}
	if !canMatch(q) {
		return page, nil
	}
	path, within := s.path(q)
	filter := s.filter(q)
	var err error
	if len(filter.terms) > 0 {
		page.Next, err = s.horizon(ctx, path, within)
	}
	if err == nil {
		err = s.fill(ctx, &page, path, within, filter, q.Limit)
	}
	if err != nil {
		return apikey.Listing{}, s.fail(ctx, "list", err)
	}
	return page, nil
}

// canMatch reports whether any key can be what a query is after.
func canMatch(q apikey.Query) bool {
	switch q.State {
	case "", apikey.StateActive, apikey.StateDisabled, apikey.StateExpired, apikey.StateRevoked:
	default:
		return false
	}
	for _, text := range []string{q.Owner, q.CreatedBy, q.Type, q.Search, q.Before} {
		if !sqlkit.IsText(text) {
			return false
		}
	}
	return q.Limit > 0
}

// conditions are terms that all hold, and what stands for their question marks.
type conditions struct {
	terms []string
	args  []any
}

func (c *conditions) add(term string, args ...any) {
	c.terms, c.args = append(c.terms, term), append(c.args, args...)
}

// and returns the conditions with more of them.
func (c conditions) and(more conditions) conditions {
	return conditions{slices.Concat(c.terms, more.terms), slices.Concat(c.args, more.args)}
}

func (c conditions) where() string {
	if len(c.terms) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(c.terms, " AND ")
}

// path returns the table with the index that List goes along, and the part of
// that which the query is about.
func (s *Store) path(q apikey.Query) (table string, within conditions) {
	index := "PRIMARY"
	switch {
	case q.Owner != "":
		index = "latchwork_keys_owner"
		within.add("k.owner = ?", q.Owner)
	case q.CreatedBy != "":
		index = "latchwork_keys_created_by"
		within.add("k.created_by = ?", q.CreatedBy)
	}
	if q.Before != "" {
		within.add("k.id < ?", q.Before)
	}
	table = "latchwork_keys k"
	if s.db.Dialect() == sqlkit.MySQL {
		// It would rather read all keys of a kind and sort them.
		table += " FORCE INDEX (" + index + ")"
	}
	return table, within
}

// filter returns what is asked besides.
func (s *Store) filter(q apikey.Query) (c conditions) {
	if q.Owner != "" && q.CreatedBy != "" {
		c.add("k.created_by = ?", q.CreatedBy)
	}
	if q.Type != "" {
		c.add("k.type = ?", q.Type)
	}
	switch now := sqlkit.Micros(q.Now); q.State {
	case apikey.StateRevoked:
		c.add("k.revoked_at IS NOT NULL")
	case apikey.StateDisabled:
		c.add("k.revoked_at IS NULL AND NOT k.enabled")
	case apikey.StateExpired:
		c.add("k.revoked_at IS NULL AND k.enabled AND k.expires_at <= ?", now)
	case apikey.StateActive:
		c.add("k.revoked_at IS NULL AND k.enabled AND (k.expires_at IS NULL OR k.expires_at > ?)", now)
	}
	if q.Search != "" {
		// No LIKE: what is searched for has no wildcards.
		contains := "INSTR(k.name_folded, ?) > 0"
		if s.db.Dialect() == sqlkit.PostgreSQL {
			contains = "STRPOS(k.name_folded, ?) > 0"
		}
		c.add("("+contains+" OR k.id = ? OR k.hint = ?)", sqlkit.FoldASCII(q.Search), q.Search, q.Search)
	}
	return c
}

// horizon returns the ID of the last key to look at, or nothing when there are
// none behind it.
func (s *Store) horizon(ctx context.Context, path string, within conditions) (id string, err error) {
	query := "SELECT k.id FROM " + path + within.where() + " ORDER BY k.id DESC LIMIT 2 OFFSET ?"
	n := 0
	err = s.db.Each(ctx, query, append(within.args, maxExamined-1), func(rows *sql.Rows) error {
		if n++; n == 1 {
			return rows.Scan(&id)
		}
		return nil
	})
	if n < 2 {
		id = ""
	}
	return id, err
}

// fill reads a page, down to the key that is its Next.
func (s *Store) fill(ctx context.Context, page *apikey.Listing, path string, within, filter conditions, limit int) error {
	if page.Next != "" {
		within.add("k.id >= ?", page.Next)
	}
	all := within.and(filter)
	query := "SELECT " + keyColumns + " FROM " + path + all.where() + " ORDER BY k.id DESC LIMIT ?"
	r := s.newRow()
	return s.db.Each(ctx, query, append(all.args, limit+1), func(rows *sql.Rows) error {
		if len(page.Keys) == limit { // one more shows that there is a next page
			page.Next = page.Keys[limit-1].ID
			return nil
		}
		k, err := r.scanKey(rows)
		page.Keys = append(page.Keys, k)
		return err
	})
}
