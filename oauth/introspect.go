package oauth

import (
	"context"
	"net/http"
)

// IntrospectHandler returns the introspection endpoint, RFC 7662. A confidential
// client learns about the tokens that were issued to it, and one that is a
// ResourceServer about the access tokens of all. Whoever may not know is told
// the same as of a token that is unknown, expired or revoked: that it is not
// active, and nothing else.
func (s *Server) IntrospectHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, f, rejected := s.receive(w, r)
		var answer introspection
		if rejected == nil {
			answer, rejected = s.introspect(r.Context(), c, f)
		}
		if rejected != nil {
			s.writeError(w, r, rejected)
			return
		}
		writeJSON(w, http.StatusOK, answer)
	})
}

// An introspection is an answer, RFC 7662 section 2.2. The zero one says that
// the token is not active.
type introspection struct {
	Active    bool     `json:"active"`
	Scope     string   `json:"scope,omitempty"`
	ClientID  string   `json:"client_id,omitempty"`
	TokenType string   `json:"token_type,omitempty"`
	ExpiresAt int64    `json:"exp,omitempty"`
	IssuedAt  int64    `json:"iat,omitempty"`
	Subject   string   `json:"sub,omitempty"` // of users alone: a client is none
	Audience  []string `json:"aud,omitempty"`
	Issuer    string   `json:"iss,omitempty"`
	ID        string   `json:"jti,omitempty"`
}

func (s *Server) introspect(ctx context.Context, c Client, f form) (introspection, *Error) {
	held, g, rejected := s.presentedToken(ctx, f)
	if rejected != nil || c.Public || !c.maySee(held) {
		return introspection{}, rejected
	}
	now := s.now()
	if !held.SpentAt.IsZero() || !now.Before(held.ExpiresAt) || g.alive(now) != nil {
		return introspection{}, nil
	}
	answer := introspection{
		Active: true, Scope: held.Scope.String(), ClientID: held.ClientID, ExpiresAt: held.ExpiresAt.Unix(), IssuedAt: held.CreatedAt.Unix(),
		Audience: held.Resources, Issuer: s.cfg.Issuer, ID: held.ID,
	}
	if held.Kind == KindAccess {
		answer.TokenType = "Bearer"
	}
	if g.Subject.Kind == SubjectUser {
		answer.Subject = g.Subject.ID
	}
	if len(answer.Audience) == 0 {
		answer.Audience = []string{s.cfg.Issuer}
	}
	return answer, nil
}

// maySee reports whether the client may know about a token. A resource server
// has no use for the refresh tokens of others, and could take one for an access
// token.
func (c Client) maySee(held Credential) bool {
	switch held.Kind {
	case KindAccess:
		return c.ResourceServer || held.ClientID == c.ID
	case KindRefresh:
		return held.ClientID == c.ID
	default:
		return false
	}
}
