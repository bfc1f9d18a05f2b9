package integration

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/apikey/apikeysql"
)

// A file that may only be read: reading goes on, and writing says what is wrong.
func TestReadOnly(t *testing.T) {
	f := newKeyFixture(t, "sqlite")
	stored := f.create(t)
	readOnly := f.database
	readOnly.source = strings.Replace(f.source, "?", "?mode=ro&", 1)
	store := f.keyStore(t, readOnly.open(t))
	_, err := store.Find(t.Context(), []apikey.Hash{stored.Secrets[0].Hash})
	require.NoError(t, err)
	fresh := newRecord()
	err = store.Create(t.Context(), fresh, eventOf(fresh, apikey.Created, start))
	require.ErrorContains(t, err, "apikeysql: create: ")
	require.ErrorContains(t, err, "is read-only, or this account may not write to it")
}

func TestReadOnlyTransactions(t *testing.T) {
	const says = "is read-only, or this account may not write to it"
	f := newKeyFixture(t, "postgres")
	readOnly := f.database
	readOnly.source = withOption(f.source, "default_transaction_read_only=on")
	store := f.keyStore(t, readOnly.open(t))
	fresh := newRecord()
	require.ErrorContains(t, store.Create(t.Context(), fresh, eventOf(fresh, apikey.Created, start)), says)
	require.ErrorContains(t, store.Rehash(t.Context(), fresh.Key.ID, fresh.Secrets[0].Hash, newRecord().Secrets[0]), says)

	f = newKeyFixture(t, "mysql")
	readOnly = f.database
	readOnly.source = withOption(f.source, "tx_read_only=1") // MySQL calls it transaction_read_only
	_, err := apikeysql.New(readOnly.open(t), f.keyConfig()) // does not even prepare what writes
	require.ErrorContains(t, err, says)
}

// A disk that is full, as far as SQLite can tell: what was acknowledged is there,
// what was not is not, and it goes on when there is room again.
func TestFullDisk(t *testing.T) {
	f := newKeyFixture(t, "sqlite")
	db := f.open(t)
	db.SetMaxOpenConns(1)
	store := f.keyStore(t, db)
	var pages int
	require.NoError(t, db.QueryRowContext(t.Context(), "PRAGMA page_count").Scan(&pages))
	f.exec(t, db, fmt.Sprintf("PRAGMA max_page_count = %d", pages+8))
	var acknowledged []apikey.Record
	var err error
	for err == nil && len(acknowledged) < 10_000 {
		r := newRecord()
		if err = store.Create(t.Context(), r, eventOf(r, apikey.Created, start)); err == nil {
			acknowledged = append(acknowledged, r)
			continue
		}
		_, missing := store.Get(t.Context(), r.Key.ID)
		require.ErrorIs(t, missing, apikey.ErrNotFound)
	}
	require.ErrorContains(t, err, "(the disk is full)")
	require.NotEmpty(t, acknowledged)
	f.exec(t, db, "PRAGMA max_page_count = 1000000")
	r := newRecord()
	require.NoError(t, store.Create(t.Context(), r, eventOf(r, apikey.Created, start)))
	for _, r := range acknowledged {
		_, err := store.Get(t.Context(), r.Key.ID)
		require.NoError(t, err)
	}
}

// A server that ends all connections is no more than an error here and there,
// and nothing has to be started anew.
func TestServerGoesAway(t *testing.T) {
	for _, dialect := range []string{"postgres", "mysql"} {
		t.Run(dialect, func(t *testing.T) {
			f := newKeyFixture(t, dialect)
			stored := f.create(t)
			db := f.open(t)
			db.SetMaxOpenConns(1)
			store := f.keyStore(t, db)
			ask, end := "SELECT pg_backend_pid()", "SELECT pg_terminate_backend(%d)"
			if dialect == "mysql" {
				ask, end = "SELECT CONNECTION_ID()", "KILL %d"
			}
			for range 5 {
				var connection int64
				require.NoError(t, db.QueryRowContext(t.Context(), ask).Scan(&connection))
				f.exec(t, f.db, fmt.Sprintf(end, connection))
				failures := 0
				for {
					_, err := store.Find(t.Context(), []apikey.Hash{stored.Secrets[0].Hash})
					if err == nil {
						break
					}
					require.NotErrorIs(t, err, apikey.ErrNotFound)
					require.ErrorContains(t, err, "apikeysql: find: ")
					failures++
					require.LessOrEqual(t, failures, 1, "%v", err)
				}
				fresh := newRecord()
				require.NoError(t, store.Create(t.Context(), fresh, eventOf(fresh, apikey.Created, start)))
			}
		})
	}
}
