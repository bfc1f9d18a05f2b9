package oauth

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/latchwork/latchwork/internal/credential"
	"github.com/latchwork/latchwork/scope"
)

// settle is how long storing may take once it has begun. The client's
// cancellation no longer counts then: what was spent must have its successor.
const settle = 5 * time.Second

// settled returns the context to store with, or an error if the client is gone
// before anything has begun. A MemoryStore is done at once, or has not begun.
func (s *Server) settled(ctx context.Context) (context.Context, context.CancelFunc, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	if s.memory != nil {
		return ctx, func() {}, nil
	}
	ctx, cancel := settling(ctx)
	return ctx, cancel, nil
}

// settling returns the context to go on with when something was stored already.
func settling(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), settle)
}

// newAttempt returns an attempt that nobody has made before.
func newAttempt() (a Attempt) {
	rand.Read(a[:]) // never fails, see crypto/rand
	return a
}

// begin stores a new grant with its first tokens and answers with them.
func (s *Server) begin(ctx context.Context, c Client, subject Subject, granted scope.Set, refreshable bool) (tokenResponse, *Error) {
	lifetime := or(c.AccessLifetime, s.cfg.AccessLifetime)
	if refreshable {
		lifetime = or(c.RefreshAbsolute, s.cfg.RefreshAbsolute)
	}
	g := s.newGrant(subject, c, granted, lifetime)
	answer, now := tokenResponse{AccessToken: s.access.Generate(), grantID: g.ID}, g.CreatedAt
	first := make([]Credential, 1, 2)
	if refreshable {
		answer.RefreshToken = s.refresh.Generate()
		if s.cfg.RefreshEndsAccess {
			answer.AccessToken = s.companion(answer.RefreshToken, g.ID)
		}
		first = append(first, s.refreshCredential(c, g, answer.RefreshToken, now))
	}
	access := s.accessCredential(c, g, granted, answer.AccessToken, now)
	first[0] = access
	if err := s.create(ctx, g, first...); err != nil {
		return tokenResponse{}, unavailable(err)
	}
	return complete(answer, access, now), nil
}

// newGrant returns a grant that is not stored yet.
func (s *Server) newGrant(subject Subject, c Client, granted scope.Set, lifetime time.Duration) Grant {
	id := uuid.Must(uuid.NewV7()) // fails only if crypto/rand does, which never fails
	now := s.now()
	return Grant{ID: id.String(), Subject: subject, ClientID: c.ID, Scope: granted, CreatedAt: now, ExpiresAt: after(now, lifetime)}
}

// maxID is how long the IDs of users and clients may be: what every Store takes.
const maxID = 255

// create stores a new grant with its first credentials.
func (s *Server) create(ctx context.Context, g Grant, first ...Credential) error {
	if len(g.Subject.ID) > maxID || len(g.ClientID) > maxID {
		return fmt.Errorf("oauth: create grant: subject %.40q..., client %.40q...: longer than %d bytes", g.Subject.ID, g.ClientID, maxID)
	}
	ctx, cancel, err := s.settled(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	if err := s.store.CreateGrant(ctx, g, first...); err != nil {
		return fmt.Errorf("oauth: create grant: %w", err)
	}
	return nil
}

// revokeGrant revokes one grant, whether or not the client still waits for that.
func (s *Server) revokeGrant(ctx context.Context, id string, subject Subject, at time.Time) error {
	ctx, cancel := settling(ctx)
	defer cancel()
	if _, err := s.revokeGrants(ctx, Filter{GrantID: id}, subject, at); err != nil {
		return fmt.Errorf("oauth: revoke: %w", err)
	}
	return nil
}

// revokeGrants is RevokeGrants of the store, for grants of one subject. It is in
// effect here when the call returns.
func (s *Server) revokeGrants(ctx context.Context, f Filter, subject Subject, at time.Time) (int, error) {
	n, err := s.store.RevokeGrants(ctx, f, at)
	s.cache.revoked(f, subject, at, err)
	return n, err
}

// spend is Spend of the store. If its answer is lost, the same attempt asks
// again: it is First again if it was the first time.
func (s *Server) spend(ctx context.Context, spend Spend, issue ...Credential) (Spent, error) {
	spent, err := s.store.Spend(ctx, spend, issue...)
	if err != nil && ctx.Err() == nil && !isAnswer(err) {
		spent, err = s.store.Spend(ctx, spend, issue...)
	}
	if err != nil && !isAnswer(err) {
		return Spent{}, fmt.Errorf("oauth: spend: %w", err)
	}
	return spent, err
}

// complete fills in what an answer says about its access token.
func complete(answer tokenResponse, access Credential, now time.Time) tokenResponse {
	answer.TokenType = "Bearer"
	if now.Before(access.CreatedAt) { // by another clock, or overtaken
		now = access.CreatedAt
	}
	answer.ExpiresIn = secondsUntil(access.ExpiresAt, now)
	answer.Scope = access.Scope.String()
	return answer
}

func (s *Server) accessCredential(c Client, g Grant, granted scope.Set, token string, now time.Time) Credential {
	return newCredential(KindAccess, g, granted, token, now, or(c.AccessLifetime, s.cfg.AccessLifetime))
}

// refreshCredential always keeps the grant's whole scope, however narrow the
// access token beside it is, RFC 6749 section 6.
func (s *Server) refreshCredential(c Client, g Grant, token string, now time.Time) Credential {
	return newCredential(KindRefresh, g, g.Scope, token, now, or(c.RefreshIdle, s.cfg.RefreshIdle))
}

// newCredential describes a token. It never outlives its grant.
func newCredential(kind CredentialKind, g Grant, granted scope.Set, token string, now time.Time, lifetime time.Duration) Credential {
	c := Credential{
		Hash: Hash(credential.Sum(token)), Kind: kind, GrantID: g.ID, ClientID: g.ClientID,
		Scope: granted, Resources: g.Resources, CreatedAt: now, ExpiresAt: after(now, lifetime),
	}
	c.ID = hex.EncodeToString(c.Hash[:8])
	if c.ExpiresAt.After(g.ExpiresAt) {
		c.ExpiresAt = g.ExpiresAt
	}
	return c
}

// after is the end of a lifetime as a store may see it.
func after(now time.Time, lifetime time.Duration) time.Time {
	return now.Add(lifetime).Truncate(time.Microsecond)
}
