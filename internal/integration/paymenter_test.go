package integration

import (
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/apikey/apikeysql"
)

// panelKeys is the table as the migrations of the panel make it in MariaDB.
const panelKeys = `CREATE TABLE api_keys (
	id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
	user_id bigint unsigned DEFAULT NULL,
	name varchar(255) NOT NULL,
	token varchar(255) NOT NULL UNIQUE,
	permissions longtext CHECK (json_valid(permissions)),
	type varchar(255) NOT NULL DEFAULT 'admin',
	ip_addresses longtext CHECK (json_valid(ip_addresses)),
	enabled tinyint(1) NOT NULL DEFAULT 1,
	last_used_at timestamp NULL DEFAULT NULL,
	created_at timestamp NULL DEFAULT NULL,
	updated_at timestamp NULL DEFAULT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci`

// panelKey returns a key as the panel makes it, and what its database has of
// it.
func panelKey(n int) (key, token string) {
	random := sha256.Sum256(fmt.Append(nil, "panel ", n))
	key = "PAYM" + hex.EncodeToString(random[:])
	sum := sha256.Sum256([]byte(key))
	return key, hex.EncodeToString(sum[:])
}

// newPanel returns the name of a database with the panel's table.
func newPanel(t *testing.T) (*sql.DB, string) {
	t.Helper()
	admin := newDatabase(t, "mysql")
	server, name := admin.open(t), admin.prefix+"panel"
	admin.exec(t, server, "CREATE DATABASE "+name)
	t.Cleanup(func() { admin.exec(t, server, "DROP DATABASE "+name) })
	panel := admin
	cfg, err := mysql.ParseDSN(admin.source)
	require.NoError(t, err)
	cfg.DBName = name
	panel.source = cfg.FormatDSN()
	db := panel.open(t)
	panel.exec(t, db, panelKeys)
	return db, panel.source
}

func TestPaymenterImport(t *testing.T) {
	t.Parallel()
	db, from := newPanel(t)
	insert := func(id int, name, permissions, addresses any, enabled bool, lastUsed any) string {
		key, token := panelKey(id)
		_, err := db.ExecContext(t.Context(), "INSERT INTO api_keys (id, name, token, permissions, ip_addresses, enabled, last_used_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
			id, name, token, permissions, addresses, enabled, lastUsed)
		require.NoError(t, err)
		return key
	}
	free := insert(1, "free", `["admin.users.view","admin.orders.create"]`, nil, true, "2026-03-04 05:06:07")
	bound := insert(2, "bound", `["admin.users.view"]`, `["192.0.2.1","2001:db8::1"]`, true, nil)
	off := insert(3, "off", `["admin.users.view"]`, `[]`, false, nil)
	bad := insert(4, "bad list", `["admin.users.view"]`, `["192.0.2.1","the office"]`, true, nil)
	network := insert(5, "network", `["admin.users.view"]`, `["10.0.0.0/8"]`, true, nil)
	_, err := db.ExecContext(t.Context(), "INSERT INTO api_keys (id, name, token, permissions) VALUES (6, 'weak', MD5('x'), '[]')")
	require.NoError(t, err)
	_, err = db.ExecContext(t.Context(), "INSERT INTO api_keys (id, name, token, permissions) VALUES (7, 'nothing', SHA2('', 256), '[]')")
	require.NoError(t, err)
	for id := 100; id < 1200; id++ { // several pages of them
		insert(id, "one of many", `["admin.users.view"]`, nil, true, nil)
	}

	program := filepath.Join(t.TempDir(), "paymenter-import")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./paymenter-import")
	build.Dir = filepath.Join("..", "..", "examples")
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	to := filepath.Join(t.TempDir(), "keys.db")
	run := func(more ...string) (string, error) {
		out, err := exec.CommandContext(t.Context(), program, append([]string{"-from", from, "-to", to}, more...)...).CombinedOutput()
		return string(out), err
	}

	// The dry run says everything and stores nothing.
	said, err := run()
	require.ErrorContains(t, err, "exit status 1")
	for _, line := range []string{
		`row 4 ("bad list"): ip_addresses: `, "the office", `row 5 ("network"): ip_addresses: "10.0.0.0/8": the panel compares`,
		`row 6 ("weak"): token: `, `row 7 ("nothing"): token: is the hash of nothing`,
		"checked 1000 of 1107", "1103 of 1107 rows can be imported, 4 are bad.", "Nothing was changed.",
	} {
		require.Contains(t, said, line)
	}
	require.NoFileExists(t, to)

	said, err = run("-apply")
	require.ErrorContains(t, err, "exit status 1", "the bad rows are still bad")
	require.Contains(t, said, "1103 keys were imported, 0 were there already, 4 rows are bad and were left out.")

	keys, store := importedKeys(t, to)
	v, err := keys.Verify(t.Context(), free)
	require.NoError(t, err)
	require.Equal(t, "free", v.Key().Name)
	require.Equal(t, "orders.create users.view", v.Key().Permissions.String())
	require.NoError(t, v.AllowsFrom(netip.MustParseAddr("203.0.113.9")))
	uses, err := store.LastUsed(t.Context(), []string{v.Key().ID})
	require.NoError(t, err)
	require.Len(t, uses, 1)
	require.Equal(t, time.Date(2026, time.March, 4, 5, 6, 7, 0, time.UTC), uses[0].At)
	v, err = keys.Verify(t.Context(), bound)
	require.NoError(t, err)
	require.NoError(t, v.AllowsFrom(netip.MustParseAddr("192.0.2.1")))
	require.ErrorIs(t, v.AllowsFrom(netip.MustParseAddr("192.0.2.2")), apikey.ErrIPNotAllowed)
	_, err = keys.Verify(t.Context(), off)
	require.ErrorIs(t, err, apikey.ErrDisabled)
	for _, key := range []string{bad, network} {
		_, err = keys.Verify(t.Context(), key)
		require.ErrorIs(t, err, apikey.ErrInvalid)
	}
	last, _ := panelKey(1199)
	_, err = keys.Verify(t.Context(), last)
	require.NoError(t, err)

	// Again: what is there is left alone, and what is wanted now comes along.
	said, err = run("-apply", "-networks")
	require.ErrorContains(t, err, "exit status 1")
	require.Contains(t, said, "1 keys were imported, 1103 were there already, 3 rows are bad and were left out.")
	require.Eventually(t, func() bool { // the key was looked for a moment ago
		v, err = keys.Verify(t.Context(), network)
		return err == nil
	}, 10*time.Second, 50*time.Millisecond)
	require.NoError(t, v.AllowsFrom(netip.MustParseAddr("10.1.2.3")))

	from = "root@tcp(127.0.0.1:1)/x"
	said, err = run()
	require.Error(t, err)
	require.Contains(t, said, "the panel's database does not answer")
}

// importedKeys opens what was imported.
func importedKeys(t *testing.T, path string) (*apikey.Manager, *apikeysql.Store) {
	t.Helper()
	db := database{dialect: "sqlite", driver: "sqlite", source: "file:" + path + sqliteOptions}.open(t)
	store, err := apikeysql.New(db, apikeysql.Config{Dialect: apikeysql.SQLite})
	require.NoError(t, err)
	keys, err := apikey.New(store, apikey.Config{Prefix: "paym", ForeignFormats: []apikey.ForeignFormat{apikey.Paymenter()}})
	require.NoError(t, err)
	return keys, store
}
