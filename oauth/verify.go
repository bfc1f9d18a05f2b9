package oauth

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/latchwork/latchwork/internal/credential"
	"github.com/latchwork/latchwork/scope"
)

// A Token is an access token that was verified. The zero Token speaks for
// nobody.
type Token struct {
	ID        string // no secret
	Subject   Subject
	ClientID  string
	GrantID   string
	Scope     scope.Set
	Resources []string
	IssuedAt  time.Time
	ExpiresAt time.Time
}

// Recognize reports whether this looks like an access token of this Server,
// going by its prefix and length.
func (s *Server) Recognize(presented string) bool { return s.access.Recognize(presented) }

// Samples returns a text that Recognize accepts. It is no token.
func (s *Server) Samples() []string { return []string{s.access.Encode([32]byte{})} }

// VerifyCached is Verify without I/O: ErrNotCached when only the store can
// tell, which is the moment to look at a throttle, and always without
// Config.CacheTTL.
func (s *Server) VerifyCached(presented string) (Token, error) {
	if s.cache == nil {
		return Token{}, ErrNotCached
	}
	r, err := s.cache.known(presented)
	if err != nil {
		return Token{}, err
	}
	return r.copied(), nil
}

// Verify returns whom an access token speaks for, and for what. ErrInvalid,
// ErrRevoked, ErrExpired: it may not be used. ErrBusy: too many others wait for
// the store. Any other error, too, means that nothing is known. Scopes are for
// the caller to check.
func (s *Server) Verify(ctx context.Context, presented string) (Token, error) {
	if s.cache == nil {
		return s.verifyUncached(ctx, presented)
	}
	r, err := s.cache.known(presented)
	if err != nil && errors.Is(err, ErrNotCached) {
		r, err = s.cache.load(ctx, presented)
	}
	if err != nil {
		return Token{}, err
	}
	return r.copied(), nil
}

// verifyUncached answers from the store.
func (s *Server) verifyUncached(ctx context.Context, presented string) (t Token, err error) {
	if s.memory != nil {
		err = s.verifyInMemory(ctx, presented, &t)
	} else {
		err = s.verifyStored(ctx, presented, &t)
	}
	if errors.Is(err, ErrNotFound) {
		err = ErrInvalid
	}
	return t, err
}

// verifyStored fills in t from the store. The checksum may spare it that.
func (s *Server) verifyStored(ctx context.Context, presented string, t *Token) error {
	if !s.access.Valid(presented) {
		return ErrInvalid
	}
	h := Hash(credential.Sum(presented))
	c, g, err := s.store.Lookup(ctx, h)
	if err != nil {
		return err
	}
	return t.fill(&c, &g, h, !c.SpentAt.IsZero(), !g.RevokedAt.IsZero(), s.cfg.Now())
}

// verifyInMemory fills in t from a MemoryStore, without the copies that Lookup
// owes everybody else, and without the checksum, which costs more than a look.
func (s *Server) verifyInMemory(ctx context.Context, presented string, t *Token) error {
	if !s.access.Recognize(presented) {
		return ErrInvalid
	}
	h := Hash(credential.Sum(presented))
	e, err := s.memory.find(ctx, h)
	if err != nil {
		return err
	}
	if err := t.fill(&e.credential, &e.held.grant, h, e.isSpent(), e.held.isRevoked(), s.cfg.Now()); err != nil {
		return err
	}
	t.Resources = slices.Clone(t.Resources)
	return nil
}

// fill sets what an access token says, if it may be used.
func (t *Token) fill(c *Credential, g *Grant, h Hash, spent, revoked bool, now time.Time) error {
	if !belong(c, g, h) {
		return errAnother
	}
	st := standingOf(c, g, spent, revoked)
	if err := st.judge(now); err != nil {
		return err
	}
	t.set(c, g)
	return nil
}

// set sets what an access token says, whatever its state.
func (t *Token) set(c *Credential, g *Grant) {
	t.ID, t.Subject, t.ClientID, t.GrantID = c.ID, g.Subject, c.ClientID, g.ID
	t.Scope, t.Resources, t.IssuedAt, t.ExpiresAt = c.Scope, c.Resources, c.CreatedAt, c.ExpiresAt
}

// A standing is by what an access token is judged.
type standing struct {
	revoked         bool // its grant
	unusable        bool // spent, or no access token at all
	grantEnds, ends time.Time
}

func standingOf(c *Credential, g *Grant, spent, revoked bool) standing {
	return standing{revoked: revoked, unusable: spent || c.Kind != KindAccess, grantEnds: g.ExpiresAt, ends: c.ExpiresAt}
}

// judge says why the token may not be used.
func (s *standing) judge(now time.Time) error {
	switch {
	case s.revoked:
		return ErrRevoked
	case !now.Before(s.grantEnds):
		return ErrExpired
	case s.unusable:
		return ErrInvalid
	case !now.Before(s.ends):
		return ErrExpired
	default:
		return nil
	}
}

// lookup asks the store for what was presented, and does not believe it
// another.
func (s *Server) lookup(ctx context.Context, presented string) (Credential, Grant, error) {
	h := Hash(credential.Sum(presented))
	c, g, err := s.store.Lookup(ctx, h)
	if err != nil {
		return Credential{}, Grant{}, err
	}
	if !belong(&c, &g, h) {
		return Credential{}, Grant{}, errAnother
	}
	return c, g, nil
}

var errAnother = errors.New("oauth: lookup: the store returned something else")

// belong reports whether these are the credential with this hash and its
// grant. They are large: hence the pointers.
func belong(c *Credential, g *Grant, h Hash) bool {
	return c.Hash == h && c.GrantID == g.ID && c.ClientID == g.ClientID && g.Subject.ID != ""
}
