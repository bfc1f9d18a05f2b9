package main

import (
	"context"
	"crypto/rand"
	"strings"

	"github.com/latchwork/latchwork/oauth"
	"github.com/latchwork/latchwork/oauth/password"
)

// ByName implements oauth.Users: people sign in with their e-mail address.
func (db *database) ByName(_ context.Context, name string) (oauth.User, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	for _, r := range db.records {
		if r.Type == "users" && strings.EqualFold(r.Attributes["email"].(string), name) {
			return oauth.User{Subject: r.ID, PasswordHash: db.passwords[r.ID]}, nil
		}
	}
	return oauth.User{}, oauth.ErrNotFound
}

// Active implements oauth.Users.
func (db *database) Active(_ context.Context, subject string) (bool, error) {
	return len(db.find(is("users", subject))) > 0, nil
}

// SetPasswordHash implements oauth.Users.
func (db *database) SetPasswordHash(_ context.Context, subject, old, hash string) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.passwords[subject] == old {
		db.passwords[subject] = hash
	}
	return nil
}

// demoUser gives the first user a password.
func (db *database) demoUser(ctx context.Context, passwords *password.Hasher) (login, error) {
	user := db.find(is("users", "1"))[0]
	shown := login{Username: user.Attributes["email"].(string), Password: rand.Text(), ID: user.ID}
	hash, err := passwords.Hash(ctx, shown.Password)
	if err != nil {
		return login{}, err
	}
	return shown, db.SetPasswordHash(ctx, user.ID, "", hash)
}
