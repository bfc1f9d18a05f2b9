package oauth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/latchwork/latchwork/internal/credential"
	"github.com/latchwork/latchwork/scope"
)

// A presentation is a code or a refresh token that a client wants tokens for,
// and what belongs to it.
type presentation struct {
	client     Client
	form       form
	secret     string
	credential Credential
	grant      Grant
	now        time.Time
}

// presented finds what a client presents, as the parameter with this name. Whose
// it is and what it is good for is still to be judged.
func (s *Server) presented(ctx context.Context, c Client, f form, name string, format credential.Format) (presentation, *Error) {
	secret := f[name]
	if secret == "" {
		return presentation{}, invalidRequest(name + " is missing.")
	}
	if !format.Valid(secret) {
		return presentation{}, invalidGrant(ErrInvalid)
	}
	held, g, err := s.lookup(ctx, secret)
	if errors.Is(err, ErrNotFound) {
		return presentation{}, invalidGrant(ErrNotFound)
	}
	if err != nil {
		return presentation{}, unavailable(err)
	}
	return presentation{client: c, form: f, secret: secret, credential: held, grant: g, now: s.now()}, nil
}

// refreshGrant is RFC 6749 section 6 with rotation, RFC 9700 section 4.14.2:
// everything that can be refused is looked at before the token is spent.
func (s *Server) refreshGrant(ctx context.Context, c Client, f form) (tokenResponse, *Error) {
	r, rejected := s.presented(ctx, c, f, "refresh_token", s.refresh)
	if rejected != nil {
		return tokenResponse{}, rejected
	}
	held, g := &r.credential, &r.grant
	if held.Kind != KindRefresh || held.ClientID != c.ID {
		return tokenResponse{}, invalidGrant(ErrInvalid)
	}
	if err := g.alive(r.now); err != nil {
		return tokenResponse{}, invalidGrant(err)
	}
	if !held.SpentAt.IsZero() {
		return s.replay(ctx, r, held.Attempt, held.SpentAt)
	}
	if !r.now.Before(held.ExpiresAt) {
		return tokenResponse{}, invalidGrant(ErrExpired)
	}
	granted, rejected := s.refreshedScope(f, c, held.Scope)
	if rejected != nil {
		return tokenResponse{}, rejected
	}
	if rejected := s.stillActive(ctx, g.Subject); rejected != nil {
		return tokenResponse{}, rejected
	}
	return s.rotate(ctx, r, granted)
}

// refreshedScope is what the refresh token has, or less if less is asked for,
// without what the client has lost since.
func (s *Server) refreshedScope(f form, c Client, held scope.Set) (scope.Set, *Error) {
	requested, rejected := s.requestedScope(f, held, held)
	if rejected != nil {
		return scope.Set{}, rejected
	}
	return narrowed(requested, c.Scopes)
}

// stillActive asks whether a grant's user may still be spoken for.
func (s *Server) stillActive(ctx context.Context, subject Subject) *Error {
	if subject.Kind != SubjectUser || s.cfg.Users == nil {
		return nil
	}
	active, err := s.cfg.Users.Active(ctx, subject.ID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return unavailable(err)
	}
	if !active || err != nil {
		return invalidGrant(nil)
	}
	return nil
}

// rotate spends the refresh token for an access token and its own successor.
func (s *Server) rotate(ctx context.Context, r presentation, granted scope.Set) (tokenResponse, *Error) {
	attempt := newAttempt()
	answer := s.successors(r.secret, attempt, r.grant.ID)
	access := s.accessCredential(r.client, r.grant, granted, answer.AccessToken, r.now)
	refresh := s.refreshCredential(r.client, r.grant, answer.RefreshToken, r.now)

	ctx, cancel, err := s.settled(ctx)
	if err != nil {
		return tokenResponse{}, unavailable(err)
	}
	defer cancel()
	if s.cfg.RefreshEndsAccess {
		if err := s.endAccess(ctx, r); err != nil {
			return tokenResponse{}, unavailable(err)
		}
	}
	spent, err := s.spend(ctx, Spend{
		Hash: r.credential.Hash, ClientID: r.client.ID, At: r.now, Attempt: attempt,
	}, access, refresh)
	switch {
	case isAnswer(err):
		return tokenResponse{}, invalidGrant(err)
	case err != nil:
		return tokenResponse{}, unavailable(err)
	case !spent.First:
		return s.replay(ctx, r, spent.Attempt, spent.At)
	}
	s.announce(Event{Kind: EventRefreshed, ClientID: r.client.ID, Subject: r.grant.Subject, GrantID: r.grant.ID})
	return complete(answer, access, r.now), nil
}

// endAccess spends the access token that came with the refresh token. That comes
// first, so that none outlives a refresh whatever happens to this Server; if the
// refresh fails then, it can be tried again.
func (s *Server) endAccess(ctx context.Context, r presentation) error {
	h := Hash(credential.Sum(s.companion(r.secret, r.grant.ID)))
	_, err := s.spend(ctx, Spend{Hash: h, ClientID: r.client.ID, At: r.now, Attempt: newAttempt()})
	s.cache.spent(h, r.grant.Subject, err)
	if isAnswer(err) { // it is over, or was issued without RefreshEndsAccess
		return nil
	}
	return err
}

// replay answers a refresh token that was spent already. Soon afterwards, and
// as long as its successor was not used, the answer was probably lost: it is
// given again, to whoever asks for no more than the first time was possible.
// Otherwise one of two who have the token is a thief, and the grant is revoked.
func (s *Server) replay(ctx context.Context, r presentation, attempt Attempt, at time.Time) (tokenResponse, *Error) {
	answer := s.successors(r.secret, attempt, r.grant.ID)
	// Whoever was overtaken looked at the clock before the token was spent.
	if s.cfg.ReplayWindow > 0 && r.now.Sub(at) < s.cfg.ReplayWindow {
		access, refresh, err := s.issued(ctx, answer)
		if err != nil {
			return tokenResponse{}, unavailable(err)
		}
		if refresh.SpentAt.IsZero() {
			if _, rejected := s.refreshedScope(r.form, r.client, r.credential.Scope); rejected != nil {
				return tokenResponse{}, rejected
			}
			if rejected := s.stillActive(ctx, r.grant.Subject); rejected != nil {
				return tokenResponse{}, rejected
			}
			return complete(answer, access, r.now), nil
		}
	}
	if err := s.revokeGrant(ctx, r.grant.ID, r.grant.Subject, r.now); err != nil {
		return tokenResponse{}, unavailable(err)
	}
	s.announce(Event{Kind: EventRefreshReuse, ClientID: r.client.ID, Subject: r.grant.Subject, GrantID: r.grant.ID})
	return tokenResponse{}, invalidGrant(ErrRevoked)
}

// issued finds what an answer handed out.
func (s *Server) issued(ctx context.Context, answer tokenResponse) (access, refresh Credential, err error) {
	if access, _, err = s.store.Lookup(ctx, Hash(credential.Sum(answer.AccessToken))); err == nil {
		refresh, _, err = s.store.Lookup(ctx, Hash(credential.Sum(answer.RefreshToken)))
	}
	if err != nil {
		return Credential{}, Credential{}, fmt.Errorf("oauth: lookup of a successor: %w", err)
	}
	return access, refresh, nil
}
