package apikeytest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/scope"
)

// A trial is one run of a check: the backend, and records that nobody had
// before. Later ones have greater IDs.
type trial struct {
	Backend

	records, hashes, events atomic.Int64
}

// start is when the first record is made.
func start() time.Time { return time.Date(2026, time.February, 3, 4, 5, 6, 789_012_000, time.UTC) }

// record returns a new record with one secret.
func (t *trial) record(edits ...func(*apikey.Record)) apikey.Record {
	n := t.records.Add(1)
	at := start().Add(time.Duration(n) * time.Minute)
	r := apikey.Record{
		Key: apikey.Key{
			ID:          fmt.Sprintf("019b0000-0000-7abc-8def-%012x", 0xabc000+n),
			Name:        fmt.Sprintf("key %d", n),
			Type:        "admin",
			Permissions: scope.MustParseSet("users.view"),
			Hint:        fmt.Sprintf("test_%04d", n),
			Enabled:     true,
			CreatedAt:   at, CreatedBy: "operator", UpdatedAt: at,
			Version: 1,
		},
		Secrets: []apikey.SecretHash{t.secret()},
	}
	for _, edit := range edits {
		edit(&r)
	}
	return r
}

// secret returns a new secret without a pepper.
func (t *trial) secret() apikey.SecretHash { return apikey.SecretHash{Hash: t.hash()} }

// hash returns a hash that no secret has had before.
func (t *trial) hash() apikey.Hash {
	return sha256.Sum256(fmt.Append(nil, "apikeytest ", t.hashes.Add(1)))
}

// event returns a new event of this record.
func (t *trial) event(r apikey.Record, kind apikey.EventKind) apikey.Event {
	n := t.events.Add(1)
	return apikey.Event{
		ID:    fmt.Sprintf("019b0000-0000-7eee-8eee-%012x", n),
		KeyID: r.Key.ID, Kind: kind, At: start().Add(time.Duration(n) * time.Second), Actor: "operator",
		Changes: []apikey.FieldChange{{Field: "name", Old: "", New: r.Key.Name}},
	}
}

// create stores a new record.
func (t *trial) create(ctx context.Context, edits ...func(*apikey.Record)) (apikey.Record, error) {
	r := t.record(edits...)
	if err := t.Store.Create(ctx, r, t.event(r, apikey.Created)); err != nil {
		return apikey.Record{}, fmt.Errorf("Create: %w", err)
	}
	return r, nil
}

// createTwo stores two new records.
func (t *trial) createTwo(ctx context.Context) (first, second apikey.Record, err error) {
	if first, err = t.create(ctx); err == nil {
		second, err = t.create(ctx)
	}
	return first, second, err
}

// update stores the next version of r.
func (t *trial) update(ctx context.Context, r apikey.Record, edits ...func(*apikey.Record)) (apikey.Record, error) {
	r = next(r, edits...)
	if err := t.Store.Update(ctx, r, t.event(r, apikey.Updated)); err != nil {
		return apikey.Record{}, fmt.Errorf("Update: %w", err)
	}
	return r, nil
}

// next returns the version of r that follows, without storing it.
func next(r apikey.Record, edits ...func(*apikey.Record)) apikey.Record {
	r = r.Clone()
	r.Key.Version++
	r.Key.UpdatedAt = r.Key.UpdatedAt.Add(time.Hour)
	for _, edit := range edits {
		edit(&r)
	}
	return r
}

// is checks that the store has exactly this record, wherever one looks: under
// its ID, each of its hashes, and in the list.
func (t *trial) is(ctx context.Context, want apikey.Record) error {
	got, err := t.Store.Get(ctx, want.Key.ID)
	if err != nil {
		return fmt.Errorf("Get: %w", err)
	}
	if err := sameRecord(got, want); err != nil {
		return fmt.Errorf("Get: %w", err)
	}
	for i, secret := range want.Secrets {
		got, err := t.Store.Find(ctx, []apikey.Hash{secret.Hash})
		if err != nil {
			return fmt.Errorf("Find by secret %d: %w", i+1, err)
		}
		if err := sameRecord(got, want); err != nil {
			return fmt.Errorf("Find by secret %d: %w", i+1, err)
		}
	}
	keys, _, err := t.keys(ctx, apikey.Query{Limit: 1000})
	if err != nil {
		return fmt.Errorf("List: %w", err)
	}
	for _, k := range keys {
		if k.ID == want.Key.ID {
			return wrap("List", sameKey(k, want.Key))
		}
	}
	return errors.New("List: the key is not there")
}

// isNot checks that the store has no trace of this record.
func (t *trial) isNot(ctx context.Context, r apikey.Record) error {
	if err := t.noID(ctx, r.Key.ID); err != nil {
		return err
	}
	for i, secret := range r.Secrets {
		if err := t.noHash(ctx, secret.Hash); err != nil {
			return fmt.Errorf("secret %d: %w", i+1, err)
		}
	}
	keys, _, err := t.keys(ctx, apikey.Query{Limit: 1000})
	if err != nil {
		return fmt.Errorf("List: %w", err)
	}
	for _, k := range keys {
		if k.ID == r.Key.ID {
			return errors.New("List: the key is there")
		}
	}
	return nil
}

// noID checks that Get has nothing under this ID.
func (t *trial) noID(ctx context.Context, id string) error {
	got, err := t.Store.Get(ctx, id)
	return missed(fmt.Sprintf("Get(%.60q)", id), got, err)
}

// noHash checks that Find has nothing under this hash.
func (t *trial) noHash(ctx context.Context, h apikey.Hash) error {
	got, err := t.Store.Find(ctx, []apikey.Hash{h})
	return missed("Find", got, err)
}

// missed checks what comes back when there is nothing.
func missed(call string, got apikey.Record, err error) error {
	if err == nil && got.Key.ID == "" {
		return fmt.Errorf("%s: a miss returned no error, want ErrNotFound", call)
	}
	if err == nil {
		return fmt.Errorf("%s: returned the key %q, want ErrNotFound", call, got.Key.ID)
	}
	if !errors.Is(err, apikey.ErrNotFound) {
		return fmt.Errorf("%s: returned the error %w, want ErrNotFound", call, err)
	}
	return nil
}

// fails checks that a call failed with this error.
func fails(call string, got, want error) error {
	if !errors.Is(got, want) {
		return fmt.Errorf("%s: returned %w, want %w", call, orNone(got), want)
	}
	return nil
}

// noneError stands for no error in texts.
type noneError struct{}

func (noneError) Error() string { return "no error" }

func orNone(err error) error {
	if err == nil {
		return noneError{}
	}
	return err
}

// wrap is fmt.Errorf for errors that may be nil.
func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

// race runs n calls at once and returns their errors. A call that panics is an
// error, too.
func race(n int, call func(i int) error) []error {
	errs := make([]error, n)
	ready := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-ready
			errs[i] = protect(func() error { return call(i) })
		})
	}
	close(ready)
	all.Wait()
	return errs
}
