package apikey

import (
	"context"
	"strings"

	"github.com/latchwork/latchwork/internal/credential"
)

// Issued is a key with its secret, which nobody can read again afterwards.
type Issued struct {
	Key    Key
	Secret Secret
}

// Validate says what Create would refuse to make of a spec, or with the key as
// it is now, what Update would: *SpecError with everything that is wrong at
// once, *ExceedsError, ErrRevoked. It stores nothing.
func (d management) Validate(spec Spec, current *Key) error {
	if err := d.ready(); err != nil {
		return err
	}
	var before *Spec
	after := Key{}
	if current != nil {
		s := current.Spec()
		before, after = &s, *current
		if err := d.bounds(after); err != nil {
			return err
		}
		if !after.RevokedAt.IsZero() {
			return ErrRevoked
		}
	}
	if err := d.m.validate(spec, before); err != nil {
		return err
	}
	after.apply(spec)
	return d.boundsWish(after)
}

// Create issues a key. Its secret is in what this returns and nowhere else.
// Errors: *SpecError, *ExceedsError.
func (d management) Create(ctx context.Context, spec Spec) (Issued, error) {
	if err := d.ready(); err != nil {
		return Issued{}, err
	}
	secret := d.m.format.Generate()
	k, err := d.create(ctx, spec, Hash(credential.Sum(secret)), d.m.format.Hint(secret))
	if err != nil {
		return Issued{}, err
	}
	return Issued{Key: k, Secret: NewSecret(secret)}, nil
}

func (d management) create(ctx context.Context, spec Spec, sum Hash, hint string) (Key, error) {
	m, now := d.m, d.m.now()
	if !d.unbounded && d.actor.Ceiling.Owner != "" {
		spec.Owner = d.actor.Ceiling.Owner
	}
	spec.ExpiresAt = cut(spec.ExpiresAt)
	if err := d.Validate(spec, nil); err != nil {
		return Key{}, err
	}
	k := Key{Hint: hint, CreatedAt: now, CreatedBy: d.actor.ID, UpdatedAt: now, Version: 1}
	k.apply(spec)
	if hint == "" { // imported
		if err := m.unused(ctx, sum); err != nil {
			return Key{}, err
		}
	}
	id, err := newID()
	if err != nil {
		return Key{}, err
	}
	k.ID = id
	e, err := d.event(k.ID, Created, changes(Key{}, k))
	if err != nil {
		return Key{}, err
	}
	err = m.store.Create(ctx, Record{Key: k, Secrets: []SecretHash{m.hasher.stored(sum)}}, e)
	m.cache.Appeared(sum)
	if err != nil {
		return Key{}, storeError("create", err)
	}
	m.announce(e)
	if err := d.stillAllowed(ctx, k); err != nil {
		return Key{}, err
	}
	return k, nil
}

// stillAllowed closes a race: a key that acts may be revoked, with all that it
// created, while it creates. Whoever revokes does so first and looks for
// descendants then; so either the new key is found there, or the revocation is
// seen here.
func (d management) stillAllowed(ctx context.Context, k Key) error {
	keyID, acts := strings.CutPrefix(d.actor.ID, keyActor)
	if !acts {
		return nil
	}
	actor, err := d.m.ActorOf(ctx, keyID)
	if err == nil {
		err = actor.Ceiling.excess(k)
	}
	if err == nil {
		return nil
	}
	// If that fails, too, nobody has the secret, at least.
	failed := d.m.Revoke(context.WithoutCancel(ctx), k.ID, RevokeOptions{Reason: "its creator lost the right to create it"})
	if failed != nil {
		d.m.log.ErrorContext(ctx, "apikey: a key without a rightful creator is not revoked", "key", k.ID, "error", failed)
	}
	return err
}
