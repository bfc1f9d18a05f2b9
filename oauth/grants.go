package oauth

import (
	"context"
	"errors"
	"strings"

	"github.com/latchwork/latchwork/scope"
)

// maxPassword is the longest password, in bytes, that is looked at.
const maxPassword = 4096

// passwordGrant is RFC 6749 section 4.3. Somebody unknown, disabled or with
// another password gets the same answer after the same work.
func (s *Server) passwordGrant(ctx context.Context, c Client, f form) (tokenResponse, *Error) {
	name, password := f["username"], f["password"]
	if name == "" || password == "" {
		return tokenResponse{}, invalidRequest("username and password are needed.")
	}
	granted, rejected := s.requestedScope(f, c.Scopes, c.DefaultScopes)
	if rejected != nil {
		return tokenResponse{}, rejected
	}
	user, rejected := s.login(ctx, c, name, password)
	if rejected != nil {
		return tokenResponse{}, rejected
	}
	subject := Subject{Kind: SubjectUser, ID: user.Subject}
	answer, rejected := s.begin(ctx, c, subject, granted, c.may(GrantRefreshToken))
	if rejected != nil {
		return tokenResponse{}, rejected
	}
	stands, err := s.loginStands(ctx, user, name, password)
	if err == nil && !stands {
		err = s.revokeGrant(ctx, answer.grantID, s.now())
	}
	switch {
	case err != nil:
		return tokenResponse{}, unavailable(err)
	case !stands:
		return tokenResponse{}, s.loginFailed(c)
	}
	s.announce(Event{Kind: EventIssued, ClientID: c.ID, Subject: subject, GrantID: answer.grantID})
	return answer, nil
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

func (s *Server) login(ctx context.Context, c Client, name, password string) (User, *Error) {
	if len(password) > maxPassword || strings.IndexByte(password, 0) >= 0 || strings.IndexByte(name, 0) >= 0 {
		return User{}, s.loginFailed(c)
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
		return User{}, s.loginFailed(c)
	}
	if outdated {
		user.PasswordHash = s.renew(ctx, user, password)
	}
	return user, nil
}

func (s *Server) loginFailed(c Client) *Error {
	s.announce(Event{Kind: EventLoginFailed, ClientID: c.ID})
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
