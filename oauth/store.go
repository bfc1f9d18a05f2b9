package oauth

import (
	"context"
	"slices"
	"time"

	"github.com/latchwork/latchwork/scope"
)

// A Store keeps grants and credentials. It never sees a secret, only hashes.
//
// Every method is safe for concurrent use, returns an error that matches
// ctx.Err() when the context is done and then has changed nothing, and copies
// what it takes and gives. Times come in UTC and whole microseconds and are
// returned as the same instants. What cannot be read back whole is an error.
// An error that matches none of this package's means the store itself is in
// trouble.
//
// The suite in the package oauthtest checks all of this.
type Store interface {
	// CreateGrant adds a grant and its first credentials, all or none.
	// ErrExists: the grant's ID or one of the hashes is taken.
	CreateGrant(ctx context.Context, g Grant, first ...Credential) error

	// Lookup returns the credential with this hash and its grant, whatever
	// their state, or ErrNotFound. It is the hot path: one round trip.
	Lookup(ctx context.Context, h Hash) (Credential, Grant, error)

	// Spend marks a credential spent and adds those that are issued for it,
	// in one transaction. It takes effect if the credential belongs to
	// s.ClientID and is neither spent nor expired at s.At, and its grant is
	// neither revoked nor expired at s.At: of any number of callers exactly
	// one is First. The same attempt again, even after the credential expired,
	// is First again and changes nothing.
	//
	// Somebody else was first: Spent tells who, nothing is stored, no error.
	// ErrNotFound: there is no such credential, or it is another client's.
	// ErrRevoked: its grant is revoked. ErrExpired: it or its grant expired
	// unspent. ErrExists: a hash of what is issued is taken. In all these
	// cases nothing is stored and nothing is spent.
	Spend(ctx context.Context, s Spend, issue ...Credential) (Spent, error)

	// RevokeGrants revokes the grants that match the filter and are not
	// revoked yet, and returns how many. It only ever sets: what is revoked
	// keeps its time. An empty filter matches nothing.
	RevokeGrants(ctx context.Context, f Filter, at time.Time) (int, error)

	// Grants returns the grants that match the filter, those with the
	// greatest IDs first, at most page.Limit of them. An empty filter matches
	// nothing.
	Grants(ctx context.Context, f Filter, page Page) ([]Grant, error)

	// DeleteExpired deletes credentials that expired before the given time,
	// and grants that expired before it and have no credentials left, at most
	// limit of both together, and returns how many. Spent ones stay until they
	// expire: that is how their reuse is noticed. A Server never calls it: the
	// host does, every few minutes and until there is nothing left, or the
	// store grows with every token.
	DeleteExpired(ctx context.Context, before time.Time, limit int) (int, error)
}

// A Hash is the SHA-256 of a secret.
type Hash [32]byte

// A SubjectKind says whether a subject is a person or an application.
type SubjectKind string

// The kinds of subjects.
const (
	SubjectUser   SubjectKind = "user"
	SubjectClient SubjectKind = "client"

	// SubjectPending is a user who was asked and has not answered yet. Such a
	// grant holds the ticket of a consent page. It is no access to anything,
	// is never listed as the user's, and goes when it expires.
	SubjectPending SubjectKind = "pending"
)

// A Subject is whom a grant speaks for. A client whose ID is that of a user is
// still not that user.
type Subject struct {
	Kind SubjectKind
	ID   string // at most 255 bytes of UTF-8
}

// A Grant is one authorization: everything that was issued for it lives and
// dies with it.
type Grant struct {
	ID        string // a version 7 UUID in text form
	Subject   Subject
	ClientID  string
	Scope     scope.Set
	Resources []string // RFC 8707; none: the server's own
	CreatedAt time.Time
	ExpiresAt time.Time // however often it is refreshed
	RevokedAt time.Time // zero: not revoked
}

// A CredentialKind says what a secret is good for.
type CredentialKind string

// The kinds of credentials.
const (
	KindAccess  CredentialKind = "access"
	KindRefresh CredentialKind = "refresh"
	KindCode    CredentialKind = "code"
	KindTicket  CredentialKind = "ticket" // of a consent page
)

// A Credential is one secret by its hash. It is good until it expires, is
// spent, or its grant is revoked.
type Credential struct {
	ID        string // for logs and principals; no secret, and of no use to get one
	Hash      Hash
	Kind      CredentialKind
	GrantID   string
	ClientID  string
	Scope     scope.Set
	Resources []string
	CreatedAt time.Time
	ExpiresAt time.Time
	SpentAt   time.Time // zero: not spent
	Attempt   Attempt   // who spent it

	// Of codes: the PKCE challenge (S256) and the redirect URI of the
	// authorization request. Of consent tickets: the one to answer at.
	Challenge   string
	RedirectURI string
}

// An Attempt identifies one try to spend a credential, so that a try whose
// answer was lost can be told from somebody else's. It is random.
type Attempt [16]byte

// A Spend is what to spend: the credential with this hash, for this client.
type Spend struct {
	Hash     Hash
	ClientID string
	At       time.Time
	Attempt  Attempt
}

// A Spent is what became of a Spend.
type Spent struct {
	// First: this attempt spent the credential.
	First bool

	// Attempt and At are of whoever did.
	Attempt Attempt
	At      time.Time
}

// A Filter selects grants by all of its fields that are not zero. The zero
// Filter selects none.
type Filter struct {
	GrantID  string
	Subject  Subject
	ClientID string
}

// IsZero reports whether the filter selects nothing.
func (f Filter) IsZero() bool { return f == Filter{} }

// Matches reports whether the filter selects a grant.
func (f Filter) Matches(g Grant) bool {
	return !f.IsZero() && (f.GrantID == "" || f.GrantID == g.ID) &&
		(f.Subject == Subject{} || f.Subject == g.Subject) && (f.ClientID == "" || f.ClientID == g.ClientID)
}

// A Page is a part of a list that is ordered from the newest to the oldest.
type Page struct {
	Before string // only entries with lesser IDs; empty: from the newest on
	Limit  int    // a Server takes zero for 100 and cuts it to 1,000
}

// clone returns a copy that shares nothing that could be changed.
func (g Grant) clone() Grant {
	g.Resources = slices.Clone(g.Resources)
	return g
}

// clone returns a copy that shares nothing that could be changed.
func (c Credential) clone() Credential {
	c.Resources = slices.Clone(c.Resources)
	return c
}

// alive says whether what belongs to the grant may be used: ErrRevoked,
// ErrExpired.
func (g Grant) alive(now time.Time) error {
	switch {
	case !g.RevokedAt.IsZero():
		return ErrRevoked
	case !now.Before(g.ExpiresAt):
		return ErrExpired
	default:
		return nil
	}
}
