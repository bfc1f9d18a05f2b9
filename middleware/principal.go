package middleware

import (
	"context"
	"net/netip"
	"time"

	"github.com/latchwork/latchwork/scope"
)

// A Kind says what sort of credential a Principal came with. The zero Kind is
// nobody's.
type Kind uint8

// The kinds of principals.
const (
	KindKey    Kind = 1 + iota // an API key
	KindUser                   // an access token of a person
	KindClient                 // an access token of an OAuth client itself
)

// String returns "key", "user", "client" or "none".
func (k Kind) String() string {
	switch k {
	case KindKey:
		return "key"
	case KindUser:
		return "user"
	case KindClient:
		return "client"
	default:
		return "none"
	}
}

// A Principal is who sent a request, as its credential says. It is a value:
// handlers may keep it and change their copy. The zero Principal is nobody and
// fails every check.
type Principal struct {
	Kind Kind

	// Subject is the user an access token speaks for, and empty for
	// everything else: a client's or a key's ID is never mistaken for a
	// user's.
	Subject string

	// Owner is the account of the host that a key belongs to, if any.
	Owner string

	ClientID     string // the OAuth client, of tokens
	GrantID      string // the authorization, of tokens
	CredentialID string // the key's or the token's ID; never the secret
	KeyType      string // of keys

	// Permissions are what the key holds, or the scope of a token.
	Permissions scope.Set

	// ClientAddr is where the request came from, or the zero Addr when that
	// cannot be told.
	ClientAddr netip.Addr

	// ExpiresAt is when the credential ends. Zero: never.
	ExpiresAt time.Time

	use use // what is left to count, until a way through the Guard has ended
}

// PrincipalFrom returns the Principal that a Guard bound to the context, and
// whether there is one.
func PrincipalFrom(ctx context.Context) (Principal, bool) {
	b := bindingFrom(ctx)
	if b == nil {
		return Principal{}, false
	}
	return b.caller.principal(), true
}

// WithPrincipal returns a context with this Principal: for testing handlers
// without a Guard, and for handing on what Guard.Authenticate returned where
// there is no http.Request. No Guard trusts it.
func WithPrincipal(ctx context.Context, p Principal) context.Context {
	return &binding{Context: ctx, caller: caller{foreign: &p}}
}

// IncludesFrom returns the relations of ?include= that RequireIncludes let
// through, in the order asked for. Without RequireIncludes around the handler
// there are none, whatever the query says. They go with the Principal that they
// were held against: another Guard inside, which finds its own, drops them.
func IncludesFrom(ctx context.Context) []string {
	b := bindingFrom(ctx)
	if b == nil || b.includes == nil {
		return nil
	}
	return *b.includes
}
