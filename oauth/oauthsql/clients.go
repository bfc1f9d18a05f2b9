package oauthsql

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/latchwork/latchwork/internal/sqlkit"
	"github.com/latchwork/latchwork/oauth"
	"github.com/latchwork/latchwork/scope"
)

const (
	selectClient = "SELECT id, name, public, secrets, auth_method, grant_types, scopes, default_scopes, redirect_uris, " +
		"first_party, resource_server, disabled, access_lifetime, refresh_idle, refresh_absolute, created_at, updated_at, version " +
		"FROM latchwork_clients"

	insertClient = "INSERT INTO latchwork_clients (name, public, secrets, auth_method, grant_types, scopes, default_scopes, redirect_uris, " +
		"first_party, resource_server, disabled, access_lifetime, refresh_idle, refresh_absolute, created_at, updated_at, version, id) " +
		"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

	updateClient = "UPDATE latchwork_clients SET name = ?, public = ?, secrets = ?, auth_method = ?, grant_types = ?, scopes = ?, " +
		"default_scopes = ?, redirect_uris = ?, first_party = ?, resource_server = ?, disabled = ?, access_lifetime = ?, refresh_idle = ?, " +
		"refresh_absolute = ?, created_at = ?, updated_at = ?, version = ? WHERE id = ? AND version = ?"
)

// A clientRow is what the columns of a client are read into.
type clientRow struct {
	client        oauth.Client
	secrets       []byte
	grants        sqlkit.Cell[[]string]
	scopes        sqlkit.Cell[scope.Set]
	defaultScopes sqlkit.Cell[scope.Set]
	redirectURIs  sqlkit.Cell[[]string]
}

func (s *Store) newClientRow() *clientRow {
	r := &clientRow{}
	r.grants.Intern, r.redirectURIs.Intern = s.resources, s.resources
	r.scopes.Intern, r.defaultScopes.Intern = s.scopes, s.scopes
	return r
}

// into returns where the columns go.
func (r *clientRow) into() []any {
	c := &r.client
	return []any{
		&c.ID, &c.Name, &c.Public, &r.secrets, (*string)(&c.AuthMethod), &r.grants, &r.scopes, &r.defaultScopes, &r.redirectURIs,
		&c.FirstParty, &c.ResourceServer, &c.Disabled, (*int64)(&c.AccessLifetime), (*int64)(&c.RefreshIdle), (*int64)(&c.RefreshAbsolute),
		(*sqlkit.Time)(&c.CreatedAt), (*sqlkit.Time)(&c.UpdatedAt), &c.Version,
	}
}

// whole returns a client that shares nothing that could be changed.
func (r *clientRow) whole() (oauth.Client, error) {
	c := r.client
	c.Scopes, c.DefaultScopes = r.scopes.Value, r.defaultScopes.Value
	for _, grant := range r.grants.Value {
		c.Grants = append(c.Grants, oauth.GrantType(grant))
	}
	c.RedirectURIs = append(c.RedirectURIs, r.redirectURIs.Value...)
	var err error
	c.Secrets, err = parseSecrets(r.secrets)
	return c, err
}

// A secret is an [oauth.ClientSecret] in a column.
type secret struct {
	Hash     string `json:"hash"` // hexadecimal
	Deadline *int64 `json:"deadline"`
}

func parseSecrets(text []byte) ([]oauth.ClientSecret, error) {
	var list []secret
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, err
	}
	if list == nil {
		return nil, errors.New("null is not an array of secrets")
	}
	secrets := make([]oauth.ClientSecret, len(list))
	for i, s := range list {
		hash, err := hex.DecodeString(s.Hash)
		if err != nil || len(hash) != len(secrets[i].Hash) {
			return nil, fmt.Errorf("secret %d of a client cannot be read", i+1)
		}
		secrets[i].Hash = oauth.Hash(hash)
		if s.Deadline != nil {
			secrets[i].Deadline = time.UnixMicro(*s.Deadline).UTC()
		}
	}
	return secrets, nil
}

func secretsText(secrets []oauth.ClientSecret) string {
	b := []byte{'['}
	for i, s := range secrets {
		if i > 0 {
			b = append(b, ',')
		}
		b = hex.AppendEncode(append(b, `{"hash":"`...), s.Hash[:])
		b = append(b, `","deadline":`...)
		if s.Deadline.IsZero() {
			b = append(b, "null}"...)
		} else {
			b = append(strconv.AppendInt(b, sqlkit.Micros(s.Deadline), 10), '}')
		}
	}
	return string(append(b, ']'))
}

// clientValues returns what stands in the columns of a client, the ID last.
func clientValues(c oauth.Client) ([]any, error) {
	grants := make([]string, len(c.Grants))
	for i, grant := range c.Grants {
		grants[i] = string(grant)
	}
	err := errors.Join(texts(c.ID, c.Name, string(c.AuthMethod)), texts(grants...), texts(c.RedirectURIs...))
	return []any{
		c.Name, c.Public, secretsText(c.Secrets), string(c.AuthMethod), array(grants),
		array(c.Scopes.Strings()), array(c.DefaultScopes.Strings()), array(c.RedirectURIs),
		c.FirstParty, c.ResourceServer, c.Disabled, int64(c.AccessLifetime), int64(c.RefreshIdle), int64(c.RefreshAbsolute),
		sqlkit.Micros(c.CreatedAt), sqlkit.Micros(c.UpdatedAt), c.Version, c.ID,
	}, err
}

