package middleware

import (
	"net/netip"
	"sync/atomic"

	"github.com/latchwork/latchwork/apikey"
)

// A use is one request with an API key that is not counted yet. The zero use
// is nothing to count.
type use struct {
	keys *apikey.Manager
	key  apikey.Verified
}

// counted returns the principal without what is left to count.
func (p Principal) counted() Principal {
	p.use = use{}
	return p
}

// principal returns the key as a Principal, with itself left to count.
func (u use) principal() Principal {
	key := u.key.Key()
	return Principal{
		Kind: KindKey, CredentialID: key.ID, KeyType: key.Type, Owner: key.Owner,
		Permissions: key.Permissions, ExpiresAt: key.ExpiresAt, use: u,
	}
}

// count records how a request ended.
func (u use) count(addr netip.Addr, outcome apikey.Outcome) {
	if u.keys != nil {
		u.keys.RecordUse(u.key, addr, outcome)
	}
}

// outcome is what a rejection of a principal means for the statistics of its
// key. What is not the key's fault is not counted.
func (rej *Rejection) outcome() apikey.Outcome {
	if rej == nil {
		return apikey.Allowed
	}
	switch rej.Code {
	case CodeWrongKeyType, CodeUserRequired, CodeClientRequired:
		return apikey.DeniedType
	case CodeInsufficientScope:
		return apikey.DeniedPermission
	case CodeInvalidRequest, CodeMethodNotAllowed:
		return apikey.DeniedRequest
	default:
		return 0
	}
}

// refused is the outcome of a request that was let through and then, further
// in, was not. Handlers may be concurrent.
type refused struct{ outcome atomic.Uint32 }

// turnedAway counts a request that is rejected. If the same Guard let it
// through further out, it is there that the request ends.
func (b *binding) turnedAway(rejected *Rejection) {
	if b.outermost != nil {
		b.outermost.refused.outcome.Store(uint32(rejected.outcome()))
		return
	}
	b.caller.count(rejected.outcome())
}

// settle counts a request that has ended, whatever became of it further in.
func (b *binding) settle() {
	outcome := apikey.Outcome(b.refused.outcome.Load())
	if outcome == 0 {
		outcome = apikey.Allowed
	}
	b.caller.count(outcome)
}
