package apikey

import (
	"strconv"
	"time"

	"github.com/latchwork/latchwork/ipfilter"
)

// An EventKind says what happened to a key.
type EventKind string

// The kinds of events. A change that touches more than the switch is Updated.
const (
	Created  EventKind = "created"
	Updated  EventKind = "updated"
	Enabled  EventKind = "enabled"
	Disabled EventKind = "disabled"
	Rotated  EventKind = "rotated"
	Revoked  EventKind = "revoked"
)

// An Event tells of one change. It holds no secret and no hash.
type Event struct {
	ID      string // a version 7 UUID in text form
	KeyID   string
	Kind    EventKind
	At      time.Time
	Actor   string // the Actor's ID
	Changes []FieldChange
}

// A FieldChange is what became of one field, in the notation of the JSON API.
type FieldChange struct {
	Field, Old, New string
}

// changes compares two states of a key, field by field. The result is what an
// event tells, so whatever can change stands here: what does not, changes
// unseen and is not even stored.
func changes(before, after Key) []FieldChange {
	var list []FieldChange
	add := func(field, old, now string) {
		if old != now {
			list = append(list, FieldChange{Field: field, Old: old, New: now})
		}
	}
	add("name", before.Name, after.Name)
	add("type", before.Type, after.Type)
	add("owner", before.Owner, after.Owner)
	add("permissions", before.Permissions.String(), after.Permissions.String())
	add("allowed_ips", listText(before.AllowedIPs), listText(after.AllowedIPs))
	add("expires_at", timeText(before.ExpiresAt, ""), timeText(after.ExpiresAt, ""))
	add("enabled", strconv.FormatBool(before.Enabled), strconv.FormatBool(after.Enabled))
	add("hint", before.Hint, after.Hint)
	add("revoked_at", timeText(before.RevokedAt, ""), timeText(after.RevokedAt, ""))
	add("revoked_reason", before.RevokedReason, after.RevokedReason)
	return list
}

// listText writes an address list for an event: nothing for nil, which is from
// anywhere, and a word for an empty one.
func listText(list *ipfilter.List) string {
	switch {
	case list == nil:
		return ""
	case list.IsEmpty():
		return "none"
	default:
		return list.String()
	}
}

// timeText writes an instant as the JSON API does, or the word for none.
func timeText(t time.Time, none string) string {
	if t.IsZero() {
		return none
	}
	return t.UTC().Format(time.RFC3339Nano)
}
