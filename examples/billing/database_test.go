package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// newDatabases returns the names of new databases of all kinds: a file, and two
// on the servers that .ci/databases starts.
func newDatabases(t *testing.T) map[string]string {
	t.Helper()
	name := "billing_" + strings.ToLower(rand.Text()[:10])
	names := map[string]string{"sqlite": filepath.Join(t.TempDir(), "billing.db")}
	for _, server := range []struct{ kind, driver, source, url, options string }{
		{"postgres", "pgx", cmp.Or(os.Getenv("LATCHWORK_POSTGRES"), "postgres://postgres@127.0.0.1:5432/test?sslmode=disable"), "postgres://postgres@127.0.0.1:5432/", ""},
		{"mysql", "mysql", cmp.Or(os.Getenv("LATCHWORK_MYSQL"), "root@tcp(127.0.0.1:3306)/test"), "mysql://root@127.0.0.1:3306/", " CHARACTER SET latin1"},
	} {
		db, err := sql.Open(server.driver, server.source)
		require.NoError(t, err)
		_, err = db.ExecContext(t.Context(), "CREATE DATABASE "+name+server.options)
		require.NoErrorf(t, err, "the %s server: see .ci/databases", server.kind)
		t.Cleanup(func() {
			_, err := db.ExecContext(context.Background(), "DROP DATABASE "+name)
			require.NoError(t, err)
			require.NoError(t, db.Close())
		})
		names[server.kind] = server.url + name
	}
	return names
}

