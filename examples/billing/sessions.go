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
type sessionStore struct{ db *database }

func (s sessionStore) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	var data string
	query := s.db.sql("SELECT data FROM billing_sessions WHERE token = ? AND expires_at > ?")
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
		"ON CONFLICT (token) DO UPDATE SET data = excluded.data, expires_at = excluded.expires_at"
	if s.db.Dialect == "mysql" {
		insert = "REPLACE INTO billing_sessions (token, data, expires_at) VALUES (?, ?, ?)"
	}
	_, err := s.db.ExecContext(ctx, s.db.sql(insert), token, base64.StdEncoding.EncodeToString(b), expiry.UnixMicro())
	return err
}

func (s sessionStore) DeleteCtx(ctx context.Context, token string) error {
	_, err := s.db.ExecContext(ctx, s.db.sql("DELETE FROM billing_sessions WHERE token = ?"), token)
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
