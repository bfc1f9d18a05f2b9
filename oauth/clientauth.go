package oauth

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/latchwork/latchwork/internal/throttle"
)

// maxClientID is the longest ID of a client.
const maxClientID = 255

// authenticate returns the client that sent a request, RFC 6749 section 2.3.
// It is the one way into every endpoint, before anything else of the request
// is looked at.
func (s *Server) authenticate(ctx context.Context, r *http.Request, f form) (Client, *Error) {
	presented, rejected := readClient(r, f)
	if rejected != nil {
		return Client{}, rejected
	}
	guess := s.secrets.guess(presented, s.source(r))
	if wait := guess.wait(); wait > 0 && !guess.spared() {
		return Client{}, s.clientThrottled(guess, wait)
	}
	c, err := s.client(ctx, presented.id)
	if err != nil {
		return Client{}, unavailable(err)
	}
	if !presented.provenBy(c, s) || c.ID == "" || c.Disabled {
		s.announce(Event{Kind: EventClientFailed, ClientID: c.ID, ClientAddr: guess.source})
		if wait := guess.failed(); wait > 0 { // others were faster
			return Client{}, s.clientThrottled(guess, wait)
		}
		return Client{}, invalidClient()
	}
	guess.succeeded()
	return c, nil
}

func (s *Server) clientThrottled(g secretGuess, wait time.Duration) *Error {
	s.announce(Event{Kind: EventClientThrottled, ClientAddr: g.source})
	return tooManyRequests(wait)
}

// secrets limit wrong secrets of clients. These are looked at in no time, so that
// it is enough to count what was wrong. Nil secrets limit nothing.
type secrets struct {
	hash    throttle.Hasher
	limiter *throttle.Limiter
	known   *throttle.Recent // from where clients had the right secret
}

func newSecrets(r Rate) *secrets {
	return &secrets{
		hash: throttle.NewHasher(), limiter: throttle.NewLimiter(throttle.Limit(r), entries), known: throttle.NewRecent(spare, entries/8),
	}
}

// A secretGuess is what a wrong secret counts against: the client it is said to
// be of, whether there is one or not, at the address it came from. The zero
// secretGuess is unlimited.
type secretGuess struct {
	secrets *secrets
	pair    throttle.Key // of client and address
	member  throttle.Key // of the client: the pair
	source  netip.Addr
}

// guess returns the guess that a request is. An empty secret is none: clients
// without a secret send it in a header.
func (s *secrets) guess(p presentedClient, source netip.Addr) secretGuess {
	if s == nil || p.secret == "" {
		return secretGuess{source: source}
	}
	client := s.hash.Text(p.id)
	pair := s.hash.Pair(client, s.hash.Addr(source))
	return secretGuess{secrets: s, pair: pair, member: s.hash.Within(client, pair), source: source}
}

// wait is how long nobody may guess.
func (g secretGuess) wait() time.Duration {
	if g.secrets == nil {
		return 0
	}
	return g.secrets.limiter.Wait(g.pair)
}

// failed counts the guess, or returns how long nobody may guess.
func (g secretGuess) failed() time.Duration {
	if g.secrets == nil {
		return 0
	}
	return g.secrets.limiter.Take(g.pair)
}

// spared reports whether the secret is looked at even when nobody may guess: the
// client was itself at this address lately, and others there cannot keep it out.
func (g secretGuess) spared() bool { return g.secrets != nil && g.secrets.known.Has(g.member) }

// succeeded remembers from where the client had the right secret.
func (g secretGuess) succeeded() {
	if g.secrets != nil {
		g.secrets.known.Add(g.member)
	}
}

// client returns the client with this ID, or the zero Client, which nobody can
// be. What cannot be an ID, RFC 6749 appendix A.1, does not reach a store, which
// may be unable to look for it.
func (s *Server) client(ctx context.Context, id string) (Client, error) {
	if len(id) > maxClientID || strings.ContainsFunc(id, func(c rune) bool { return c < ' ' || c > '~' }) {
		return Client{}, nil
	}
	c, err := s.clients.Client(ctx, id)
	switch {
	case errors.Is(err, ErrNotFound), err == nil && c.ID != id:
		return Client{}, nil
	case err == nil && (c.Scopes.HasStars() || c.DefaultScopes.HasStars()):
		return Client{}, fmt.Errorf("oauth: client %q: a scope with a star would grant what nobody was asked for", id)
	}
	return c, err
}

// A presentedClient is who a request says it comes from.
type presentedClient struct {
	id, secret string
	method     AuthMethod // empty: an id alone
}

func (p presentedClient) provenBy(c Client, s *Server) bool {
	if p.method == "" {
		return c.Public
	}
	proven := c.proves(p.secret, s.now())
	return proven && !c.Public && (c.AuthMethod == "" || c.AuthMethod == p.method)
}

// readClient takes the client's credentials out of a request.
func readClient(r *http.Request, f form) (presentedClient, *Error) {
	authorization := r.Header["Authorization"]
	asserts := f["client_assertion"] != "" || f["client_assertion_type"] != ""
	switch {
	case len(authorization) > 1:
		return presentedClient{}, invalidRequest("There is more than one Authorization header.")
	case asserts && (len(authorization) == 1 || f["client_secret"] != ""):
		return presentedClient{}, invalidRequest("The client authenticates itself in two ways.")
	case asserts: // RFC 7521 section 4.2, which is not supported
		return presentedClient{}, invalidClient()
	case len(authorization) == 1:
		return readBasic(authorization[0], f)
	case f["client_id"] == "":
		return presentedClient{}, invalidClient()
	case f["client_secret"] == "":
		return presentedClient{id: f["client_id"]}, nil
	default:
		return presentedClient{id: f["client_id"], secret: f["client_secret"], method: AuthPost}, nil
	}
}

// readBasic reads HTTP Basic, whose both halves are form-encoded here.
func readBasic(authorization string, f form) (presentedClient, *Error) {
	scheme, encoded, _ := strings.Cut(authorization, " ")
	decoded, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if !strings.EqualFold(scheme, "Basic") || err != nil {
		return presentedClient{}, invalidClient()
	}
	id, secret, found := strings.Cut(string(decoded), ":")
	id, idErr := url.QueryUnescape(id)
	secret, secretErr := url.QueryUnescape(secret)
	if !found || idErr != nil || secretErr != nil || id == "" {
		return presentedClient{}, invalidClient()
	}
	if f["client_secret"] != "" || (f["client_id"] != "" && f["client_id"] != id) {
		return presentedClient{}, invalidRequest("The client authenticates itself in two ways.")
	}
	return presentedClient{id: id, secret: secret, method: AuthBasic}, nil
}
