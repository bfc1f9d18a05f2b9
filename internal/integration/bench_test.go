package integration

import (
	"context"
	"database/sql"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/internal/bench/ratio"
	"github.com/latchwork/latchwork/ipfilter"
	"github.com/latchwork/latchwork/oauth"
	"github.com/latchwork/latchwork/scope"
)

// The promises about speed, each against statements written by hand for the
// same tables of the same database, prepared, and with the same rows:
//
//	go test -C internal/integration -run '^$' -bench .

// measure reports how a store compares with bare statements, and fails when
// that is more than the limit.
func measure(b *testing.B, limit float64, subject, reference func() error) {
	b.Helper()
	times := func(do func() error) func(int) {
		return func(n int) {
			for range n {
				if err := do(); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	var samples [][]float64
	compared := limit + 1
	for try := 0; compared > limit && try < 3; try++ { // a machine that others use has bad moments
		samples = ratio.Turns(ratio.Options{Sample: 40 * time.Millisecond}, times(subject), times(reference))
		compared = ratio.Ratio(samples[0], samples[1])
	}
	b.ReportMetric(compared, "ratio")
	b.ReportMetric(ratio.Median(samples[0])/1000, "µs/op")
	b.ReportMetric(ratio.Median(samples[1])/1000, "bare-µs/op")
	b.ReportMetric(0, "ns/op")
	if compared > limit {
		b.Errorf("%.2f times the bare statements, and %.2f is promised", compared, limit)
	}
}

// prepare prepares a statement with the names and marks of the database.
func (d database) prepare(t testing.TB, db *sql.DB, text string) *sql.Stmt {
	t.Helper()
	text = d.numbered(strings.ReplaceAll(text, "latchwork_", d.prefix))
	stmt, err := db.PrepareContext(context.Background(), text)
	require.NoError(t, err)
	t.Cleanup(func() { _ = stmt.Close() })
	return stmt
}

// inTx runs prepared statements in one transaction.
func inTx(db *sql.DB, do func(ctx context.Context, tx *sql.Tx) error) error {
	ctx := context.Background()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := do(ctx, tx); err != nil {
		return err
	}
	return tx.Commit()
}

// bareFind returns what finds a key by a prepared SELECT of the same columns by
// the same index.
func (f keyFixture) bareFind(t testing.TB) func(apikey.Hash) error {
	t.Helper()
	stmt := f.prepare(t, f.db, selectKey)
	return func(h apikey.Hash) error {
		var id, name, kind, owner, permissions, list, hint, metadata, createdBy, reason, pepper string
		var enabled bool
		var created, updated, version int64
		var expires, revoked, deadline sql.NullInt64
		var hash []byte
		return stmt.QueryRowContext(context.Background(), h[:]).Scan(&id, &name, &kind, &owner, &permissions, &list, &hint, &metadata, &enabled,
			&created, &createdBy, &updated, &expires, &revoked, &reason, &version, &hash, &pepper, &deadline)
	}
}

// selectKey says IN, because where there are statistics, SQLite prepares what
// says = ? again for every value.
const selectKey = "SELECT k.id, k.name, k.type, k.owner, k.permissions, k.allowed_ips, k.hint, k.metadata, k.enabled, k.created_at, " +
	"k.created_by, k.updated_at, k.expires_at, k.revoked_at, k.revoked_reason, k.version, s.hash, s.pepper_id, s.deadline " +
	"FROM latchwork_key_secrets s JOIN latchwork_keys k ON k.id = s.key_id WHERE s.hash IN (?)"

// keysOf fills a store with keys, and returns their hashes.
func (f keyFixture) keysOf(b *testing.B, n int) []apikey.Hash {
	b.Helper()
	list := ipfilter.MustParseList("192.0.2.0/24", "2001:db8::/32")
	hashes := make([]apikey.Hash, n)
	for i := range hashes {
		r := newRecord()
		r.Key.Permissions = scope.MustParseSet(
			"users.view", "users.update", "orders.view", "invoices.view", "invoices.create", fmt.Sprintf("services.s%d", i%50), "tickets.*", "products.view")
		r.Key.AllowedIPs = &list
		require.NoError(b, f.store.Create(context.Background(), r, eventOf(r, apikey.Created, start)))
		hashes[i] = r.Secrets[0].Hash
	}
	return hashes
}

func benchmarkKeys(b *testing.B, bench func(b *testing.B, f keyFixture)) {
	for _, dialect := range dialects() {
		b.Run(dialect, func(b *testing.B) { bench(b, newKeyFixture(b, dialect)) })
	}
}

func BenchmarkFind(b *testing.B) {
	benchmarkKeys(b, func(b *testing.B, f keyFixture) {
		hashes := f.keysOf(b, 1000)
		bare := f.bareFind(b)
		ctx := context.Background()
		i, j := 0, 0
		measure(b, 1.3, func() error {
			i++
			_, err := f.store.Find(ctx, hashes[i%len(hashes):i%len(hashes)+1])
			return err
		}, func() error {
			j++
			return bare(hashes[j%len(hashes)])
		})
	})
}

func BenchmarkCreate(b *testing.B) {
	benchmarkKeys(b, func(b *testing.B, f keyFixture) {
		key := f.prepare(b, f.db, "INSERT INTO latchwork_keys (id, name, name_folded, type, owner, permissions, allowed_ips, hint, metadata, enabled, "+
			"created_at, created_by, updated_at, expires_at, revoked_at, revoked_reason, version, secret_count) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
		secret := f.prepare(b, f.db, "INSERT INTO latchwork_key_secrets (hash, key_id, pepper_id, deadline) VALUES (?, ?, ?, ?)")
		event := f.prepare(b, f.db, "INSERT INTO latchwork_key_events (id, key_id, kind, happened_at, actor, changes) VALUES (?, ?, ?, ?, ?, ?)")
		change := f.prepare(b, f.db, "INSERT INTO latchwork_key_changes (key_id, version, changed_at) VALUES (?, ?, ?)")
		at := start.UnixMicro()
		measure(b, 1.5, func() error {
			r := newRecord()
			return f.store.Create(context.Background(), r, eventOf(r, apikey.Created, start))
		}, func() error {
			r := newRecord()
			return inTx(f.db, func(ctx context.Context, tx *sql.Tx) error {
				_, err := tx.StmtContext(ctx, key).ExecContext(ctx, r.Key.ID, "CI", "ci", "admin", "", `["orders.*","users.view"]`, `"anywhere"`, "test_abcd",
					"{}", true, at, "operator", at, nil, nil, "", 1, 1)
				if err == nil {
					_, err = tx.StmtContext(ctx, secret).ExecContext(ctx, r.Secrets[0].Hash[:], r.Key.ID, "", nil)
				}
				if err == nil {
					_, err = tx.StmtContext(ctx, event).ExecContext(ctx, newID(), r.Key.ID, "created", at, "operator", "[]")
				}
				if err == nil {
					_, err = tx.StmtContext(ctx, change).ExecContext(ctx, r.Key.ID, 1, at)
				}
				return err
			})
		})
	})
}

func BenchmarkSpend(b *testing.B) {
	for _, dialect := range dialects() {
		b.Run(dialect, func(b *testing.B) {
			f := newOAuthFixture(b, dialect)
			update := f.prepare(b, f.db, "UPDATE latchwork_credentials SET spent_at = ?, attempt = ? WHERE hash = ? AND client_id = ? AND spent_at IS NULL AND expires_at > ?")
			insert := f.prepare(b, f.db, "INSERT INTO latchwork_credentials (hash, id, kind, grant_id, client_id, scope, resources, created_at, expires_at, "+
				"spent_at, attempt, challenge, redirect_uri) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
			at := start.UnixMicro()
			g, mine := newGrant()
			other, theirs := newGrant()
			require.NoError(b, f.store.CreateGrant(context.Background(), g, mine))
			require.NoError(b, f.store.CreateGrant(context.Background(), other, theirs))
			measure(b, 1.5, func() error {
				access, refresh := newCredential(g, oauth.KindAccess), newCredential(g, oauth.KindRefresh)
				s := newSpend(mine)
				mine = refresh
				spent, err := f.store.Spend(context.Background(), s, access, refresh)
				if err == nil && !spent.First {
					b.Fatal("not the first")
				}
				return err
			}, func() error {
				access, refresh := newCredential(other, oauth.KindAccess), newCredential(other, oauth.KindRefresh)
				s := newSpend(theirs)
				theirs = refresh
				return inTx(f.db, func(ctx context.Context, tx *sql.Tx) error {
					_, err := tx.StmtContext(ctx, update).ExecContext(ctx, at, s.Attempt[:], s.Hash[:], s.ClientID, at)
					if err == nil {
						_, err = tx.StmtContext(ctx, insert).ExecContext(ctx,
							access.Hash[:], access.ID, "access", other.ID, "app", `["invoices","profile"]`, "[]", at, at+3600e6, nil, nil, "", "",
							refresh.Hash[:], refresh.ID, "refresh", other.ID, "app", `["invoices","profile"]`, "[]", at, at+3600e6, nil, nil, "", "")
					}
					return err
				})
			})
		})
	}
}

func BenchmarkLookup(b *testing.B) {
	for _, dialect := range dialects() {
		b.Run(dialect, func(b *testing.B) {
			f := newOAuthFixture(b, dialect)
			stmt := f.prepare(b, f.db, "SELECT c.hash, c.id, c.kind, c.grant_id, c.client_id, c.scope, c.resources, c.created_at, c.expires_at, c.spent_at, c.attempt, "+
				"c.challenge, c.redirect_uri, g.id, g.subject_kind, g.subject_id, g.client_id, g.scope, g.resources, g.created_at, g.expires_at, g.revoked_at "+
				"FROM latchwork_credentials c JOIN latchwork_grants g ON g.id = c.grant_id WHERE c.hash = ?")
			hashes := make([]oauth.Hash, 1000)
			for i := range hashes {
				g, c := newGrant()
				require.NoError(b, f.store.CreateGrant(context.Background(), g, c))
				hashes[i] = c.Hash
			}
			ctx := context.Background()
			i, j := 0, 0
			measure(b, 1.3, func() error {
				i++
				_, _, err := f.store.Lookup(ctx, hashes[i%len(hashes)])
				return err
			}, func() error {
				j++
				var hash, attempt []byte
				var id, kind, grant, client, scope, resources, challenge, redirect, grantID, subjectKind, subject, grantClient, grantScope, grantResources string
				var created, expires, grantCreated, grantExpires int64
				var spent, revoked sql.NullInt64
				return stmt.QueryRowContext(ctx, hashes[j%len(hashes)][:]).Scan(&hash, &id, &kind, &grant, &client, &scope, &resources, &created, &expires, &spent, &attempt,
					&challenge, &redirect, &grantID, &subjectKind, &subject, &grantClient, &grantScope, &grantResources, &grantCreated, &grantExpires, &revoked)
			})
		})
	}
}

func BenchmarkFlush(b *testing.B) {
	benchmarkKeys(b, func(b *testing.B, f keyFixture) {
		const keys = 1000
		midnight := start.Truncate(24 * time.Hour)
		mine, theirs := make([]apikey.Use, keys), make([]string, keys)
		for i := range keys {
			theirs[i] = newID()
			mine[i] = apikey.Use{
				KeyID: newID(), Day: apikey.Day{Date: midnight, Counts: apikey.Counts{Allowed: 3, DeniedAddress: 1}},
				LastAddr: netip.MustParseAddr("192.0.2.1"),
			}
		}
		rows := func(n, width int) string {
			row := "(" + strings.Repeat(", ?", width)[2:] + ")"
			return strings.Repeat(", "+row, n)[2:]
		}
		days := "INSERT INTO latchwork_key_days AS d (key_id, day, allowed, denied_state, denied_address, denied_type, denied_permission, denied_request) VALUES " + rows(keys, 8) +
			" ON CONFLICT (key_id, day) DO UPDATE SET allowed = d.allowed + excluded.allowed, denied_state = d.denied_state + excluded.denied_state, " +
			"denied_address = d.denied_address + excluded.denied_address, denied_type = d.denied_type + excluded.denied_type, " +
			"denied_permission = d.denied_permission + excluded.denied_permission, denied_request = d.denied_request + excluded.denied_request"
		uses := "INSERT INTO latchwork_key_uses (key_id, last_at, last_addr) VALUES " + rows(keys, 3) +
			" ON CONFLICT (key_id) DO UPDATE SET last_at = excluded.last_at, last_addr = excluded.last_addr"
		if f.dialect == "mysql" {
			days = "INSERT INTO latchwork_key_days (key_id, day, allowed, denied_state, denied_address, denied_type, denied_permission, denied_request) VALUES " + rows(keys, 8) +
				" ON DUPLICATE KEY UPDATE allowed = allowed + VALUES(allowed), denied_state = denied_state + VALUES(denied_state), " +
				"denied_address = denied_address + VALUES(denied_address), denied_type = denied_type + VALUES(denied_type), " +
				"denied_permission = denied_permission + VALUES(denied_permission), denied_request = denied_request + VALUES(denied_request)"
			uses = "INSERT INTO latchwork_key_uses (key_id, last_at, last_addr) VALUES " + rows(keys, 3) +
				" ON DUPLICATE KEY UPDATE last_at = VALUES(last_at), last_addr = VALUES(last_addr)"
		}
		bareDays, bareUses := f.prepare(b, f.db, days), f.prepare(b, f.db, uses)
		at := start
		measure(b, 2, func() error {
			at = at.Add(time.Second)
			for i := range mine {
				mine[i].LastAt = at
			}
			return f.store.Record(context.Background(), mine)
		}, func() error {
			at = at.Add(time.Second)
			args, last := make([]any, 0, 8*keys), make([]any, 0, 3*keys)
			for _, id := range theirs {
				args = append(args, id, midnight.UnixMicro(), 3, 0, 1, 0, 0, 0)
				last = append(last, id, at.UnixMicro(), "192.0.2.1")
			}
			return inTx(f.db, func(ctx context.Context, tx *sql.Tx) error {
				_, err := tx.StmtContext(ctx, bareDays).ExecContext(ctx, args...)
				if err == nil {
					_, err = tx.StmtContext(ctx, bareUses).ExecContext(ctx, last...)
				}
				return err
			})
		})
	})
}
