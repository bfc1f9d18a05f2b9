package middleware

import (
	"context"

	"github.com/latchwork/latchwork/apikey"
)

// Keys accepts the API keys of a Manager. Without a Manager it returns nil,
// which New refuses.
func Keys(m *apikey.Manager) Authenticator {
	if m == nil {
		return nil
	}
	return keys{m}
}

type keys struct{ manager *apikey.Manager }

func (k keys) Recognize(presented string) bool { return k.manager.Recognize(presented) }

func (k keys) Samples() []string { return k.manager.Samples() }

func (k keys) Authenticate(ctx context.Context, presented string, r Request) (Principal, error) {
	v, err := k.manager.Verify(ctx, presented)
	if err != nil {
		return Principal{}, err
	}
	if err := v.AllowsFrom(r.ClientAddr); err != nil {
		return Principal{}, err
	}
	key := v.Key()
	return Principal{
		Kind: KindKey, CredentialID: key.ID, KeyType: key.Type, Owner: key.Owner,
		Permissions: key.Permissions, ExpiresAt: key.ExpiresAt,
	}, nil
}
