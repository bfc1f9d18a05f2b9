package oauth

import (
	"context"
	"errors"
	"net/http"
)

// RevokeHandler returns the revocation endpoint, RFC 7009. Revoking a refresh
// token revokes its grant and everything that was issued for it; revoking an
// access token ends that token alone. The answer is the same for tokens that
// are unknown, expired or revoked already. Another client's token stays as it
// is, and that is said.
func (s *Server) RevokeHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, f, rejected := s.receive(w, r)
		if rejected == nil {
			rejected = s.revoke(r.Context(), c, f)
		}
		if rejected != nil {
			s.writeError(w, r, rejected)
			return
		}
		writeJSON(w, http.StatusOK, struct{}{}) // clients fail on what is empty, or no JSON
	})
}

func (s *Server) revoke(ctx context.Context, c Client, f form) *Error {
	held, g, rejected := s.presentedToken(ctx, f)
	switch {
	case rejected != nil:
		return rejected
	case held.Kind != KindAccess && held.Kind != KindRefresh:
		return nil
	case held.ClientID != c.ID:
		return invalidGrant(ErrInvalid)
	case !g.RevokedAt.IsZero():
		s.cache.revoked(Filter{GrantID: g.ID}, g.Subject, g.RevokedAt, nil) // somewhere, and here it counts as well
		return nil
	}
	ctx, cancel, err := s.settled(ctx)
	if err != nil {
		return unavailable(err)
	}
	defer cancel()
	if held.Kind == KindRefresh {
		err = s.revokeGrant(ctx, g.ID, g.Subject, s.now())
	} else {
		_, err = s.spend(ctx, Spend{Hash: held.Hash, ClientID: c.ID, At: s.now(), Attempt: newAttempt()})
		s.cache.spent(held.Hash, g.Subject, err)
	}
	if err != nil && !isAnswer(err) {
		return unavailable(err)
	}
	s.announce(Event{Kind: EventRevoked, ClientID: c.ID, Subject: g.Subject, GrantID: g.ID})
	return nil
}

// presentedToken finds the access or refresh token that a request is about,
// whatever token_type_hint says. There may be none.
func (s *Server) presentedToken(ctx context.Context, f form) (Credential, Grant, *Error) {
	token := f["token"]
	if token == "" {
		return Credential{}, Grant{}, invalidRequest("token is missing.")
	}
	if !s.access.Valid(token) && !s.refresh.Valid(token) {
		return Credential{}, Grant{}, nil
	}
	held, g, err := s.lookup(ctx, token)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Credential{}, Grant{}, unavailable(err)
	}
	return held, g, nil
}
