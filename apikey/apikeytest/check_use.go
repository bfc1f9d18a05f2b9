package apikeytest

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/latchwork/latchwork/apikey"
)

func useChecks() []check {
	return []check{
		{
			"record adds", "Record adds what was counted; the order means nothing, and the same key and day may stand there twice.",
			withActivity(checkRecordAdds),
		},
		{
			"last use", "Record moves last uses forward, never back, and the address belongs to the instant.",
			withActivity(checkLastUse),
		},
		{
			"instants of use", "Times are returned as the same instants, and addresses as they were.",
			withActivity(checkUseValues),
		},
		{
			"days", "Usage returns each day that is not over at since, the earliest first; days without any use are left out.",
			withActivity(checkDays),
		},
		{
			"use of unknown keys", "Uses of a key that is not there are no error; nothing is known of such keys, and keys that never were used are left out.",
			withActivity(checkUseUnknown),
		},
		{
			"use leaves the record", "Record changes what is known beside a record, and not the record.",
			withActivity(checkUseLeavesRecord),
		},
		{
			"many uses", "Record takes 1,000 uses at once, and LastUsed 1,000 IDs.",
			withActivity(checkManyUses),
		},
		{
			"copies uses", "What is given and taken is copied, so that nobody's later change shows through.",
			withActivity(checkCopiesUses),
		},
	}
}

// date returns the midnight at which the n-th day of the trial begins.
func date(n int) time.Time { return time.Date(2026, time.February, 27+n, 0, 0, 0, 0, time.UTC) }

// numbers returns counts of which no two are alike.
func numbers(n int64) apikey.Counts {
	return apikey.Counts{
		Allowed: n, DeniedState: 10 * n, DeniedAddress: 100 * n, DeniedType: 1000 * n,
		DeniedPermission: 10_000 * n, DeniedRequest: 100_000 * n,
	}
}

// counted is a use on the n-th day that was only refused.
func counted(r apikey.Record, n int, c apikey.Counts) apikey.Use {
	return apikey.Use{KeyID: r.Key.ID, Day: apikey.Day{Date: date(n), Counts: c}}
}

// usedAt is one request that was let through.
func usedAt(r apikey.Record, at time.Time, addr string) apikey.Use {
	u := apikey.Use{
		KeyID: r.Key.ID, LastAt: at,
		Day: apikey.Day{Date: at.Truncate(24 * time.Hour), Counts: apikey.Counts{Allowed: 1}},
	}
	if addr != "" {
		u.LastAddr = netip.MustParseAddr(addr)
	}
	return u
}

func (t *trial) recordUses(ctx context.Context, uses ...apikey.Use) error {
	return wrap("Record", t.Activity.Record(ctx, uses))
}

// counts checks that exactly this was counted for a key, since the beginning.
func (t *trial) counts(ctx context.Context, r apikey.Record, want ...apikey.Day) error {
	return t.countsSince(ctx, r.Key.ID, time.Time{}, want...)
}

func (t *trial) countsSince(ctx context.Context, id string, since time.Time, want ...apikey.Day) error {
	got, err := t.Activity.Usage(ctx, id, since)
	if err != nil {
		return wrap("Usage", err)
	}
	return wrap("Usage since "+instant(since), sameDays(got, want))
}

// lastUses checks that this is known of the last uses of these keys.
func (t *trial) lastUses(ctx context.Context, records []apikey.Record, want ...apikey.Use) error {
	ids := make([]string, len(records))
	for i, r := range records {
		ids[i] = r.Key.ID
	}
	got, err := t.Activity.LastUsed(ctx, ids)
	if err != nil {
		return wrap("LastUsed", err)
	}
	return wrap("LastUsed", sameLastUses(got, want))
}

func (t *trial) lastUse(ctx context.Context, want apikey.Use) error {
	return t.lastUses(ctx, []apikey.Record{{Key: apikey.Key{ID: want.KeyID}}}, want)
}

