package oauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"time"

	"github.com/latchwork/latchwork/internal/credential"
	"github.com/latchwork/latchwork/scope"
)

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
	Subject      string // never changes, and is never given to somebody else
	PasswordHash string // empty: cannot sign in with a password
	Disabled     bool
}

// Passwords verifies and hashes the passwords of people. *password.Hasher does.
type Passwords interface {
	// Verify compares a password with a stored hash. The empty hash stands
	// for nobody: as much work, and the answer no. outdated: after a right
	// password, hash it anew.
	Verify(ctx context.Context, hash, password string) (ok, outdated bool, err error)
	Hash(ctx context.Context, password string) (string, error)
}

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

	// OnEvent hears what happened, in the goroutine where it did.
	OnEvent func(Event)

	// Now judges expiry. Nil: time.Now.
	Now func() time.Time

	// Logger hears what nobody else is told. Nil: silent.
	Logger *slog.Logger
}

// A Server issues and verifies tokens. It is safe for concurrent use. The zero
// Server refuses everything.
type Server struct {
	store   Store
	memory  *MemoryStore // the store, if it is one: Lookup has to copy, a Server only looks
	clients ClientStore
	cfg     Config
	access  credential.Format
	refresh credential.Format
	code    credential.Format
	ticket  credential.Format

	origin  string // the issuer without its path
	paths   endpoints
	origins *http.CrossOriginProtection // of what consent pages post
	labels  map[string]scope.Permission // of scopes
	guesses *guesses                    // nil without limits, like secrets
	secrets *secrets
	cache   *tokenCache // nil without one
}

var errNotNew = errors.New("oauth: a Server that New did not make")

// New returns a Server, or everything that is wrong with the configuration.
func New(store Store, clients ClientStore, cfg Config) (*Server, error) {
	var faults []error
	fault := func(found ...error) {
		for _, err := range found {
			if err != nil {
				faults = append(faults, fmt.Errorf("oauth: %w", err))
			}
		}
	}
	if isNil(store) {
		fault(errors.New("the store is nil"))
	}
	if isNil(clients) {
		fault(errors.New("the client store is nil"))
	}
	fault(checkIssuer(cfg.Issuer))
	s := &Server{store: store, clients: clients}
	s.memory, _ = store.(*MemoryStore)
	if cfg.Prefix == "" {
		fault(errors.New("the prefix is empty"))
	} else {
		fault(s.formats(cfg.Prefix))
	}
	if cfg.LegacyPasswordGrant && (cfg.Users == nil || cfg.Passwords == nil) {
		fault(errors.New("LegacyPasswordGrant needs Users and Passwords"))
	}
	if (cfg.Users != nil && isNil(cfg.Users)) || (cfg.Passwords != nil && isNil(cfg.Passwords)) {
		fault(errors.New("Users or Passwords is a nil pointer"))
	}
	fault(s.configure(&cfg)...)
	cfg.AccessLifetime = or(cfg.AccessLifetime, 15*time.Minute)
	cfg.RefreshIdle = or(cfg.RefreshIdle, 14*24*time.Hour)
	cfg.RefreshAbsolute = or(cfg.RefreshAbsolute, 90*24*time.Hour)
	cfg.ReplayWindow = or(cfg.ReplayWindow, 10*time.Second)
	if cfg.AccessLifetime < time.Second || cfg.RefreshIdle < time.Second || cfg.RefreshAbsolute < time.Second {
		fault(errors.New("a lifetime is shorter than a second"))
	}
	if cfg.ReplayWindow > time.Minute {
		fault(fmt.Errorf("ReplayWindow %v is longer than a minute", cfg.ReplayWindow))
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	var odd []error
	s.cache, odd = newTokenCache(store, cfg)
	fault(odd...)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.Limits = cfg.Limits.complete()
	fault(cfg.Limits.validate())
	with, err := newShared(cfg, s.limiterFailed)
	fault(err)
	s.cfg = cfg
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	if cfg.RevokedBy != nil && s.cache != nil {
		cfg.RevokedBy.tell(s.cache)
	}
	if !cfg.InsecureUnlimitedGuesses {
		s.secrets = newSecrets(cfg.Limits.ClientSecret)
		if cfg.Users != nil && cfg.Passwords != nil {
			s.guesses = newGuesses(cfg.Limits, entries, cfg.AccountName, with)
		}
	}
	return s, nil
}

func (s *Server) limiterFailed(ctx context.Context, err error) {
	s.cfg.Logger.ErrorContext(ctx, "oauth: the limiter failed", "error", err)
	s.announce(Event{Kind: EventLimiterFailed})
}

// formats sets what tokens look like. The suffixes have the same length: if one
// makes it too long, they all do.
func (s *Server) formats(prefix string) (err error) {
	if s.access, err = credential.New(prefix + "_at"); err == nil {
		s.refresh, err = credential.New(prefix + "_rt")
	}
	if err == nil {
		s.code, err = credential.New(prefix + "_ac")
	}
	if err == nil {
		s.ticket, err = credential.New(prefix + "_ct")
	}
	return err
}

// isNil reports whether there is nothing in an interface, or a pointer to
// nothing, which the first request would find out.
func isNil(v any) bool {
	r := reflect.ValueOf(v)
	return !r.IsValid() || (r.Kind() == reflect.Pointer && r.IsNil())
}

func or(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

// checkIssuer holds an issuer against RFC 8414 section 2, with the exception
// for loopback addresses that development needs.
func checkIssuer(issuer string) error {
	u, err := url.Parse(issuer)
	switch {
	case err != nil || u.Hostname() == "" || u.User != nil || u.Opaque != "":
		return fmt.Errorf("issuer %.100q is not a URL with a host", issuer)
	case !strings.HasPrefix(issuer, u.Scheme+":"):
		return fmt.Errorf("issuer %.100q: the scheme must be in lower case", issuer)
	case !isHost(u):
		return fmt.Errorf("issuer %.100q: the host must be an address, or a name of letters, digits, dots and hyphens", issuer)
	case hasOddPort(u):
		return fmt.Errorf("issuer %.100q: a port must be between 1 and 65535", issuer)
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || issuer[len(issuer)-1] == '/' || issuer[len(issuer)-1] == '#':
		return fmt.Errorf("issuer %.100q: no query, no fragment and no slash at the end", issuer)
	case u.Path != "" && !isPath(u.EscapedPath()):
		return fmt.Errorf("issuer %.100q: the path must be clean, and of letters, digits and -._~", issuer)
	case strings.HasPrefix(u.Path+"/", "/.well-known/"):
		return fmt.Errorf("issuer %.100q: the path /.well-known belongs to documents", issuer)
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	default:
		return fmt.Errorf("issuer %.100q: must be https, or http on a loopback address", issuer)
	}
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// now is the present as a store may see it.
func (s *Server) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Microsecond) }
