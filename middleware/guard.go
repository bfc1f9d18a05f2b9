package middleware

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/latchwork/latchwork/internal/throttle"
	"github.com/latchwork/latchwork/ipfilter"
	"github.com/latchwork/latchwork/scope"
)

// An Authenticator turns one sort of credential into a Principal. Keys makes
// one for API keys and Tokens one for access tokens; write one for a foreign
// identity provider. It is used concurrently.
type Authenticator interface {
	// Recognize reports whether the presented credential is of this sort,
	// going by its shape and without I/O. The first Authenticator that
	// recognizes it is the only one that is asked: a wrong credential never
	// falls through to the next.
	Recognize(presented string) bool

	// Samples returns at least one text that Recognize accepts, none of them
	// a real credential. New uses them to refuse two Authenticators that
	// recognize the same.
	Samples() []string

	// Authenticate returns whose credential this is. An error that matches
	// ErrInvalidCredential, or one of the packages apikey's and oauth's for
	// what may not be used, refuses it; any other error means that nothing is
	// known, and the request is refused with 503. Before it asks a store, it
	// asks Request.Admit.
	Authenticate(ctx context.Context, presented string, r Request) (Principal, error)
}

// A Request is what an Authenticator may know of a request beside the
// credential.
type Request struct {
	// ClientAddr is where the request came from, or the zero Addr when that
	// cannot be told.
	ClientAddr netip.Addr

	trial trial
}

// ErrInvalidCredential is what an Authenticator answers, wrapped or not, when
// a credential that it recognized is not valid.
var ErrInvalidCredential = errors.New("middleware: invalid credential")

// Config is what a Guard may be told. New copies it.
type Config struct {
	// Credentials are the sorts of credentials that are accepted, at least
	// one.
	Credentials []Authenticator

	// ClientAddr says where a request came from, ipfilter.Resolver.Addr for
	// example. An error means that it cannot be told: keys that are bound to
	// addresses are refused then. Nil: the direct peer.
	ClientAddr func(*http.Request) (netip.Addr, error)

	// KeyTypes are the types of keys that Require, RequireAny and Resource
	// accept. Empty: none, so these three cannot be used.
	KeyTypes []string

	// KeyHeader names a header, such as X-API-Key, in which API keys are
	// accepted beside Authorization. Empty: none.
	KeyHeader string

	// Catalog knows the permissions there are. With it, a permission that
	// does not exist panics where handlers are wired. Nil: only malformed ones
	// do.
	Catalog *scope.Catalog

	// Scopes knows the scopes there are, for RequireScope and its like as
	// Catalog for Require. Nil: only malformed ones panic.
	Scopes *scope.Catalog

	// Realm names the protected space in challenges. Empty: "api".
	Realm string

	// ResourceMetadata returns the URL of the document that describes the
	// resource a request is for, RFC 9728: the challenges of routes that need
	// an access token name it, so that a client finds the server that issues
	// them. (*oauth.Server).ResourceMetadata is one. Nil, or an empty URL: none
	// is named.
	ResourceMetadata func(*http.Request) string

	// HideAddressRefusal answers a key used from an address that is not on
	// its list like an unknown key. Otherwise whoever found a key can learn
	// that it is a live one.
	HideAddressRefusal bool

	// FailureBurst is how many credentials that are no good may come from one
	// address, or from one IPv6 network of 64 bits, and then one in each
	// FailureEvery (zero: 3 seconds). Of those beyond that, no store is asked;
	// the answer is 429. What a cache knows passes all the same, and so does
	// what a store knew within the last 30 days when it came from the same
	// address. A key that is refused because of its address counts, too.
	//
	// Nobody can guess a key or a token: this keeps those who try from a
	// store, in 2 MiB of memory. Behind a proxy it needs ClientAddr, or
	// strangers shut out what is new of each other. Zero: no limit.
	FailureBurst int
	FailureEvery time.Duration

	// Reject writes a rejection. Nil: WriteRejection.
	Reject func(http.ResponseWriter, *http.Request, Rejection)

	// Logger hears why the store could not be asked. Nil: silent.
	Logger *slog.Logger
}

