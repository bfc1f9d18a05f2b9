package apikeytest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/ipfilter"
)

// sameRecord says in what two records differ. The order of the secrets means
// nothing.
func sameRecord(got, want apikey.Record) error {
	faults := []error{sameKey(got.Key, want.Key)}
	if len(got.Secrets) != len(want.Secrets) {
		return errors.Join(append(faults, fmt.Errorf("%d secrets, want %d", len(got.Secrets), len(want.Secrets)))...)
	}
	g, w := sorted(got.Secrets), sorted(want.Secrets)
	for i := range g {
		if g[i].Hash != w[i].Hash {
			faults = append(faults, fmt.Errorf("secret %v, want %v", g[i].Hash, w[i].Hash))
			continue
		}
		faults = append(faults,
			same("pepper id", g[i].PepperID, w[i].PepperID),
			sameTime("deadline", g[i].Deadline, w[i].Deadline))
	}
	return errors.Join(faults...)
}

func sorted(secrets []apikey.SecretHash) []apikey.SecretHash {
	return slices.SortedFunc(slices.Values(secrets), func(a, b apikey.SecretHash) int {
		return bytes.Compare(a.Hash[:], b.Hash[:])
	})
}

// sameKey says in what two keys differ.
func sameKey(got, want apikey.Key) error {
	faults := []error{
		same("id", got.ID, want.ID),
		same("name", got.Name, want.Name),
		same("type", got.Type, want.Type),
		same("owner", got.Owner, want.Owner),
		sameList(got.AllowedIPs, want.AllowedIPs),
		same("hint", got.Hint, want.Hint),
		same("enabled", got.Enabled, want.Enabled),
		sameTime("created at", got.CreatedAt, want.CreatedAt),
		same("created by", got.CreatedBy, want.CreatedBy),
		sameTime("updated at", got.UpdatedAt, want.UpdatedAt),
		sameTime("expires at", got.ExpiresAt, want.ExpiresAt),
		sameTime("revoked at", got.RevokedAt, want.RevokedAt),
		same("revoked reason", got.RevokedReason, want.RevokedReason),
		same("version", got.Version, want.Version),
	}
	if !got.Permissions.Equal(want.Permissions) {
		faults = append(faults, fmt.Errorf("permissions are %.200q, want %.200q", got.Permissions, want.Permissions))
	}
	if !got.Metadata.Equal(want.Metadata) {
		faults = append(faults, fmt.Errorf("metadata have %d entries that differ from the %d put in", got.Metadata.Len(), want.Metadata.Len()))
	}
	return errors.Join(faults...)
}

func same[T comparable](field string, got, want T) error {
	if got != want {
		return fmt.Errorf("%s is %.80q, want %.80q", field, fmt.Sprint(got), fmt.Sprint(want))
	}
	return nil
}

func sameTime(field string, got, want time.Time) error {
	if !got.Equal(want) {
		return fmt.Errorf("%s is %s, want %s", field, instant(got), instant(want))
	}
	return nil
}

func instant(t time.Time) string {
	if t.IsZero() {
		return "zero"
	}
	return t.Format(time.RFC3339Nano)
}

func sameList(got, want *ipfilter.List) error {
	switch {
	case got == nil && want == nil:
		return nil
	case got == nil:
		return errors.New("the address list is nil, which is from anywhere, and a list was put in")
	case want == nil:
		return errors.New("an address list is there, and none was put in")
	case !got.Equal(*want):
		return fmt.Errorf("the address list is %.200q, want %.200q", got, want)
	default:
		return nil
	}
}

// sameEvents says in what two histories differ.
func sameEvents(got, want []apikey.Event) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d events, want %d", len(got), len(want))
	}
	for i, e := range want {
		if err := sameEvent(got[i], e); err != nil {
			return fmt.Errorf("event %d: %w", i+1, err)
		}
	}
	return nil
}

func sameEvent(got, want apikey.Event) error {
	faults := []error{
		same("id", got.ID, want.ID),
		same("key id", got.KeyID, want.KeyID),
		same("kind", got.Kind, want.Kind),
		sameTime("at", got.At, want.At),
		same("actor", got.Actor, want.Actor),
	}
	if !slices.Equal(got.Changes, want.Changes) {
		faults = append(faults, fmt.Errorf("the changes are %.200q, want %.200q", got.Changes, want.Changes))
	}
	return errors.Join(faults...)
}

// sameDays says in what two lists of days differ.
func sameDays(got, want []apikey.Day) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d days, want %d", len(got), len(want))
	}
	for i, d := range want {
		if err := sameTime("the date", got[i].Date, d.Date); err != nil {
			return fmt.Errorf("day %d: %w", i+1, err)
		}
		if got[i].Counts != d.Counts {
			return fmt.Errorf("day %d: the counts are %+v, want %+v", i+1, got[i].Counts, d.Counts)
		}
	}
	return nil
}

// sameLastUses says in what last uses differ from what was recorded. Their
// order means nothing.
func sameLastUses(got []apikey.LastUse, want []apikey.Use) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d keys, want %d", len(got), len(want))
	}
	for _, w := range want {
		i := slices.IndexFunc(got, func(g apikey.LastUse) bool { return g.KeyID == w.KeyID })
		if i < 0 {
			return fmt.Errorf("the key %q is not there", w.KeyID)
		}
		if err := errors.Join(sameTime("the last use", got[i].At, w.LastAt), same("its address", got[i].Addr, w.LastAddr)); err != nil {
			return err
		}
	}
	return nil
}

// sameIDs says whether these are the keys of these records, in this order.
func sameIDs(got []apikey.Key, want ...apikey.Record) error {
	equal := slices.EqualFunc(got, want, func(k apikey.Key, r apikey.Record) bool {
		return k.ID == r.Key.ID
	})
	if equal {
		return nil
	}
	have, expected := make([]string, len(got)), make([]string, len(want))
	for i, k := range got {
		have[i] = k.Name
	}
	for i, r := range want {
		expected[i] = r.Key.Name
	}
	return fmt.Errorf("returned the keys %.300q, want %.300q", have, expected)
}
