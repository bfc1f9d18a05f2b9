package apikey

import (
	"context"
	"time"
)

const (
	loadTimeout   = 2 * time.Second // of a read that a request waits for
	manageTimeout = 5 * time.Second // of everything else
)

// A boundedStore puts an end to calls of a store that hangs.
type boundedStore struct{ store Store }

func (b boundedStore) Create(ctx context.Context, r Record, e Event) error {
	ctx, cancel := context.WithTimeout(ctx, manageTimeout)
	defer cancel()
	return b.store.Create(ctx, r, e)
}

// Find is bounded by its callers, who do more than that with the time.
func (b boundedStore) Find(ctx context.Context, hashes []Hash) (Record, error) {
	return b.store.Find(ctx, hashes)
}

func (b boundedStore) Get(ctx context.Context, id string) (Record, error) {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	return b.store.Get(ctx, id)
}

func (b boundedStore) List(ctx context.Context, q Query) ([]Key, error) {
	ctx, cancel := context.WithTimeout(ctx, manageTimeout)
	defer cancel()
	return b.store.List(ctx, q)
}

func (b boundedStore) Update(ctx context.Context, r Record, e Event) error {
	ctx, cancel := context.WithTimeout(ctx, manageTimeout)
	defer cancel()
	return b.store.Update(ctx, r, e)
}

func (b boundedStore) Rehash(ctx context.Context, id string, old Hash, secret SecretHash) error {
	ctx, cancel := context.WithTimeout(ctx, manageTimeout)
	defer cancel()
	return b.store.Rehash(ctx, id, old, secret)
}
