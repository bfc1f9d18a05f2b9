package main

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/ipfilter"
	"github.com/latchwork/latchwork/scope"
)

// A row is one key as the panel's table api_keys has it.
type row struct {
	id          int64
	name        string
	token       string         // SHA-256 of the whole key, in hexadecimal digits
	permissions sql.NullString // a JSON array: admin.users.view
	keyType     string
	addresses   sql.NullString // a JSON array, compared as text by the panel
	enabled     bool
	lastUsed    sql.NullTime
}

// A candidate is what becomes of a row that is good.
type candidate struct {
	spec     apikey.Spec
	sum      apikey.Hash
	lastUsed time.Time // zero: never
}

// A converter says how the panel's notation becomes ours.
type converter struct {
	stripPrefix string // of permissions: "admin." makes users.view of admin.users.view
	networks    bool   // take 10.0.0.0/8, which the panel accepts and never matches
}

// convert returns what to import, or everything that is wrong with the row.
func (c converter) convert(r row) (candidate, error) {
	var faults []error
	fault := func(column string, err error) {
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", column, err))
		}
	}
	sum, err := apikey.ParseHash(r.token)
	if err == nil && (sum == apikey.Hash{} || sum == sha256.Sum256(nil)) {
		err = errors.New("is the hash of nothing")
	}
	fault("token", err)
	permissions, err := c.permissions(r.permissions)
	fault("permissions", err)
	list, err := c.list(r.addresses)
	fault("ip_addresses", err)
	if err := errors.Join(faults...); err != nil {
		return candidate{}, err
	}
	return candidate{
		spec: apikey.Spec{Name: r.name, Type: r.keyType, Permissions: permissions, AllowedIPs: list, Disabled: !r.enabled},
		sum:  sum, lastUsed: r.lastUsed.Time,
	}, nil
}

// permissions reads the grants. NULL grants nothing, as in the panel, where
// such a key cannot be used.
func (c converter) permissions(column sql.NullString) (scope.Set, error) {
	names, err := readStrings(column)
	if err != nil {
		return scope.Set{}, err
	}
	for i, name := range names {
		if strings.Contains(name, "*") {
			return scope.Set{}, fmt.Errorf("%q: the panel has no wildcards, so this grants nothing there and much here", name)
		}
		stripped, found := strings.CutPrefix(name, c.stripPrefix)
		if !found {
			return scope.Set{}, fmt.Errorf("%q does not begin with %q", name, c.stripPrefix)
		}
		names[i] = stripped
	}
	return scope.ParseSet(names...)
}

// list reads the addresses. NULL and an empty array mean from anywhere there,
// and so they do here.
func (c converter) list(column sql.NullString) (*ipfilter.List, error) {
	entries, err := readStrings(column)
	if err != nil || len(entries) == 0 {
		return nil, err
	}
	for _, entry := range entries {
		if !c.networks && strings.ContainsAny(entry, "/-*") {
			return nil, fmt.Errorf("%q: the panel compares addresses as text, so this let nobody in; -networks imports it as a network", entry)
		}
	}
	list, err := ipfilter.ParseList(entries, ipfilter.MaxEntries)
	if err != nil {
		return nil, err
	}
	return &list, nil
}

// readStrings reads a column that holds a JSON array of strings, or NULL.
func readStrings(column sql.NullString) ([]string, error) {
	if !column.Valid {
		return nil, nil
	}
	var entries []*string
	decoder := json.NewDecoder(bytes.NewReader([]byte(column.String)))
	if err := decoder.Decode(&entries); err != nil || entries == nil || decoder.More() {
		return nil, fmt.Errorf("want an array of strings, have %.60q", column.String)
	}
	texts := make([]string, len(entries))
	for i, entry := range entries {
		if entry == nil {
			return nil, fmt.Errorf("want an array of strings, have %.60q", column.String)
		}
		texts[i] = *entry
	}
	return texts, nil
}
