package oauth

import "context"

// Users knows the people whose passwords are exchanged for tokens. It is safe
// for concurrent use.
type Users interface {
	// ByName returns the user who signs in under this name, or an error that
	// matches ErrNotFound. What is the same name is for the host to say. It is
	// asked again when the tokens are stored, in case that the password was
	// changed meanwhile.
	ByName(ctx context.Context, name string) (User, error)

	// Active reports whether the user with this subject still exists and is
	// not disabled. It is asked at each refresh.
	Active(ctx context.Context, subject string) (bool, error)

	// SetPasswordHash replaces the hash old, if it is still that, by one that
	// is up to date.
	SetPasswordHash(ctx context.Context, subject, old, hash string) error
}

// A User is a person, as far as signing in goes. The zero User cannot.
type User struct {
	Subject      string // at most 255 bytes; never changes, and is never given to somebody else
	PasswordHash string // empty: cannot sign in with a password
	Disabled     bool
}

// Passwords verifies and hashes the passwords of people. It is safe for
// concurrent use. *password.Hasher is one.
type Passwords interface {
	// Verify compares a password with a stored hash. The empty hash stands
	// for nobody: as much work, and the answer no. outdated: after a right
	// password, hash it anew.
	Verify(ctx context.Context, hash, password string) (ok, outdated bool, err error)

	// Hash returns what Verify compares a password with, another text each time.
	Hash(ctx context.Context, password string) (string, error)
}
