package apikey

import (
	"context"
	"slices"
	"strings"
	"time"
)

// What a MemoryStore keeps of each key at most, besides what Purge leaves.
const (
	maxMemoryEvents = 1000
	maxMemoryAge    = 400 * 24 * time.Hour // before the newest of its events, and of its days
)

// memoryActivity is the Activity of a MemoryStore, which locks it.
type memoryActivity struct {
	events map[string][]Event // by key, each in ascending order of the IDs
	days   map[string][]Day   // by key, each in ascending order
	last   map[string]LastUse
}

func (a *memoryActivity) add(keyID string, e Event) {
	if a.events == nil {
		a.events = map[string][]Event{}
	}
	e.Changes = slices.Clone(e.Changes)
	events := a.events[keyID]
	at, _ := slices.BinarySearchFunc(events, e.ID, func(e Event, id string) int { return strings.Compare(e.ID, id) })
	events = slices.Insert(events, at, e)
	events = events[max(0, len(events)-maxMemoryEvents):]
	oldest := events[len(events)-1].At.Add(-maxMemoryAge)
	a.events[keyID] = slices.DeleteFunc(events, func(e Event) bool { return e.At.Before(oldest) })
}

func (a *memoryActivity) record(u Use) {
	if a.days == nil {
		a.days, a.last = map[string][]Day{}, map[string]LastUse{}
	}
	days := a.days[u.KeyID]
	at, found := slices.BinarySearchFunc(days, u.Day.Date, func(d Day, date time.Time) int { return d.Date.Compare(date) })
	if found {
		days[at].Counts = days[at].Add(u.Day.Counts)
	} else {
		days = slices.Insert(days, at, u.Day)
		oldest := days[len(days)-1].Date.Add(-maxMemoryAge)
		a.days[u.KeyID] = slices.DeleteFunc(days, func(d Day) bool { return d.Date.Before(oldest) })
	}
	if u.LastAt.After(a.last[u.KeyID].At) {
		a.last[u.KeyID] = LastUse{KeyID: u.KeyID, At: u.LastAt, Addr: u.LastAddr}
	}
}

// Record implements Activity. Uses of keys that are not there are dropped. What
// it remembers is bounded: of each key the newest 1,000 events, and no event and
// no day that lies more than 400 days before the newest.
func (s *MemoryStore) Record(ctx context.Context, uses []Use) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range uses {
		if s.byID[u.KeyID] != nil {
			s.activity.record(u)
		}
	}
	return nil
}

// LastUsed implements Activity.
func (s *MemoryStore) LastUsed(ctx context.Context, keyIDs []string) ([]LastUse, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	uses := []LastUse{}
	for _, id := range keyIDs {
		if use, used := s.activity.last[id]; used {
			uses = append(uses, use)
		}
	}
	return uses, nil
}

// Usage implements Activity.
func (s *MemoryStore) Usage(ctx context.Context, keyID string, since time.Time) ([]Day, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	days := []Day{}
	for _, d := range s.activity.days[keyID] {
		if !d.ended(since) {
			days = append(days, d)
		}
	}
	return days, nil
}

// ended reports whether the day was over at the given instant.
func (d Day) ended(at time.Time) bool { return !at.Before(d.Date.AddDate(0, 0, 1)) }

// Events implements Activity.
func (s *MemoryStore) Events(ctx context.Context, keyID string, page Page) ([]Event, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	events := []Event{}
	for _, e := range slices.Backward(s.activity.events[keyID]) {
		if len(events) < page.Limit && (page.Before == "" || e.ID < page.Before) {
			e.Changes = slices.Clone(e.Changes)
			events = append(events, e)
		}
	}
	return events, nil
}

// Purge implements Activity.
func (s *MemoryStore) Purge(ctx context.Context, before time.Time, limit int) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	left := limit
	purge(s.activity.events, &left, func(e Event) bool { return e.At.Before(before) })
	purge(s.activity.days, &left, func(d Day) bool { return d.ended(before) })
	return limit - left, nil
}

// purge drops what is old from the lists of all keys, as long as some is left
// of the limit.
func purge[T any](lists map[string][]T, left *int, old func(T) bool) {
	for id, list := range lists {
		list = slices.DeleteFunc(list, func(entry T) bool {
			if *left <= 0 || !old(entry) {
				return false
			}
			*left--
			return true
		})
		if lists[id] = list; len(list) == 0 {
			delete(lists, id)
		}
	}
}
