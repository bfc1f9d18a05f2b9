package main

import (
	"crypto/sha256"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/scope"
)

func TestLifeOfAKey(t *testing.T) {
	h := start(t)
	created := h.admin("POST", "api-keys", values{
		"name": "Invoices robot", "type": "admin", "permissions": []string{"invoices.*", "users.view"},
		"allowed_ips": []string{"127.0.0.1"}, "expires_at": time.Now().Add(time.Hour).UTC().Format(time.RFC3339),
	})
	secret, key := created.token(t, http.StatusCreated), created.ok(t, http.StatusCreated)
	id := key["id"].(string)
	item := "api-keys/" + id
	require.Equal(t, adminPath+item, created.header.Get("Location"))
	require.True(t, strings.HasPrefix(secret, "paym_"))
	require.Equal(t, secret[:len("paym_")+4], key["hint"])
	require.Equal(t, "active", key["state"])
	require.Equal(t, []any{"invoices.*", "users.view"}, key["permissions"])
	h.as(secret, "GET", "invoices", nil).list(t)
	h.as(secret, "GET", "tickets", nil).refused(t, http.StatusForbidden, "insufficient_scope")
	h.as(secret, "GET", "api-keys", nil).refused(t, http.StatusForbidden, "insufficient_scope")

	// It was let through, from here.
	used := h.admin("GET", item, nil).ok(t, http.StatusOK)
	at, err := time.Parse(time.RFC3339, used["last_used_at"].(string))
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), at, time.Minute)
	require.Equal(t, "127.0.0.1", used["last_used_ip"])

	// The secret is shown in that one answer.
	for _, path := range []string{"api-keys", item, item + "/activity", "api-keys?q=robot"} {
		a := h.admin("GET", path, nil)
		require.Equal(t, http.StatusOK, a.status)
		require.NotContains(t, a.raw, secret[len("paym_")+4:])
		require.NotContains(t, a.body, "token")
	}

	// List, search, read.
	require.Len(t, h.admin("GET", "api-keys", nil).list(t), 2)
	found := h.admin("GET", "api-keys?q=INVOICES", nil).list(t)
	require.Len(t, found, 1)
	require.Equal(t, id, found[0].(map[string]any)["id"])
	require.Empty(t, h.admin("GET", "api-keys?q=nobody", nil).list(t))
	require.Empty(t, h.admin("GET", "api-keys?state=revoked", nil).list(t))
	page := h.admin("GET", "api-keys?limit=1", nil)
	require.Len(t, page.list(t), 1)
	require.Len(t, h.admin("GET", "api-keys?limit=1&cursor="+page.body["next_cursor"].(string), nil).list(t), 1)
	require.Equal(t, "Invoices robot", h.admin("GET", item, nil).ok(t, http.StatusOK)["name"])

	// Change.
	changed := h.admin("PATCH", item, values{"name": "Robot", "permissions": []string{"tickets.view"}}).ok(t, http.StatusOK)
	require.Equal(t, "Robot", changed["name"])
	h.as(secret, "GET", "tickets", nil).list(t)
	h.as(secret, "GET", "invoices", nil).refused(t, http.StatusForbidden, "insufficient_scope")
	a := h.admin("PATCH", item, values{"permissions": []string{"ticket.view"}}).refused(t, http.StatusUnprocessableEntity, "validation_failed")
	require.Contains(t, a.body["errors"], "permissions")
	a = h.admin("PATCH", item, values{"allowed_ips": []string{}, "name": ""}).refused(t, http.StatusUnprocessableEntity, "validation_failed")
	require.Len(t, a.body["errors"], 2)

	// Disable and enable.
	require.Equal(t, "disabled", h.admin("PATCH", item, values{"enabled": false}).ok(t, http.StatusOK)["state"])
	h.as(secret, "GET", "tickets", nil).refused(t, http.StatusUnauthorized, "invalid_token")
	require.Equal(t, "active", h.admin("PATCH", item, values{"enabled": true}).ok(t, http.StatusOK)["state"])
	h.as(secret, "GET", "tickets", nil).list(t)

	// Rotate: with an overlap both work, without one only the new secret.
	second := h.admin("POST", item+"/rotate", values{"overlap_seconds": 3600}).token(t, http.StatusOK)
	require.NotEqual(t, secret, second)
	h.as(secret, "GET", "tickets", nil).list(t)
	h.as(second, "GET", "tickets", nil).list(t)
	third := h.admin("POST", item+"/rotate", values{"overlap_seconds": 0}).token(t, http.StatusOK)
	h.as(secret, "GET", "tickets", nil).refused(t, http.StatusUnauthorized, "invalid_token")
	h.as(second, "GET", "tickets", nil).refused(t, http.StatusUnauthorized, "invalid_token")
	h.as(third, "GET", "tickets", nil).list(t)

	// Revoke: for good, and the record stays.
	for range 2 {
		require.Equal(t, http.StatusNoContent, h.admin("DELETE", item, nil).status)
	}
	h.as(third, "GET", "tickets", nil).refused(t, http.StatusUnauthorized, "invalid_token")
	require.Equal(t, "revoked", h.admin("GET", item, nil).ok(t, http.StatusOK)["state"])
	h.admin("PATCH", item, values{"enabled": true}).refused(t, http.StatusConflict, "conflict")
	h.admin("POST", item+"/rotate", nil).refused(t, http.StatusConflict, "conflict")

	// Its history is known.
	activity := h.admin("GET", item+"/activity", nil).ok(t, http.StatusOK)
	require.Len(t, activity["events"], 7)
}

