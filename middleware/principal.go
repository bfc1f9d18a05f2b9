package middleware

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"reflect"
	"time"
	"unsafe"

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

// A binding is the one context node that holds all a Guard knows of a request.
type binding struct {
	context.Context //nolint:containedctx // it is a context

	caller    caller
	outermost *binding  // the first one that the Guard made for this request; nil: not bound yet
	refused   refused   // what came of it further in; only of the outermost
	settling  bool      // whether the end of the request is awaited already; only of the outermost
	admitted  bool      // by a requirement, and not merely authenticated
	includes  *[]string // that RequireIncludes let through; nil: none

	// The Guard that authenticated the request, and the identity of the
	// header map that it read. A handler may hand the context on to a request
	// of its own making, with another credential in another header: that one
	// is authenticated by itself.
	guard *Guard

	// Holds the map, so that no other one gets its address, but not as a map:
	// whoever prints a context would print the credential.
	header unsafe.Pointer

	// The request that is bound to it, of no meaning before: the two are one
	// allocation. Format keeps it from being printed with the context.
	request http.Request
}

type bindingKey struct{}

// Value implements context.Context.
func (b *binding) Value(key any) any {
	if key == (bindingKey{}) {
		return b
	}
	return b.Context.Value(key)
}

// Format implements [fmt.Formatter] for every verb. Some of them make fmt follow
// pointers, and behind those of a binding others are at work.
func (*binding) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, "middleware.binding") }

func bindingFrom(ctx context.Context) *binding {
	b, _ := ctx.Value(bindingKey{}).(*binding)
	return b
}

// bound returns the binding that this Guard made for this very request.
func (g *Guard) bound(r *http.Request) *binding {
	b := bindingFrom(r.Context())
	if b == nil || b.guard != g || b.header != headerIdentity(r.Header) {
		return nil
	}
	return b
}

// newBinding returns a binding for what this request turns out to be.
func (g *Guard) newBinding(r *http.Request) *binding {
	return &binding{guard: g, header: headerIdentity(r.Header)}
}

// bind returns the request with this binding in its context, or if that is bound
// already, with another one of the same caller, without includes.
func (b *binding) bind(r *http.Request, admitted bool) (*http.Request, *binding) {
	if outer := b; outer.outermost != nil {
		b = outer.guard.newBinding(r)
		b.caller, b.outermost = outer.caller, outer.outermost
	} else {
		b.outermost = b
	}
	b.Context, b.admitted = r.Context(), admitted
	b.request = *r.WithContext(b)
	return &b.request, b
}

// admit is bind for what a requirement lets pass, unless that is done.
func (b *binding) admit(r *http.Request) (*http.Request, *binding) {
	if b.admitted {
		return r, b
	}
	return b.bind(r, true)
}

// include adds what RequireIncludes let through.
func (b *binding) include(relations []string) {
	if len(relations) > 0 {
		b.includes = &relations
	}
}

// headerIdentity tells header maps apart. http.Request.WithContext and
// http.StripPrefix keep the map, so the request stays the same request.
func headerIdentity(h http.Header) unsafe.Pointer { return reflect.ValueOf(h).UnsafePointer() }
