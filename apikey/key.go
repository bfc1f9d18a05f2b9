package apikey

import (
	"time"

	"github.com/latchwork/latchwork/ipfilter"
	"github.com/latchwork/latchwork/scope"
)

// A Key is everything about an API key except its secret. Its permissions,
// list and metadata are immutable, so a Key may be copied and shared freely.
// The zero Key is disabled and may do nothing.
type Key struct {
	// ID is a version 7 UUID in text form: later keys have greater IDs.
	ID   string
	Name string // for people
	Type string // one of Config.Types

	// Owner ties the key to an account of the host. Empty: to none.
	Owner string

	// Permissions are the grants. The empty set grants nothing.
	Permissions scope.Set

	// AllowedIPs are the addresses the key may be used from. Nil: any
	// address. A list that is there but empty allows none.
	AllowedIPs *ipfilter.List

	// Hint is the beginning of the secret, for telling keys apart: the prefix
	// and four characters. Empty for imported keys.
	Hint string

	// Metadata is the host's own, fixed when the key is created.
	Metadata Metadata

	Enabled   bool
	CreatedAt time.Time
	CreatedBy string // the Actor's ID
	UpdatedAt time.Time

	ExpiresAt     time.Time // zero: never
	RevokedAt     time.Time // zero: not revoked
	RevokedReason string

	// Version starts at 1 and grows by one with every change.
	Version int64
}

// A State is what a key is good for at some instant. The zero State stands for
// none of them.
type State string

// The states, from the strongest to the weakest: a key that is revoked and
// expired is revoked.
const (
	StateRevoked  State = "revoked"
	StateDisabled State = "disabled"
	StateExpired  State = "expired"
	StateActive   State = "active"
)

// State judges the key at the given instant.
func (k Key) State(now time.Time) State {
	switch {
	case !k.RevokedAt.IsZero():
		return StateRevoked
	case !k.Enabled:
		return StateDisabled
	case k.expired(now):
		return StateExpired
	default:
		return StateActive
	}
}

func (k Key) expired(now time.Time) bool {
	return !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt)
}

// judge is State as an error.
func (k Key) judge(now time.Time) error {
	switch k.State(now) {
	case StateActive:
		return nil
	case StateRevoked:
		return ErrRevoked
	case StateExpired:
		return ErrExpired
	default:
		return ErrDisabled
	}
}

// Spec returns what the key would be created from.
func (k Key) Spec() Spec {
	return Spec{
		Name: k.Name, Type: k.Type, Owner: k.Owner, Permissions: k.Permissions,
		AllowedIPs: k.AllowedIPs, Metadata: k.Metadata, ExpiresAt: k.ExpiresAt, Disabled: !k.Enabled,
	}
}

// apply puts into the key what a Spec says.
func (k *Key) apply(s Spec) {
	k.Name, k.Type, k.Owner, k.Permissions = s.Name, s.Type, s.Owner, s.Permissions
	k.AllowedIPs, k.Metadata, k.ExpiresAt, k.Enabled = s.AllowedIPs, s.Metadata, s.ExpiresAt, !s.Disabled
}
