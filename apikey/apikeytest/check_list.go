package apikeytest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/latchwork/latchwork/apikey"
)

func listChecks() []check {
	return []check{
		{
			"newest first", "List returns the keys with the greatest IDs first, at most Limit of them.",
			checkOrder,
		},
		{
			"pages", "Pages that follow each other by Next have every key once, whatever is added meanwhile, and behind the last of them is nothing.",
			checkPages,
		},
		{
			"filters", "Owner, CreatedBy and Type select the keys that have exactly this; zero fields select everything.",
			checkFilters,
		},
		{
			"states", "State selects the keys that are in this state at Now; the instant of ExpiresAt belongs to the time after.",
			checkStates,
		},
	}
}

// keys returns the first q.Limit keys that match, however many pages it takes,
// and where to go on.
func (t *trial) keys(ctx context.Context, q apikey.Query) (keys []apikey.Key, next string, err error) {
	for {
		page, err := t.Store.List(ctx, q)
		if err != nil {
			return nil, "", err
		}
		if page.Next != "" && q.Before != "" && page.Next >= q.Before {
			return nil, "", fmt.Errorf("before %q, Next is %q, which is not less", q.Before, page.Next)
		}
		keys = append(keys, page.Keys...)
		if q.Limit -= len(page.Keys); q.Limit <= 0 || page.Next == "" {
			return keys, page.Next, nil
		}
		q.Before = page.Next
	}
}

// page checks that these records are what a query selects first, the newest of
// them first, and returns where the next page begins.
func (t *trial) page(ctx context.Context, what string, q apikey.Query, want ...apikey.Record) (next string, err error) {
	if q.Limit == 0 {
		q.Limit = 1000
	}
	keys, next, err := t.keys(ctx, q)
	if err != nil {
		return "", fmt.Errorf("List %s: %w", what, err)
	}
	slices.SortFunc(want, func(a, b apikey.Record) int { return strings.Compare(b.Key.ID, a.Key.ID) })
	if err := sameIDs(keys, want...); err != nil {
		return "", fmt.Errorf("List %s: %w", what, err)
	}
	for i, r := range want {
		if err := sameKey(keys[i], r.Key); err != nil {
			return "", fmt.Errorf("List %s: %w", what, err)
		}
	}
	return next, nil
}

// list is page for those who do not go on.
func (t *trial) list(ctx context.Context, what string, q apikey.Query, want ...apikey.Record) error {
	_, err := t.page(ctx, what, q, want...)
	return err
}

// createAll stores new records, the oldest of them last, so that the order of
// insertion is not the order of the IDs.
func (t *trial) createAll(ctx context.Context, records ...apikey.Record) error {
	for _, r := range slices.Backward(records) {
		if err := t.Store.Create(ctx, r, t.event(r, apikey.Created)); err != nil {
			return fmt.Errorf("Create: %w", err)
		}
	}
	return nil
}

func checkOrder(ctx context.Context, t *trial) error {
	records := []apikey.Record{t.record(), t.record(), t.record(), t.record()}
	// Neither the times nor the names are in the order of the IDs.
	for i := range records {
		records[i].Key.CreatedAt = start().Add(time.Duration(i*3%4) * time.Hour)
		records[i].Key.Name = fmt.Sprintf("key %d", i*3%4)
	}
	if err := t.createAll(ctx, records...); err != nil {
		return err
	}
	for limit := 1; limit <= 5; limit++ {
		newest := slices.Clone(records[max(0, 4-limit):])
		if err := t.list(ctx, fmt.Sprintf("with limit %d", limit), apikey.Query{Limit: limit}, newest...); err != nil {
			return err
		}
	}
	changed, err := t.update(ctx, records[0])
	if err != nil {
		return err
	}
	records[0] = changed
	return t.list(ctx, "after a change of the oldest", apikey.Query{}, records...)
}

