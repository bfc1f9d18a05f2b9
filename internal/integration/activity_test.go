package integration

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/apikey/apikeysql"
	"github.com/latchwork/latchwork/scope"
)

// A keyFixture is a store of keys on one of the databases.
type keyFixture struct {
	database
	db    *sql.DB
	store *apikeysql.Store
}

// eachKeyStore runs a test with a store of keys on every database.
func eachKeyStore(t *testing.T, test func(t *testing.T, f keyFixture)) {
	t.Helper()
	for _, dialect := range dialects() {
		t.Run(dialect, func(t *testing.T) { test(t, newKeyFixture(t, dialect)) })
	}
}

func newKeyFixture(t testing.TB, dialect string) keyFixture {
	t.Helper()
	f := keyFixture{database: newDatabase(t, dialect)}
	f.db = f.open(t)
	f.migrateKeys(t, f.db)
	f.store = f.keyStore(t, f.db)
	return f
}

// start is when everything begins.
var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// newID returns a version 7 UUID.
func newID() string { return uuid.Must(uuid.NewV7()).String() }

// newRecord returns a record with one secret.
func newRecord() apikey.Record {
	r := apikey.Record{
		Key: apikey.Key{
			ID: newID(), Name: "CI", Type: "admin", Permissions: scope.MustParseSet("users.view", "orders.*"), Hint: "test_abcd",
			Enabled: true, CreatedAt: start, CreatedBy: "operator", UpdatedAt: start, Version: 1,
		},
		Secrets: make([]apikey.SecretHash, 1),
	}
	rand.Read(r.Secrets[0].Hash[:])
	return r
}

func eventOf(r apikey.Record, kind apikey.EventKind, at time.Time) apikey.Event {
	return apikey.Event{ID: newID(), KeyID: r.Key.ID, Kind: kind, At: at, Actor: "operator"}
}

// create stores a new record.
func (f keyFixture) create(t testing.TB) apikey.Record {
	t.Helper()
	r := newRecord()
	require.NoError(t, f.store.Create(context.Background(), r, eventOf(r, apikey.Created, start)))
	return r
}

// change stores the next version of a record.
func (f keyFixture) change(t testing.TB, r apikey.Record, at time.Time, edit func(*apikey.Key)) apikey.Record {
	t.Helper()
	r = r.Clone()
	r.Key.Version++
	edit(&r.Key)
	require.NoError(t, f.store.Update(context.Background(), r, eventOf(r, apikey.Updated, at)))
	return r
}

func TestUsesInBatches(t *testing.T) {
	eachKeyStore(t, func(t *testing.T, f keyFixture) {
		const keys = 2345 // more than two statements
		addr := netip.MustParseAddr("2001:db8::1")
		ids := make([]string, keys)
		uses := make([]apikey.Use, keys)
		for i := range uses {
			ids[i] = newID()
			uses[i] = apikey.Use{
				KeyID: ids[i], LastAt: start, LastAddr: addr,
				Day: apikey.Day{Date: start.Truncate(24 * time.Hour), Counts: apikey.Counts{Allowed: 1, DeniedState: 2, DeniedAddress: 3, DeniedType: 4, DeniedPermission: 5, DeniedRequest: 6}},
			}
		}
		for range 3 {
			require.NoError(t, f.store.Record(t.Context(), uses))
		}
		last, err := f.store.LastUsed(t.Context(), append(ids, "nobody", "\xff"))
		require.NoError(t, err)
		require.Len(t, last, keys)
		for _, u := range last {
			require.Equal(t, apikey.LastUse{KeyID: u.KeyID, At: start, Addr: addr}, u)
		}
		days, err := f.store.Usage(t.Context(), ids[keys-1], start)
		require.NoError(t, err)
		require.Equal(t, []apikey.Day{{
			Date: start.Truncate(24 * time.Hour), Counts: apikey.Counts{Allowed: 3, DeniedState: 6, DeniedAddress: 9, DeniedType: 12, DeniedPermission: 15, DeniedRequest: 18},
		}}, days)

		// Nothing at all, and nothing that a key could be called.
		require.NoError(t, f.store.Record(t.Context(), nil))
		require.NoError(t, f.store.Record(t.Context(), []apikey.Use{{KeyID: "\xff", LastAt: start, Day: uses[0].Day}}))
		days, err = f.store.Usage(t.Context(), "\xff", start)
		require.NoError(t, err)
		require.Empty(t, days)
	})
}

