package oauthsql

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/latchwork/latchwork/internal/sqlkit"
	"github.com/latchwork/latchwork/oauth"
)

// CreateGrant implements [oauth.Store].
func (s *Store) CreateGrant(ctx context.Context, g oauth.Grant, first ...oauth.Credential) error {
	grant, err := grantValues(g)
	if err != nil {
		return s.fail(ctx, "create grant", err)
	}
	credentials, err := credentialValues(first)
	if err != nil {
		return s.fail(ctx, "create grant", err)
	}
	err = s.db.Tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := sqlkit.Exec(ctx, tx, s.insertGrant, grant...); err != nil {
			return err
		}
		return s.storeCredentials(ctx, tx, credentials)
	}, func(ctx context.Context, err error, lost bool) (known bool, answer error) {
		if !s.db.IsDuplicate(err) {
			return false, err
		}
		if lost {
			// An ID is given once. If it is there, an earlier try put it there.
			var there int
			err := s.hasGrant.QueryRowContext(ctx, g.ID, g.ClientID, string(g.Subject.Kind), g.Subject.ID, sqlkit.Micros(g.CreatedAt)).Scan(&there)
			if err != nil || there > 0 {
				return err == nil, err
			}
		}
		return true, oauth.ErrExists
	})
	return s.end(ctx, "create grant", err)
}

// Lookup implements [oauth.Store]. It is one statement.
func (s *Store) Lookup(ctx context.Context, h oauth.Hash) (oauth.Credential, oauth.Grant, error) {
	c, g := s.newCredentialRow(), s.newGrantRow()
	err := ctx.Err()
	if err == nil {
		err = s.lookup.QueryRowContext(ctx, h[:]).Scan(append(c.into(), g.into()...)...)
	}
	if errors.Is(err, sql.ErrNoRows) {
		err = oauth.ErrNotFound
	}
	if err != nil {
		return oauth.Credential{}, oauth.Grant{}, s.end(ctx, "lookup", err)
	}
	return c.whole(), g.whole(), nil
}

// RevokeGrants implements [oauth.Store].
func (s *Store) RevokeGrants(ctx context.Context, f oauth.Filter, at time.Time) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, s.fail(ctx, "revoke grants", err)
	}
	if at.IsZero() {
		return 0, s.fail(ctx, "revoke grants", errNoTime)
	}
	where, args, possible := conditions(f)
	if !possible {
		return 0, nil
	}
	query := "UPDATE latchwork_grants SET revoked_at = ? WHERE revoked_at IS NULL AND " + where
	n, err := s.db.Change(ctx, query, append([]any{sqlkit.Micros(at)}, args...)...)
	return n, s.fail(ctx, "revoke grants", err)
}

// Grants implements [oauth.Store].
func (s *Store) Grants(ctx context.Context, f oauth.Filter, page oauth.Page) ([]oauth.Grant, error) {
	if err := ctx.Err(); err != nil {
		return nil, s.fail(ctx, "grants", err)
	}
	grants := []oauth.Grant{}
	where, args, possible := conditions(f)
	if !possible || page.Limit <= 0 || !sqlkit.IsText(page.Before) {
		return grants, nil
	}
	if page.Before != "" {
		where, args = where+" AND id < ?", append(args, page.Before)
	}
	query := "SELECT " + grantColumns + " FROM latchwork_grants g WHERE " + where + " ORDER BY id DESC LIMIT ?"
	r := s.newGrantRow()
	into := r.into()
	err := s.db.Each(ctx, query, append(args, page.Limit), func(rows *sql.Rows) error {
		err := rows.Scan(into...)
		grants = append(grants, r.whole())
		return err
	})
	if err != nil {
		return nil, s.fail(ctx, "grants", err)
	}
	return grants, nil
}

// conditions turns a filter into SQL. When nothing can match it is not
// possible.
func conditions(f oauth.Filter) (where string, args []any, possible bool) {
	if f.IsZero() || texts(f.GrantID, string(f.Subject.Kind), f.Subject.ID, f.ClientID) != nil {
		return "", nil, false
	}
	var terms []string
	if f.GrantID != "" {
		terms, args = append(terms, "id = ?"), append(args, f.GrantID)
	}
	if f.Subject != (oauth.Subject{}) {
		terms, args = append(terms, "subject_kind = ? AND subject_id = ?"), append(args, string(f.Subject.Kind), f.Subject.ID)
	}
	if f.ClientID != "" {
		terms, args = append(terms, "client_id = ?"), append(args, f.ClientID)
	}
	return strings.Join(terms, " AND "), args, true
}

// DeleteExpired implements [oauth.Store]. Several nodes may do it at once.
func (s *Store) DeleteExpired(ctx context.Context, before time.Time, limit int) (int, error) {
	if err := ctx.Err(); err != nil || limit <= 0 {
		return 0, s.fail(ctx, "delete expired", err)
	}
	at := sqlkit.Micros(before)
	expired := sqlkit.Batch{Table: "latchwork_credentials", Key: "hash", By: "expires_at", Where: "expires_at < ?", Args: []any{at}, Limit: limit}
	credentials, err := s.db.Delete(ctx, expired)
	grants := 0
	if err == nil && credentials < limit {
		expired.Table, expired.Key, expired.Limit = "latchwork_grants", "id", limit-credentials
		expired.Where += " AND NOT EXISTS (SELECT 1 FROM latchwork_credentials c WHERE c.grant_id = latchwork_grants.id)"
		grants, err = s.db.Delete(ctx, expired)
	}
	return credentials + grants, s.fail(ctx, "delete expired", err)
}

var _ oauth.Store = (*Store)(nil)
