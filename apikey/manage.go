package apikey

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

const (
	maxOverlap   = 7 * 24 * time.Hour
	defaultLimit = 100
	maxLimit     = 1000

	// maxAttempts bounds how often a change of the newest version starts over
	// because others were faster. At least one of them succeeds each time.
	maxAttempts = 1000
)

// A Delegate manages keys for one Actor, within the Actor's Ceiling. It is
// safe for concurrent use. The zero Delegate refuses everything.
type Delegate struct {
	management
}

// As returns the management of keys for this actor.
func (m *Manager) As(actor Actor) Delegate {
	actor.Ceiling.Types = slices.Clone(actor.Ceiling.Types)
	if actor.Ceiling.AllowedIPs != nil {
		list := *actor.Ceiling.AllowedIPs
		actor.Ceiling.AllowedIPs = &list
	}
	return Delegate{management{m: m, actor: actor}}
}

// Format implements [fmt.Formatter] for every verb: there is a whole Manager
// behind a Delegate.
func (Delegate) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, "apikey.Delegate") }

// ActorOf returns a key as the Actor that it is at present: its permissions,
// type, expiry, addresses and owner are the ceiling. The record is read from
// the store, not from a cache, and must be active: ErrNotFound, ErrRevoked,
// ErrDisabled, ErrExpired.
func (m *Manager) ActorOf(ctx context.Context, keyID string) (Actor, error) {
	if m == nil || m.store == nil {
		return Actor{}, ErrNoActor
	}
	ctx, cancel := context.WithTimeout(ctx, loadTimeout) // Config.Effective may hang, too
	defer cancel()
	r, err := m.store.Get(ctx, keyID)
	if err != nil {
		return Actor{}, storeError("get", err)
	}
	if err := r.Key.judge(m.clock()); err != nil {
		return Actor{}, err
	}
	permissions, err := m.permissions(ctx, r.Key)
	if err != nil {
		return Actor{}, err
	}
	return Actor{
		ID: KeyActorID(r.Key.ID),
		Ceiling: Ceiling{
			Permissions: permissions, Types: []string{r.Key.Type}, ExpiresAt: r.Key.ExpiresAt,
			AllowedIPs: r.Key.AllowedIPs, Owner: r.Key.Owner,
		},
	}, nil
}

// management is what a Manager and a Delegate have in common.
type management struct {
	m         *Manager
	actor     Actor
	unbounded bool // the operator

	// present is the ceiling of a key that acts, read anew for a change.
	present *Ceiling
}

// Get returns a key, or ErrNotFound.
func (d management) Get(ctx context.Context, id string) (Key, error) {
	r, err := d.get(ctx, id)
	return r.Key, err
}

func (d management) get(ctx context.Context, id string) (Record, error) {
	if err := d.ready(); err != nil {
		return Record{}, err
	}
	r, err := d.m.store.Get(ctx, id)
	if err != nil {
		return Record{}, storeError("get", err)
	}
	if r.Key.ID != id || (!d.unbounded && !d.actor.Ceiling.sees(r.Key.Owner)) {
		return Record{}, ErrNotFound
	}
	return r, nil
}

// List returns a page of the keys that match the query, the newest first. Where
// those that match are rare, a page may have fewer than q.Limit of them, or
// none, and not be the last: Listing.Next tells. All has no such pages.
func (d management) List(ctx context.Context, q Query) (Listing, error) {
	if err := d.ready(); err != nil {
		return Listing{}, err
	}
	if !d.unbounded && d.actor.Ceiling.Owner != "" {
		if q.Owner != "" && q.Owner != d.actor.Ceiling.Owner {
			return Listing{}, nil
		}
		q.Owner = d.actor.Ceiling.Owner
	}
	q.Now, q.Limit = d.m.now(), clampLimit(q.Limit)
	page, err := d.m.store.List(ctx, q)
	if err == nil && page.Next != "" && q.Before != "" && page.Next >= q.Before {
		err = errNoProgress
	}
	if err != nil {
		return Listing{}, storeError("list", err)
	}
	return page, nil
}

// errNoProgress keeps a store that gives no lesser Next from being asked for
// ever.
var errNoProgress = errors.New("the next page does not come after this one")

