package apikeysql

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/bits"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/internal/sqlkit"
)

const (
	// maxRows is how many rows one statement stores, and for how many keys one
	// asks: what every database takes at once.
	maxRows = 1000

	aDay = 24 * time.Hour
)

// upsertDays adds n rows of counts to what was counted before.
func upsertDays(dialect sqlkit.Dialect, n int) string {
	columns := []string{"allowed", "denied_state", "denied_address", "denied_type", "denied_permission", "denied_request"}
	insert := " (key_id, day, " + strings.Join(columns, ", ") + ") VALUES " + sqlkit.Rows(n, 2+len(columns))
	added := make([]string, len(columns))
	for i, c := range columns {
		if dialect == sqlkit.MySQL {
			added[i] = c + " = " + c + " + VALUES(" + c + ")"
		} else {
			added[i] = c + " = d." + c + " + excluded." + c
		}
	}
	if dialect == sqlkit.MySQL {
		return "INSERT INTO latchwork_key_days" + insert + " ON DUPLICATE KEY UPDATE " + strings.Join(added, ", ")
	}
	return "INSERT INTO latchwork_key_days AS d" + insert + " ON CONFLICT (key_id, day) DO UPDATE SET " + strings.Join(added, ", ")
}

// upsertUses moves n last uses forward, and never back.
func upsertUses(dialect sqlkit.Dialect, n int) string {
	insert := " (key_id, last_at, last_addr) VALUES " + sqlkit.Rows(n, 3)
	if dialect == sqlkit.MySQL {
		// The assignments are made in their order.
		return "INSERT INTO latchwork_key_uses" + insert + " ON DUPLICATE KEY UPDATE " +
			"last_addr = IF(VALUES(last_at) > last_at, VALUES(last_addr), last_addr), last_at = GREATEST(last_at, VALUES(last_at))"
	}
	return "INSERT INTO latchwork_key_uses AS u" + insert + " ON CONFLICT (key_id) DO UPDATE " +
		"SET last_at = excluded.last_at, last_addr = excluded.last_addr WHERE excluded.last_at > u.last_at"
}

// Record implements [apikey.Activity]. It is one transaction with two
// statements for every thousand keys, and for the rest a few, see parts.
func (s *Store) Record(ctx context.Context, uses []apikey.Use) error {
	days, last := sum(uses)
	if len(days) == 0 && len(last) == 0 {
		return s.fail(ctx, "record", ctx.Err())
	}
	full, err := s.preparedUpserts(ctx, len(days) >= maxRows || len(last) >= maxRows)
	if err != nil {
		return s.fail(ctx, "record", err)
	}
	err = s.db.Tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for chunk := range parts(days) {
			args := make([]any, 0, 8*len(chunk))
			for _, u := range chunk {
				c := u.Day.Counts
				args = append(args, u.KeyID, sqlkit.Micros(u.Day.Date),
					c.Allowed, c.DeniedState, c.DeniedAddress, c.DeniedType, c.DeniedPermission, c.DeniedRequest)
			}
			if err := s.upsert(ctx, tx, full.days, upsertDays, len(chunk), args); err != nil {
				return err
			}
		}
		for chunk := range parts(last) {
			args := make([]any, 0, 3*len(chunk))
			for _, u := range chunk {
				args = append(args, u.KeyID, sqlkit.Micros(u.At), addrText(u.Addr))
			}
			if err := s.upsert(ctx, tx, full.uses, upsertUses, len(chunk), args); err != nil {
				return err
			}
		}
		return nil
	}, nil)
	if errors.Is(err, sqlkit.ErrLost) {
		err = fmt.Errorf("%w: %w", apikey.ErrUncertain, err)
	}
	return s.fail(ctx, "record", err)
}

// parts cuts rows into pieces of maxRows, and the rest into powers of two: there
// are few different statements then, of which servers and drivers keep each.
func parts[T any](rows []T) iter.Seq[[]T] {
	return func(yield func([]T) bool) {
		for len(rows) > 0 {
			n := maxRows
			if len(rows) < maxRows {
				n = 1 << (bits.Len(uint(len(rows))) - 1)
			}
			if !yield(rows[:n]) {
				return
			}
			rows = rows[n:]
		}
	}
}

// upserts are the statements that store maxRows rows.
type upserts struct{ days, uses *sql.Stmt }

// preparedUpserts prepares them when they are needed for the first time: they
// are long, and small services never need them.
func (s *Store) preparedUpserts(ctx context.Context, needed bool) (upserts, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !needed || s.full.uses != nil {
		return s.full, nil
	}
	for _, p := range []struct {
		stmt **sql.Stmt
		text func(sqlkit.Dialect, int) string
	}{{&s.full.days, upsertDays}, {&s.full.uses, upsertUses}} {
		if *p.stmt != nil {
			continue // an earlier call came so far
		}
		if err := s.db.Prepare(ctx, p.stmt, p.text(s.db.Dialect(), maxRows)); err != nil {
			return s.full, err
		}
	}
	return s.full, nil
}

