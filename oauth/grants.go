package oauth

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"strings"

	"github.com/latchwork/latchwork/scope"
)

// maxPassword is the longest password, in bytes, that is looked at.
const maxPassword = 4096

// passwordGrant is RFC 6749 section 4.3. Somebody unknown, disabled or with
// another password gets the same answer after the same work.
func (s *Server) passwordGrant(ctx context.Context, c Client, f form, source netip.Addr) (tokenResponse, *Error) {
	a := attempt{name: f["username"], password: f["password"], client: c, source: source}
	if a.name == "" || a.password == "" {
		return tokenResponse{}, invalidRequest("username and password are needed.")
	}
	switch {
	case f["client_secret"] != "":
		a.method = AuthPost
	case !c.Public:
		a.method = AuthBasic
	}
	granted, rejected := s.requestedScope(f, c.Scopes, c.DefaultScopes)
	if rejected != nil {
		return tokenResponse{}, rejected
	}
	var answer tokenResponse
	rejected = s.guessing(ctx, a, func() (rejected *Error) {
		answer, rejected = s.exchange(ctx, a, granted)
		return rejected
	})
	return answer, rejected
}

// exchange makes tokens of a password.
func (s *Server) exchange(ctx context.Context, a attempt, granted scope.Set) (tokenResponse, *Error) {
	user, rejected := s.login(ctx, a)
	if rejected != nil {
		return tokenResponse{}, rejected
	}
	c, subject := a.client, Subject{Kind: SubjectUser, ID: user.Subject}
	answer, rejected := s.begin(ctx, c, subject, granted, c.may(GrantRefreshToken))
	if rejected != nil {
		return tokenResponse{}, rejected
	}
	stands, err := s.loginStands(ctx, user, a.name, a.password)
	if err == nil && !stands {
		err = s.revokeGrant(ctx, answer.grantID, subject, s.now())
	}
	switch {
	case err != nil:
		return tokenResponse{}, unavailable(err)
	case !stands:
		return tokenResponse{}, s.loginFailed(a)
	}
	s.announce(Event{Kind: EventIssued, ClientID: c.ID, Subject: subject, GrantID: answer.grantID})
	return answer, nil
}

// SignIn returns the user who has this name and this password, for a page of the
// host's own, and counts against the same limits as the password grant. It needs
// Config.Users and Config.Passwords.
//
// An error is an *[Error]. Status 400 is the one answer to whoever cannot sign
// in, 429 to too many of them, with RetryAfter, and 503 says that nothing is
// known.
func (s *Server) SignIn(r *http.Request, name, password string) (User, error) {
	if s.cfg.Users == nil || s.cfg.Passwords == nil {
		return User{}, unavailable(errors.New("oauth: SignIn needs Config.Users and Config.Passwords"))
	}
	a := attempt{name: name, password: password, source: s.source(r)}
	var user User
	rejected := s.guessing(r.Context(), a, func() (rejected *Error) {
		user, rejected = s.login(r.Context(), a)
		return rejected
	})
	if rejected != nil {
		return User{}, rejected
	}
	return user, nil
}

// loginStands looks at the user once more now that the grant is stored. Whoever
// changes a password or closes an account, and calls RevokeSubject after that,
// has either revoked this grant, or had changed the user before it was stored.
func (s *Server) loginStands(ctx context.Context, before User, name, password string) (bool, error) {
	ctx, cancel := settling(ctx)
	defer cancel()
	user, err := s.cfg.Users.ByName(ctx, name)
	switch {
	case errors.Is(err, ErrNotFound):
		return false, nil
	case err != nil || user == before:
		return err == nil, err
	case user.Subject != before.Subject || user.Disabled || user.PasswordHash == "":
		return false, nil
	}
	// Another password, or another hash of the same one.
	stands, _, err := s.cfg.Passwords.Verify(ctx, user.PasswordHash, password)
	return stands, err
}

func (s *Server) login(ctx context.Context, a attempt) (User, *Error) {
	name, password := a.name, a.password
	if len(password) > maxPassword || strings.IndexByte(password, 0) >= 0 || strings.IndexByte(name, 0) >= 0 {
		return User{}, s.loginFailed(a)
	}
	user, err := s.cfg.Users.ByName(ctx, name)
	if errors.Is(err, ErrNotFound) {
		user, err = User{}, nil
	}
	if err != nil {
		return User{}, unavailable(err)
	}
	ok, outdated, err := s.cfg.Passwords.Verify(ctx, user.PasswordHash, password)
	if err != nil {
		return User{}, unavailable(err)
	}
	if !ok || user.Disabled || user.Subject == "" || user.PasswordHash == "" {
		return User{}, s.loginFailed(a)
	}
	if outdated {
		user.PasswordHash = s.renew(ctx, user, password)
	}
	return user, nil
}

func (s *Server) loginFailed(a attempt) *Error {
	s.announce(Event{Kind: EventLoginFailed, ClientID: a.client.ID, ClientAddr: a.source})
	return invalidGrant(nil)
}

// renew replaces a hash that is out of date, now that the password is known, and
// returns the new one. It may fail: the next login tries again.
func (s *Server) renew(ctx context.Context, user User, password string) string {
	hash, err := s.cfg.Passwords.Hash(ctx, password)
	if err == nil {
		err = s.cfg.Users.SetPasswordHash(ctx, user.Subject, user.PasswordHash, hash)
	}
	if err != nil {
		s.cfg.Logger.WarnContext(ctx, "oauth: password hash not renewed", "subject", user.Subject, "error", err)
		return user.PasswordHash
	}
	return hash
}

// clientCredentialsGrant is RFC 6749 section 4.4: the client speaks for itself,
// and never gets a refresh token.
func (s *Server) clientCredentialsGrant(ctx context.Context, c Client, f form) (tokenResponse, *Error) {
	if c.Public {
		return tokenResponse{}, unauthorizedClient()
	}
	granted, rejected := s.requestedScope(f, c.Scopes, scope.Set{})
	if rejected != nil {
		return tokenResponse{}, rejected
	}
	subject := Subject{Kind: SubjectClient, ID: c.ID}
	answer, rejected := s.begin(ctx, c, subject, granted, false)
	if rejected == nil {
		s.announce(Event{Kind: EventIssued, ClientID: c.ID, Subject: subject, GrantID: answer.grantID})
	}
	return answer, rejected
}
