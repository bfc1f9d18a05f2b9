package apikey

import (
	"context"
	"errors"

	"github.com/latchwork/latchwork/internal/credential"
)

// Import creates a key whose secret stays unknown: all there is of it is its
// SHA-256. The secret must have the format of this Manager or one of its
// Config.ForeignFormats to be of any use. A row is imported whole or not at all.
// Errors: *SpecError, *ExceedsError, ErrExists for a hash that is there already,
// and ErrConflict when somebody else imports it at the same time: try again.
//
// That a secret belongs to one key at most is for the store to see to, which
// cannot recognize it under another pepper. Import therefore looks it up under
// all Config.Peppers, before and after. What a node does not know of, it cannot
// find: while peppers are being changed, import on nodes that have them all.
func (d management) Import(ctx context.Context, spec Spec, sum Hash) (Key, error) {
	if err := d.ready(); err != nil {
		return Key{}, err
	}
	if sum == (Hash{}) || sum == Hash(credential.Sum("")) {
		return Key{}, &SpecError{Fields: []FieldError{{Field: "hash", Reason: "is that of nothing"}}}
	}
	k, err := d.create(ctx, spec, sum, "")
	if err != nil {
		return Key{}, err
	}
	if err := d.m.giveWay(context.WithoutCancel(ctx), k, sum); err != nil {
		return Key{}, err
	}
	return k, nil
}

// unused refuses a secret that a key has already in the form of another pepper,
// which the store cannot see: revoking one of two keys would leave the other.
func (m *Manager) unused(ctx context.Context, sum Hash) error {
	k, err := m.elsewhere(ctx, sum)
	if err == nil && k.ID != "" {
		err = ErrExists
	}
	return err
}

// elsewhere returns the key, if there is one, that has a secret in the form of
// a pepper which is not the first.
func (m *Manager) elsewhere(ctx context.Context, sum Hash) (Key, error) {
	others := m.hasher.candidates(sum)[1:]
	if len(others) == 0 {
		return Key{}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	r, err := m.store.Find(ctx, hashes(others))
	if errors.Is(err, ErrNotFound) {
		return Key{}, nil
	}
	return r.Key, storeError("find", err)
}

// giveWay takes a key back that was just imported, if its secret has turned up
// under another pepper: whoever imported that at the same time may not have seen
// this one. So it may happen that both give way, but never that both stay.
func (m *Manager) giveWay(ctx context.Context, k Key, sum Hash) error {
	rival, err := m.elsewhere(ctx, sum)
	if err != nil { // nothing speaks against the key
		m.log.WarnContext(ctx, "apikey: an import was not looked up again", "key", k.ID, "error", err)
		return nil
	}
	if rival.ID == "" || rival.ID == k.ID { // rehashed by another node
		return nil
	}
	_, err = m.change(ctx, k.ID, 0, Revoked, func(r *Record) error {
		r.Key.RevokedAt, r.Key.RevokedReason = m.now(), "its secret was imported twice at the same time"
		r.Secrets = []SecretHash{m.hasher.stored(Hash(credential.Sum(m.format.Generate())))} // nobody's
		return nil
	})
	if err != nil {
		m.log.ErrorContext(ctx, "apikey: a secret has two keys", "key", k.ID, "other", rival.ID, "error", err)
		return err
	}
	return ErrConflict
}
