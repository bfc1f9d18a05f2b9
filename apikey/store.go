package apikey

import (
	"context"
	"slices"
	"time"
)

// A Store keeps the records of keys. It never sees a secret, only hashes, and
// it judges nothing: revoked, disabled and expired records are found like any
// other.
//
// Every method is safe for concurrent use, returns an error that matches
// ctx.Err() when the context is done and then has changed nothing, and copies
// what it takes and gives, so that nobody's later change shows through. Times
// come in UTC and whole microseconds and are returned as the same instants.
// What cannot be read back whole (a list, a permission, a time) is an error,
// never a key with less on it. IDs, owners and types are compared byte for byte,
// and any text at all may be asked for: what cannot be stored is not there. An
// error that matches none of this package's means the store itself is in
// trouble.
//
// The suite in the package apikeytest checks all of this.
type Store interface {
	// Create adds a record and its event in one transaction. ErrExists: the
	// ID or one of the hashes is taken, by this or another key; nothing is
	// stored then.
	Create(ctx context.Context, r Record, e Event) error

	// Find returns the record that has one of these hashes among its secrets,
	// whatever their deadlines, or ErrNotFound. It is the hot path: one round
	// trip, to the primary and not to a replica. There are never more hashes
	// than peppers, and one.
	Find(ctx context.Context, hashes []Hash) (Record, error)

	// Get returns the record with this ID, byte for byte, or ErrNotFound.
	Get(ctx context.Context, id string) (Record, error)

	// List returns a page of the keys that match the query, those with the
	// greatest IDs first, at most q.Limit of them. A store need not look
	// through all keys for those that match: it may return fewer, or none, and
	// a Listing.Next from where on it would look further.
	List(ctx context.Context, q Query) (Listing, error)

	// Update replaces a whole record, secrets included, and adds the event in
	// the same transaction, if the stored version is r.Version-1. ErrConflict:
	// it is another one. ErrNotFound: there is no such record. ErrExists: a
	// new hash is taken by another key, or stands twice. In all three cases
	// nothing is stored.
	Update(ctx context.Context, r Record, e Event) error

	// Rehash replaces one secret of a record by another form of the same
	// secret; the new one keeps the deadline of the old. It leaves the
	// version alone and does nothing when the record or the old hash is gone.
	// An error, when the new hash is another key's, has changed nothing.
	Rehash(ctx context.Context, id string, old Hash, secret SecretHash) error
}

// A Record is a Key with its secrets: one, or two while a rotation overlaps.
type Record struct {
	Key     Key
	Secrets []SecretHash
}

// Clone returns a copy that shares nothing that could be changed.
func (r Record) Clone() Record {
	r.Secrets = slices.Clone(r.Secrets)
	if r.Key.AllowedIPs != nil {
		list := *r.Key.AllowedIPs
		r.Key.AllowedIPs = &list
	}
	return r
}

// A Query selects keys. Zero fields select everything.
type Query struct {
	Owner     string
	CreatedBy string
	Type      string

	// State selects the keys that are in this state at Now. A Manager sets
	// Now.
	State State
	Now   time.Time

	// Search selects the keys whose name contains this text, ASCII letters in
	// either case and every other character as it is, or whose ID or hint is
	// exactly this. There are no wildcards.
	Search string

	// Before selects the keys with lesser IDs: Listing.Next of the page
	// before. Empty: from the newest on.
	Before string

	// Limit is how many keys to return at most. A Manager takes zero for 100
	// and cuts it to 1,000.
	Limit int
}

// A Listing is a page of keys.
type Listing struct {
	// Keys are those on the page, the newest first. None is an empty list.
	Keys []Key

	// Next is the Query.Before of the next page, less than that of this one.
	// Empty: no other key matches. Nothing else says so, because a page may be
	// short, or empty, where keys that match are rare.
	Next string
}
