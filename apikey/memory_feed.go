package apikey

import (
	"context"
	"strconv"
)

// maxMemoryChanges is how many changes a MemoryStore's feed remembers at least.
const maxMemoryChanges = 10_000

// memoryFeed is the Feed of a MemoryStore, which locks it. A cursor is the
// number of changes that came before.
type memoryFeed struct {
	forgotten int
	changes   []Change
}

func (f *memoryFeed) add(c Change) {
	if len(f.changes) >= 2*maxMemoryChanges {
		f.forgotten += maxMemoryChanges
		f.changes = append(f.changes[:0], f.changes[maxMemoryChanges:]...)
	}
	f.changes = append(f.changes, c)
}

// Changes implements Feed.
func (s *MemoryStore) Changes(ctx context.Context, after Cursor) ([]Change, Cursor, error) {
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	end := s.feed.forgotten + len(s.feed.changes)
	now := Cursor(strconv.Itoa(end))
	if after == "" {
		return nil, now, nil
	}
	from, err := strconv.Atoi(string(after))
	if err != nil || strconv.Itoa(from) != string(after) || from < s.feed.forgotten || from > end {
		return nil, "", ErrCursor
	}
	return append([]Change{}, s.feed.changes[from-s.feed.forgotten:]...), now, nil
}
