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
