package oauth

import (
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/latchwork/latchwork/scope"
)

// Config is what a Server may be told. New copies it.
type Config struct {
	// Issuer is the server's base URL: https, or http on a loopback address;
	// without query and fragment, and without a slash at its end. It is
	// required.
	Issuer string

	// Prefix begins every token: <prefix>_at_... are access tokens,
	// <prefix>_rt_... refresh tokens and <prefix>_ac_... authorization codes.
	// 1 to 29 letters, digits and underscores. It is required.
	Prefix string

	// Scopes knows the scopes there are. Nil: those that clients have.
	Scopes *scope.Catalog

	// Users and Passwords are needed for LegacyPasswordGrant; without Users,
	// nobody's refresh is refused because of who they are.
	Users     Users
	Passwords Passwords

	// LegacyPasswordGrant switches the password grant on, for clients that
	// have it among their Grants and are FirstParty. RFC 9700 section 2.4
	// advises against it: the application sees the password, and neither a
	// second factor nor a passkey is possible.
	LegacyPasswordGrant bool

	// Login says who is signed in, by the host's own session. With it there is
	// an authorization endpoint, where people let an application speak for
	// them; LoginURL and Consent are needed then. Nil: there is none.
	Login func(r *http.Request) (subject string, ok bool)

	// LoginURL is where people go who are not signed in: a path, or a URL. The
	// parameter "next" is added to it, which is the path to send them back to.
	LoginURL string

	// Consent asks whether an application may have what it wants. The headers
	// that keep the page from being framed and stored are already set.
	// consent.Pages has one.
	Consent func(w http.ResponseWriter, r *http.Request, c Consent)

	// ErrorPage shows an error to a person: with e.Status, and e.Description
	// as the text. Nil: a plain page.
	ErrorPage func(w http.ResponseWriter, r *http.Request, e *Error)

	// RememberConsent lets those go on at once who have given the same client
	// as much before and have not taken it back, unless the client is one that
	// another application could pretend to be: a public one that is not
	// redirected to an https URI whose host is a name in the DNS.
	RememberConsent bool

	// Paths are where Routes mounts the endpoints, below the Issuer.
	Paths Paths

	// Resources are what access tokens are for, as far as it is described to
	// clients.
	Resources []Resource

	CodeLifetime    time.Duration // of authorization codes; zero: a minute, at most ten
	AccessLifetime  time.Duration // of access tokens; zero: 15 minutes
	RefreshIdle     time.Duration // of a refresh token that is not used; zero: 14 days
	RefreshAbsolute time.Duration // of a grant, however often it is refreshed; zero: 90 days

	// ReplayWindow is how long a refresh token may be presented again, if its
	// answer was lost and its successor was not used yet. Zero: 10 seconds;
	// negative: never. At most a minute.
	ReplayWindow time.Duration

	// RefreshEndsAccess lets a refresh end the access token that came with the
	// refresh token, before there is a new one; that is one more write. False:
	// it lives to its own expiry, which is a matter of minutes, and a client
	// may use it in several places meanwhile.
	//
	// It reaches tokens that were issued with it by any Server on this store;
	// within ReplayWindow of each other, all of them must have it or none. Such
	// an access token follows from its refresh token and the ID of the grant.
	RefreshEndsAccess bool

	// ClientAddr says where a request came from, for the limits:
	// ipfilter.Resolver.Addr for example. An error means that it cannot be
	// told; the peer is limited then. Nil: the direct peer, which behind a
	// proxy is the same for everybody.
	ClientAddr func(*http.Request) (netip.Addr, error)

	// CacheTTL is how long Verify may go by what was read of an access token,
	// from the start of the read that found it. What is revoked through this
	// Server is in effect when the call returns, and so is what RevokedBy
	// revoke; what somebody else revokes on the same store, no later than that.
	// Somebody else is also the host that calls RevokeGrants of the store
	// itself. Zero: every call reads the store, and every revocation is in
	// effect at once. At most 24 hours. Tokens in use are read again in the
	// background, which Close ends.
	//
	// A store that has not heard yet of what was revoked here is not believed,
	// for 10 seconds, or twice CacheTTL if that is less. If the clocks of
	// several hosts differ, that may hit what a user or a client was given
	// right after their grants were revoked: it is answered with an error as
	// long, and not with who it is for.
	CacheTTL time.Duration

	// RevokedBy are the Clients that tell this Server, until Close, which
	// clients they disabled or deleted. Only CacheTTL needs them. Nil: none, and
	// what Clients revoke is in effect here after CacheTTL.
	RevokedBy *Clients

	// CacheSize is how many access tokens are kept at most. Zero: 100,000.
	CacheSize int

	// MaxLoads is how many reads of the store there may be under way for
	// CacheTTL; past that, Verify answers ErrBusy. Zero: 64.
	MaxLoads int

	// Limits say how many guesses may fail, at passwords and at the secrets of
	// clients. They are always on, and of each Server its own.
	Limits Limits

	// AccountName turns every spelling of a name that Users.ByName takes for
	// the same user into one, for the limits. Nil: space around it and case
	// make no difference. A database that takes é for e needs more.
	AccountName func(name string) string

	// Limiter counts wrong passwords for several Servers together, beside the
	// Limits of each. While it fails, those have to do, or with
	// LimiterRequired, nobody signs in and the answer is 503. LimiterKey is
	// the same at all of them and at least 32 bytes long; without it nobody
	// can tell from the Limiter whose passwords were tried. Nil: none.
	Limiter         Limiter
	LimiterKey      Secret
	LimiterRequired bool

	// InsecureUnlimitedGuesses switches the Limits off.
	InsecureUnlimitedGuesses bool

	// OnEvent hears what happened, in the goroutine where it did: while it
	// runs, the answer waits. Nil: nobody does.
	OnEvent func(Event)

	// Now judges expiry. Nil: time.Now; what is cached is judged by the monotonic
	// clock then, and by the wall clock within 10 ms of its being set.
	Now func() time.Time

	// Logger hears what nobody else is told. Nil: silent.
	Logger *slog.Logger
}
