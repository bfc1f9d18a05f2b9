package apikey

import (
	"context"
	"slices"
	"time"
)

const (
	defaultDays = 30
	maxDays     = 400
	maxPurge    = 1000 // of one call of Activity.Purge
	maxLastUsed = 1000 // of one call of Activity.LastUsed
)

// Usage returns what was counted for a key today and on the days before, the
// earliest first; days without any use are left out. Zero days stand for 30;
// there are at most 400, in UTC. What was counted in the last ten seconds may
// be missing. Without a Config.Activity there is nothing. Errors: ErrNotFound.
func (d management) Usage(ctx context.Context, id string, days int) ([]Day, error) {
	if _, err := d.get(ctx, id); err != nil || d.m.activity == nil {
		return nil, err
	}
	if days <= 0 {
		days = defaultDays
	}
	since := midnight(d.m.now()).AddDate(0, 0, 1-min(days, maxDays))
	counted, err := d.m.activity.Usage(ctx, id, since)
	return counted, storeError("usage", err)
}

// LastUsed returns when and from where keys were last let through, by their
// IDs; those that never were are left out. The keys are ones that Get or List
// returned: whose owner the actor does not see, are left out, too. Uses on other
// nodes may be missing for ten seconds. Without a Config.Activity there is
// nothing.
func (d management) LastUsed(ctx context.Context, keys ...Key) (map[string]LastUse, error) {
	if err := d.ready(); err != nil {
		return nil, err
	}
	last := map[string]LastUse{}
	if d.m.activity == nil {
		return last, nil
	}
	var ids []string
	for _, k := range keys {
		if d.unbounded || d.actor.Ceiling.sees(k.Owner) {
			ids = append(ids, k.ID)
		}
	}
	for part := range slices.Chunk(ids, maxLastUsed) {
		uses, err := d.m.activity.LastUsed(ctx, part)
		if err != nil {
			return nil, storeError("last used", err)
		}
		for _, use := range uses {
			last[use.KeyID] = use
		}
		for _, id := range part {
			if use := later(last[id], d.m.uses.waiting(id)); !use.At.IsZero() {
				last[id] = use
			}
		}
	}
	return last, nil
}

// Unused returns the keys that match the query, were created before the given
// instant and were not let through since, the newest first. The page after has
// the last key's ID as q.Before; a page that is not full is the last. It reads
// as many keys as it takes to fill the page. Errors: ErrNoActivity.
//
// A key may have been used before uses were recorded at all, so know since when
// they are before you revoke what this returns.
func (d management) Unused(ctx context.Context, since time.Time, q Query) ([]Key, error) {
	if err := d.ready(); err != nil {
		return nil, err
	}
	if d.m.activity == nil {
		return nil, ErrNoActivity
	}
	wanted := clampLimit(q.Limit)
	q.Limit = maxLimit
	unused := []Key{}
	for {
		page, err := d.List(ctx, q)
		if err != nil {
			return nil, err
		}
		last, err := d.LastUsed(ctx, page.Keys...)
		if err != nil {
			return nil, err
		}
		for _, k := range page.Keys {
			if !k.CreatedAt.Before(since) || !last[k.ID].At.Before(since) {
				continue
			}
			if unused = append(unused, k); len(unused) == wanted {
				return unused, nil
			}
		}
		if page.Next == "" {
			return unused, nil
		}
		q.Before = page.Next
	}
}

// Purge deletes events and days from before the given instant, and returns how
// many there were, also when it stopped at an error. Last uses stay. Errors:
// ErrNoActivity.
func (m *Manager) Purge(ctx context.Context, before time.Time) (int, error) {
	if err := m.ready(); err != nil {
		return 0, err
	}
	if m.activity == nil {
		return 0, ErrNoActivity
	}
	deleted := 0
	for {
		n, err := m.activity.Purge(ctx, cut(before), maxPurge)
		deleted += n
		if err != nil || n == 0 {
			return deleted, storeError("purge", err)
		}
	}
}
