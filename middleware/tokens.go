package middleware

import (
	"context"
	"errors"

	"github.com/latchwork/latchwork/oauth"
)

// Tokens accepts the access tokens of a Server. Without a Server it returns
// nil, which New refuses.
//
// A token that names resources, RFC 8707, was issued for these alone, RFC 9700
// section 2.3. A Server does not issue such tokens yet, and nothing here knows
// under which name the host would be one of them: each is refused as invalid.
func Tokens(s *oauth.Server) Authenticator {
	if s == nil {
		return nil
	}
	return tokens{s}
}

type tokens struct{ server *oauth.Server }

func (t tokens) Recognize(presented string) bool { return t.server.Recognize(presented) }

func (t tokens) Samples() []string { return t.server.Samples() }

func (t tokens) Authenticate(ctx context.Context, presented string, r Request) (Principal, error) {
	token, err := t.server.VerifyCached(presented)
	asked := errors.Is(err, oauth.ErrNotCached)
	if asked {
		if err := r.Admit(); err != nil {
			return Principal{}, err
		}
		token, err = t.server.Verify(ctx, presented)
	}
	if err == nil && len(token.Resources) > 0 {
		err = oauth.ErrInvalid
	}
	if err != nil {
		return Principal{}, err
	}
	if asked {
		r.trial.accepted()
	}
	p := Principal{
		ClientID: token.ClientID, GrantID: token.GrantID, CredentialID: token.ID,
		Permissions: token.Scope, ExpiresAt: token.ExpiresAt,
	}
	switch token.Subject.Kind {
	case oauth.SubjectUser:
		p.Kind, p.Subject = KindUser, token.Subject.ID
	case oauth.SubjectClient:
		p.Kind = KindClient
	}
	return p, nil
}
