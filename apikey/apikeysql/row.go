package apikeysql

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/internal/sqlkit"
	"github.com/latchwork/latchwork/ipfilter"
	"github.com/latchwork/latchwork/scope"
)

// anywhere stands in the column of the address list for a key that has none.
// It is a word, and not NULL or nothing, so that a list which gets lost is an
// error.
const anywhere = `"anywhere"`

const (
	keyColumns = "k.id, k.name, k.type, k.owner, k.permissions, k.allowed_ips, k.hint, k.metadata, k.enabled, " +
		"k.created_at, k.created_by, k.updated_at, k.expires_at, k.revoked_at, k.revoked_reason, k.version"

	// selectRecord has a row for each secret of a key, and one for a key
	// without.
	selectRecord = "SELECT " + keyColumns + ", s.hash, s.pepper_id, s.deadline " +
		"FROM latchwork_keys k LEFT JOIN latchwork_key_secrets s ON s.key_id = k.id "

	insertKey = "INSERT INTO latchwork_keys (id, name, name_folded, type, owner, permissions, allowed_ips, hint, metadata, enabled, " +
		"created_at, created_by, updated_at, expires_at, revoked_at, revoked_reason, version, secret_count) " +
		"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

	updateKey = "UPDATE latchwork_keys SET name = ?, name_folded = ?, type = ?, owner = ?, permissions = ?, allowed_ips = ?, hint = ?, metadata = ?, " +
		"enabled = ?, created_at = ?, created_by = ?, updated_at = ?, expires_at = ?, revoked_at = ?, revoked_reason = ?, version = ?, secret_count = ? " +
		"WHERE id = ? AND version = ?"
)

// findBy finds the record of whoever has one of n hashes. It has each row once
// for each of the hashes that is there. Nearly every key has one secret, and
// that is the one which was found: only of the others all are looked for.
func findBy(n int) string {
	return "SELECT " + keyColumns + ", COALESCE(s.hash, f.hash), COALESCE(s.pepper_id, f.pepper_id), " +
		"CASE WHEN s.hash IS NULL THEN f.deadline ELSE s.deadline END " +
		"FROM latchwork_key_secrets f JOIN latchwork_keys k ON k.id = f.key_id " +
		"LEFT JOIN latchwork_key_secrets s ON s.key_id = CASE WHEN k.secret_count > 1 THEN k.id END " +
		"WHERE f.hash IN (" + sqlkit.Marks(n) + ")"
}

func insertSecrets(n int) string {
	return "INSERT INTO latchwork_key_secrets (hash, key_id, pepper_id, deadline) VALUES " + sqlkit.Rows(n, 4)
}

// A row is what a row is read into.
type row struct {
	key         apikey.Key
	permissions sqlkit.Cell[scope.Set]
	list        sqlkit.Cell[*ipfilter.List]
	metadata    sqlkit.Cell[apikey.Metadata]

	hash     sql.RawBytes
	pepperID sql.NullString
	deadline sqlkit.Time

	into [19]any
}

func (s *Store) newRow() *row {
	r := &row{}
	r.permissions.Intern, r.list.Intern, r.metadata.Intern = s.permissions, s.lists, s.metadata
	k := &r.key
	r.into = [...]any{
		&k.ID, &k.Name, &k.Type, &k.Owner, &r.permissions, &r.list, &k.Hint, &r.metadata, &k.Enabled,
		(*sqlkit.Time)(&k.CreatedAt), &k.CreatedBy, (*sqlkit.Time)(&k.UpdatedAt), (*sqlkit.Time)(&k.ExpiresAt),
		(*sqlkit.Time)(&k.RevokedAt), &k.RevokedReason, &k.Version,
		&r.hash, &r.pepperID, &r.deadline,
	}
	return r
}

// scanKey reads the columns of a key.
func (r *row) scanKey(rows *sql.Rows) (apikey.Key, error) {
	if err := rows.Scan(r.into[:16]...); err != nil {
		return apikey.Key{}, err
	}
	return r.whole(), nil
}