func TestPurgeRevoked(t *testing.T) {
	eachKeyStore(t, func(t *testing.T, f keyFixture) {
		revoked := func(at time.Time) apikey.Record {
			r := f.create(t)
			require.NoError(t, f.store.Record(t.Context(), []apikey.Use{{
				KeyID: r.Key.ID, LastAt: start, Day: apikey.Day{Date: start.Truncate(24 * time.Hour), Counts: apikey.Counts{Allowed: 1}},
			}}))
			return f.change(t, r, at, func(k *apikey.Key) { k.RevokedAt = at })
		}
		lives, late, cut := f.create(t), revoked(start.Add(time.Hour)), start.Add(time.Hour)
		early := []apikey.Record{revoked(start), revoked(start), revoked(start.Add(time.Minute))}
		for _, want := range []int{2, 1, 0} {
			n, err := f.store.PurgeRevoked(t.Context(), cut, 2)
			require.NoError(t, err)
			require.Equal(t, want, n)
		}
		for _, r := range early {
			_, err := f.store.Get(t.Context(), r.Key.ID)
			require.ErrorIs(t, err, apikey.ErrNotFound)
			_, err = f.store.Find(t.Context(), []apikey.Hash{r.Secrets[0].Hash})
			require.ErrorIs(t, err, apikey.ErrNotFound)
			events, err := f.store.Events(t.Context(), r.Key.ID, apikey.Page{Limit: 10})
			require.NoError(t, err)
			require.Empty(t, events)
			days, err := f.store.Usage(t.Context(), r.Key.ID, start)
			require.NoError(t, err)
			require.Empty(t, days)
			last, err := f.store.LastUsed(t.Context(), []string{r.Key.ID})
			require.NoError(t, err)
			require.Empty(t, last)
		}
		for _, r := range []apikey.Record{lives, late} {
			_, err := f.store.Get(t.Context(), r.Key.ID)
			require.NoError(t, err)
		}
		n, err := f.store.PurgeRevoked(t.Context(), start.Add(24*time.Hour), 0)
		require.NoError(t, err)
		require.Zero(t, n)
		over, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = f.store.PurgeRevoked(over, cut, 1)
		require.ErrorIs(t, err, context.Canceled)
	})
}

// Several nodes purge at once, and nothing is counted twice.
func TestPurgeAtOnce(t *testing.T) {
	eachKeyStore(t, func(t *testing.T, f keyFixture) {
		const keys = 60
		for range keys {
			f.change(t, f.create(t), start, func(k *apikey.Key) { k.RevokedAt = start })
		}
		later := start.Add(time.Hour)
		events := f.atOnce(t, func(s *apikeysql.Store) (int, error) { return s.Purge(context.Background(), later, 7) })
		require.Equal(t, 2*keys, events)
		revoked := f.atOnce(t, func(s *apikeysql.Store) (int, error) { return s.PurgeRevoked(context.Background(), later, 7) })
		require.Equal(t, keys, revoked)
		for range 2 * keys / 7 {
			n, err := f.store.Purge(t.Context(), later, 7)
			require.NoError(t, err)
			require.Zero(t, n)
		}
		var changes int
		require.NoError(t, f.db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM "+f.prefix+"key_changes").Scan(&changes))
		require.Equal(t, 1, changes, "the newest change stays")
	})
}

// atOnce lets four nodes delete until there is nothing left, and returns how
// much they did together.
func (f keyFixture) atOnce(t *testing.T, purge func(*apikeysql.Store) (int, error)) int {
	t.Helper()
	var all sync.WaitGroup
	var total atomic.Int64
	errs := make([]error, 4)
	for i := range errs {
		store := f.keyStore(t, f.open(t))
		all.Go(func() {
			for {
				n, err := purge(store)
				total.Add(int64(n))
				if n == 0 || err != nil {
					errs[i] = err
					return
				}
			}
		})
	}
	all.Wait()
	require.NoError(t, errors.Join(errs...))
	return int(total.Load())
}

// Servers and drivers keep the statements that they see, by their text: however
// many rows are written or asked for, there are few.
func TestFewStatements(t *testing.T) {
	f := newKeyFixture(t, "postgres")
	db := f.handle(t)
	db.SetMaxOpenConns(1)
	store := f.keyStore(t, db)
	now := time.Now().UTC().Truncate(time.Microsecond)
	var uses []apikey.Use
	var ids []string
	for n := 1; n <= 300; n++ {
		id := newID()
		ids = append(ids, id)
		uses = append(uses, apikey.Use{KeyID: id, LastAt: now, Day: apikey.Day{Date: now.Truncate(24 * time.Hour), Counts: apikey.Counts{Allowed: 1}}})
		require.NoError(t, store.Record(t.Context(), uses))
		last, err := store.LastUsed(t.Context(), ids)
		require.NoError(t, err)
		require.Len(t, last, n)
	}
	for i, id := range ids {
		days, err := store.Usage(t.Context(), id, now)
		require.NoError(t, err)
		require.Len(t, days, 1)
		require.EqualValues(t, len(ids)-i, days[0].Allowed)
	}
	var statements int
	require.NoError(t, db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM pg_prepared_statements").Scan(&statements))
	require.Less(t, statements, 60)
}
