package apikey

import (
	"context"
	"time"

	"github.com/latchwork/latchwork/internal/cache"
)

const (
	loadTimeout   = cache.Timeout   // of a read that a request waits for
	manageTimeout = 5 * time.Second // of everything else but last uses, which only adorn an answer
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

func (b boundedStore) List(ctx context.Context, q Query) (Listing, error) {
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

// A boundedActivity does the same for an Activity.
type boundedActivity struct{ activity Activity }

// bounded returns nil for nil.
func bounded(activity Activity) Activity {
	if activity == nil {
		return nil
	}
	return boundedActivity{activity}
}

func (b boundedActivity) Record(ctx context.Context, uses []Use) error {
	ctx, cancel := context.WithTimeout(ctx, manageTimeout)
	defer cancel()
	return b.activity.Record(ctx, uses)
}

func (b boundedActivity) LastUsed(ctx context.Context, keyIDs []string) ([]LastUse, error) {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	return b.activity.LastUsed(ctx, keyIDs)
}

func (b boundedActivity) Usage(ctx context.Context, keyID string, since time.Time) ([]Day, error) {
	ctx, cancel := context.WithTimeout(ctx, manageTimeout)
	defer cancel()
	return b.activity.Usage(ctx, keyID, since)
}

func (b boundedActivity) Events(ctx context.Context, keyID string, page Page) ([]Event, error) {
	ctx, cancel := context.WithTimeout(ctx, manageTimeout)
	defer cancel()
	return b.activity.Events(ctx, keyID, page)
}

func (b boundedActivity) Purge(ctx context.Context, before time.Time, limit int) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, manageTimeout)
	defer cancel()
	return b.activity.Purge(ctx, before, limit)
}
