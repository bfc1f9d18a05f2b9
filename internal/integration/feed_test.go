package integration

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
)

// poll asks a feed once.
func (f keyFixture) poll(t *testing.T, after apikey.Cursor) ([]apikey.Change, apikey.Cursor) {
	t.Helper()
	changes, next, err := f.store.Changes(t.Context(), after)
	require.NoError(t, err)
	return changes, next
}

// A change that is committed after others with greater numbers is told of, and
// each is told once.
func TestFeedSeesLateCommits(t *testing.T) {
	eachKeyStore(t, func(t *testing.T, f keyFixture) {
		if f.dialect == "sqlite" {
			t.Skip("has one writer, whose numbers are in the order of the commits")
		}
		insert := "INSERT INTO " + f.prefix + "key_changes (key_id, version, changed_at) VALUES ('%s', 1, 0)"
		late, err := f.db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		_, err = late.ExecContext(t.Context(), fmt.Sprintf(insert, "late"))
		require.NoError(t, err)
		f.exec(t, f.db, fmt.Sprintf(insert, "before"))

		changes, begin := f.poll(t, "")
		require.Empty(t, changes)
		_, waiting := f.poll(t, begin)

		later, err := f.db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		_, err = later.ExecContext(t.Context(), fmt.Sprintf(insert, "later"))
		require.NoError(t, err)
		f.exec(t, f.db, fmt.Sprintf(insert, "after"))
		given, err := f.db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		_, err = given.ExecContext(t.Context(), fmt.Sprintf(insert, "given up"))
		require.NoError(t, err)
		require.NoError(t, given.Rollback())

		changes, next := f.poll(t, waiting)
		require.Equal(t, []apikey.Change{{KeyID: "after", Version: 1}}, changes)
		require.NoError(t, late.Commit())
		changes, next = f.poll(t, next)
		require.Equal(t, []apikey.Change{{KeyID: "late", Version: 1}}, changes)
		require.NoError(t, later.Commit())
		f.exec(t, f.db, fmt.Sprintf(insert, "last"))
		changes, next = f.poll(t, next)
		require.Equal(t, []apikey.Change{{KeyID: "later", Version: 1}, {KeyID: "last", Version: 1}}, changes)
		changes, _ = f.poll(t, next)
		require.Empty(t, changes)

		changes, _ = f.poll(t, begin)
		require.Len(t, changes, 4, "from where it began")
	})
}

// Whatever is committed while a feed is followed is told of.
func TestFeedLosesNothing(t *testing.T) {
	eachKeyStore(t, func(t *testing.T, f keyFixture) {
		const writers, changesEach = 6, 40
		_, cursor := f.poll(t, "")
		var all sync.WaitGroup
		over := make(chan struct{})
		for range writers {
			store := f.keyStore(t, f.open(t))
			all.Go(func() {
				for i := range changesEach {
					r := newRecord()
					if err := store.Create(context.Background(), r, eventOf(r, apikey.Created, start)); err != nil {
						t.Error(err)
					}
					if i%4 == 0 { // leaves a gap
						_ = store.Create(context.Background(), r, eventOf(r, apikey.Created, start))
					}
					time.Sleep(rand.N(2 * time.Millisecond))
				}
			})
		}
		go func() { all.Wait(); close(over) }()
		seen := map[string]int{}
		for last := false; !last; {
			select {
			case <-over:
				last = true
			case <-time.After(5 * time.Millisecond):
			}
			var changes []apikey.Change
			changes, cursor = f.poll(t, cursor)
			for _, c := range changes {
				seen[c.KeyID]++
			}
		}
		require.Len(t, seen, writers*changesEach)
		for id, times := range seen {
			require.Equal(t, 1, times, id)
		}
	})
}

func TestFeedCursors(t *testing.T) {
	eachKeyStore(t, func(t *testing.T, f keyFixture) {
		_, empty := f.poll(t, "")
		first := f.create(t)
		changes, cursor := f.poll(t, empty)
		require.Equal(t, []apikey.Change{{KeyID: first.Key.ID, Version: 1}}, changes)
		for _, bad := range []apikey.Cursor{"x", "-1", "1", "1,", "1,x@1", "1,0@x", "1,5@1", cursor + "0", "0" + cursor, "99999999999999999999"} {
			_, _, err := f.store.Changes(t.Context(), bad)
			require.ErrorIs(t, err, apikey.ErrCursor, bad)
		}

		// Another node purged what this one had not seen.
		f.change(t, first, start, func(k *apikey.Key) { k.Name = "a" })
		f.create(t)
		_, err := f.store.Purge(t.Context(), start.Add(time.Hour), 100)
		require.NoError(t, err)
		_, _, err = f.store.Changes(t.Context(), cursor)
		require.ErrorIs(t, err, apikey.ErrCursor)
		_, cursor = f.poll(t, "")
		changes, _ = f.poll(t, cursor)
		require.Empty(t, changes)

		// The database was restored from a backup.
		f.exec(t, f.db, "DELETE FROM "+f.prefix+"key_changes")
		_, _, err = f.store.Changes(t.Context(), cursor)
		require.ErrorIs(t, err, apikey.ErrCursor)
	})
}

