package oauthsql

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/latchwork/latchwork/internal/sqlkit"
	"github.com/latchwork/latchwork/oauth"
	"github.com/latchwork/latchwork/scope"
)

const (
	grantColumns = "g.id, g.subject_kind, g.subject_id, g.client_id, g.scope, g.resources, g.created_at, g.expires_at, g.revoked_at"

	insertGrant = "INSERT INTO latchwork_grants (id, subject_kind, subject_id, client_id, scope, resources, created_at, expires_at, revoked_at) " +
		"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"

	credentialColumns = "c.hash, c.id, c.kind, c.grant_id, c.client_id, c.scope, c.resources, c.created_at, c.expires_at, " +
		"c.spent_at, c.attempt, c.challenge, c.redirect_uri"

	lookup = "SELECT " + credentialColumns + ", " + grantColumns +
		" FROM latchwork_credentials c JOIN latchwork_grants g ON g.id = c.grant_id WHERE c.hash " + sqlkit.Is

	// state is what a Spend depends on.
	state = "SELECT c.client_id, c.expires_at, c.spent_at, c.attempt, g.expires_at, g.revoked_at " +
		"FROM latchwork_credentials c JOIN latchwork_grants g ON g.id = c.grant_id WHERE c.hash " + sqlkit.Is
)

// spend takes effect on what is unspent and alive. It locks the grant against
// a revocation until it is committed: what is revoked when RevokeGrants has
// returned stays as it is. SQLite has one writer anyway.
func spend(dialect sqlkit.Dialect) string {
	lock := map[sqlkit.Dialect]string{sqlkit.PostgreSQL: " FOR SHARE", sqlkit.MySQL: " LOCK IN SHARE MODE"}[dialect]
	return "UPDATE latchwork_credentials SET spent_at = ?, attempt = ? " +
		"WHERE hash = ? AND client_id = ? AND spent_at IS NULL AND expires_at > ? AND EXISTS (SELECT 1 FROM latchwork_grants g " +
		"WHERE g.id = latchwork_credentials.grant_id AND g.revoked_at IS NULL AND g.expires_at > ?" + lock + ")"
}

func insertCredentials(n int) string {
	return "INSERT INTO latchwork_credentials (hash, id, kind, grant_id, client_id, scope, resources, created_at, expires_at, " +
		"spent_at, attempt, challenge, redirect_uri) VALUES " + sqlkit.Rows(n, 13)
}

// A grantRow is what the columns of a grant are read into.
type grantRow struct {
	grant     oauth.Grant
	scope     sqlkit.Cell[scope.Set]
	resources sqlkit.Cell[[]string]
}

func (s *Store) newGrantRow() *grantRow {
	r := &grantRow{}
	r.scope.Intern, r.resources.Intern = s.scopes, s.resources
	return r
}

// into returns where the columns go.
func (r *grantRow) into() []any {
	g := &r.grant
	return []any{
		&g.ID, (*string)(&g.Subject.Kind), &g.Subject.ID, &g.ClientID, &r.scope, &r.resources,
		(*sqlkit.Time)(&g.CreatedAt), (*sqlkit.Time)(&g.ExpiresAt), (*sqlkit.Time)(&g.RevokedAt),
	}
}

// whole returns a grant that shares nothing that could be changed.
func (r *grantRow) whole() oauth.Grant {
	g := r.grant
	g.Scope, g.Resources = r.scope.Value, slices.Clone(r.resources.Value)
	return g
}

// A credentialRow is what the columns of a credential are read into.
type credentialRow struct {
	credential oauth.Credential
	hash       fixed
	scope      sqlkit.Cell[scope.Set]
	resources  sqlkit.Cell[[]string]
	attempt    fixed
}

func (s *Store) newCredentialRow() *credentialRow {
	r := &credentialRow{}
	r.hash.into, r.attempt.into = r.credential.Hash[:], r.credential.Attempt[:]
	r.scope.Intern, r.resources.Intern = s.scopes, s.resources
	return r
}

