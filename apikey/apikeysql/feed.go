package apikeysql

import (
	"context"
	"database/sql"
	"fmt"
	"hash/crc32"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/internal/sqlkit"
)

const (
	// maxChanges is how many changes one call returns, more or less.
	maxChanges = 5000

	// trailing is how far before the newest change others are awaited when a
	// feed is begun, and how many of them at most later.
	trailing = 1000

	// gapTime is how long a change is awaited: longer than any transaction,
	// which takes half a minute at most.
	gapTime = time.Minute
)

// A place is what a cursor says. Numbers are given when a change is stored,
// and not when it is committed, so that one may appear behind greater ones.
// Those that are missing are awaited for a while.
type place struct {
	newest int64
	gaps   []gap // ascending
}

// A gap is a number that no change has yet.
type gap struct {
	seq   int64
	since int64 // seconds since 1970
}

// cursor writes a place as "newest,seq@since,seq@since", with a checksum behind
// it: numbers that were touched are still numbers.
func (p place) cursor() apikey.Cursor {
	b := strconv.AppendInt(nil, p.newest, 10)
	for _, g := range p.gaps {
		b = strconv.AppendInt(append(b, ','), g.seq, 10)
		b = strconv.AppendInt(append(b, '@'), g.since, 10)
	}
	return apikey.Cursor(fmt.Appendf(b, "-%08x", crc32.ChecksumIEEE(b)))
}

func parseCursor(c apikey.Cursor) (p place, ok bool) {
	text, _, _ := strings.Cut(string(c), "-")
	newest, rest, _ := strings.Cut(text, ",")
	var err error
	if p.newest, err = strconv.ParseInt(newest, 10, 64); err != nil || p.newest < 0 {
		return place{}, false
	}
	for rest != "" {
		var field string
		field, rest, _ = strings.Cut(rest, ",")
		seq, since, _ := strings.Cut(field, "@")
		var g gap
		var bad error
		g.seq, err = strconv.ParseInt(seq, 10, 64)
		g.since, bad = strconv.ParseInt(since, 10, 64)
		if err != nil || bad != nil || g.seq >= p.newest || len(p.gaps) == trailing {
			return place{}, false
		}
		p.gaps = append(p.gaps, g)
	}
	return p, p.cursor() == c
}

// skip notes the numbers between two changes, the last ones if there are many.
func (p *place) skip(from, to, now int64) {
	for seq := max(from+1, to-trailing); seq < to; seq++ {
		p.gaps = append(p.gaps, gap{seq, now})
	}
}

// Changes implements [apikey.Feed]. It is one statement.
func (s *Store) Changes(ctx context.Context, after apikey.Cursor) ([]apikey.Change, apikey.Cursor, error) {
	if err := ctx.Err(); err != nil {
		return nil, "", s.fail(ctx, "changes", err)
	}
	now := time.Now().Unix()
	if after == "" {
		p, err := s.present(ctx, now)
		return nil, p.cursor(), s.fail(ctx, "changes", err)
	}
	p, ok := parseCursor(after)
	if !ok {
		return nil, "", apikey.ErrCursor
	}
	changes, p, err := s.since(ctx, p, now)
	if err != nil {
		return nil, "", s.end(ctx, "changes", err)
	}
	return changes, p.cursor(), nil
}

// present returns where a feed begins: what is being stored at this moment is
// still to come.
func (s *Store) present(ctx context.Context, now int64) (p place, err error) {
	var seqs []int64
	query := "SELECT seq FROM latchwork_key_changes ORDER BY seq DESC LIMIT " + strconv.Itoa(trailing)
	err = s.db.Each(ctx, query, nil, func(rows *sql.Rows) error {
		var seq int64
		err := rows.Scan(&seq)
		seqs = append(seqs, seq)
		return err
	})
	if err != nil || len(seqs) == 0 {
		return place{}, err
	}
	slices.Reverse(seqs)
	p.newest = max(0, seqs[len(seqs)-1]-trailing)
	for _, seq := range seqs {
		p.skip(p.newest, seq, now)
		p.newest = max(p.newest, seq)
	}
	p.gaps = p.gaps[max(0, len(p.gaps)-trailing):]
	return p, nil
}

// since returns what came after a place, and the next one. The change at the
// place itself must still be there: if it is not, others may be gone, too.
func (s *Store) since(ctx context.Context, p place, now int64) (changes []apikey.Change, next place, err error) {
	next.newest = p.newest
	var gaps []any
	missing := map[int64]gap{}
	for _, g := range p.gaps {
		gaps = append(gaps, g.seq)
		missing[g.seq] = g
	}
	const columns = "SELECT seq, key_id, version FROM latchwork_key_changes WHERE seq "
	query, args := "SELECT * FROM ("+columns+">= ? ORDER BY seq LIMIT ?) AS later", []any{p.newest, maxChanges}
	if len(gaps) > 0 { // not with OR, for which a database may read the whole table
		these, seqs := sqlkit.In(gaps)
		query += " UNION ALL " + columns + "IN " + these
		args = append(args, seqs...)
	}
	known := p.newest == 0
	changes = []apikey.Change{}
	var fresh place
	err = s.db.Each(ctx, query+" ORDER BY seq", args, func(rows *sql.Rows) error {
		var seq int64
		var c apikey.Change
		if err := rows.Scan(&seq, &c.KeyID, &c.Version); err != nil {
			return err
		}
		if seq == p.newest {
			known = true
			return nil
		}
		if seq < p.newest {
			delete(missing, seq)
		} else {
			fresh.skip(next.newest, seq, now)
			next.newest = seq
		}
		changes = append(changes, c)
		return nil
	})
	if err != nil {
		return nil, next, err
	}
	if !known {
		return nil, next, apikey.ErrCursor
	}
	for _, g := range p.gaps {
		if _, still := missing[g.seq]; still && now-g.since < int64(gapTime/time.Second) {
			next.gaps = append(next.gaps, g)
		}
	}
	next.gaps = append(next.gaps, fresh.gaps...)
	next.gaps = next.gaps[max(0, len(next.gaps)-trailing):]
	return changes, next, nil
}

var _ apikey.Feed = (*Store)(nil)
