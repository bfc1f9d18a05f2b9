package integration

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/ipfilter"
)

// A row that somebody damaged is an error, and never a key with less on it, or
// with more.
func TestUnreadableKeys(t *testing.T) {
	eachKeyStore(t, func(t *testing.T, f keyFixture) {
		for column, values := range map[string][]string{
			"permissions": {``, `null`, `{}`, `["users.view"`, `["users.view","b.*ad"]`, `["users.view",null]`, `["users.view",7]`, `users.view`},
			"allowed_ips": {``, `null`, `[]`, `{}`, `["192.0.2.1"`, `["192.0.2.1","x"]`, `["0.0.0.0/0"]`, `anywhere`, `"Anywhere"`},
			"metadata":    {``, `null`, `[]`, `{"a":1}`, `{"a"`, `{"":"b"}`},
		} {
			for _, value := range values {
				r := f.create(t)
				f.exec(t, f.db, "UPDATE "+f.prefix+"keys SET "+column+" = '"+value+"' WHERE id = '"+r.Key.ID+"'")
				_, find := f.store.Find(t.Context(), []apikey.Hash{r.Secrets[0].Hash})
				_, get := f.store.Get(t.Context(), r.Key.ID)
				_, list := f.store.List(t.Context(), apikey.Query{Limit: 10})
				for what, err := range map[string]error{"find": find, "get": get, "list": list} {
					require.ErrorContainsf(t, err, "apikeysql: "+what, "%s is %s", column, value)
					require.NotErrorIs(t, err, apikey.ErrNotFound)
				}
				f.exec(t, f.db, "DELETE FROM "+f.prefix+"keys WHERE id = '"+r.Key.ID+"'")
			}
		}
		r := f.create(t)
		f.exec(t, f.db, "UPDATE "+f.prefix+"key_events SET changes = '[{' WHERE key_id = '"+r.Key.ID+"'")
		_, err := f.store.Events(t.Context(), r.Key.ID, apikey.Page{Limit: 10})
		require.ErrorContains(t, err, "apikeysql: events")
		f.exec(t, f.db, "INSERT INTO "+f.prefix+"key_uses (key_id, last_at, last_addr) VALUES ('x', 1, '10.0.0.256')")
		_, err = f.store.LastUsed(t.Context(), []string{"x"})
		require.ErrorContains(t, err, "apikeysql: last used")
	})
}

// What could not be read back is not stored.
func TestUnstorableKeys(t *testing.T) {
	eachKeyStore(t, func(t *testing.T, f keyFixture) {
		stored := f.create(t)
		for name, edit := range map[string]func(*apikey.Record, *apikey.Event){
			"name":   func(r *apikey.Record, _ *apikey.Event) { r.Key.Name = "a\xff" },
			"owner":  func(r *apikey.Record, _ *apikey.Event) { r.Key.Owner = "a\x00" },
			"pepper": func(r *apikey.Record, _ *apikey.Event) { r.Secrets[0].PepperID = "\xff" },
			"actor":  func(_ *apikey.Record, e *apikey.Event) { e.Actor = "\xff" },
			"change": func(_ *apikey.Record, e *apikey.Event) {
				e.Changes = []apikey.FieldChange{{Field: "name", New: "\xff"}}
			},
			"empty list": func(r *apikey.Record, _ *apikey.Event) { r.Key.AllowedIPs = new(ipfilter.List) },
		} {
			fresh := newRecord()
			e := eventOf(fresh, apikey.Created, start)
			edit(&fresh, &e)
			require.ErrorContains(t, f.store.Create(t.Context(), fresh, e), "apikeysql: create", name)
			_, err := f.store.Get(t.Context(), fresh.Key.ID)
			require.ErrorIs(t, err, apikey.ErrNotFound, name)

			changed := stored.Clone()
			changed.Key.Version++
			e = eventOf(changed, apikey.Updated, start)
			edit(&changed, &e)
			require.ErrorContains(t, f.store.Update(t.Context(), changed, e), "apikeysql: update", name)
		}
		require.ErrorContains(t, f.store.Rehash(t.Context(), stored.Key.ID, stored.Secrets[0].Hash, apikey.SecretHash{PepperID: "\xff"}), "apikeysql: rehash")
		got, err := f.store.Get(t.Context(), stored.Key.ID)
		require.NoError(t, err)
		require.Equal(t, stored.Key.Version, got.Key.Version)
		require.Equal(t, stored.Secrets, got.Secrets)
	})
}

// A table that is gone, and comes back: the error says what to do, and nothing
// needs to be started anew.
func TestDroppedTable(t *testing.T) {
	eachKeyStore(t, func(t *testing.T, f keyFixture) {
		r := f.create(t)
		find := func() error {
			_, err := f.store.Find(t.Context(), []apikey.Hash{r.Secrets[0].Hash})
			return err
		}
		require.NoError(t, find())
		f.exec(t, f.db, "ALTER TABLE "+f.prefix+"key_secrets RENAME TO "+f.prefix+"key_hidden")
		require.ErrorContains(t, find(), "run apikeysql.Migrate")
		fresh := newRecord()
		require.ErrorContains(t, f.store.Create(t.Context(), fresh, eventOf(fresh, apikey.Created, start)), "run apikeysql.Migrate")
		f.exec(t, f.db, "ALTER TABLE "+f.prefix+"key_hidden RENAME TO "+f.prefix+"key_secrets")
		require.NoError(t, find())
		_, err := f.store.Get(t.Context(), fresh.Key.ID)
		require.ErrorIs(t, err, apikey.ErrNotFound)
	})
}