// Client implements [oauth.ClientStore]. It is one statement.
func (s *Store) Client(ctx context.Context, id string) (oauth.Client, error) {
	err := ctx.Err()
	if err == nil && !sqlkit.IsText(id) {
		return oauth.Client{}, oauth.ErrNotFound
	}
	r := s.newClientRow()
	if err == nil {
		err = s.client.QueryRowContext(ctx, id).Scan(r.into()...)
	}
	if errors.Is(err, sql.ErrNoRows) {
		err = oauth.ErrNotFound
	}
	var c oauth.Client
	if err == nil {
		c, err = r.whole()
	}
	if err != nil {
		return oauth.Client{}, s.end(ctx, "client", err)
	}
	return c, nil
}

// CreateClient implements [oauth.ClientRegistry].
func (s *Store) CreateClient(ctx context.Context, c oauth.Client) error {
	values, err := clientValues(c)
	if err != nil {
		return s.fail(ctx, "create client", err)
	}
	err = s.writeClient(ctx, insertClient, values, func(ctx context.Context, err error, lost bool) (known bool, answer error) {
		if !s.db.IsDuplicate(err) {
			return false, err
		}
		if lost {
			if stored, err := s.isStored(ctx, c.ID, values); err != nil || stored {
				return stored, err
			}
		}
		return true, oauth.ErrExists
	})
	return s.end(ctx, "create client", err)
}

// UpdateClient implements [oauth.ClientRegistry].
func (s *Store) UpdateClient(ctx context.Context, c oauth.Client) error {
	if !sqlkit.IsText(c.ID) {
		return s.end(ctx, "update client", errors.Join(ctx.Err(), oauth.ErrNotFound))
	}
	values, err := clientValues(c)
	if err != nil {
		return s.fail(ctx, "update client", err)
	}
	err = s.writeClient(ctx, updateClient, append(values, c.Version-1), func(ctx context.Context, err error, lost bool) (known bool, answer error) {
		if !errors.Is(err, errUnchanged) {
			return false, err
		}
		stored, err := s.isStored(ctx, c.ID, values)
		switch {
		case err != nil:
			return errors.Is(err, oauth.ErrNotFound), err
		case lost && stored:
			return true, nil
		default:
			return true, oauth.ErrConflict
		}
	})
	return s.end(ctx, "update client", err)
}

// DeleteClient implements [oauth.ClientRegistry].
func (s *Store) DeleteClient(ctx context.Context, id string) error {
	if !sqlkit.IsText(id) {
		return s.end(ctx, "delete client", errors.Join(ctx.Err(), oauth.ErrNotFound))
	}
	err := s.writeClient(ctx, "DELETE FROM latchwork_clients WHERE id = ?", []any{id}, func(_ context.Context, err error, lost bool) (known bool, answer error) {
		if !errors.Is(err, errUnchanged) {
			return false, err
		}
		if lost {
			return true, nil // it was there, and is gone
		}
		return true, oauth.ErrNotFound
	})
	return s.end(ctx, "delete client", err)
}

// writeClient runs one statement in a transaction, whose COMMIT tells a lost
// answer from one that says no. One that changes no row is errUnchanged.
func (s *Store) writeClient(ctx context.Context, query string, args []any, decide sqlkit.Decide) error {
	query = s.db.SQL(query)
	return s.db.Tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, query, args...)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); n > 0 || err != nil {
			return err
		}
		return errUnchanged
	}, decide)
}

// isStored reports whether a client has exactly these values, and so was stored
// by the call that made them: no other one has its secrets or its instant.
func (s *Store) isStored(ctx context.Context, id string, values []any) (bool, error) {
	c, err := s.Client(ctx, id)
	if err != nil {
		return false, err
	}
	stored, err := clientValues(c)
	return slices.Equal(stored, values), err
}

// Clients implements [oauth.ClientRegistry].
func (s *Store) Clients(ctx context.Context, page oauth.Page) ([]oauth.Client, error) {
	if err := ctx.Err(); err != nil {
		return nil, s.fail(ctx, "clients", err)
	}
	clients := []oauth.Client{}
	if page.Limit <= 0 || !sqlkit.IsText(page.Before) {
		return clients, nil
	}
	where, args := "", []any(nil)
	if page.Before != "" {
		where, args = " WHERE id < ?", []any{page.Before}
	}
	r := s.newClientRow()
	into := r.into()
	err := s.db.Each(ctx, selectClient+where+" ORDER BY id DESC LIMIT ?", append(args, page.Limit), func(rows *sql.Rows) error {
		err := rows.Scan(into...)
		if err != nil {
			return err
		}
		c, err := r.whole()
		clients = append(clients, c)
		return err
	})
	if err != nil {
		return nil, s.fail(ctx, "clients", err)
	}
	return clients, nil
}

var _ oauth.ClientRegistry = (*Store)(nil)