// More changes than one call returns come in several.
func TestFeedOfManyChanges(t *testing.T) {
	eachKeyStore(t, func(t *testing.T, f keyFixture) {
		f.create(t)
		_, cursor := f.poll(t, "")
		const many = 12_000
		tx, err := f.db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		for n := 0; n < many; n += 1000 {
			rows := ""
			for i := range 1000 {
				rows += fmt.Sprintf(",('k%05d', 1, 0)", n+i)
			}
			_, err := tx.ExecContext(t.Context(), "INSERT INTO "+f.prefix+"key_changes (key_id, version, changed_at) VALUES "+rows[1:])
			require.NoError(t, err)
		}
		require.NoError(t, tx.Commit())
		seen := map[string]bool{}
		for range 10 {
			var changes []apikey.Change
			changes, cursor = f.poll(t, cursor)
			for _, c := range changes {
				seen[c.KeyID] = true
			}
		}
		require.Len(t, seen, many)
	})
}

// insertChange stores a change with a number, as if by another node.
func (f keyFixture) insertChange(t *testing.T, seq int, at time.Time) string {
	t.Helper()
	id, own := fmt.Sprint("key ", seq), ""
	if f.dialect == "postgres" {
		own = "OVERRIDING SYSTEM VALUE "
	}
	f.exec(t, f.db, fmt.Sprintf("INSERT INTO %skey_changes (seq, key_id, version, changed_at) %sVALUES (%d, '%s', 1, %d)", f.prefix, own, seq, id, at.UnixMicro()))
	return id
}

// A database that counts in steps leaves numbers that never come. They do not
// crowd out one that comes late.
func TestFeedOfADatabaseThatCountsInSteps(t *testing.T) {
	eachKeyStore(t, func(t *testing.T, f keyFixture) {
		f.insertChange(t, 1, start)
		_, cursor := f.poll(t, "")
		for seq := 15; seq < 7*140; seq += 7 { // 8 is not committed yet
			f.insertChange(t, seq, start)
			if seq%10 == 0 {
				_, cursor = f.poll(t, cursor)
			}
		}
		_, cursor = f.poll(t, cursor)
		late := f.insertChange(t, 8, start)
		changes, _ := f.poll(t, cursor)
		require.Equal(t, []apikey.Change{{KeyID: late, Version: 1}}, changes)
	})
}

// Changes go in the order of their numbers, whatever the clocks of the nodes say:
// a cursor that is still known has lost none. The newest stays, and so does what
// the others may not have seen yet.
func TestFeedAfterAPurge(t *testing.T) {
	eachKeyStore(t, func(t *testing.T, f keyFixture) {
		left := func() (seqs []int) {
			rows, err := f.db.QueryContext(t.Context(), "SELECT seq FROM "+f.prefix+"key_changes ORDER BY seq")
			require.NoError(t, err)
			defer func() { _ = rows.Close() }()
			for rows.Next() {
				var seq int
				require.NoError(t, rows.Scan(&seq))
				seqs = append(seqs, seq)
			}
			require.NoError(t, rows.Err())
			return seqs
		}
		purge := func(before time.Time, limit int) {
			n, err := f.store.Purge(t.Context(), before, limit)
			require.NoError(t, err)
			require.Zero(t, n, "changes do not count")
		}
		minute := func(n int) time.Time { return start.Add(time.Duration(n) * time.Minute) }
		for seq := 1; seq <= 5; seq++ {
			f.insertChange(t, seq, minute(seq))
		}
		_, cursor := f.poll(t, "")
		slow, next := f.insertChange(t, 6, minute(0)), f.insertChange(t, 7, minute(7)) // 6 by a node whose clock is slow
		purge(minute(4), 2)
		require.Equal(t, []int{4, 5, 6, 7}, left())
		changes, _ := f.poll(t, cursor)
		require.Equal(t, []apikey.Change{{KeyID: slow, Version: 1}, {KeyID: next, Version: 1}}, changes)
		purge(minute(60), 2)
		require.Equal(t, []int{7}, left())

		for seq := 8; seq <= 10; seq++ {
			f.insertChange(t, seq, time.Now())
		}
		purge(time.Now().Add(time.Hour), 2)
		require.Equal(t, []int{8, 9, 10}, left())
	})
}

// What a poll reads does not grow with the table, even if the database knows
// nothing of how large that is.
func TestFeedWithoutStatistics(t *testing.T) {
	f := newKeyFixture(t, "postgres")
	f.exec(t, f.db, "ALTER TABLE "+f.prefix+"key_changes SET (autovacuum_enabled = false)")
	f.exec(t, f.db, "INSERT INTO "+f.prefix+"key_changes (key_id, version, changed_at) SELECT 'key', 1, 0 FROM generate_series(1, 300000)")
	f.exec(t, f.db, "DELETE FROM "+f.prefix+"key_changes WHERE seq = 299999") // a gap
	db := f.handle(t)
	db.SetMaxOpenConns(1)
	store := f.keyStore(t, db)
	read := func() (n int) {
		query := f.numbered("SELECT pg_stat_get_tuples_returned(c.oid) + COALESCE((SELECT SUM(pg_stat_get_tuples_returned(i.indexrelid)) FROM pg_index i WHERE i.indrelid = c.oid), 0) FROM pg_class c WHERE relname = ?")
		f.exec(t, db, "SELECT pg_stat_force_next_flush()")
		require.NoError(t, db.QueryRowContext(t.Context(), query, f.prefix+"key_changes").Scan(&n))
		return n
	}
	_, cursor, err := store.Changes(t.Context(), "")
	require.NoError(t, err)
	before := read()
	for range 5 {
		_, cursor, err = store.Changes(t.Context(), cursor)
		require.NoError(t, err)
	}
	require.Less(t, read()-before, 100)
}
