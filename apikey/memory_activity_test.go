package apikey_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
)

// changes stores versions of a record, one for each instant, in a MemoryStore.
func changes(t testing.TB, store *apikey.MemoryStore, r apikey.Record, instants ...time.Time) apikey.Record {
	t.Helper()
	for _, at := range instants {
		r.Key.Version++
		e := apikey.Event{ID: fmt.Sprintf("%05d", r.Key.Version), KeyID: r.Key.ID, Kind: apikey.Updated, At: at}
		if r.Key.Version == 1 {
			require.NoError(t, store.Create(t.Context(), r, e))
			continue
		}
		require.NoError(t, store.Update(t.Context(), r, e))
	}
	return r
}

func TestMemoryStoreKeepsTheNewestEvents(t *testing.T) {
	t.Parallel()
	const kept = 1000
	at := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	store := apikey.NewMemoryStore()
	instants := make([]time.Time, kept+2)
	for i := range instants {
		instants[i] = at.Add(time.Duration(i) * time.Second)
	}
	r := changes(t, store, apikey.Record{Key: apikey.Key{ID: "many"}}, instants...)
	other := changes(t, store, apikey.Record{Key: apikey.Key{ID: "few"}}, at)
	events, err := store.Events(t.Context(), r.Key.ID, apikey.Page{Limit: 2 * kept})
	require.NoError(t, err)
	require.Len(t, events, kept)
	require.Equal(t, "01002", events[0].ID)
	require.Equal(t, "00003", events[kept-1].ID, "the oldest went")
	events, err = store.Events(t.Context(), other.Key.ID, apikey.Page{Limit: 2 * kept})
	require.NoError(t, err)
	require.Len(t, events, 1, "each key has its own share")
}

func TestMemoryStoreForgetsWhatIsOld(t *testing.T) {
	t.Parallel()
	const age = 400 * 24 * time.Hour
	newest := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	store := apikey.NewMemoryStore()
	r := changes(t, store, apikey.Record{Key: apikey.Key{ID: "old"}},
		newest.Add(-age-time.Microsecond), newest.Add(-age), newest.Add(-time.Hour), newest)
	events, err := store.Events(t.Context(), r.Key.ID, apikey.Page{Limit: 10})
	require.NoError(t, err)
	require.Len(t, events, 3)
	require.Equal(t, newest.Add(-age), events[2].At)

	dates := []time.Time{newest.AddDate(0, 0, -401), newest.AddDate(0, 0, -400), newest.AddDate(0, 0, -1), newest}
	for _, date := range append(dates, dates[0]) { // what comes late is too old at once
		u := apikey.Use{KeyID: r.Key.ID, Day: apikey.Day{Date: date, Counts: apikey.Counts{Allowed: 1}}, LastAt: date}
		require.NoError(t, store.Record(t.Context(), []apikey.Use{u}))
	}
	days, err := store.Usage(t.Context(), r.Key.ID, time.Time{})
	require.NoError(t, err)
	require.Len(t, days, 3)
	require.Equal(t, dates[1], days[0].Date)
	last, err := store.LastUsed(t.Context(), []string{r.Key.ID})
	require.NoError(t, err)
	require.Equal(t, []apikey.LastUse{{KeyID: r.Key.ID, At: newest}}, last)
}

// A feed remembers at least the newest 10,000 changes, and says so when it is
// asked for what came before.
func TestMemoryStoreFeedForgets(t *testing.T) {
	t.Parallel()
	const least = 10_000
	store := apikey.NewMemoryStore()
	r := changes(t, store, apikey.Record{Key: apikey.Key{ID: "busy"}}, time.Unix(1, 0))
	_, old, err := store.Changes(t.Context(), "")
	require.NoError(t, err)
	r = changes(t, store, r, make([]time.Time, least)...)
	list, _, err := store.Changes(t.Context(), old)
	require.NoError(t, err)
	require.Len(t, list, least)
	require.Equal(t, apikey.Change{KeyID: "busy", Version: least + 1}, list[least-1])

	_, newer, err := store.Changes(t.Context(), "")
	require.NoError(t, err)
	changes(t, store, r, make([]time.Time, least)...)
	_, _, err = store.Changes(t.Context(), old)
	require.ErrorIs(t, err, apikey.ErrCursor)
	list, now, err := store.Changes(t.Context(), newer)
	require.NoError(t, err)
	require.Len(t, list, least)
	list, again, err := store.Changes(t.Context(), now)
	require.NoError(t, err)
	require.Empty(t, list)
	require.Equal(t, now, again)
}
