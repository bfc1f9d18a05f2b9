package apikey

import (
	"slices"
	"time"

	"github.com/latchwork/latchwork/ipfilter"
	"github.com/latchwork/latchwork/scope"
)

// An Actor is who manages keys: a person signed in to the host, a key, a job.
// The zero Actor may do nothing.
type Actor struct {
	// ID is recorded with every change, 1 to 255 bytes, for example
	// "user:42". Those that begin with "key:" are of keys, see KeyActorID.
	ID string

	// Ceiling is what the actor may give away at most.
	Ceiling Ceiling

	// RevokeAny lets the actor disable and revoke keys that exceed the
	// ceiling, but not change them in any other way. It does not reach keys of
	// other owners.
	RevokeAny bool
}

const keyActor = "key:"

// KeyActorID returns the Actor.ID of a key that acts.
func KeyActorID(keyID string) string { return keyActor + keyID }

// A Ceiling bounds what an Actor may create, change and touch. Nobody gives
// more than the own ceiling holds, and a key that exceeds it cannot be
// changed, enabled or rotated. The zero Ceiling has room for no key at all.
type Ceiling struct {
	Permissions scope.Set
	Types       []string

	// ExpiresAt is when the keys must have expired. Zero: they need not.
	ExpiresAt time.Time

	// AllowedIPs hold the lists of the keys, which must have one then. Nil:
	// they need not.
	AllowedIPs *ipfilter.List

	// Owner confines the actor to the keys of one owner; those of others do
	// not exist for it. Empty: keys of every owner.
	Owner string
}

// excess names what the key has beyond the ceiling, or returns nil.
func (c Ceiling) excess(k Key) error {
	var over []Excess
	if missing := c.Permissions.Excess(k.Permissions); len(missing) > 0 {
		over = append(over, Excess{Field: "permissions", Values: missing})
	}
	if !slices.Contains(c.Types, k.Type) {
		over = append(over, Excess{Field: "type", Values: []string{k.Type}})
	}
	if !c.ExpiresAt.IsZero() && (k.ExpiresAt.IsZero() || k.ExpiresAt.After(c.ExpiresAt)) {
		over = append(over, Excess{Field: "expires_at", Values: []string{timeText(k.ExpiresAt, "never")}})
	}
	if c.AllowedIPs != nil {
		switch {
		case k.AllowedIPs == nil:
			over = append(over, Excess{Field: "allowed_ips", Values: []string{"any"}})
		case !c.AllowedIPs.Covers(*k.AllowedIPs):
			over = append(over, Excess{Field: "allowed_ips", Values: c.AllowedIPs.Excess(*k.AllowedIPs)})
		}
	}
	if over == nil {
		return nil
	}
	return &ExceedsError{KeyID: k.ID, Exceeded: over}
}

// sees reports whether keys of this owner exist for the actor.
func (c Ceiling) sees(owner string) bool { return c.Owner == "" || c.Owner == owner }
