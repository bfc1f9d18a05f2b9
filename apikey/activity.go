package apikey

import (
	"context"
	"net/netip"
	"time"
)

// Activity is what is known about keys beside their records: what happened to
// them, and when and how often they were used. None of it decides anything.
// MemoryStore implements it, too. The rules for a Store hold for it likewise.
type Activity interface {
	// Record adds what was counted, and moves last uses forward, never back,
	// all of it or nothing. The order of the uses means nothing, and the same
	// key and day may stand there twice. There are at most 1,000. What is
	// recorded of a key that is not there (any more) may be kept or dropped,
	// and is no error.
	//
	// After an error nothing is recorded, unless it matches ErrUncertain: then
	// nobody knows, because the answer to a commit was lost or came too late.
	Record(ctx context.Context, uses []Use) error

	// LastUsed returns when these keys, at most 1,000, were last used, in any
	// order. Those that never were are left out.
	LastUsed(ctx context.Context, keyIDs []string) ([]LastUse, error)

	// Usage returns what was counted for a key on each day that is not over at
	// the instant since, the earliest first. A day is over at the midnight at
	// which the next one begins. Days without any use are left out.
	Usage(ctx context.Context, keyID string, since time.Time) ([]Day, error)

	// Events returns what happened to a key, those with the greatest IDs
	// first, at most page.Limit of them. Of an unknown key nothing is known.
	Events(ctx context.Context, keyID string, page Page) ([]Event, error)

	// Purge deletes events from before the given instant, and what was counted
	// on days that are over by then, at most limit of both together, and
	// returns how many: none only when none is left. Last uses stay.
	Purge(ctx context.Context, before time.Time, limit int) (int, error)
}

// A Page is a part of a list that is ordered from the newest to the oldest.
type Page struct {
	Before string // only entries with lesser IDs; empty: from the newest on
	Limit  int    // a Manager takes zero for 100 and cuts it to 1,000
}

// A Use is what one node counted for a key on one day since it last said so.
type Use struct {
	KeyID string
	Day   Day

	// LastAt is when the key was last let through, and LastAddr from where,
	// unmapped and without a zone: the zero Addr when that was not known. A
	// zero LastAt: it was not, only refused.
	LastAt   time.Time
	LastAddr netip.Addr
}

// A LastUse is when and from where a key was last let through.
type LastUse struct {
	KeyID string
	At    time.Time
	Addr  netip.Addr // the zero Addr: not known
}

// A Day is what was counted for a key on one day.
type Day struct {
	Date time.Time // midnight UTC, at which the day begins
	Counts
}

// Counts are numbers of requests by how they ended.
type Counts struct {
	Allowed          int64
	DeniedState      int64 // the key was disabled, expired or revoked
	DeniedAddress    int64 // not from this address, or the address was not known
	DeniedType       int64 // another type of key was needed
	DeniedPermission int64 // a permission was missing
	DeniedRequest    int64 // it asked for something that there is not
}

// Denied returns the sum of what was refused.
func (c Counts) Denied() int64 {
	return c.DeniedState + c.DeniedAddress + c.DeniedType + c.DeniedPermission + c.DeniedRequest
}

// Add returns the sums of both.
func (c Counts) Add(other Counts) Counts {
	return Counts{
		Allowed:          c.Allowed + other.Allowed,
		DeniedState:      c.DeniedState + other.DeniedState,
		DeniedAddress:    c.DeniedAddress + other.DeniedAddress,
		DeniedType:       c.DeniedType + other.DeniedType,
		DeniedPermission: c.DeniedPermission + other.DeniedPermission,
		DeniedRequest:    c.DeniedRequest + other.DeniedRequest,
	}
}
