package main

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"time"
)

// sessionStore keeps the sessions of people in the database, so that they
// outlive a restart and are known to every host. It implements scs.CtxStore, and
// only sees hashes of their tokens.
//
// A session that is deleted stays as a row without data: requests that were under
// way then commit it at their end, and must not bring it back.
type sessionStore struct{ db *database }

// keepDeleted is longer than any request takes.
const keepDeleted = time.Hour

func (s sessionStore) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	var data string
	query := s.db.sql("SELECT data FROM billing_sessions WHERE token = ? AND expires_at > ? AND data <> ''")
	err := s.db.QueryRowContext(ctx, query, token, time.Now().UnixMicro()).Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	b, err := base64.StdEncoding.DecodeString(data)
	return b, err == nil, err
}

func (s sessionStore) CommitCtx(ctx context.Context, token string, b []byte, expiry time.Time) error {
	insert := "INSERT INTO billing_sessions (token, data, expires_at) VALUES (?, ?, ?) " +
		"ON CONFLICT (token) DO UPDATE SET data = excluded.data, expires_at = excluded.expires_at WHERE billing_sessions.data <> ''"
	if s.db.Dialect == "mysql" { // which assigns in this order
		insert = "INSERT INTO billing_sessions (token, data, expires_at) VALUES (?, ?, ?) ON DUPLICATE KEY UPDATE " +
			"expires_at = IF(data = '', expires_at, VALUES(expires_at)), data = IF(data = '', data, VALUES(data))"
	}
	_, err := s.db.ExecContext(ctx, s.db.sql(insert), token, base64.StdEncoding.EncodeToString(b), expiry.UnixMicro())
	return err
}

func (s sessionStore) DeleteCtx(ctx context.Context, token string) error {
	deleted := s.db.sql("UPDATE billing_sessions SET data = '', expires_at = ? WHERE token = ?")
	_, err := s.db.ExecContext(ctx, deleted, time.Now().Add(keepDeleted).UnixMicro(), token)
	return err
}

// The methods without a context are never called beside those with one.

func (s sessionStore) Find(token string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), token)
}

func (s sessionStore) Commit(token string, b []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), token, b, expiry)
}

func (s sessionStore) Delete(token string) error {
	return s.DeleteCtx(context.Background(), token)
}