// scanSecret reads the columns of a key and of one of its secrets.
func (r *row) scanSecret(rows *sql.Rows) (k apikey.Key, secret apikey.SecretHash, err error) {
	if err := rows.Scan(r.into[:]...); err != nil {
		return k, secret, err
	}
	if r.hash != nil {
		if len(r.hash) != len(secret.Hash) {
			return k, secret, fmt.Errorf("a hash of %d bytes", len(r.hash))
		}
		secret = apikey.SecretHash{Hash: apikey.Hash(r.hash), PepperID: r.pepperID.String, Deadline: time.Time(r.deadline)}
	}
	return r.whole(), secret, nil
}

// whole returns a key that shares nothing that could be changed.
func (r *row) whole() apikey.Key {
	k := r.key
	k.Permissions, k.Metadata = r.permissions.Value, r.metadata.Value
	if list := r.list.Value; list != nil {
		own := *list
		k.AllowedIPs = &own
	}
	return k
}

// scanRecord reads the rows of one record, which may stand there more than
// once. Nothing is ErrNotFound.
func (s *Store) scanRecord(rows *sql.Rows) (record apikey.Record, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	r := s.newRow()
	for rows.Next() {
		k, secret, err := r.scanSecret(rows)
		if err != nil {
			return apikey.Record{}, err
		}
		switch {
		case record.Key.ID == "":
			record.Key = k
		case record.Key.ID != k.ID:
			continue // of two that were asked for, one is enough
		}
		known := slices.ContainsFunc(record.Secrets, func(h apikey.SecretHash) bool { return h.Hash == secret.Hash })
		if r.hash != nil && !known {
			record.Secrets = append(record.Secrets, secret)
		}
	}
	if err := rows.Err(); err != nil {
		return apikey.Record{}, err
	}
	if record.Key.ID == "" {
		return apikey.Record{}, apikey.ErrNotFound
	}
	return record, nil
}

func parseList(text []byte) (*ipfilter.List, error) {
	if string(text) == anywhere {
		return nil, nil
	}
	list := new(ipfilter.List)
	if err := json.Unmarshal(text, list); err != nil {
		return nil, err
	}
	return list, nil
}

func parseMetadata(text []byte) (m apikey.Metadata, err error) {
	if string(text) == "{}" {
		return apikey.Metadata{}, nil
	}
	err = json.Unmarshal(text, &m)
	return m, err
}

// errNotText refuses what one database would change and another one refuse.
var errNotText = errors.New("a text is not valid UTF-8 without NUL")

// columns returns what stands in the columns of a key, but for its ID, and of
// an event. What could not be read back as it is, is refused.
func columns(r apikey.Record, e apikey.Event) (key, event []any, err error) {
	k := r.Key
	texts := []string{k.ID, k.Name, k.Type, k.Owner, k.Hint, k.CreatedBy, k.RevokedReason, e.ID, e.KeyID, string(e.Kind), e.Actor}
	for _, secret := range r.Secrets {
		texts = append(texts, secret.PepperID)
	}
	for _, c := range e.Changes {
		texts = append(texts, c.Field, c.Old, c.New)
	}
	for _, text := range texts {
		if !sqlkit.IsText(text) {
			return nil, nil, errNotText
		}
	}
	list := []byte(anywhere)
	if k.AllowedIPs != nil {
		if k.AllowedIPs.IsEmpty() {
			return nil, nil, errors.New("the address list is empty")
		}
		list = sqlkit.AppendStrings(nil, k.AllowedIPs.Strings())
	}
	metadata := "{}"
	if k.Metadata.Len() > 0 {
		text, err := json.Marshal(k.Metadata)
		if err != nil {
			return nil, nil, err
		}
		metadata = string(text)
	}
	key = []any{
		k.Name, sqlkit.FoldASCII(k.Name), k.Type, k.Owner,
		string(sqlkit.AppendStrings(nil, k.Permissions.Strings())), string(list), k.Hint, metadata, k.Enabled,
		sqlkit.Micros(k.CreatedAt), k.CreatedBy, sqlkit.Micros(k.UpdatedAt), sqlkit.NullMicros(k.ExpiresAt),
		sqlkit.NullMicros(k.RevokedAt), k.RevokedReason, k.Version, len(r.Secrets),
	}
	event = []any{e.ID, e.KeyID, string(e.Kind), sqlkit.Micros(e.At), e.Actor, string(appendChanges(nil, e.Changes))}
	return key, event, nil
}
