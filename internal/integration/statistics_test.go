package integration

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/oauth"
)

// What a request waits for takes no longer on a database with statistics, in
// spite of what sqlkit.Is says about SQLite.
func TestStatistics(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		without, with := newDatabase(t, "sqlite").readers(t, false), newDatabase(t, "sqlite").readers(t, true)
		for what, read := range with {
			requireRatio(t, what+" with statistics", 1.4, read, without[what])
		}
	})
}

// readers returns what reads one of some hundred keys, tokens or clients after
// the other, by stores that are opened when all of them are there.
func (d database) readers(t *testing.T, analyzed bool) map[string]func() error {
	t.Helper()
	const n = 300
	db := d.open(t)
	d.migrateKeys(t, db)
	d.migrateOAuth(t, db)
	keys, tokens := d.keyStore(t, db), d.oauthStore(t, db)
	hashes, ids := make([]apikey.Hash, n), make([]string, n)
	credentials, clients := make([]oauth.Credential, n), make([]string, n)
	for i := range n {
		r := newRecord()
		require.NoError(t, keys.Create(t.Context(), r, eventOf(r, apikey.Created, start)))
		g, c := newGrant()
		require.NoError(t, tokens.CreateGrant(t.Context(), g, c))
		_, err := tokens.Spend(t.Context(), newSpend(c))
		require.NoError(t, err)
		client := oauth.Client{ID: newID(), Secrets: make([]oauth.ClientSecret, 1), Version: 1}
		require.NoError(t, tokens.CreateClient(t.Context(), client))
		hashes[i], ids[i], credentials[i], clients[i] = r.Secrets[0].Hash, r.Key.ID, c, client.ID
	}
	if analyzed {
		d.analyze(t, db)
	}
	db = d.open(t)
	keys, tokens = d.keyStore(t, db), d.oauthStore(t, db)
	i := 0
	next := func() int { i++; return i % n }
	return map[string]func() error{
		"Find": func() error {
			_, err := keys.Find(t.Context(), hashes[next():][:1])
			return err
		},
		"Get": func() error {
			_, err := keys.Get(t.Context(), ids[next()])
			return err
		},
		"Lookup": func() error {
			_, _, err := tokens.Lookup(t.Context(), credentials[next()].Hash)
			return err
		},
		"Spend, of what is spent": func() error {
			_, err := tokens.Spend(t.Context(), newSpend(credentials[next()]))
			return err
		},
		"Client": func() error {
			_, err := tokens.Client(t.Context(), clients[next()])
			return err
		},
	}
}
