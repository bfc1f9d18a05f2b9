package apikey

import "context"

// A Feed tells of every change of a record, whichever node made it, so that
// the others need not wait for their caches to age. It only shortens the delay:
// a Feed that fails, lags or lies costs nothing but that. MemoryStore implements
// it, too. The rules for a Store hold for it likewise.
type Feed interface {
	// Changes returns what changed after the cursor, and the cursor from which
	// to go on. A change appears as soon as it is stored; it may come again,
	// and in another order than that of the versions, and of several changes
	// of one record the latest may stand for all. Of many changes it may
	// return a part: the others follow the cursor that comes with it. A cursor
	// may be used any number of times. The zero Cursor stands for the present:
	// no changes, and where they will begin.
	//
	// ErrCursor: what came after this cursor is no longer known, or the cursor
	// is none of this feed's, as after the data were restored from a backup.
	// Begin with the zero one, and trust nothing older.
	Changes(ctx context.Context, after Cursor) ([]Change, Cursor, error)
}

// A Cursor is a place in a Feed. Only the Feed that gave it can read it.
type Cursor string

// A Change says that a record was stored with this version. A Rehash is none.
type Change struct {
	KeyID   string
	Version int64
}