// upsert stores n rows.
func (s *Store) upsert(ctx context.Context, tx *sql.Tx, full *sql.Stmt, text func(sqlkit.Dialect, int) string, n int, args []any) (err error) {
	if n == maxRows {
		_, err = sqlkit.Exec(ctx, tx, full, args...)
	} else {
		_, err = tx.ExecContext(ctx, s.db.SQL(text(s.db.Dialect(), n)), args...)
	}
	return err
}

func addrText(addr netip.Addr) string {
	if !addr.IsValid() {
		return ""
	}
	return addr.String()
}

// sum adds up what belongs to one row, because no statement may touch a row
// twice, and sorts the rows, so that nodes which write at once do not wait for
// each other crosswise.
func sum(uses []apikey.Use) (days []apikey.Use, last []apikey.LastUse) {
	type row struct {
		keyID string
		day   int64
	}
	counts, latest := map[row]apikey.Counts{}, map[string]apikey.LastUse{}
	for _, u := range uses {
		if !sqlkit.IsText(u.KeyID) {
			continue // no key is called that
		}
		if u.Day.Counts != (apikey.Counts{}) {
			r := row{u.KeyID, sqlkit.Micros(u.Day.Date)}
			counts[r] = counts[r].Add(u.Day.Counts)
		}
		if u.LastAt.After(latest[u.KeyID].At) {
			latest[u.KeyID] = apikey.LastUse{KeyID: u.KeyID, At: u.LastAt, Addr: u.LastAddr}
		}
	}
	for r, c := range counts {
		days = append(days, apikey.Use{KeyID: r.keyID, Day: apikey.Day{Date: time.UnixMicro(r.day).UTC(), Counts: c}})
	}
	slices.SortFunc(days, func(a, b apikey.Use) int {
		return cmp.Or(strings.Compare(a.KeyID, b.KeyID), a.Day.Date.Compare(b.Day.Date))
	})
	last = slices.SortedFunc(maps.Values(latest), func(a, b apikey.LastUse) int { return strings.Compare(a.KeyID, b.KeyID) })
	return days, last
}

// LastUsed implements [apikey.Activity].
func (s *Store) LastUsed(ctx context.Context, keyIDs []string) ([]apikey.LastUse, error) {
	if err := ctx.Err(); err != nil {
		return nil, s.fail(ctx, "last used", err)
	}
	keyIDs = slices.DeleteFunc(slices.Clone(keyIDs), func(id string) bool { return !sqlkit.IsText(id) })
	uses := []apikey.LastUse{}
	for chunk := range slices.Chunk(keyIDs, maxRows) {
		ids := make([]any, len(chunk))
		for i, id := range chunk {
			ids[i] = id
		}
		these, ids := sqlkit.In(ids)
		err := s.db.Each(ctx, "SELECT key_id, last_at, last_addr FROM latchwork_key_uses WHERE key_id IN "+these, ids, func(rows *sql.Rows) error {
			var u apikey.LastUse
			var addr string
			if err := rows.Scan(&u.KeyID, (*sqlkit.Time)(&u.At), &addr); err != nil {
				return err
			}
			if addr != "" {
				var err error
				if u.Addr, err = netip.ParseAddr(addr); err != nil {
					return err
				}
			}
			uses = append(uses, u)
			return nil
		})
		if err != nil {
			return nil, s.fail(ctx, "last used", err)
		}
	}
	return uses, nil
}

// Usage implements [apikey.Activity].
func (s *Store) Usage(ctx context.Context, keyID string, since time.Time) ([]apikey.Day, error) {
	if err := ctx.Err(); err != nil {
		return nil, s.fail(ctx, "usage", err)
	}
	days := []apikey.Day{}
	if !sqlkit.IsText(keyID) {
		return days, nil
	}
	query := "SELECT day, allowed, denied_state, denied_address, denied_type, denied_permission, denied_request " +
		"FROM latchwork_key_days WHERE key_id = ? AND day > ? ORDER BY day"
	err := s.db.Each(ctx, query, []any{keyID, sqlkit.Micros(since.Add(-aDay))}, func(rows *sql.Rows) error {
		var d apikey.Day
		err := rows.Scan((*sqlkit.Time)(&d.Date), &d.Allowed, &d.DeniedState, &d.DeniedAddress, &d.DeniedType, &d.DeniedPermission, &d.DeniedRequest)
		days = append(days, d)
		return err
	})
	return days, s.fail(ctx, "usage", err)
}
