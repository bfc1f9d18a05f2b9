package oauthtest

import (
	"context"
	"sync"

	"github.com/latchwork/latchwork/oauth"
)

// Users are the people that a test makes up. They are an [oauth.Users], which
// is safe for concurrent use. The zero Users is ready and knows nobody.
type Users struct {
	mu    sync.Mutex
	names map[string]oauth.User
}

// Set lets a user sign in under this name, or replaces who did so before: also
// with a User who is Disabled, or with the zero User, who is nobody.
func (u *Users) Set(name string, user oauth.User) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.names == nil {
		u.names = map[string]oauth.User{}
	}
	u.names[name] = user
}

// ByName implements oauth.Users.
func (u *Users) ByName(_ context.Context, name string) (oauth.User, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	user := u.names[name]
	if user.Subject == "" {
		return oauth.User{}, oauth.ErrNotFound
	}
	return user, nil
}

// Active implements oauth.Users.
func (u *Users) Active(_ context.Context, subject string) (bool, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, user := range u.names {
		if user.Subject == subject && subject != "" {
			return !user.Disabled, nil
		}
	}
	return false, nil
}

// SetPasswordHash implements oauth.Users.
func (u *Users) SetPasswordHash(_ context.Context, subject, old, hash string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	for name, user := range u.names {
		if user.Subject == subject && user.PasswordHash == old {
			user.PasswordHash = hash
			u.names[name] = user
		}
	}
	return nil
}
