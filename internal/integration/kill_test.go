package integration

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/oauth"
)

// writerVariable names the database in which a process of the test binary
// writes until it is killed.
const writerVariable = "LATCHWORK_TEST_WRITER"

// TestWriterProcess is no test, but what TestKill starts.
func TestWriterProcess(t *testing.T) {
	spec := strings.Split(os.Getenv(writerVariable), "\n")
	if len(spec) != 4 {
		t.Skip("only TestKill starts this")
	}
	d := database{dialect: spec[0], driver: spec[1], source: spec[2], prefix: spec[3]}
	db := d.open(t)
	w := writer{keys: d.keyStore(t, db), grants: d.oauthStore(t, db)}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for {
				if err := errors.Join(w.writeKey(t.Context()), w.writeGrant(t.Context())); err != nil {
					w.tell("error", err.Error())
					return
				}
			}
		})
	}
	all.Wait()
}

// A writer tells of everything that was acknowledged.
type writer struct {
	keys   apikey.Store
	grants oauth.Store

	mu sync.Mutex
}

func (w *writer) tell(fields ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, _ = os.Stdout.WriteString("told " + strings.Join(fields, " ") + "\n")
}

// writeKey makes a key, changes it a few times and revokes it.
func (w *writer) writeKey(ctx context.Context) error {
	r := newRecord()
	if err := w.keys.Create(ctx, r, eventOf(r, apikey.Created, start)); err != nil {
		return err
	}
	w.tell("key", r.Key.ID, "1")
	for r.Key.Version < 4 {
		r.Key.Version++
		if r.Key.Version == 4 {
			r.Key.RevokedAt = start
		}
		if err := w.keys.Update(ctx, r, eventOf(r, apikey.Updated, start)); err != nil {
			return err
		}
		w.tell("key", r.Key.ID, strconv.FormatInt(r.Key.Version, 10))
	}
	return nil
}

// writeGrant makes a grant, refreshes its token a few times and revokes it.
func (w *writer) writeGrant(ctx context.Context) error {
	g, c := newGrant()
	if err := w.grants.CreateGrant(ctx, g, c); err != nil {
		return err
	}
	for range 3 {
		access, refresh := newCredential(g, oauth.KindAccess), newCredential(g, oauth.KindRefresh)
		s := newSpend(c)
		spent, err := w.grants.Spend(ctx, s, access, refresh)
		if err != nil || !spent.First {
			return fmt.Errorf("spend: %v, %w", spent.First, err)
		}
		w.tell("spent", hex.EncodeToString(c.Hash[:]), hex.EncodeToString(s.Attempt[:]), hex.EncodeToString(access.Hash[:]), hex.EncodeToString(refresh.Hash[:]))
		c = refresh
	}
	if n, err := w.grants.RevokeGrants(ctx, oauth.Filter{GrantID: g.ID}, start); n != 1 || err != nil {
		return fmt.Errorf("revoke: %d, %w", n, err)
	}
	w.tell("revoked", g.ID)
	return nil
}

// TestKill kills a process that writes, again and again: everything that it was
// told is done is there, whole, and nothing is there by half. It proves nothing
// about a loss of power.
func TestKill(t *testing.T) {
	rounds := 4
	if *long {
		rounds = 30
	}
	for _, dialect := range dialects() {
		t.Run(dialect, func(t *testing.T) {
			f := newKeyFixture(t, dialect)
			f.migrateOAuth(t, f.db)
			grants := f.oauthStore(t, f.db)
			told := 0
			for range rounds {
				lines := f.killWriter(t)
				told += len(lines)
				versions := map[string]int64{}
				for _, line := range lines {
					switch fields := strings.Fields(line); fields[1] {
					case "key":
						version, err := strconv.ParseInt(fields[3], 10, 64)
						require.NoError(t, err)
						versions[fields[2]] = max(versions[fields[2]], version)
					case "spent":
						requireSpent(t, grants, fields[2:])
					case "revoked":
						found, err := grants.Grants(t.Context(), oauth.Filter{GrantID: fields[2]}, oauth.Page{Limit: 1})
						require.NoError(t, err)
						require.Len(t, found, 1)
						require.Equal(t, start, found[0].RevokedAt)
					default:
						require.Fail(t, line)
					}
				}
				f.requireSound(t, versions)
			}
			require.Greater(t, told, 10*rounds)
			t.Logf("%d acknowledged changes in %d rounds", told, rounds)
		})
	}
}

