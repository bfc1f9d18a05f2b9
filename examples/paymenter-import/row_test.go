package main

import (
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func text(s string) sql.NullString { return sql.NullString{String: s, Valid: true} }

// good returns a row that can be imported, changed by edit.
func good(edit func(*row)) row {
	r := row{
		id: 1, name: "CI", token: strings.Repeat("0a", 32), permissions: text(`["admin.users.view","admin.orders.create"]`),
		keyType: "admin", addresses: text(`["192.0.2.1","2001:db8::1"]`), enabled: true,
	}
	if edit != nil {
		edit(&r)
	}
	return r
}

func TestConvert(t *testing.T) {
	t.Parallel()
	lastUsed := time.Date(2026, time.March, 4, 5, 6, 7, 0, time.UTC)
	c, err := converter{stripPrefix: "admin."}.convert(good(func(r *row) { r.lastUsed = sql.NullTime{Time: lastUsed, Valid: true} }))
	require.NoError(t, err)
	require.Equal(t, "CI", c.spec.Name)
	require.Equal(t, "admin", c.spec.Type)
	require.Equal(t, "orders.create users.view", c.spec.Permissions.String())
	require.Equal(t, "192.0.2.1, 2001:db8::1", c.spec.AllowedIPs.String())
	require.False(t, c.spec.Disabled)
	require.Equal(t, lastUsed, c.lastUsed)

	c, err = converter{}.convert(good(func(r *row) { r.enabled = false }))
	require.NoError(t, err)
	require.True(t, c.spec.Disabled)
	require.True(t, c.lastUsed.IsZero())
	require.Equal(t, "admin.orders.create admin.users.view", c.spec.Permissions.String())
}

// What the panel takes for from anywhere is from anywhere; what it takes for
// nothing grants nothing.
func TestConvertNothing(t *testing.T) {
	t.Parallel()
	for _, column := range []sql.NullString{{}, text("[]"), text(" [ ] ")} {
		c, err := converter{stripPrefix: "admin."}.convert(good(func(r *row) { r.addresses, r.permissions = column, column }))
		require.NoError(t, err)
		require.Nil(t, c.spec.AllowedIPs)
		require.Zero(t, c.spec.Permissions.Len())
	}
}

func TestConvertNetworks(t *testing.T) {
	t.Parallel()
	c, err := converter{stripPrefix: "admin.", networks: true}.convert(good(func(r *row) { r.addresses = text(`["10.0.0.0/8"]`) }))
	require.NoError(t, err)
	require.Equal(t, "10.0.0.0/8", c.spec.AllowedIPs.String())
}

// Whatever is wrong with a row, all of it is said, and nothing less is imported.
func TestConvertBadRows(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		edit func(*row)
		says string
	}{
		"no token":              {func(r *row) { r.token = "" }, "token: apikey: a SHA-256 has 64"},
		"a token in clear":      {func(r *row) { r.token = "PAYM" + strings.Repeat("0", 64) }, "token: "},
		"bcrypt":                {func(r *row) { r.token = "$2y$10$" + strings.Repeat("a", 57) }, "token: apikey: a SHA-256 has only hexadecimal digits"},
		"the hash of nothing":   {func(r *row) { r.token = hex.EncodeToString(sha256.New().Sum(nil)) }, "token: is the hash of nothing"},
		"64 zeros":              {func(r *row) { r.token = strings.Repeat("0", 64) }, "token: is the hash of nothing"},
		"permissions no JSON":   {func(r *row) { r.permissions = text("users.view") }, "permissions: want an array of strings"},
		"permissions an object": {func(r *row) { r.permissions = text(`{"0":"admin.users.view"}`) }, "permissions: want an array"},
		"permissions null":      {func(r *row) { r.permissions = text(`null`) }, "permissions: want an array"},
		"a permission null":     {func(r *row) { r.permissions = text(`[null]`) }, "permissions: want an array"},
		"two arrays":            {func(r *row) { r.permissions = text(`[] ["admin.users.view"]`) }, "permissions: want an array"},
		"a wildcard":            {func(r *row) { r.permissions = text(`["*"]`) }, `permissions: "*": the panel has no wildcards`},
		"another prefix":        {func(r *row) { r.permissions = text(`["client.users.view"]`) }, `"client.users.view" does not begin with "admin."`},
		"a malformed one":       {func(r *row) { r.permissions = text(`["admin.users..view"]`) }, "users..view"},
		"addresses cut off":     {func(r *row) { r.addresses = text(`["192.0.2.1"`) }, "ip_addresses: want an array"},
		"addresses null":        {func(r *row) { r.addresses = text(`null`) }, "ip_addresses: want an array"},
		"no address":            {func(r *row) { r.addresses = text(`["192.0.2.1","office"]`) }, "office"},
		"an empty one":          {func(r *row) { r.addresses = text(`[""]`) }, "ip_addresses: "},
		"a network":             {func(r *row) { r.addresses = text(`["10.0.0.0/8"]`) }, `"10.0.0.0/8": the panel compares addresses as text`},
	} {
		got, err := converter{stripPrefix: "admin."}.convert(good(c.edit))
		require.ErrorContains(t, err, c.says, name)
		require.Equal(t, candidate{}, got, name)
	}
	_, err := converter{stripPrefix: "admin."}.convert(good(func(r *row) { r.token, r.addresses, r.permissions = "x", text("x"), text("x") }))
	require.ErrorContains(t, err, "token: ")
	require.ErrorContains(t, err, "permissions: ")
	require.ErrorContains(t, err, "ip_addresses: ")
}