// A Guard authenticates requests and lets pass what a handler requires. All its
// methods authenticate, so there is none whose order could be forgotten. It is
// immutable and safe for concurrent use. The zero Guard refuses everything.
type Guard struct {
	credentials []Authenticator
	clientAddr  func(*http.Request) (netip.Addr, error)
	keyTypes    []string
	keyHeader   string
	catalog     *scope.Catalog
	scopes      *scope.Catalog
	realm       string
	describedBy func(*http.Request) string
	hideAddress bool
	brake       *brake
	writeReject func(http.ResponseWriter, *http.Request, Rejection)
	log         *slog.Logger
}

// New returns a Guard, or everything that is wrong with the configuration.
func New(cfg Config) (*Guard, error) {
	g := &Guard{
		credentials: slices.Clone(cfg.Credentials), clientAddr: cfg.ClientAddr,
		keyTypes: slices.Clone(cfg.KeyTypes), keyHeader: http.CanonicalHeaderKey(cfg.KeyHeader),
		catalog: cfg.Catalog, scopes: cfg.Scopes, realm: cfg.Realm,
		describedBy: cfg.ResourceMetadata, hideAddress: cfg.HideAddressRefusal,
		writeReject: cfg.Reject, log: cfg.Logger,
	}
	faults := overlaps(g.credentials)
	if slices.Contains(g.keyTypes, "") {
		faults = append(faults, errors.New("middleware: KeyTypes holds an empty type"))
	}
	if !isHeaderName(g.keyHeader) || slices.Contains([]string{"Authorization", "Proxy-Authorization", "Cookie", "Host"}, g.keyHeader) {
		faults = append(faults, fmt.Errorf("middleware: KeyHeader %.40q is not a header that can hold a key", cfg.KeyHeader))
	}
	if !isQuotable(g.realm) {
		faults = append(faults, fmt.Errorf("middleware: Realm %.40q cannot stand between quotes", cfg.Realm))
	}
	var err error
	if g.brake, err = newBrake(throttle.Limit{Burst: cfg.FailureBurst, Every: cfg.FailureEvery}); err != nil {
		faults = append(faults, fmt.Errorf("middleware: FailureBurst and FailureEvery: %w", err))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return g, nil
}

// overlaps finds what is wrong with the authenticators taken together.
func overlaps(credentials []Authenticator) (faults []error) {
	if len(credentials) == 0 {
		return []error{errors.New("middleware: Credentials is empty")}
	}
	for i, a := range credentials {
		if a == nil {
			faults = append(faults, fmt.Errorf("middleware: Credentials[%d] is nil", i))
			continue
		}
		samples := a.Samples()
		if len(samples) == 0 {
			faults = append(faults, fmt.Errorf("middleware: Credentials[%d] has no samples", i))
		}
		for j, b := range credentials {
			if b == nil {
				continue
			}
			for _, sample := range samples {
				if recognized := b.Recognize(sample); recognized != (i == j) {
					faults = append(faults, overlapFault(i, j))
					break
				}
			}
		}
	}
	return faults
}

func overlapFault(i, j int) error {
	if i == j {
		return fmt.Errorf("middleware: Credentials[%d] does not recognize its own samples", i)
	}
	return fmt.Errorf("middleware: Credentials[%d] and Credentials[%d] recognize the same shape", j, i)
}

// isQuotable reports whether s may stand between quotes in a header as it is.
func isQuotable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' })
}

// isHeaderName reports whether s is empty or a token, RFC 9110 section 5.1.
func isHeaderName(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}

// addr returns where the request came from, or the zero Addr.
func (g *Guard) addr(r *http.Request) netip.Addr {
	resolve := g.clientAddr
	if resolve == nil {
		resolve = new(ipfilter.Resolver).Addr
	}
	addr, err := resolve(r)
	if err != nil {
		return netip.Addr{}
	}
	return addr
}
