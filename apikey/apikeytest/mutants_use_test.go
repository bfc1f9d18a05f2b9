package apikeytest_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/latchwork/latchwork/apikey"
)

func useMutants() []mutant {
	// records passes every use that is recorded through change.
	records := func(change func(*apikey.Use)) func(*overlay) {
		return func(o *overlay) {
			o.record = func(ctx context.Context, uses []apikey.Use) error {
				uses = slices.Clone(uses)
				for i := range uses {
					change(&uses[i])
				}
				return o.MemoryStore.Record(ctx, uses)
			}
		}
	}
	// since asks for days with another instant.
	since := func(change func(time.Time) time.Time) func(*overlay) {
		return func(o *overlay) {
			o.usage = func(ctx context.Context, id string, since time.Time) ([]apikey.Day, error) {
				return o.MemoryStore.Usage(ctx, id, change(since))
			}
		}
	}
	midnight := func(t time.Time) time.Time { return t.Truncate(24 * time.Hour) }
	return []mutant{
		{"a use overwrites the day", "record adds", func(o *overlay) {
			o.record = func(ctx context.Context, uses []apikey.Use) error {
				for _, u := range uses {
					if days, _ := o.MemoryStore.Usage(ctx, u.KeyID, u.Day.Date); len(days) > 0 && days[0].Date.Equal(u.Day.Date) {
						before := days[0].Counts
						u.Day.Allowed -= before.Allowed
					}
					if err := o.MemoryStore.Record(ctx, []apikey.Use{u}); err != nil {
						return err
					}
				}
				return nil
			}
		}},
		{"one row for each key and day of a call", "record adds", func(o *overlay) {
			o.record = func(ctx context.Context, uses []apikey.Use) error {
				return o.MemoryStore.Record(ctx, slices.CompactFunc(slices.SortedFunc(slices.Values(uses), func(a, b apikey.Use) int {
					if by := strings.Compare(a.KeyID, b.KeyID); by != 0 {
						return by
					}
					return a.Day.Date.Compare(b.Day.Date)
				}), func(a, b apikey.Use) bool { return a.KeyID == b.KeyID && a.Day.Date.Equal(b.Day.Date) }))
			}
		}},
		{"two counts are swapped", "record adds", records(func(u *apikey.Use) {
			u.Day.DeniedType, u.Day.DeniedPermission = u.Day.DeniedPermission, u.Day.DeniedType
		})},
		{"counts have 32 bits", "record adds", records(func(u *apikey.Use) {
			u.Day.Allowed = int64(int32(u.Day.Allowed))
		})},
		{"all days are one", "record adds", records(func(u *apikey.Use) { u.Day.Date = time.Date(2026, 2, 28, 0, 0, 0, 0, time.UTC) })},
		{"the last to come is the last use", "last use", func(o *overlay) {
			var last shelf[string, apikey.LastUse]
			o.record = func(ctx context.Context, uses []apikey.Use) error {
				for _, u := range uses {
					if !u.LastAt.IsZero() {
						last.put(u.KeyID, apikey.LastUse{KeyID: u.KeyID, At: u.LastAt, Addr: u.LastAddr})
					}
				}
				return o.MemoryStore.Record(ctx, uses)
			}
			o.lastUsed = func(_ context.Context, ids []string) (uses []apikey.LastUse, _ error) {
				for _, id := range ids {
					if use, ok := last.take(id); ok {
						uses = append(uses, use)
					}
				}
				return uses, nil
			}
		}},
		{"a refusal is a use", "last use", records(func(u *apikey.Use) {
			if u.LastAt.IsZero() {
				u.LastAt = u.Day.Date.Add(time.Hour)
			}
		})},
		{"an unknown address leaves the old one", "last use", func(o *overlay) {
			var addrs shelf[string, netip.Addr]
			o.record = func(ctx context.Context, uses []apikey.Use) error {
				uses = slices.Clone(uses)
				for i, u := range uses {
					if u.LastAddr.IsValid() {
						addrs.put(u.KeyID, u.LastAddr)
					} else if old, ok := addrs.take(u.KeyID); ok {
						uses[i].LastAddr = old
					}
				}
				return o.MemoryStore.Record(ctx, uses)
			}
		}},
		{"last uses are of one key", "last use", func(o *overlay) {
			o.lastUsed = func(ctx context.Context, ids []string) ([]apikey.LastUse, error) {
				uses, err := o.MemoryStore.LastUsed(ctx, ids)
				return uses[:min(1, len(uses))], err
			}
		}},
		{"last uses are whole seconds", "instants of use", records(func(u *apikey.Use) { u.LastAt = u.LastAt.Truncate(time.Second) })},
		{"every address has four bytes", "instants of use", records(func(u *apikey.Use) {
			if u.LastAddr.Is6() && !u.LastAddr.Is4In6() {
				b := u.LastAddr.As16()
				u.LastAddr = netip.AddrFrom4([4]byte(b[12:]))
			}
		})},
		{"every address has sixteen bytes", "instants of use", records(func(u *apikey.Use) {
			if u.LastAddr.Is4() {
				u.LastAddr = netip.AddrFrom16(u.LastAddr.As16())
			}
		})},
		{"days are local", "instants of use", func(o *overlay) {
			o.usage = func(ctx context.Context, id string, since time.Time) ([]apikey.Day, error) {
				days, err := o.MemoryStore.Usage(ctx, id, since)
				for i := range days {
					days[i].Date = days[i].Date.Add(-2 * time.Hour)
				}
				return days, err
			}
		}},
		{"the latest day comes first", "days", func(o *overlay) {
			o.usage = func(ctx context.Context, id string, since time.Time) ([]apikey.Day, error) {
				days, err := o.MemoryStore.Usage(ctx, id, since)
				slices.Reverse(days)
				return days, err
			}
		}},
		{"the day of since is left out", "days", since(func(t time.Time) time.Time {
			if t.Equal(midnight(t)) {
				return t
			}
			return midnight(t).AddDate(0, 0, 1)
		})},
		{"a day that ends at since is not over", "days", since(func(t time.Time) time.Time { return t.Add(-time.Nanosecond) })},
		{"since is a day late at midnight", "days", since(func(t time.Time) time.Time {
			if t.Equal(midnight(t)) {
				return t.AddDate(0, 0, 1)
			}
			return t
		})},
		{"days without any use stand there", "days", func(o *overlay) {
			o.usage = func(ctx context.Context, id string, since time.Time) ([]apikey.Day, error) {
				days, err := o.MemoryStore.Usage(ctx, id, since)
				for i := 1; i < len(days); i++ {
					if next := days[i-1].Date.AddDate(0, 0, 1); days[i].Date.After(next) {
						days = slices.Insert(days, i, apikey.Day{Date: next})
					}
				}
				return days, err
			}
		}},
		{"uses must be of keys", "use of unknown keys", func(o *overlay) {
			o.record = func(ctx context.Context, uses []apikey.Use) error {
				for _, u := range uses {
					if _, err := o.MemoryStore.Get(ctx, u.KeyID); err != nil {
						return err
					}
				}
				return o.MemoryStore.Record(ctx, uses)
			}
		}},
		{"uses after that of an unknown key are dropped", "use of unknown keys", func(o *overlay) {
			o.record = func(ctx context.Context, uses []apikey.Use) error {
				for i, u := range uses {
					if _, err := o.MemoryStore.Get(ctx, u.KeyID); err != nil {
						return o.MemoryStore.Record(ctx, uses[:i])
					}
				}
				return o.MemoryStore.Record(ctx, uses)
			}
		}},
		{"keys that never were used are there", "use of unknown keys", func(o *overlay) {
			o.lastUsed = func(ctx context.Context, ids []string) ([]apikey.LastUse, error) {
				var all []apikey.LastUse
				for _, id := range ids {
					uses, err := o.MemoryStore.LastUsed(ctx, []string{id})
					if err != nil {
						return nil, err
					}
					all = append(all, append(uses, apikey.LastUse{KeyID: id})[0])
				}
				return all, nil
			}
		}},
		{"the use of an unknown key is a miss", "use of unknown keys", func(o *overlay) {
			o.usage = func(ctx context.Context, id string, since time.Time) ([]apikey.Day, error) {
				if _, err := o.MemoryStore.Get(ctx, id); err != nil {
					return nil, err
				}
				return o.MemoryStore.Usage(ctx, id, since)
			}
		}},
		{"ids are folded", "use of unknown keys", func(o *overlay) {
			o.usage = func(ctx context.Context, id string, since time.Time) ([]apikey.Day, error) {
				return o.MemoryStore.Usage(ctx, strings.ToLower(id), since)
			}
		}},
		{"a use is a change", "use leaves the record", func(o *overlay) {
			o.record = func(ctx context.Context, uses []apikey.Use) error {
				for _, u := range uses {
					r, err := o.MemoryStore.Get(ctx, u.KeyID)
					if err != nil {
						continue
					}
					r.Key.Version++
					r.Key.UpdatedAt = u.LastAt
					if err := o.MemoryStore.Update(ctx, r, apikey.Event{ID: "x", KeyID: u.KeyID}); err != nil {
						return err
					}
				}
				return o.MemoryStore.Record(ctx, uses)
			}
		}},
		{"a change forgets the use", "use leaves the record", func(o *overlay) {
			var forgotten shelf[string, bool]
			o.update = func(ctx context.Context, r apikey.Record, e apikey.Event) error {
				forgotten.put(r.Key.ID, true)
				return o.MemoryStore.Update(ctx, r, e)
			}
			o.lastUsed = func(ctx context.Context, ids []string) ([]apikey.LastUse, error) {
				uses, err := o.MemoryStore.LastUsed(ctx, ids)
				return slices.DeleteFunc(uses, func(u apikey.LastUse) bool {
					gone, _ := forgotten.take(u.KeyID)
					return gone
				}), err
			}
		}},
		{"a statement has 500 rows", "many uses", func(o *overlay) {
			o.record = func(ctx context.Context, uses []apikey.Use) error {
				return o.MemoryStore.Record(ctx, uses[:min(500, len(uses))])
			}
		}},
		{"a statement has 10 parameters", "many uses", func(o *overlay) {
			o.lastUsed = func(ctx context.Context, ids []string) ([]apikey.LastUse, error) {
				return o.MemoryStore.LastUsed(ctx, ids[:min(10, len(ids))])
			}
		}},
		{"uses are kept as they are given", "copies uses", func(o *overlay) {
			var given shelf[string, []apikey.Use]
			o.record = func(ctx context.Context, uses []apikey.Use) error {
				given.put("", uses)
				return o.MemoryStore.Record(ctx, uses)
			}
			o.lastUsed = func(context.Context, []string) ([]apikey.LastUse, error) {
				uses, _ := given.take("")
				return []apikey.LastUse{{KeyID: uses[0].KeyID, At: uses[0].LastAt, Addr: uses[0].LastAddr}}, nil
			}
		}},
		{"days are given as they are kept", "copies uses", func(o *overlay) {
			var kept shelf[string, []apikey.Day]
			o.usage = func(ctx context.Context, id string, since time.Time) ([]apikey.Day, error) {
				if days, ok := kept.take(id); ok {
					return days, nil
				}
				days, err := o.MemoryStore.Usage(ctx, id, since)
				kept.put(id, days)
				return days, err
			}
		}},
		{"last uses are given as they are kept", "copies uses", func(o *overlay) {
			var kept shelf[string, []apikey.LastUse]
			o.lastUsed = func(ctx context.Context, ids []string) ([]apikey.LastUse, error) {
				if uses, ok := kept.take(ids[0]); ok {
					return uses, nil
				}
				uses, err := o.MemoryStore.LastUsed(ctx, ids)
				kept.put(ids[0], uses)
				return uses, err
			}
		}},
		{"counts are read, added and written", "records at once", func(o *overlay) {
			var counts shelf[string, apikey.Counts]
			o.record = func(ctx context.Context, uses []apikey.Use) error {
				for _, u := range uses {
					before, _ := counts.take(u.KeyID)
					time.Sleep(window / 4)
					counts.put(u.KeyID, before.Add(u.Day.Counts))
				}
				return o.MemoryStore.Record(ctx, uses)
			}
			o.usage = func(ctx context.Context, id string, since time.Time) ([]apikey.Day, error) {
				days, err := o.MemoryStore.Usage(ctx, id, since)
				for i := range days {
					days[i].Counts, _ = counts.take(id)
				}
				return days, err
			}
		}},
		{"last uses are read, compared and written", "records at once", func(o *overlay) {
			var last shelf[string, apikey.LastUse]
			o.record = func(ctx context.Context, uses []apikey.Use) error {
				for _, u := range uses {
					before, _ := last.take(u.KeyID)
					time.Sleep(10 * window / (1 + u.LastAt.Sub(u.Day.Date)/time.Second)) // the earliest writes last
					if u.LastAt.After(before.At) {
						last.put(u.KeyID, apikey.LastUse{KeyID: u.KeyID, At: u.LastAt, Addr: u.LastAddr})
					}
				}
				return o.MemoryStore.Record(ctx, uses)
			}
			o.lastUsed = func(_ context.Context, ids []string) ([]apikey.LastUse, error) {
				use, _ := last.take(ids[0])
				return []apikey.LastUse{use}, nil
			}
		}},
		{"rows are locked in the order of a call", "records at once", func(o *overlay) {
			var calls atomic.Int64
			o.record = func(ctx context.Context, uses []apikey.Use) error {
				if len(uses) > 1 && uses[0].KeyID > uses[1].KeyID && calls.Add(1)%8 == 0 {
					return errors.New("deadlock detected")
				}
				return o.MemoryStore.Record(ctx, uses)
			}
		}},
		{"each use has a transaction of its own", "record is whole", func(o *overlay) {
			o.record = func(ctx context.Context, uses []apikey.Use) error {
				for _, u := range uses {
					if err := o.MemoryStore.Record(ctx, []apikey.Use{u}); err != nil {
						return err
					}
					time.Sleep(window)
				}
				return nil
			}
		}},
		{"last uses are written after the counts", "record is whole", func(o *overlay) {
			o.record = func(ctx context.Context, uses []apikey.Use) error {
				first, then := slices.Clone(uses), slices.Clone(uses)
				for i := range uses {
					first[i].LastAt, then[i].Day.Counts = time.Time{}, apikey.Counts{}
				}
				if err := o.MemoryStore.Record(ctx, first); err != nil {
					return err
				}
				time.Sleep(window)
				return o.MemoryStore.Record(ctx, then)
			}
		}},
	}
}