func checkPages(ctx context.Context, t *trial) error {
	const total, size = 25, 4
	records := make([]apikey.Record, total)
	for i := range records {
		records[i] = t.record(func(r *apikey.Record) { r.Key.Owner = []string{"a", "b"}[i%2] })
	}
	if err := t.createAll(ctx, records...); err != nil {
		return err
	}
	for _, owner := range []string{"", "a"} {
		var want []apikey.Record
		for _, r := range records {
			if owner == "" || r.Key.Owner == owner {
				want = append(want, r)
			}
		}
		q := apikey.Query{Owner: owner, Limit: size}
		for len(want) > 0 {
			page := slices.Clone(want[max(0, len(want)-size):])
			want = want[:len(want)-len(page)]
			next, err := t.page(ctx, fmt.Sprintf("before %q", q.Before), q, page...)
			if err != nil {
				return err
			}
			if next == "" && len(want) > 0 {
				return fmt.Errorf("List before %q: Next is empty, and %d keys are left", q.Before, len(want))
			}
			q.Before = cmp.Or(next, page[len(page)-1].Key.ID)
			added, err := t.create(ctx, func(r *apikey.Record) { r.Key.Owner = "a" })
			if err != nil {
				return err
			}
			records = append(records, added)
		}
		if err := t.list(ctx, "behind the last page", q); err != nil {
			return err
		}
	}
	// A page need not begin at a key that is there.
	between := records[3].Key.ID + "0"
	return t.list(ctx, "before an ID that nobody has", apikey.Query{Before: between, Limit: 2}, records[2], records[3])
}

func checkFilters(ctx context.Context, t *trial) error {
	names := []string{"", "bob", "Bob", "bob ", "b%b", "b_b", "bö", "alice", strings.Repeat("b", 255)}
	var records []apikey.Record
	for i, name := range names {
		records = append(records, t.record(func(r *apikey.Record) {
			r.Key.Owner, r.Key.CreatedBy = name, names[(i+1)%len(names)]
			r.Key.Type = []string{"admin", "reseller"}[i%2]
		}))
	}
	if err := t.createAll(ctx, records...); err != nil {
		return err
	}
	if err := t.list(ctx, "of everything", apikey.Query{}, slices.Clone(records)...); err != nil {
		return err
	}
	for _, owner := range append(names, "nobody", "BOB", "bo", "%", "_") {
		for _, creator := range append(names, "nobody") {
			for _, kind := range []string{"", "admin", "reseller", "Admin", "other"} {
				var want []apikey.Record
				for _, r := range records {
					if (owner == "" || r.Key.Owner == owner) && (creator == "" || r.Key.CreatedBy == creator) && (kind == "" || r.Key.Type == kind) {
						want = append(want, r)
					}
				}
				what := fmt.Sprintf("of owner %.20q, creator %.20q, type %q", owner, creator, kind)
				if err := t.list(ctx, what, apikey.Query{Owner: owner, CreatedBy: creator, Type: kind}, want...); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func checkStates(ctx context.Context, t *trial) error {
	now := start()
	var records []apikey.Record
	for _, enabled := range []bool{true, false} {
		for _, revoked := range []time.Time{{}, now.Add(-time.Hour), now, now.Add(time.Hour)} {
			for _, expires := range []time.Time{{}, now.Add(-time.Microsecond), now, now.Add(time.Microsecond)} {
				records = append(records, t.record(func(r *apikey.Record) {
					r.Key.Enabled, r.Key.RevokedAt, r.Key.ExpiresAt = enabled, revoked, expires
				}))
			}
		}
	}
	if err := t.createAll(ctx, records...); err != nil {
		return err
	}
	for _, at := range []time.Time{now.Add(-2 * time.Microsecond), now.Add(-time.Microsecond), now, now.Add(time.Microsecond)} {
		for _, state := range []apikey.State{apikey.StateActive, apikey.StateDisabled, apikey.StateExpired, apikey.StateRevoked, "frozen"} {
			var want []apikey.Record
			for _, r := range records {
				if r.Key.State(at) == state {
					want = append(want, r)
				}
			}
			what := fmt.Sprintf("of state %q at %s", state, instant(at))
			if err := t.list(ctx, what, apikey.Query{State: state, Now: at}, want...); err != nil {
				return err
			}
		}
	}
	return nil
}