// TestSessionStaysDeleted does what scs does for a request that began before
// somebody signed out and ends after it.
func TestSessionStaysDeleted(t *testing.T) {
	for kind, name := range newDatabases(t) {
		t.Run(kind, func(t *testing.T) {
			db, err := openDatabase(t.Context(), name)
			require.NoError(t, err)
			defer func() { require.NoError(t, db.Close()) }()
			sessions, now := sessionStore{db}, time.Now()
			require.NoError(t, sessions.Commit("a", []byte("first"), now.Add(time.Minute)))
			require.NoError(t, sessions.Commit("a", []byte("second"), now.Add(time.Hour)))
			data, found, err := sessions.Find("a")
			require.NoError(t, err)
			require.True(t, found)
			require.Equal(t, "second", string(data))

			require.NoError(t, sessions.Delete("a"))
			for range 2 {
				_, found, err = sessions.Find("a")
				require.NoError(t, err)
				require.False(t, found)
				require.NoError(t, db.tidyOnce(t.Context(), now.Add(time.Minute)))
				require.NoError(t, sessions.Commit("a", []byte("second"), now.Add(time.Hour)))
			}
			require.NoError(t, sessions.Delete("unknown"))
			require.NoError(t, db.tidyOnce(t.Context(), now.Add(2*keepDeleted)))
			var rows int
			require.NoError(t, db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM billing_sessions").Scan(&rows))
			require.Zero(t, rows)
		})
	}
}

// TestTwoHosts starts two hosts on each kind of new database at once, and
// another one when they have ended.
func TestTwoHosts(t *testing.T) {
	binary := build(t)
	for kind, db := range newDatabases(t) {
		t.Run(kind, func(t *testing.T) {
			dir := t.TempDir()
			// Only one of them fills the database and writes its file.
			file := filepath.Join(dir, "credentials.json")
			args := []string{"-db", db, "-addr", "127.0.0.1:0"}
			first, second := command(t, binary, file, args...), command(t, binary, file, args...)
			shown := waitForCredentials(t, file, first.ended)
			a, b := newHost(t, shown), newHost(t, shown)
			a.base, b.base = first.address(t), second.address(t)
			require.Equal(t, 1, strings.Count(first.output.String()+second.output.String(), "The admin key, which is not shown again"))
			require.Equal(t, 1, strings.Count(first.output.String()+second.output.String(), "Its database was set up before"))

			// What one host does is there on the other one.
			order := a.admin("POST", "orders", values{"user_id": "1"}).ok(t, http.StatusCreated)["id"].(string)
			require.Equal(t, "USD", b.admin("GET", "orders/"+order, nil).attributes(t, http.StatusOK)["currency_code"])
			name := values{"first_name": "花子 🌸", "last_name": "Müller ", "email": "hanako@example.com"}
			id := a.admin("POST", "users", name).ok(t, http.StatusCreated)["id"].(string)
			require.Equal(t, "花子 🌸", b.admin("GET", "users/"+id, nil).attributes(t, http.StatusOK)["first_name"])
			secret, id := a.newKey(values{"permissions": []string{"users.view"}})
			b.as(secret, "GET", "users", nil).list(t)
			token, _ := b.login(b.user.Username, b.user.Password).tokens(t)
			require.Equal(t, http.StatusOK, a.exchange(a.request("GET", "/api/me", token, nil)).status)

			// A revocation by one is in effect there at once, and on the other one soon.
			require.Equal(t, http.StatusNoContent, a.admin("DELETE", "api-keys/"+id, nil).status)
			a.as(secret, "GET", "users", nil).refused(t, http.StatusUnauthorized, "invalid_token")
			revoked := time.Now()
			require.Eventually(t, func() bool {
				return b.exchange(b.request("GET", "users", secret, nil)).status == http.StatusUnauthorized
			}, 5*time.Second, 20*time.Millisecond)
			t.Logf("on the other host after %v", time.Since(revoked))
			require.Equal(t, http.StatusNoContent, b.admin("DELETE", "users/1", nil).status)
			require.Equal(t, http.StatusUnauthorized, a.exchange(a.request("GET", "/api/me", token, nil)).status)

			// One is killed, one ends, and everything is still there.
			require.NoError(t, first.command.Process.Kill())
			require.Error(t, <-first.ended)
			second.end(t, syscall.SIGTERM)
			before, err := os.ReadFile(file)
			require.NoError(t, err)
			third := command(t, binary, file, args...)
			c := newHost(t, shown)
			c.base = third.address(t)
			c.admin("GET", "orders/"+order, nil).refused(t, http.StatusNotFound, "not_found") // went with its user
			c.admin("GET", "users/2", nil).ok(t, http.StatusOK)
			c.as(secret, "GET", "users", nil).refused(t, http.StatusUnauthorized, "invalid_token")
			require.Equal(t, "revoked", c.admin("GET", "api-keys/"+id, nil).ok(t, http.StatusOK)["state"])
			require.Equal(t, "4", c.admin("POST", "users", values{"first_name": "A", "last_name": "B", "email": "c@example.com"}).
				ok(t, http.StatusCreated)["id"], "no id is given twice")
			after, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, before, after)
			third.end(t, syscall.SIGTERM)
			require.Contains(t, third.output.String(), "Its database was set up before")
			require.NotContains(t, third.output.String(), "paym_")
		})
	}
}

// A host that is killed while it sets up a database leaves nothing that works,
// and nothing that stops the next one.
func TestSetupIsDoneAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "billing.db")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	db, err := openDatabase(ctx, file)
	require.NoError(t, err)
	defer func() { _ = db.Close() }()
	s, err := newService(ctx, db, "http://127.0.0.1:1", bursts{}, time.Second)
	require.NoError(t, err)
	own, err := db.claim(ctx)
	require.NoError(t, err)
	require.NotZero(t, own)
	left, err := s.fill(ctx)
	require.NoError(t, err)

	// Whoever comes now waits, at most until the first one must be dead.
	waiting, give := context.WithTimeout(ctx, 300*time.Millisecond)
	defer give()
	_, err = db.claim(waiting)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	age := func(own claim) claim {
		_, err := db.ExecContext(ctx, "UPDATE billing_setup SET began_at = began_at - ?", setupTime.Microseconds()+1)
		require.NoError(t, err)
		return own - claim(setupTime.Microseconds()+1)
	}
	own = age(own)

	// The first one was not dead, and has no say any more.
	next, err := db.claim(ctx)
	require.NoError(t, err)
	require.NotZero(t, next)
	require.ErrorContains(t, db.finish(ctx, own), "another host has begun to set up the database anew")
	require.NoError(t, db.release(ctx, own))
	waiting, give = context.WithTimeout(ctx, 300*time.Millisecond)
	defer give()
	_, err = db.claim(waiting)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	age(next)

	h := start(t, "-db", file)
	require.NotEqual(t, left.APIKey, h.key)
	h.as(left.APIKey, "GET", "users", nil).refused(t, http.StatusUnauthorized, "invalid_token")
	require.Len(t, h.admin("GET", "users", nil).list(t), 2)
	require.Equal(t, http.StatusOK, h.login(h.user.Username, h.user.Password).status)
	for range 2 {
		next, err = db.claim(ctx)
		require.NoError(t, err)
		require.Zero(t, next)
		require.NoError(t, db.release(ctx, own))
	}
	cancel()
	require.NoError(t, s.close(t.Context()))
}

