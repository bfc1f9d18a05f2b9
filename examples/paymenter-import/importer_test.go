package main

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
)

// forgetful fails to record now and then.
type forgetful struct {
	*apikey.MemoryStore

	fails error
}

func (f *forgetful) Record(ctx context.Context, uses []apikey.Use) error {
	if f.fails != nil {
		return f.fails
	}
	return f.MemoryStore.Record(ctx, uses)
}

// Who comes no further than the key itself gets the rest the next time, and
// what is newer stays.
func TestTakeAgain(t *testing.T) {
	t.Parallel()
	target := &forgetful{MemoryStore: apikey.NewMemoryStore(), fails: errors.New("the line was cut")}
	keys, err := apikey.New(target, apikey.Config{Prefix: "paym", ForeignFormats: []apikey.ForeignFormat{apikey.Paymenter()}})
	require.NoError(t, err)
	im := importer{keys: keys, store: target, converter: converter{stripPrefix: "admin."}, out: io.Discard}
	lastUsed := time.Date(2026, time.March, 4, 5, 6, 7, 0, time.UTC)
	r := good(func(r *row) { r.lastUsed = sql.NullTime{Time: lastUsed, Valid: true} })
	require.ErrorIs(t, im.take(t.Context(), r), target.fails)

	target.fails = nil
	require.ErrorIs(t, im.take(t.Context(), r), apikey.ErrExists)
	list, err := keys.List(t.Context(), apikey.Query{})
	require.NoError(t, err)
	require.Len(t, list.Keys, 1)
	last := func() time.Time {
		uses, err := target.LastUsed(t.Context(), []string{list.Keys[0].ID})
		require.NoError(t, err)
		require.Len(t, uses, 1)
		return uses[0].At
	}
	require.Equal(t, lastUsed, last())

	newer := lastUsed.Add(time.Hour)
	require.NoError(t, im.used(t.Context(), list.Keys[0], newer))
	require.ErrorIs(t, im.take(t.Context(), r), apikey.ErrExists)
	require.Equal(t, newer, last())
}
