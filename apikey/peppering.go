package apikey

import (
	"context"
	"errors"
)

// A Peppering is what PepperHashes did with one batch of keys, and found there.
type Peppering struct {
	// Peppered is how many secrets had no pepper, and have the first one now.
	Peppered int

	// Under is how many secrets are stored by now under each pepper, by its
	// ID, or "" for none. Those under one that is not the first move when they
	// are used. What no secret is stored under can be taken out of
	// Config.Peppers.
	Under map[string]int

	// Unusable is how many secrets open nothing, because their pepper is not
	// in Config.Peppers, or they have none and InsecureUnpeppered is not set.
	Unusable int

	// Next is the Before of the next batch. Empty: this was the last one.
	Next string
}

// PepperHashes gives stored secrets without a pepper the first one of
// Config.Peppers, which needs no key: a pepper goes on top of the SHA-256 that
// is stored. It goes through the keys in batches, the newest first, while
// requests are served and other nodes do the same. After an error, Next says
// where to go on.
//
// It takes every row without a pepper for what it seems to be, and so does
// nothing to them unless Config.InsecureUnpeppered says that. Repeat it until it
// has come through and found nothing more to do, because a change of a key that
// is under way at the same time may put the old form back; then take
// InsecureUnpeppered away. What turns up without a pepper after that was planted.
func (m *Manager) PepperHashes(ctx context.Context, batch Page) (Peppering, error) {
	p := Peppering{Under: map[string]int{}, Next: batch.Before}
	if err := m.ready(); err != nil {
		return p, err
	}
	page, err := m.List(ctx, Query{Before: batch.Before, Limit: batch.Limit})
	if err != nil {
		return p, err
	}
	for _, k := range page.Keys {
		if err := m.pepperKey(ctx, k.ID, &p); err != nil {
			return p, err
		}
		p.Next = k.ID
	}
	p.Next = page.Next
	for id, n := range p.Under {
		if !m.hasher.knows(id) {
			p.Unusable += n
			m.log.ErrorContext(ctx, "apikey: secrets cannot be used without the pepper they are stored under", "pepper", id, "secrets", n)
		}
	}
	return p, nil
}

func (m *Manager) pepperKey(ctx context.Context, id string, p *Peppering) error {
	r, err := m.store.Get(ctx, id)
	if err != nil {
		return storeError("get", err)
	}
	under := make([]string, len(r.Secrets))
	for i, s := range r.Secrets {
		under[i] = s.PepperID
		if s.PepperID != "" || !m.hasher.unpeppered || len(m.hasher.peppers) == 0 {
			continue
		}
		moved := m.hasher.stored(s.Hash)
		switch err := m.store.Rehash(ctx, id, s.Hash, moved); {
		case errors.Is(err, ErrExists):
			m.log.ErrorContext(ctx, "apikey: a secret belongs to another key already", "key", id)
		case err != nil:
			return storeError("rehash", err)
		default:
			under[i] = moved.PepperID
			p.Peppered++
		}
	}
	for _, pepperID := range under {
		p.Under[pepperID]++
	}
	return nil
}

// knows reports whether secrets under this pepper can be found.
func (h hasher) knows(id string) bool {
	for _, p := range h.peppers {
		if p.id == id {
			return true
		}
	}
	return id == "" && h.unpeppered
}
