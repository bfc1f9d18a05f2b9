package apikey

import "time"

// What is counted, see Stats.
const (
	countHit = iota
	countUnknown
	countMiss
	countInvalid
	countRevoked
	countDisabled
	countExpired
)

// Stats say what a Manager did since it was made. They are counted without
// slowing down verification, and what happens while they are read may be in
// some of them and not in others.
type Stats struct {
	// Hits are verifications that were answered from a cached record, and
	// UnknownHits those of secrets of which it was known that no key has them.
	Hits, UnknownHits uint64

	// Misses are verifications that had to wait for the store, and Loads how
	// often it was read: less often where several waited for the same record,
	// more often where records in use were read again before they became too
	// old.
	Misses, Loads uint64

	Busy      uint64 // verifications that were refused with ErrBusy
	Evictions uint64 // records that had to make room for others
	Cached    int    // records that are held, some of them too old to be used

	Denied Denied

	// UseDropped are requests that are in no statistics, because there were too
	// many or the Activity failed.
	UseDropped uint64

	// FeedAge is how long ago the Feed last answered. Zero: nobody watches it,
	// or it did not answer yet.
	FeedAge time.Duration
}

// Denied are numbers of verifications by the reason for which they were
// refused.
type Denied struct {
	Invalid, Revoked, Disabled, Expired uint64
}

// Stats returns what happened so far.
func (m *Manager) Stats() Stats {
	if m.cache == nil {
		return Stats{}
	}
	c, count := m.cache.Stats(), m.counters.Sum
	return Stats{
		Hits: count(countHit), UnknownHits: count(countUnknown), Misses: count(countMiss),
		Loads: c.Reads, Busy: c.Busy, Evictions: c.Evictions, Cached: c.Entries,
		Denied: Denied{
			Invalid: count(countInvalid), Revoked: count(countRevoked), Disabled: count(countDisabled), Expired: count(countExpired),
		},
		UseDropped: m.uses.dropped.Load(), FeedAge: m.watch.age(),
	}
}

// countDenial counts a reason to refuse, if err is one. Reasons come as they are,
// and looking into errors would cost a tenth of refusing garbage.
func (m *Manager) countDenial(err error) {
	switch err {
	case ErrInvalid: //nolint:errorlint // see above
		m.counters.Add(countInvalid)
	case ErrRevoked:
		m.counters.Add(countRevoked)
	case ErrDisabled:
		m.counters.Add(countDisabled)
	case ErrExpired:
		m.counters.Add(countExpired)
	}
}
