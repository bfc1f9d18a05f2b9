package integration

import (
	"context"
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey/apikeysql"
	"github.com/latchwork/latchwork/apikey/apikeytest"
)

func (d database) keyConfig() apikeysql.Config {
	return apikeysql.Config{Dialect: apikeysql.Dialect(d.dialect), TablePrefix: d.prefix}
}

// migrateKeys creates the tables of the keys.
func (d database) migrateKeys(t testing.TB, db *sql.DB) {
	t.Helper()
	require.NoError(t, apikeysql.Migrate(context.Background(), db, d.keyConfig()))
}

// keyStore returns a store on a handle.
func (d database) keyStore(t testing.TB, db *sql.DB) *apikeysql.Store {
	t.Helper()
	store, err := apikeysql.New(db, d.keyConfig())
	require.NoError(t, err)
	t.Cleanup(func() { _ = store.Close() })
	return store
}

func TestKeyContract(t *testing.T) {
	for _, dialect := range dialects() {
		t.Run(dialect, func(t *testing.T) {
			d := newDatabase(t, dialect)
			first, second := d.open(t), d.open(t)
			d.migrateKeys(t, first)
			store, other := d.keyStore(t, first), d.keyStore(t, second)
			apikeytest.TestStore(t, func(t *testing.T) apikeytest.Backend {
				d.empty(t, first)
				return apikeytest.Backend{Store: store, Activity: store, Feed: store, Second: other}
			})
		})
	}
}