// into returns where the columns go.
func (r *credentialRow) into() []any {
	c := &r.credential
	return []any{
		&r.hash, &c.ID, (*string)(&c.Kind), &c.GrantID, &c.ClientID, &r.scope, &r.resources,
		(*sqlkit.Time)(&c.CreatedAt), (*sqlkit.Time)(&c.ExpiresAt), (*sqlkit.Time)(&c.SpentAt), &r.attempt, &c.Challenge, &c.RedirectURI,
	}
}

// whole returns a credential that shares nothing that could be changed.
func (r *credentialRow) whole() oauth.Credential {
	c := r.credential
	c.Scope, c.Resources = r.scope.Value, slices.Clone(r.resources.Value)
	return c
}

// A fixed is bytes of a certain number. NULL is all zeros.
type fixed struct{ into []byte }

// Scan implements sql.Scanner.
func (f *fixed) Scan(src any) error {
	switch b := src.(type) {
	case nil:
		clear(f.into)
	case []byte:
		if copy(f.into, b) != len(f.into) || len(b) != len(f.into) {
			return fmt.Errorf("%d bytes, want %d", len(b), len(f.into))
		}
	default:
		return fmt.Errorf("bytes are %T", src)
	}
	return nil
}

var _ sql.Scanner = (*fixed)(nil)

// parseStrings reads a JSON array. Nil stands for the empty one.
func parseStrings(text []byte) ([]string, error) {
	if string(text) == "[]" {
		return nil, nil
	}
	var list []*string
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, err
	}
	if list == nil {
		return nil, errors.New("null is not an array of strings")
	}
	strings := make([]string, len(list))
	for i, s := range list {
		if s == nil {
			return nil, errors.New("null is not a string")
		}
		strings[i] = *s
	}
	return strings, nil
}

// errNotText refuses what one database would change and another one refuse.
var errNotText = errors.New("a text is not valid UTF-8 without NUL")

// texts refuses what is none.
func texts(list ...string) error {
	for _, s := range list {
		if !sqlkit.IsText(s) {
			return errNotText
		}
	}
	return nil
}

// grantValues returns what stands in the columns of a grant.
func grantValues(g oauth.Grant) ([]any, error) {
	if err := texts(append([]string{g.ID, string(g.Subject.Kind), g.Subject.ID, g.ClientID}, g.Resources...)...); err != nil {
		return nil, err
	}
	return []any{
		g.ID, string(g.Subject.Kind), g.Subject.ID, g.ClientID, array(g.Scope.Strings()), array(g.Resources),
		sqlkit.Micros(g.CreatedAt), sqlkit.Micros(g.ExpiresAt), sqlkit.NullMicros(g.RevokedAt),
	}, nil
}

// credentialValues returns what stands in the columns of credentials, one after
// the other.
func credentialValues(credentials []oauth.Credential) ([]any, error) {
	values := make([]any, 0, 13*len(credentials))
	for i := range credentials {
		c := &credentials[i]
		if err := texts(c.ID, string(c.Kind), c.GrantID, c.ClientID, c.Challenge, c.RedirectURI); err != nil {
			return nil, err
		}
		if err := texts(c.Resources...); err != nil {
			return nil, err
		}
		var attempt any
		if !c.SpentAt.IsZero() {
			attempt = c.Attempt[:]
		}
		values = append(values, c.Hash[:], c.ID, string(c.Kind), c.GrantID, c.ClientID, array(c.Scope.Strings()), array(c.Resources),
			sqlkit.Micros(c.CreatedAt), sqlkit.Micros(c.ExpiresAt), sqlkit.NullMicros(c.SpentAt), attempt, c.Challenge, c.RedirectURI)
	}
	return values, nil
}

// array returns a JSON array.
func array(list []string) string {
	if len(list) == 0 {
		return "[]"
	}
	return string(sqlkit.AppendStrings(nil, list))
}

// timeOf is the time that stands in a column.
func timeOf(t sqlkit.Time) time.Time { return time.Time(t) }
