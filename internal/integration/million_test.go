package integration

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/internal/bench/ratio"
)

// fill stores n keys by the database's own means, with one secret each, and
// returns the hashes of ten thousand that are in use. A key's number stands in its
// ID and in its name, and every owner has a thousand of them.
func (f keyFixture) fill(t *testing.T, n int) []apikey.Hash {
	t.Helper()
	enabled := "1"
	id, hash := "printf('019b0000-0000-7000-8000-%012x', i)", "randomblob(32)"
	numbers := fmt.Sprintf("(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) SELECT i FROM n)", n)
	text := func(s, number string) string { return "'" + s + "' || " + number }
	switch f.dialect {
	case "postgres":
		enabled = "true"
		id, hash = "'019b0000-0000-7000-8000-' || lpad(to_hex(i), 12, '0')", "sha256(i::text::bytea)"
		numbers = fmt.Sprintf("generate_series(1, %d) AS i", n)
	case "mysql":
		id, hash = "CONCAT('019b0000-0000-7000-8000-', LPAD(LOWER(HEX(i)), 12, '0'))", "UNHEX(SHA2(i, 256))"
		numbers = fmt.Sprintf("(SELECT seq AS i FROM seq_1_to_%d) AS n", n)
		text = func(s, number string) string { return "CONCAT('" + s + "', " + number + ")" }
	}
	permissions := `["invoices.view","orders.*","services.view","tickets.view","users.view"]`
	f.exec(t, f.db, "INSERT INTO "+f.prefix+"keys (id, name, name_folded, type, owner, permissions, allowed_ips, hint, metadata, enabled, created_at, "+
		"created_by, updated_at, revoked_reason, version, secret_count) SELECT "+id+", "+text("Key ", "i")+", "+text("key ", "i")+", 'admin', "+
		text("owner ", fmt.Sprintf("(i %% %d)", n/1000))+`, '`+permissions+`', '["192.0.2.0/24"]', 'test_abcd', '{}', `+
		enabled+", 1, 'operator', 1, '', 1, 1 FROM "+numbers)
	f.exec(t, f.db, "INSERT INTO "+f.prefix+"key_secrets (hash, key_id, pepper_id) SELECT "+hash+", "+id+", '' FROM "+numbers)
	f.analyze(t, f.db)
	rows, err := f.db.QueryContext(t.Context(), "SELECT hash FROM "+f.prefix+"key_secrets")
	require.NoError(t, err)
	defer func() { _ = rows.Close() }()
	var hashes []apikey.Hash
	for rows.Next() {
		var h sql.RawBytes
		require.NoError(t, rows.Scan(&h))
		if rand.N(n) < 10_000 { // spread over all of them
			hashes = append(hashes, apikey.Hash(h))
		}
	}
	require.NoError(t, rows.Err())
	return hashes
}

// requireRatio checks that one call takes at most so many times as long as
// another one.
func requireRatio(t *testing.T, what string, limit float64, subject, reference func() error) {
	t.Helper()
	times := func(do func() error) func(int) {
		return func(n int) {
			for range n {
				require.NoError(t, do())
			}
		}
	}
	compared := limit + 1
	for try := 0; compared > limit && try < 3; try++ { // a machine that others use has bad moments
		samples := ratio.Turns(ratio.Options{Sample: 40 * time.Millisecond}, times(subject), times(reference))
		compared = ratio.Ratio(samples[0], samples[1])
		t.Logf("%s: %.1f µs against %.1f µs, %.2f", what, ratio.Median(samples[0])/1000, ratio.Median(samples[1])/1000, compared)
	}
	require.LessOrEqual(t, compared, limit, what)
}

// withMemory returns a fixture on the same keys, whose database keeps in memory
// what is in use, by what the documentation of apikeysql says about many keys.
func (f keyFixture) withMemory(t *testing.T) keyFixture {
	t.Helper()
	switch f.dialect {
	case "sqlite":
		f.source += "&_pragma=mmap_size(1073741824)"
		f.db = f.open(t)
		f.store = f.keyStore(t, f.db)
	case "mysql":
		const pool = "SET GLOBAL innodb_buffer_pool_size = "
		var before int64
		require.NoError(t, f.db.QueryRowContext(t.Context(), "SELECT @@GLOBAL.innodb_buffer_pool_size").Scan(&before))
		f.exec(t, f.db, fmt.Sprint(pool, max(before, 512<<20)))
		t.Cleanup(func() { f.exec(t, f.db, fmt.Sprint(pool, before)) })
	}
	return f
}

// With a million keys, a key is found about as fast as with ten thousand, as
// long as the database has the memory for those that are in use, and always
// about as fast as the database can find anything. Ten thousand uses are one
// batch.
func TestAMillionKeys(t *testing.T) {
	if !*long {
		t.Skip("takes minutes: -long")
	}
	for _, dialect := range dialects() {
		t.Run(dialect, func(t *testing.T) {
			few, many := newKeyFixture(t, dialect), newKeyFixture(t, dialect)
			fewHashes, manyHashes := few.fill(t, 10_000), many.fill(t, 1_000_000)
			ctx := context.Background()
			anyOf := func(find func(apikey.Hash) error, hashes []apikey.Hash, inUse int) func() error {
				hashes = hashes[:min(inUse, len(hashes))]
				for _, h := range hashes { // what a database keeps in memory, it has read by then
					require.NoError(t, find(h))
				}
				return func() error { return find(hashes[rand.N(len(hashes))]) }
			}
			find := func(f keyFixture) func(apikey.Hash) error {
				return func(h apikey.Hash) error {
					_, err := f.store.Find(ctx, []apikey.Hash{h})
					return err
				}
			}
			compare := func(setting string, few, many keyFixture, enough int) {
				bare := many.bareFind(t)
				for _, inUse := range []int{100, 1000, 10_000} {
					what := fmt.Sprintf("Find, %d in use, %s", inUse, setting)
					requireRatio(t, what+", against a bare SELECT", 1.3, anyOf(find(many), manyHashes, inUse), anyOf(bare, manyHashes, inUse))
					if inUse <= enough {
						requireRatio(t, what, 1.5, anyOf(find(many), manyHashes, inUse), anyOf(find(few), fewHashes, inUse))
					}
				}
			}
			// For how many the memory is enough that a database has without being told.
			enough := map[string]int{"sqlite": 100, "postgres": 10_000, "mysql": 1000}[dialect]
			compare("as it is", few, many, enough)
			compare("with memory", few.withMemory(t), many.withMemory(t), 10_000)

			uses := make([]apikey.Use, 10_000)
			for i := range uses {
				uses[i] = apikey.Use{
					KeyID: fmt.Sprintf("019b0000-0000-7000-8000-%012x", 1+100*i), LastAt: start, LastAddr: netip.MustParseAddr("192.0.2.1"),
					Day: apikey.Day{Date: start.Truncate(24 * time.Hour), Counts: apikey.Counts{Allowed: 1}},
				}
			}
			for range 2 {
				began := time.Now()
				require.NoError(t, many.store.Record(ctx, uses))
				t.Logf("10,000 uses: %v", time.Since(began))
				require.Less(t, time.Since(began), 5*time.Second)
			}
		})
	}
}
