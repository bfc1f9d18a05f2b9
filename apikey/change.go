package apikey

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/latchwork/latchwork/internal/credential"
)

// Update changes a key: edit gets what the key is made of and puts in what it
// should become. With a version, the key must be at that one, or ErrConflict.
// With version 0 the edit applies to the newest version: it is called again
// whenever somebody else was faster. A change that changes nothing is not
// stored and keeps the version. A key that has expired works again if it gets an
// expiry in the future. Errors: ErrNotFound, ErrConflict, ErrRevoked, *SpecError,
// *ExceedsError.
func (d management) Update(ctx context.Context, id string, version int64, edit func(*Spec)) (Key, error) {
	return d.change(ctx, id, version, Updated, func(r *Record) error {
		before := r.Key.Spec()
		after := r.Clone().Key.Spec() // edit may write to what a pointer points to
		edit(&after)
		after.ExpiresAt = cut(after.ExpiresAt)
		if err := d.m.validate(after, &before); err != nil {
			return err
		}
		r.Key.apply(after)
		return nil
	})
}

// Enable switches a key on. Errors: ErrNotFound, ErrRevoked, *ExceedsError.
func (d management) Enable(ctx context.Context, id string) (Key, error) {
	return d.Update(ctx, id, 0, func(s *Spec) { s.Disabled = false })
}

// Disable switches a key off. Errors: ErrNotFound, ErrRevoked, *ExceedsError.
func (d management) Disable(ctx context.Context, id string) (Key, error) {
	return d.Update(ctx, id, 0, func(s *Spec) { s.Disabled = true })
}

// Rotate gives a key a new secret under the same id. The old one works for the
// overlap, at most seven days, but never longer than the key itself; with an
// overlap of 0 it is dead at once. One that still overlaps from an earlier
// rotation is dropped: a key has at most two secrets. The version is used as
// by Update. One call rotates once at most: a rotation whose answer the store
// lost is looked up before anything else is done. A key that may live longer
// than Config.MaxLifetime needs another expiry first. Errors: ErrNotFound,
// ErrConflict, ErrRevoked, ErrExpired, *SpecError, *ExceedsError.
func (d management) Rotate(ctx context.Context, id string, version int64, overlap time.Duration) (Issued, error) {
	if overlap < 0 || overlap > maxOverlap {
		return Issued{}, &SpecError{Fields: []FieldError{{Field: "overlap", Reason: "must be between 0 and 7 days"}}}
	}
	var secret string
	k, err := d.change(ctx, id, version, Rotated, func(r *Record) error {
		now := d.m.now()
		if r.Key.expired(now) {
			return ErrExpired
		}
		if reason := d.m.livesTooLong(r.Key.ExpiresAt); reason != "" {
			return &SpecError{Fields: []FieldError{{Field: "expires_at", Reason: reason}}}
		}
		secret = d.m.format.Generate()
		r.Key.Hint = d.m.format.Hint(secret)
		secrets := []SecretHash{d.m.hasher.stored(Hash(credential.Sum(secret)))}
		for _, old := range r.Secrets {
			if overlap > 0 && old.Deadline.IsZero() {
				old.Deadline = cut(now.Add(overlap))
				secrets = append(secrets, old)
			}
		}
		r.Secrets = secrets
		return nil
	})
	if secret != "" {
		d.m.cache.Appeared(credential.Sum(secret))
	}
	if err != nil {
		return Issued{}, err
	}
	// Whoever lost the right meanwhile does not get the secret. If that cannot
	// be told it is not withheld: it was judged a moment ago, and the old secret
	// may be dead already.
	d, err = d.renewed(ctx)
	if err == nil {
		err = d.bounds(k)
	}
	if errors.Is(err, ErrNoActor) || errors.As(err, new(*ExceedsError)) {
		return Issued{}, err
	}
	return Issued{Key: k, Secret: NewSecret(secret)}, nil
}

// RevokeOptions say how a key is revoked. The zero value revokes the newest
// version, alone, without a reason.
type RevokeOptions struct {
	Reason string // for people, at most 255 characters

	// Descendants takes the keys along that this key created, and those that
	// they created.
	Descendants bool

	// Version, if not zero, must be the key's.
	Version int64
}

// Revoke ends a key for good; the record stays. Repeating it changes nothing
// and is no error. With Descendants, nothing is revoked if one of them is out
// of the actor's reach. Errors: ErrNotFound, ErrConflict, *SpecError,
// *ExceedsError.
func (d management) Revoke(ctx context.Context, id string, o RevokeOptions) error {
	if reason := badText(o.Reason, 0, maxName); reason != "" {
		return &SpecError{Fields: []FieldError{{Field: "reason", Reason: reason}}}
	}
	if !o.Descendants {
		return d.revoke(ctx, id, o)
	}
	err := d.descend(ctx, id, func(k Key) error {
		if k.RevokedAt.IsZero() && !d.actor.RevokeAny {
			return d.bounds(k)
		}
		return nil
	})
	if err != nil {
		return err
	}
	// The key itself goes first: from then on it cannot create more, see
	// stillAllowed.
	if err := d.revoke(ctx, id, o); err != nil {
		return err
	}
	o.Version = 0
	// All was judged above. The actor may be what was just revoked.
	taker := d
	taker.unbounded = true
	return d.descend(ctx, id, func(k Key) error { return taker.revoke(ctx, k.ID, o) })
}

