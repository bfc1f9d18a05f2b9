package integration

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/oauth"
)

// What is read is whole, or an error says that it is not: a key is never taken
// for one that is not there, and a list never for a shorter one.
func TestFaultsInReadsOfKeys(t *testing.T) {
	t.Parallel()
	eachKeyStore(t, func(t *testing.T, f keyFixture) {
		r := f.create(t)
		_, begin, err := f.store.Changes(t.Context(), "")
		require.NoError(t, err)
		r = f.change(t, r, start, func(k *apikey.Key) { k.Name = "changed" })
		f.create(t)
		day := start.Truncate(24 * time.Hour)
		for _, at := range []time.Time{day, day.Add(-24 * time.Hour)} {
			require.NoError(t, f.store.Record(t.Context(), []apikey.Use{{
				KeyID: r.Key.ID, LastAt: at, Day: apikey.Day{Date: at, Counts: apikey.Counts{Allowed: 1}},
			}}))
		}
		db, faults := f.faulty(t)
		failing := f.keyStore(t, db)
		reads := map[string]struct {
			want any
			read func(ctx context.Context) (any, error)
		}{
			"find": {r.Key.ID, func(ctx context.Context) (any, error) {
				got, err := failing.Find(ctx, []apikey.Hash{r.Secrets[0].Hash})
				return got.Key.ID, err
			}},
			"get": {r.Key.Version, func(ctx context.Context) (any, error) {
				got, err := failing.Get(ctx, r.Key.ID)
				return got.Key.Version, err
			}},
			"list": {2, func(ctx context.Context) (any, error) {
				page, err := failing.List(ctx, apikey.Query{Type: "admin", Limit: 10})
				return len(page.Keys), err
			}},
			"events": {2, func(ctx context.Context) (any, error) {
				events, err := failing.Events(ctx, r.Key.ID, apikey.Page{Limit: 10})
				return len(events), err
			}},
			"usage": {2, func(ctx context.Context) (any, error) {
				days, err := failing.Usage(ctx, r.Key.ID, time.Time{})
				return len(days), err
			}},
			"last used": {1, func(ctx context.Context) (any, error) {
				uses, err := failing.LastUsed(ctx, []string{r.Key.ID})
				return len(uses), err
			}},
			"changes": {2, func(ctx context.Context) (any, error) {
				changes, _, err := failing.Changes(ctx, begin)
				return len(changes), err
			}},
			"present": {true, func(ctx context.Context) (any, error) {
				_, cursor, err := failing.Changes(ctx, "")
				return cursor != "", err
			}},
		}
		for name, c := range reads {
			warm := func() error { _, err := c.read(t.Context()); return err }
			withFaults(t, faults, warm, func(t *testing.T, what string) {
				var got any
				err := impatient(t, func(ctx context.Context) (err error) {
					got, err = c.read(ctx)
					return err
				})
				require.NotErrorIs(t, err, apikey.ErrNotFound, "%s: %s", name, what)
				require.NotErrorIs(t, err, apikey.ErrCursor, "%s: %s", name, what)
				if err == nil {
					require.Equal(t, c.want, got, "%s: %s", name, what)
				}
			})
		}
	})
}

func TestFaultsInReadsOfGrants(t *testing.T) {
	t.Parallel()
	eachOAuthStore(t, func(t *testing.T, f oauthFixture) {
		g, c := newGrant()
		require.NoError(t, f.store.CreateGrant(t.Context(), g, c))
		other, _ := newGrant()
		require.NoError(t, f.store.CreateGrant(t.Context(), other))
		for _, id := range []string{"app", "other"} {
			require.NoError(t, f.store.CreateClient(t.Context(), oauth.Client{ID: id, Version: 1}))
		}
		db, faults := f.faulty(t)
		failing := f.oauthStore(t, db)
		for name, read := range map[string]func(ctx context.Context) (bool, error){
			"lookup": func(ctx context.Context) (bool, error) {
				_, got, err := failing.Lookup(ctx, c.Hash)
				return got.ID == g.ID, err
			},
			"grants": func(ctx context.Context) (bool, error) {
				list, err := failing.Grants(ctx, oauth.Filter{ClientID: "app"}, oauth.Page{Limit: 10})
				return len(list) == 2, err
			},
			"client": func(ctx context.Context) (bool, error) {
				got, err := failing.Client(ctx, "app")
				return got.ID == "app", err
			},
			"clients": func(ctx context.Context) (bool, error) {
				list, err := failing.Clients(ctx, oauth.Page{Limit: 10})
				return len(list) == 2, err
			},
		} {
			warm := func() error { _, err := read(t.Context()); return err }
			withFaults(t, faults, warm, func(t *testing.T, what string) {
				whole := false
				err := impatient(t, func(ctx context.Context) (err error) {
					whole, err = read(ctx)
					return err
				})
				require.NotErrorIs(t, err, oauth.ErrNotFound, "%s: %s", name, what)
				require.Equal(t, err == nil, whole, "%s: %s", name, what)
			})
		}
	})
}
