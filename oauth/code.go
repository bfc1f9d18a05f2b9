package oauth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"strings"

	"github.com/latchwork/latchwork/scope"
)

// codeGrant is RFC 6749 section 4.1.3 with PKCE, RFC 7636, for every client.
// Everything that can be refused is looked at before the code is spent: whoever
// found a code cannot use it up without the verifier.
func (s *Server) codeGrant(ctx context.Context, c Client, f form) (tokenResponse, *Error) {
	r, rejected := s.presented(ctx, c, f, "code", s.code)
	if rejected != nil {
		return tokenResponse{}, rejected
	}
	held, g := &r.credential, &r.grant
	if rejected := s.refuseCode(r); rejected != nil {
		s.announce(Event{Kind: EventCodeRefused, ClientID: c.ID, Subject: g.Subject, GrantID: g.ID})
		return tokenResponse{}, rejected
	}
	if err := g.alive(r.now); err != nil {
		return tokenResponse{}, invalidGrant(err)
	}
	if !held.SpentAt.IsZero() {
		return tokenResponse{}, s.codeReused(ctx, r)
	}
	if !r.now.Before(held.ExpiresAt) {
		return tokenResponse{}, invalidGrant(ErrExpired)
	}
	granted, rejected := narrowed(held.Scope, c.Scopes) // without what the client has lost since
	if rejected != nil {
		return tokenResponse{}, rejected
	}
	if rejected := s.stillActive(ctx, g.Subject); rejected != nil {
		return tokenResponse{}, rejected
	}
	return s.redeem(ctx, r, granted)
}

// refuseCode says why a code is not for whoever presents it.
func (s *Server) refuseCode(r presentation) *Error {
	c := r.credential
	switch {
	case c.Kind != KindCode || r.grant.Subject.Kind != SubjectUser || c.ClientID != r.client.ID:
		return invalidGrant(ErrInvalid)
	case !verifies(r.form["code_verifier"], c.Challenge):
		return invalidGrant(errVerifier)
	case !r.client.redirectedTo(c.RedirectURI, r.form["redirect_uri"]):
		return invalidGrant(errRedirect)
	}
	return nil
}

var (
	errVerifier = errors.New("oauth: the code verifier does not fit")
	errRedirect = errors.New("oauth: the redirect URI is not that of the authorization request")
)

// verifies reports whether a code verifier is that of an S256 challenge, RFC
// 7636 section 4.6. Nothing is the verifier of no challenge.
func verifies(verifier, challenge string) bool {
	if len(verifier) < 43 || len(verifier) > 128 || strings.ContainsFunc(verifier, func(c rune) bool { return !isUnreserved(c) }) {
		return false
	}
	sum := sha256.Sum256([]byte(verifier))
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(challenge)) == 1
}

// isUnreserved reports whether c needs no encoding anywhere, RFC 3986 section
// 2.3.
func isUnreserved(c rune) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || strings.ContainsRune("-._~", c)
}

// redirectedTo reports whether a token request names the redirect URI of its
// authorization request. If that named none, there was only one.
func (c Client) redirectedTo(requested, presented string) bool {
	if requested == "" && presented != "" {
		return len(c.RedirectURIs) == 1 && presented == c.RedirectURIs[0]
	}
	return presented == requested
}

// redeem spends the code for the first tokens of its grant.
func (s *Server) redeem(ctx context.Context, r presentation, granted scope.Set) (tokenResponse, *Error) {
	attempt := newAttempt()
	answer := s.successors(r.secret, attempt, r.grant.ID)
	access := s.accessCredential(r.client, r.grant, granted, answer.AccessToken, r.now)
	issue := []Credential{access}
	if r.client.may(GrantRefreshToken) {
		issue = append(issue, s.refreshCredential(r.client, r.grant, answer.RefreshToken, r.now))
	} else {
		answer.RefreshToken = ""
	}
	ctx, cancel, err := s.settled(ctx)
	if err != nil {
		return tokenResponse{}, unavailable(err)
	}
	defer cancel()
	spent, err := s.spend(ctx, Spend{
		Hash: r.credential.Hash, ClientID: r.client.ID, At: r.now, Attempt: attempt,
	}, issue...)
	switch {
	case isAnswer(err):
		return tokenResponse{}, invalidGrant(err)
	case err != nil:
		return tokenResponse{}, unavailable(err)
	case !spent.First:
		return tokenResponse{}, s.codeReused(ctx, r)
	}
	s.announce(Event{Kind: EventIssued, ClientID: r.client.ID, Subject: r.grant.Subject, GrantID: r.grant.ID})
	return complete(answer, access, r.now), nil
}

// codeReused answers a code that was spent already, perhaps a moment ago: one
// of two who have both the code and its verifier is a thief, and the grant is
// revoked, RFC 9700 section 4.5. Whoever has the code alone changes nothing.
func (s *Server) codeReused(ctx context.Context, r presentation) *Error {
	if err := s.revokeGrant(ctx, r.grant.ID, r.grant.Subject, r.now); err != nil {
		return unavailable(err)
	}
	s.announce(Event{Kind: EventCodeReuse, ClientID: r.client.ID, Subject: r.grant.Subject, GrantID: r.grant.ID})
	return invalidGrant(ErrRevoked)
}
