package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"strings"

	"github.com/latchwork/latchwork/oauth"
	"github.com/latchwork/latchwork/oauth/password"
)

// ByName implements oauth.Users: people sign in with their e-mail address.
func (db *database) ByName(ctx context.Context, name string) (oauth.User, error) {
	found, err := db.find(ctx, "users", func(r record) bool { return strings.EqualFold(r.Attributes["email"].(string), name) })
	if err != nil || len(found) == 0 {
		return oauth.User{}, errors.Join(err, oauth.ErrNotFound)
	}
	user := oauth.User{Subject: found[0].ID}
	err = db.QueryRowContext(ctx, db.sql("SELECT hash FROM billing_passwords WHERE user_id = ?"), user.Subject).Scan(&user.PasswordHash)
	if errors.Is(err, sql.ErrNoRows) { // who has none cannot sign in
		err = nil
	}
	return user, err
}

// Active implements oauth.Users.
func (db *database) Active(ctx context.Context, subject string) (bool, error) {
	found, err := db.get(ctx, "users", subject)
	return len(found) > 0, err
}

// SetPasswordHash implements oauth.Users.
func (db *database) SetPasswordHash(ctx context.Context, subject, old, hash string) error {
	if old == "" {
		_, err := db.ExecContext(ctx, db.sql("INSERT INTO billing_passwords (user_id, hash) VALUES (?, ?)"), subject, hash)
		return err
	}
	_, err := db.ExecContext(ctx, db.sql("UPDATE billing_passwords SET hash = ? WHERE user_id = ? AND hash = ?"), hash, subject, old)
	return err
}

// demoUser gives the first user a password.
func (db *database) demoUser(ctx context.Context, passwords *password.Hasher) (login, error) {
	found, err := db.get(ctx, "users", "1")
	if err != nil || len(found) == 0 {
		return login{}, errors.Join(errors.New("there is no first user"), err)
	}
	shown := login{Username: found[0].Attributes["email"].(string), Password: rand.Text(), ID: found[0].ID}
	hash, err := passwords.Hash(ctx, shown.Password)
	if err != nil {
		return login{}, err
	}
	return shown, db.SetPasswordHash(ctx, shown.ID, "", hash)
}
