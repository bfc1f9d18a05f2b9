package apikey

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/latchwork/latchwork/internal/cache"
	"github.com/latchwork/latchwork/internal/credential"
	"github.com/latchwork/latchwork/scope"
)

// load asks the store, together with everybody who asks for the same.
func (m *Manager) load(ctx context.Context, presented string) (Verified, error) {
	m.counters.Add(countMiss)
	e, err := m.cache.Load(ctx, m.cache.Key(presented), m.reader(Hash(credential.Sum(presented))))
	switch {
	case errors.Is(err, cache.ErrBusy):
		return Verified{}, ErrBusy
	case err != nil:
		return Verified{}, fmt.Errorf("apikey: find: %w", err)
	case e == nil:
		return Verified{}, ErrInvalid
	}
	age, since := m.glance.Instant()
	return m.verified(&e.Value, age, since)
}

// reader returns how the record of a secret is read.
func (m *Manager) reader(sum Hash) cache.Read[loaded] {
	return func(ctx context.Context) (*cache.Entry[loaded], error) {
		candidates := m.hasher.candidates(sum)
		r, err := m.store.Find(ctx, hashes(candidates))
		if errors.Is(err, ErrNotFound) {
			return nil, nil //nolint:nilnil // it is how a Read says so
		}
		if err != nil {
			return nil, err
		}
		secret, candidate, ok := match(candidates, r.Secrets)
		if !ok {
			return nil, errors.New("the store returned another record")
		}
		if i := slices.Index(m.types, r.Key.Type); i >= 0 {
			r.Key.Type = m.types[i] // one text for all keys
		}
		if r.Key.AllowedIPs != nil {
			list := m.lists.shared(strings.Join(r.Key.AllowedIPs.Typed(), "\n"), *r.Key.AllowedIPs)
			r.Key.AllowedIPs = &list
		}
		r.Key.join()
		e := &cache.Entry[loaded]{ID: r.Key.ID, Version: r.Key.Version}
		e.Value.compile(r.Key, secret.Deadline, m.glance.Since)
		valid := e.Value.judge(m.clock()) == nil
		if e.Value.key.Permissions, err = m.present(ctx, r.Key, valid); err != nil {
			return nil, err
		}
		if candidate > 0 && valid {
			m.rehash(ctx, r.Key.ID, secret, sum)
		}
		return e, nil
	}
}

// present is permissions for a record that is kept. One that is refused anyway is
// not asked about, and may do nothing, should the clock be put back meanwhile.
func (m *Manager) present(ctx context.Context, k Key, valid bool) (scope.Set, error) {
	if m.effective != nil && !valid {
		return scope.Set{}, nil
	}
	set, err := m.permissions(ctx, k)
	return m.sets.shared(set.String(), set), err
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

// rehash moves a secret to the pepper that is first now. It may fail, or use up
// half of the time that is left: the secret goes on working as it is.
func (m *Manager) rehash(ctx context.Context, id string, old SecretHash, sum Hash) {
	if end, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(end)/2)
		defer cancel()
	}
	moved := m.hasher.stored(sum)
	moved.Deadline = old.Deadline
	if err := m.store.Rehash(ctx, id, old.Hash, moved); err != nil {
		m.log.WarnContext(ctx, "apikey: rehash failed", "key", id, "error", err)
	}
}
