package integration

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/oauth"
)

// held returns a transaction that keeps a row to itself.
func (d database) held(t *testing.T, db *sql.DB, table, where string, args ...any) *sql.Tx {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = tx.Rollback() })
	var one int
	query := d.numbered("SELECT 1 FROM " + d.prefix + table + " WHERE " + where + " FOR UPDATE")
	require.NoError(t, tx.QueryRowContext(t.Context(), query, args...).Scan(&one))
	return tx
}

// A batch begins with what is oldest, and neither reads nor locks what is left
// for later ones.
func TestBatchesLeaveTheRestAlone(t *testing.T) {
	const rows, old, limit = 200, 50, 5 // of a table that is all old, MariaDB reads all
	at := func(i int) time.Time { return start.Add(time.Duration(i) * time.Second) }
	for _, dialect := range []string{"postgres", "mysql"} { // SQLite has one writer
		t.Run(dialect, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			keys := newKeyFixture(t, dialect)
			var ids []string
			for i := range rows {
				r := newRecord()
				e := eventOf(r, apikey.Created, at(i))
				require.NoError(t, keys.store.Create(ctx, r, e))
				ids = append(ids, e.ID)
				use := apikey.Use{KeyID: r.Key.ID, Day: apikey.Day{Date: at(i), Counts: apikey.Counts{Allowed: 1}}}
				require.NoError(t, keys.store.Record(ctx, []apikey.Use{use}))
			}
			keys.analyze(t, keys.db)
			keys.held(t, keys.db, "key_events", "id = ?", ids[old-1])
			var seq int64
			require.NoError(t, keys.db.QueryRowContext(ctx, keys.numbered("SELECT seq FROM "+keys.prefix+"key_changes WHERE changed_at = ?"), at(old-1).UnixMicro()).Scan(&seq))
			keys.held(t, keys.db, "key_changes", "seq = ?", seq)
			n, err := keys.store.Purge(ctx, at(old), limit)
			require.NoError(t, err)
			require.Equal(t, limit, n)
			left := func(table, column string) (oldest int64) {
				require.NoError(t, keys.db.QueryRowContext(ctx, "SELECT MIN("+column+") FROM "+keys.prefix+table).Scan(&oldest))
				return oldest
			}
			require.Equal(t, at(limit).UnixMicro(), left("key_events", "happened_at"))
			require.Equal(t, at(limit).UnixMicro(), left("key_changes", "changed_at"))

			grants := newOAuthFixture(t, dialect)
			var last oauth.Credential // of the old ones
			for i := range rows {
				g, c := newGrant()
				c.ExpiresAt = at(i)
				require.NoError(t, grants.store.CreateGrant(ctx, g, c))
				if i < old {
					last = c
				}
			}
			grants.analyze(t, grants.db)
			grants.held(t, grants.db, "credentials", "hash = ?", last.Hash[:])
			n, err = grants.store.DeleteExpired(ctx, at(old), limit)
			require.NoError(t, err)
			require.Equal(t, limit, n)
		})
	}
}

// What another transaction keeps for long is an error in the end, and not
// nothing.
func TestPurgeOfWhatOthersKeep(t *testing.T) {
	f := newKeyFixture(t, "postgres")
	r := newRecord()
	e := eventOf(r, apikey.Created, start)
	require.NoError(t, f.store.Create(t.Context(), r, e))
	tx := f.held(t, f.db, "key_events", "id = ?", e.ID)
	began := time.Now()
	n, err := f.store.Purge(t.Context(), start.Add(time.Hour), 10)
	require.ErrorContains(t, err, "apikeysql: purge: other transactions keep what is left")
	require.Zero(t, n)
	require.Less(t, time.Since(began), 10*time.Second)
	require.NoError(t, tx.Rollback())
	n, err = f.store.Purge(t.Context(), start.Add(time.Hour), 10)
	require.NoError(t, err)
	require.Equal(t, 1, n)
}

// A batch is never larger than it may be, also where PostgreSQL believes that the
// table is tiny, and chooses a plan for that.
func TestBatchOfATinyTable(t *testing.T) {
	f := newOAuthFixture(t, "postgres")
	const rows = 40
	for i := range rows {
		g, c := newGrant()
		c.ExpiresAt = start
		require.NoError(t, f.store.CreateGrant(t.Context(), g, c))
		if i == 0 {
			f.analyze(t, f.db)
		}
	}
	for range rows / 5 {
		n, err := f.store.DeleteExpired(t.Context(), start.Add(time.Hour), 5)
		require.NoError(t, err)
		require.Equal(t, 5, n)
	}
}

// Purge leaves no changes behind whose keys and events are gone.
func TestPurgeOfChangesAlone(t *testing.T) {
	eachKeyStore(t, func(t *testing.T, f keyFixture) {
		for range 3 {
			for range 40 {
				r := f.create(t)
				f.change(t, r, start, func(k *apikey.Key) { k.RevokedAt = start })
			}
			for _, purge := range []func(context.Context, time.Time, int) (int, error){f.store.PurgeRevoked, f.store.Purge} {
				for n := 1; n > 0; {
					var err error
					n, err = purge(t.Context(), start.Add(time.Hour), 20)
					require.NoError(t, err)
				}
			}
			var left int
			require.NoError(t, f.db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM "+f.prefix+"key_changes").Scan(&left))
			require.Equal(t, 1, left, "the newest")
		}
	})
}
