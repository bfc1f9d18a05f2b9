package middleware

import (
	"context"
	"errors"
	"net/http"

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
	v, err := k.manager.VerifyCached(presented)
	asked := errors.Is(err, apikey.ErrNotCached)
	if asked {
		if err := r.Admit(); err != nil {
			return Principal{}, err
		}
		v, err = k.manager.Verify(ctx, presented)
	}
	if err != nil {
		return Principal{}, err
	}
	if err := v.AllowsFrom(r.ClientAddr); err != nil {
		k.manager.RecordUse(v, r.ClientAddr, apikey.DeniedAddress)
		return Principal{}, err
	}
	if asked {
		r.trial.accepted()
	}
	key := v.Key()
	return Principal{
		Kind: KindKey, CredentialID: key.ID, KeyType: key.Type, Owner: key.Owner,
		Permissions: key.Permissions, ExpiresAt: key.ExpiresAt, use: use{k.manager, v},
	}, nil
}

// KeyActor returns who manages keys with a request that a Guard let through:
// the key that the request came with, read anew from its store, so that nobody
// manages keys with one that was just revoked. It is what keyapi.Config.Actor
// wants to be; anybody but a key is apikey.ErrNoActor.
func KeyActor(m *apikey.Manager) func(*http.Request) (apikey.Actor, error) {
	return func(r *http.Request) (apikey.Actor, error) {
		p, _ := PrincipalFrom(r.Context())
		if p.Kind != KindKey {
			return apikey.Actor{}, apikey.ErrNoActor
		}
		return m.ActorOf(r.Context(), p.CredentialID)
	}
}