func (d management) revoke(ctx context.Context, id string, o RevokeOptions) error {
	_, err := d.change(ctx, id, o.Version, Revoked, d.m.revocation(o.Reason))
	if errors.Is(err, ErrRevoked) {
		return nil
	}
	return err
}

// revocation is the change that ends a key.
func (m *Manager) revocation(reason string) func(*Record) error {
	return func(r *Record) error {
		r.Key.RevokedAt, r.Key.RevokedReason = m.now(), reason
		return nil
	}
}

// descend calls visit for every key that this key created, and then for those
// that they created.
func (d management) descend(ctx context.Context, id string, visit func(Key) error) error {
	seen := map[string]bool{id: true}
	for queue := []string{id}; len(queue) > 0; queue = queue[1:] {
		for k, err := range d.All(ctx, Query{CreatedBy: KeyActorID(queue[0]), Limit: maxLimit}) {
			if err != nil {
				return err
			}
			if seen[k.ID] {
				continue
			}
			seen[k.ID] = true
			if err := visit(k); err != nil {
				return err
			}
			queue = append(queue, k.ID)
		}
	}
	return nil
}

// change is every change of a record that exists: read it, judge it, apply,
// judge again, compare-and-swap. It refuses what is revoked, and stores nothing
// when nothing changed.
func (d management) change(ctx context.Context, id string, version int64, kind EventKind, apply func(*Record) error) (Key, error) {
	if err := d.ready(); err != nil {
		return Key{}, err
	}
	for range maxAttempts {
		before, err := d.get(ctx, id)
		if err != nil {
			return Key{}, err
		}
		// After the record: if the key changes itself, the compare-and-swap
		// refuses what was judged by an older self.
		d, err := d.renewed(ctx)
		if err != nil {
			return Key{}, err
		}
		if version != 0 && before.Key.Version != version {
			return Key{}, ErrConflict
		}
		exceeds := d.bounds(before.Key)
		if exceeds != nil && !d.actor.RevokeAny {
			return Key{}, exceeds
		}
		if !before.Key.RevokedAt.IsZero() {
			d.m.cache.Wrote(id, before.Key.Version) // somewhere, and here it counts as well
			return Key{}, ErrRevoked
		}
		after := before.Clone()
		if err := apply(&after); err != nil {
			return Key{}, err
		}
		what := changes(before.Key, after.Key)
		// A rotation is one even if the hint happens to stay the same.
		if len(what) == 0 && kind != Rotated {
			d.m.cache.Wrote(id, before.Key.Version)
			return before.Key, nil
		}
		kind := kind
		if kind == Updated && len(what) == 1 && what[0].Field == "enabled" {
			kind = switched(after.Key.Enabled)
		}
		// Whoever may revoke any key may only take from those beyond the
		// ceiling.
		if exceeds != nil && kind != Disabled && kind != Revoked {
			return Key{}, exceeds
		}
		if exceeds == nil {
			if err := d.boundsWish(after.Key); err != nil {
				return Key{}, err
			}
		}
		after.Key.Version++
		after.Key.UpdatedAt = d.m.now()
		e, err := d.event(id, kind, what)
		if err != nil {
			return Key{}, err
		}
		err = d.m.update(ctx, after, e)
		if err != nil && kind == Rotated {
			after.Key, err = d.rotated(ctx, after, err)
		}
		if errors.Is(err, ErrConflict) && version == 0 {
			continue
		}
		if err != nil {
			return Key{}, storeError("update", err)
		}
		d.m.cache.Wrote(id, after.Key.Version)
		d.m.announce(e)
		return after.Key, nil
	}
	return Key{}, ErrConflict
}

// update is Update of the store. Without an answer, and with one that says no,
// the change may be stored all the same: what is cached of the key is not used
// any more then, after a panic neither.
func (m *Manager) update(ctx context.Context, r Record, e Event) error {
	stored := false
	defer func() {
		if !stored {
			m.cache.Doubt(r.Key.ID)
		}
	}()
	err := m.store.Update(ctx, r, e)
	stored = err == nil
	return err
}

// rotated looks whether a rotation is stored although the store did not say so:
// nobody else can have stored its secret. It returns the key as it is then, and
// otherwise the error. Without that a lost answer would mean a lost secret, or
// a second rotation by which the old secret is lost that was to overlap.
func (d management) rotated(ctx context.Context, r Record, err error) (Key, error) {
	ours := func(s SecretHash) bool { return s.Hash == r.Secrets[0].Hash }
	if now, failed := d.get(context.WithoutCancel(ctx), r.Key.ID); failed == nil && slices.ContainsFunc(now.Secrets, ours) {
		return now.Key, nil
	}
	return Key{}, err
}

func switched(on bool) EventKind {
	if on {
		return Enabled
	}
	return Disabled
}
