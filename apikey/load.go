package apikey

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/latchwork/latchwork/scope"
)

// load asks the store.
func (m *Manager) load(ctx context.Context, sum Hash) (Verified, error) {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	candidates := m.hasher.candidates(sum)
	r, err := m.store.Find(ctx, hashes(candidates))
	if errors.Is(err, ErrNotFound) {
		return Verified{}, ErrInvalid
	}
	if err != nil {
		return Verified{}, fmt.Errorf("apikey: find: %w", err)
	}
	secret, candidate, ok := match(candidates, r.Secrets)
	if !ok {
		return Verified{}, errors.New("apikey: find: the store returned another record")
	}
	now := m.clock()
	if !secret.Deadline.IsZero() && !now.Before(secret.Deadline) {
		return Verified{}, ErrInvalid
	}
	k := &loaded{key: r.Key}
	if err := m.judge(k, now); err != nil {
		return Verified{}, err
	}
	if k.key.Permissions, err = m.permissions(ctx, r.Key); err != nil {
		return Verified{}, err
	}
	// Last, because it may use up the time that is left.
	if candidate > 0 {
		m.rehash(ctx, r.Key.ID, secret, sum)
	}
	return Verified{key: k}, nil
}

// judge says why a key may not be used by now, and counts that.
func (m *Manager) judge(k *loaded, now time.Time) error {
	err := k.key.judge(now)
	if err != nil {
		m.uses.record(k, 0, netip.Addr{}, deniedState)
	}
	return err
}

// permissions returns what the key may do at present.
func (m *Manager) permissions(ctx context.Context, k Key) (scope.Set, error) {
	if m.effective == nil {
		return k.Permissions, nil
	}
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	allowed, err := m.effective(ctx, k)
	if err != nil {
		return scope.Set{}, fmt.Errorf("apikey: effective permissions: %w", err)
	}
	return k.Permissions.Intersect(allowed), nil
}

// rehash moves a secret to the pepper that is first now. It may fail: the
// secret goes on working as it is.
func (m *Manager) rehash(ctx context.Context, id string, old SecretHash, sum Hash) {
	moved := m.hasher.stored(sum)
	moved.Deadline = old.Deadline
	if err := m.store.Rehash(ctx, id, old.Hash, moved); err != nil {
		m.log.WarnContext(ctx, "apikey: rehash failed", "key", id, "error", err)
	}
}
