package oauth

import (
	"context"
	"crypto/subtle"
	"slices"
	"time"

	"github.com/latchwork/latchwork/internal/credential"
	"github.com/latchwork/latchwork/scope"
)

// A GrantType is a way to get tokens, RFC 6749 section 1.3.
type GrantType string

// The grant types.
const (
	GrantAuthorizationCode GrantType = "authorization_code"
	GrantPassword          GrantType = "password"
	GrantRefreshToken      GrantType = "refresh_token"
	GrantClientCredentials GrantType = "client_credentials"
)

// An AuthMethod is how a confidential client authenticates itself, RFC 7591
// section 2.
type AuthMethod string

// The methods. The zero AuthMethod stands for either of them.
const (
	AuthBasic AuthMethod = "client_secret_basic"
	AuthPost  AuthMethod = "client_secret_post"
)

// A Client is an application that is registered with the server. The zero
// Client is confidential, has no secret and may do nothing.
type Client struct {
	ID   string // letters, digits, "-", ".", "_" and "~", at most 255
	Name string // for people

	// Public clients cannot keep a secret and have none.
	Public bool

	// Secrets are one, or two while a rotation overlaps.
	Secrets []ClientSecret

	// AuthMethod is the only one that is accepted. Empty: both.
	AuthMethod AuthMethod

	// Grants are the grant types the client may use. Empty: none.
	Grants []GrantType

	// Scopes are what the client may have at most. With a star among them,
	// every request of the client is refused with 503.
	Scopes scope.Set

	// DefaultScopes are what it gets where a user is involved and it does not
	// say what it wants. They are among Scopes.
	DefaultScopes scope.Set

	// RedirectURIs are where a user may be sent back to, byte for byte.
	RedirectURIs []string

	// FirstParty clients are the host's own: only they may use the password
	// grant.
	FirstParty bool

	// ResourceServer lets the client look at the tokens of others.
	ResourceServer bool

	Disabled bool

	// The client's own lifetimes. Zero: those of the server's Config.
	AccessLifetime, RefreshIdle, RefreshAbsolute time.Duration

	// For a ClientRegistry; a Server does not look at them.
	CreatedAt, UpdatedAt time.Time
	Version              int64 // 1 at first, and one more after each change
}

// Clone returns a copy that shares nothing that could be changed.
func (c Client) Clone() Client {
	c.Secrets, c.Grants, c.RedirectURIs = slices.Clone(c.Secrets), slices.Clone(c.Grants), slices.Clone(c.RedirectURIs)
	return c
}

// A ClientSecret is the SHA-256 of a client's secret. A slow hash would add
// nothing: the secret has 256 bits.
type ClientSecret struct {
	Hash     Hash
	Deadline time.Time // of one that was rotated out; zero: none
}

// NewClientSecret makes a client's secret, and what to store of it.
func NewClientSecret() (Secret, ClientSecret) {
	text := credential.Random()
	return NewSecret(text), ClientSecret{Hash: Hash(credential.Sum(text))}
}

// A ClientStore knows the clients. It is safe for concurrent use.
type ClientStore interface {
	// Client returns the client with exactly this ID, or an error that
	// matches ErrNotFound. Any other error means that nothing is known.
	Client(ctx context.Context, id string) (Client, error)
}

// StaticClients is a ClientStore of clients that are known beforehand. It must
// not be changed while it is in use.
type StaticClients []Client

// Client implements ClientStore.
func (s StaticClients) Client(_ context.Context, id string) (Client, error) {
	for _, c := range s {
		if c.ID == id {
			return c, nil
		}
	}
	return Client{}, ErrNotFound
}

// may reports whether the client may use a grant type.
func (c Client) may(grant GrantType) bool {
	return slices.Contains(c.Grants, grant) && (grant != GrantPassword || c.FirstParty)
}

// proves reports whether this is a secret of the client. It compares with
// something even if there is none, so that an unknown client takes as long as
// a known one.
func (c Client) proves(secret string, now time.Time) bool {
	sum := Hash(credential.Sum(secret))
	proved := 0
	for _, s := range c.Secrets {
		if s.Deadline.IsZero() || now.Before(s.Deadline) {
			proved |= subtle.ConstantTimeCompare(s.Hash[:], sum[:])
		}
	}
	if len(c.Secrets) == 0 {
		subtle.ConstantTimeCompare(make([]byte, len(sum)), sum[:])
	}
	return proved == 1
}