// killWriter starts a process that writes, kills it after a while, and returns
// what it said.
func (f keyFixture) killWriter(t *testing.T) []string {
	t.Helper()
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestWriterProcess$")
	command.Env = append(os.Environ(), writerVariable+"="+strings.Join([]string{f.dialect, f.driver, f.source, f.prefix}, "\n"))
	out, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	reader := bufio.NewReader(out)
	first, err := reader.ReadString('\n')
	require.NoError(t, err)
	time.AfterFunc(rand.N(300*time.Millisecond), func() { _ = command.Process.Kill() })
	rest, err := io.ReadAll(reader)
	require.NoError(t, err)
	require.Error(t, command.Wait(), "it was not killed")
	complete, _, _ := cutLast(first+string(rest), "\n") // the last line may have been cut off
	return strings.Split(complete, "\n")
}

func cutLast(s, separator string) (before, after string, found bool) {
	if i := strings.LastIndex(s, separator); i >= 0 {
		return s[:i], s[i+len(separator):], true
	}
	return s, "", false
}

// requireSpent checks that a credential was spent by an attempt, and that what
// was issued for it is there.
func requireSpent(t *testing.T, grants oauth.Store, fields []string) {
	t.Helper()
	lookup := func(hash string) oauth.Credential {
		b, err := hex.DecodeString(hash)
		require.NoError(t, err)
		c, _, err := grants.Lookup(t.Context(), oauth.Hash(b))
		require.NoError(t, err)
		return c
	}
	spent := lookup(fields[0])
	require.Equal(t, fields[1], hex.EncodeToString(spent.Attempt[:]))
	for _, hash := range fields[2:] {
		lookup(hash)
	}
}

// requireSound checks that keys are there in these versions or later ones, and
// that every key, whether it was acknowledged or not, is there whole.
func (f keyFixture) requireSound(t *testing.T, versions map[string]int64) {
	t.Helper()
	if f.dialect == "sqlite" {
		var verdict string
		require.NoError(t, f.db.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&verdict))
		require.Equal(t, "ok", verdict)
	}
	for id, version := range versions {
		r, err := f.store.Get(t.Context(), id)
		require.NoError(t, err)
		require.GreaterOrEqual(t, r.Key.Version, version)
		require.Equal(t, r.Key.Version == 4, !r.Key.RevokedAt.IsZero())
	}
	for what, query := range map[string]string{
		"a key without its secret":  "SELECT COUNT(*) FROM P_keys k WHERE (SELECT COUNT(*) FROM P_key_secrets s WHERE s.key_id = k.id) <> 1",
		"a key without its events":  "SELECT COUNT(*) FROM P_keys k WHERE (SELECT COUNT(*) FROM P_key_events e WHERE e.key_id = k.id) <> k.version",
		"a key without its changes": "SELECT COUNT(*) FROM P_keys k WHERE (SELECT COUNT(*) FROM P_key_changes c WHERE c.key_id = k.id AND c.version <= k.version) <> k.version",
		"a change without its key":  "SELECT COUNT(*) FROM P_key_changes c WHERE NOT EXISTS (SELECT 1 FROM P_keys k WHERE k.id = c.key_id AND k.version >= c.version)",
		"what was issued for nothing": "SELECT COUNT(*) FROM P_grants g WHERE (SELECT COUNT(*) FROM P_credentials c WHERE c.grant_id = g.id) <> " +
			"1 + 2 * (SELECT COUNT(*) FROM P_credentials c WHERE c.grant_id = g.id AND c.spent_at IS NOT NULL)",
	} {
		var n int
		require.NoError(t, f.db.QueryRowContext(t.Context(), strings.ReplaceAll(query, "P_", f.prefix)).Scan(&n), what)
		require.Zero(t, n, what)
	}
}