// All returns an iterator over all keys that match the query, the newest first,
// which it reads by pages of q.Limit. An error comes last, with a zero Key.
func (d management) All(ctx context.Context, q Query) iter.Seq2[Key, error] {
	return func(yield func(Key, error) bool) {
		for {
			page, err := d.List(ctx, q)
			if err != nil {
				yield(Key{}, err)
				return
			}
			for _, k := range page.Keys {
				if !yield(k, nil) {
					return
				}
			}
			if page.Next == "" {
				return
			}
			q.Before = page.Next
		}
	}
}

// Events returns what happened to a key, the newest first: nothing without a
// Config.Activity. Errors: ErrNotFound.
func (d management) Events(ctx context.Context, id string, page Page) ([]Event, error) {
	if _, err := d.get(ctx, id); err != nil || d.m.activity == nil {
		return nil, err
	}
	page.Limit = clampLimit(page.Limit)
	events, err := d.m.activity.Events(ctx, id, page)
	return events, storeError("events", err)
}

func clampLimit(limit int) int {
	if limit <= 0 {
		return defaultLimit
	}
	return min(limit, maxLimit)
}

// State judges a key at the Manager's present.
func (d management) State(k Key) State {
	if d.m == nil || d.m.clock == nil {
		return ""
	}
	return k.State(d.m.clock())
}

// ready refuses those who are nobody.
func (d management) ready() error {
	if d.m == nil || d.m.store == nil || d.actor.ID == "" || len(d.actor.ID) > maxOwner {
		return ErrNoActor
	}
	return nil
}

// bounds holds a key against the actor's ceiling.
func (d management) bounds(k Key) error {
	if d.unbounded {
		return nil
	}
	if err := d.actor.Ceiling.excess(k); err != nil || d.present == nil {
		return err
	}
	return d.present.excess(k)
}

// boundsWish is bounds for what a key should become.
func (d management) boundsWish(k Key) error {
	k.ID = ""
	return d.bounds(k)
}

// renewed returns the actor as it is at this moment. A key that acts is read
// anew: it may have been revoked or cut down since it was authenticated, by
// somebody who must be able to rely on that. Errors: ErrNoActor.
func (d management) renewed(ctx context.Context) (management, error) {
	keyID, acts := strings.CutPrefix(d.actor.ID, keyActor)
	if !acts || d.unbounded {
		return d, nil
	}
	actor, err := d.m.ActorOf(ctx, keyID)
	switch {
	case errors.Is(err, ErrNotFound), errors.Is(err, ErrRevoked), errors.Is(err, ErrDisabled), errors.Is(err, ErrExpired):
		// Not wrapped: it is said of the actor, not of the key to be changed.
		return d, fmt.Errorf("%w: %v", ErrNoActor, err) //nolint:errorlint // see above
	case err != nil:
		return d, err
	}
	d.present = &actor.Ceiling
	return d, nil
}

func (d management) event(keyID string, kind EventKind, changes []FieldChange) (Event, error) {
	id, err := newID()
	if err != nil {
		return Event{}, err
	}
	return Event{ID: id, KeyID: keyID, Kind: kind, At: d.m.now(), Actor: d.actor.ID, Changes: changes}, nil
}

// announce tells of a change. A panic of who hears it is logged: what is stored
// is stored, and of many keys that are to be revoked it must not save the rest.
func (m *Manager) announce(e Event) {
	if m.onEvent == nil {
		return
	}
	defer func() {
		if p := recover(); p != nil {
			m.log.Error("apikey: panic in Config.OnEvent", "key", e.KeyID, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	m.onEvent(e)
}

func newID() (string, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("apikey: new id: %w", err)
	}
	return id.String(), nil
}

// cut makes an instant one that every store can keep. One that would come out
// as none at all is left alone, for validate to refuse: no instant may turn into
// never.
func cut(t time.Time) time.Time {
	if cut := t.UTC().Truncate(time.Microsecond); t.IsZero() || !cut.IsZero() {
		return cut
	}
	return t
}

// storeError says at which call the store failed. This package's own errors
// stay as they are.
func storeError(call string, err error) error {
	for _, own := range []error{nil, ErrNotFound, ErrExists, ErrConflict} {
		if errors.Is(err, own) {
			return own
		}
	}
	return fmt.Errorf("apikey: %s: %w", call, err)
}