func purgeMutants() []mutant {
	return []mutant{
		{"what is as old as before goes, too", "purge", func(o *overlay) {
			o.purge = func(ctx context.Context, before time.Time, limit int) (int, error) {
				return o.MemoryStore.Purge(ctx, before.Add(time.Nanosecond), limit)
			}
		}},
		{"the day before goes only with its events", "purge", func(o *overlay) {
			o.purge = func(ctx context.Context, before time.Time, limit int) (int, error) {
				return o.MemoryStore.Purge(ctx, before.Add(-time.Nanosecond), limit)
			}
		}},
		{"the day of before goes", "purge", func(o *overlay) {
			o.purge = func(ctx context.Context, before time.Time, limit int) (int, error) {
				return o.MemoryStore.Purge(ctx, before.Add(23*time.Hour), limit)
			}
		}},
		{"last uses go, too", "purge", func(o *overlay) {
			var purged atomic.Bool
			o.purge = func(ctx context.Context, before time.Time, limit int) (int, error) {
				n, err := o.MemoryStore.Purge(ctx, before, limit)
				purged.Store(purged.Load() || n > 0)
				return n, err
			}
			o.lastUsed = func(ctx context.Context, ids []string) ([]apikey.LastUse, error) {
				if purged.Load() {
					return nil, nil
				}
				return o.MemoryStore.LastUsed(ctx, ids)
			}
		}},
		{"nothing is purged", "purge", func(o *overlay) {
			o.purge = func(context.Context, time.Time, int) (int, error) { return 0, nil }
		}},
		{"there is no limit to a purge", "purge in parts", func(o *overlay) {
			o.purge = func(ctx context.Context, before time.Time, _ int) (int, error) {
				return o.MemoryStore.Purge(ctx, before, 1<<20)
			}
		}},
		{"a purge says that it reached its limit, and went on", "purge in parts", func(o *overlay) {
			o.purge = func(ctx context.Context, before time.Time, limit int) (int, error) {
				n, err := o.MemoryStore.Purge(ctx, before, 1<<20)
				return min(n, limit), err
			}
		}},
		{"a purge without a full part is the last", "purge in parts", func(o *overlay) {
			o.purge = func(ctx context.Context, before time.Time, limit int) (int, error) {
				if limit < 4 {
					return 0, nil
				}
				return o.MemoryStore.Purge(ctx, before, limit)
			}
		}},
	}
}