func checkRecordAdds(ctx context.Context, t *trial) error {
	r, other, err := t.createTwo(ctx)
	if err != nil {
		return err
	}
	const huge = 1 << 40
	for _, uses := range [][]apikey.Use{
		{counted(r, 1, numbers(1))},
		{counted(r, 1, numbers(2)), counted(other, 1, numbers(3)), counted(r, 0, numbers(4))},
		{counted(r, 1, numbers(5)), counted(r, 2, numbers(6)), counted(r, 1, numbers(7))},
		{counted(other, 1, apikey.Counts{Allowed: huge}), counted(other, 1, apikey.Counts{Allowed: huge, DeniedRequest: huge})},
		{},
		nil,
	} {
		if err := t.recordUses(ctx, uses...); err != nil {
			return err
		}
	}
	err = t.counts(ctx, r, apikey.Day{Date: date(0), Counts: numbers(4)},
		apikey.Day{Date: date(1), Counts: numbers(1 + 2 + 5 + 7)}, apikey.Day{Date: date(2), Counts: numbers(6)})
	if err != nil {
		return err
	}
	return wrap("of another key", t.counts(ctx, other, apikey.Day{
		Date: date(1), Counts: numbers(3).Add(apikey.Counts{Allowed: 2 * huge, DeniedRequest: huge}),
	}))
}

func checkLastUse(ctx context.Context, t *trial) error {
	r, other, err := t.createTwo(ctx)
	if err != nil {
		return err
	}
	records, noon := []apikey.Record{r, other}, date(1).Add(12*time.Hour)
	refused := counted(r, 2, apikey.Counts{DeniedState: 1})
	last := usedAt(r, noon, "192.0.2.1")
	for _, step := range []struct {
		what string
		uses []apikey.Use
		want apikey.Use
	}{
		{"only refused", []apikey.Use{refused}, apikey.Use{}},
		{"first", []apikey.Use{last}, last},
		{"earlier", []apikey.Use{usedAt(r, noon.Add(-time.Microsecond), "192.0.2.2")}, last},
		{"yesterday", []apikey.Use{usedAt(r, noon.AddDate(0, 0, -1), "192.0.2.3")}, last},
		{"refused later", []apikey.Use{refused}, last},
		{"later", []apikey.Use{usedAt(r, noon.Add(time.Microsecond), "2001:db8::1")}, usedAt(r, noon.Add(time.Microsecond), "2001:db8::1")},
		{
			"in any order",
			[]apikey.Use{usedAt(r, noon.Add(2*time.Hour), "192.0.2.4"), usedAt(r, noon.Add(3*time.Hour), "192.0.2.5"), usedAt(r, noon.Add(time.Hour), "192.0.2.6")},
			usedAt(r, noon.Add(3*time.Hour), "192.0.2.5"),
		},
		{"from an unknown address", []apikey.Use{usedAt(r, noon.Add(4*time.Hour), "")}, usedAt(r, noon.Add(4*time.Hour), "")},
		{"tomorrow", []apikey.Use{usedAt(r, noon.AddDate(0, 0, 1), "192.0.2.7")}, usedAt(r, noon.AddDate(0, 0, 1), "192.0.2.7")},
	} {
		if err := t.recordUses(ctx, step.uses...); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
		want := []apikey.Use{step.want}
		if step.want.KeyID == "" {
			want = nil
		}
		if err := t.lastUses(ctx, records, want...); err != nil {
			return fmt.Errorf("after a use that was %s: %w", step.what, err)
		}
	}
	also := usedAt(other, noon, "::1")
	if err := t.recordUses(ctx, also); err != nil {
		return err
	}
	return t.lastUses(ctx, records, usedAt(r, noon.AddDate(0, 0, 1), "192.0.2.7"), also)
}

func checkUseValues(ctx context.Context, t *trial) error {
	addrs := []string{"", "0.0.0.1", "255.255.255.254", "::1", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "::fffe:0:1", "::c000:201"}
	for i, at := range instants() {
		if at.IsZero() {
			continue
		}
		r, err := t.create(ctx)
		if err != nil {
			return err
		}
		u := usedAt(r, at, addrs[i%len(addrs)])
		if err := t.recordUses(ctx, u); err != nil {
			return fmt.Errorf("at %s: %w", instant(at), err)
		}
		if err := t.lastUse(ctx, u); err != nil {
			return fmt.Errorf("at %s from %s: %w", instant(at), u.LastAddr, err)
		}
		if err := t.counts(ctx, r, u.Day); err != nil {
			return fmt.Errorf("at %s: %w", instant(at), err)
		}
	}
	return nil
}