func TestNobodyGivesMoreThanTheOwnKey(t *testing.T) {
	h := start(t)
	delegate, _ := h.newKey(values{"permissions": []string{"api_keys.create", "api_keys.update", "users.view", "users.update"}})
	spec := func(permissions ...string) values {
		return values{"name": "child", "type": "admin", "permissions": permissions}
	}
	child := h.as(delegate, "POST", "api-keys", spec("users.view"))
	secret := child.token(t, http.StatusCreated)
	h.as(secret, "GET", "users", nil).list(t)

	a := h.as(delegate, "POST", "api-keys", spec("users.view", "users.delete", "orders.view")).refused(t, http.StatusForbidden, "exceeds_ceiling")
	require.Contains(t, a.raw, "users.delete")
	require.Contains(t, a.raw, "orders.view")
	for _, more := range []string{"*", "users.*", "*.view"} {
		h.as(delegate, "POST", "api-keys", spec(more)).refused(t, http.StatusForbidden, "exceeds_ceiling")
		h.as(delegate, "PATCH", "api-keys/"+child.ok(t, 201)["id"].(string), values{"permissions": []string{more}}).
			refused(t, http.StatusForbidden, "exceeds_ceiling")
	}
	first := h.admin("GET", "api-keys?q=Admin", nil).list(t)[0].(map[string]any)["id"].(string)
	h.as(delegate, "PATCH", "api-keys/"+first, values{"enabled": false}).refused(t, http.StatusForbidden, "exceeds_ceiling")
	h.as(delegate, "DELETE", "api-keys/"+first, nil).refused(t, http.StatusForbidden, "insufficient_scope")
	h.admin("GET", "users", nil).list(t)
}

func TestRevokingTakesAlongWhatAKeyCreated(t *testing.T) {
	h := start(t)
	parent, id := h.newKey(values{"permissions": []string{"api_keys.create", "users.view"}})
	child := h.as(parent, "POST", "api-keys", values{"name": "child", "type": "admin", "permissions": []string{"users.view"}}).
		token(t, http.StatusCreated)
	require.Equal(t, http.StatusNoContent, h.admin("DELETE", "api-keys/"+id+"?descendants=true", nil).status)
	h.as(parent, "GET", "users", nil).refused(t, http.StatusUnauthorized, "invalid_token")
	h.as(child, "GET", "users", nil).refused(t, http.StatusUnauthorized, "invalid_token")
}

// What paymenter-import has put into a database works there.
func TestImportedKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "billing.db")
	db, err := openDatabase(t.Context(), file)
	require.NoError(t, err)
	keys, err := apikey.New(db.keys, apikey.Config{Prefix: "paym", ForeignFormats: []apikey.ForeignFormat{apikey.Paymenter()}})
	require.NoError(t, err)
	key := "PAYM" + strings.Repeat("0a", 32)
	_, err = keys.Import(t.Context(), apikey.Spec{Name: "from the panel", Type: "admin", Permissions: scope.MustParseSet("users.view")},
		sha256.Sum256([]byte(key)))
	require.NoError(t, err)
	require.NoError(t, db.Close())

	h := start(t, "-db", file)
	h.as(key, "GET", "users", nil).list(t)
	h.as(key, "GET", "orders", nil).refused(t, http.StatusForbidden, "insufficient_scope")
}