// A database that is gone is 503 everywhere, and no more than that.
func TestDatabaseIsGone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "billing.db")
	h := start(t, "-db", file, "-cache-ttl", "1h")
	h.admin("GET", "users", nil).list(t)
	b := h.browser()
	b.open(appsPath).signIn()
	db, err := sql.Open("sqlite", file)
	require.NoError(t, err)
	defer func() { _ = db.Close() }()
	_, err = db.ExecContext(t.Context(), "ALTER TABLE billing_records RENAME TO hidden")
	require.NoError(t, err)
	for _, r := range []*http.Request{
		h.request("GET", "users", h.key, nil), h.request("GET", "users/1", h.key, nil), h.request("DELETE", "users/1", h.key, nil),
		h.request("POST", "orders", h.key, values{"user_id": "1"}),
	} {
		a := h.exchange(r)
		require.Equal(t, http.StatusServiceUnavailable, a.status, a.raw)
		require.Equal(t, "1", a.header.Get("Retry-After"))
		require.JSONEq(t, `{"error":"unavailable","message":"Try again later."}`, a.raw)
	}
	// Who is signed in is not sent to sign in.
	for _, page := range []string{appsPath, b.authorizeURL(h.web)} {
		a := b.open(page).got
		require.Equal(t, http.StatusServiceUnavailable, a.status, a.raw)
		require.NotEmpty(t, a.header.Get("Retry-After"))
	}
	_, err = db.ExecContext(t.Context(), "ALTER TABLE hidden RENAME TO billing_records")
	require.NoError(t, err)
	h.admin("GET", "users", nil).list(t)
}

func TestTidy(t *testing.T) {
	db, err := openDatabase(t.Context(), "memory:")
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	sessions, now := sessionStore{db}, time.Now()
	require.NoError(t, sessions.Commit("lives", []byte("a\x00b"), now.Add(time.Hour)))
	require.NoError(t, sessions.Commit("lives", []byte("a\x00c"), now.Add(time.Hour)))
	require.NoError(t, sessions.Commit("over", []byte("b"), now.Add(-time.Second)))
	_, found, err := sessions.Find("over")
	require.NoError(t, err)
	require.False(t, found)
	require.NoError(t, db.tidyOnce(t.Context(), now))
	data, found, err := sessions.Find("lives")
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, []byte("a\x00c"), data)
	var rows int
	require.NoError(t, db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM billing_sessions").Scan(&rows))
	require.Equal(t, 1, rows)

	// A host does so soon after its start.
	require.NoError(t, sessions.Commit("over", []byte("b"), now.Add(-time.Second)))
	ctx, cancel := context.WithCancel(t.Context())
	ended := db.tidy(ctx)
	require.Eventually(t, func() bool {
		require.NoError(t, db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM billing_sessions").Scan(&rows))
		return rows == 1
	}, 10*time.Second, 10*time.Millisecond)
	cancel()
	<-ended
}
