package middleware

import (
	"context"
	"errors"
	"net/http"
	"net/netip"

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
	r.trial.presented = presented
	found, err := k.identify(ctx, &r.trial, r.ClientAddr)
	if err != nil {
		return Principal{}, err
	}
	return found.principal(), nil
}

// identify returns whose key was presented.
func (k keys) identify(ctx context.Context, t *trial, addr netip.Addr) (use, error) {
	v, err := k.manager.VerifyCached(t.presented)
	asked := errors.Is(err, apikey.ErrNotCached)
	if asked {
		if err := t.admit(); err != nil {
			return use{}, err
		}
		v, err = k.manager.Verify(ctx, t.presented)
	}
	if err != nil {
		return use{}, err
	}
	if err := v.AllowsFrom(addr); err != nil {
		k.manager.RecordUse(v, addr, apikey.DeniedAddress)
		return use{}, err
	}
	if asked {
		t.accepted()
	}
	return use{k.manager, v}, nil
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
