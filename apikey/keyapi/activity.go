package keyapi

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/latchwork/latchwork/apikey"
)

// What the activity of a key shows.
const (
	maxEvents = 100
	shownDays = 30
)

type changeJSON struct {
	Field string `json:"field"`
	Old   string `json:"old"`
	New   string `json:"new"`
}

type eventJSON struct {
	ID      string           `json:"id"`
	Kind    apikey.EventKind `json:"kind"`
	At      string           `json:"at"`
	Actor   string           `json:"actor"`
	Changes []changeJSON     `json:"changes"`
}

type deniedJSON struct {
	State      int64 `json:"state"`
	Address    int64 `json:"address"`
	Type       int64 `json:"type"`
	Permission int64 `json:"permission"`
	Request    int64 `json:"request"`
}

type dayJSON struct {
	Date     string     `json:"date"`
	Allowed  int64      `json:"allowed"`
	Denied   int64      `json:"denied"`
	DeniedBy deniedJSON `json:"denied_by"`
}

type activityJSON struct {
	Days   []dayJSON   `json:"days"`
	Events []eventJSON `json:"events"`
}

func (c *call) activity() *response {
	days, err := c.keys.Usage(c.r.Context(), c.id, shownDays)
	if err != nil {
		return c.refuse(err)
	}
	events, err := c.keys.Events(c.r.Context(), c.id, apikey.Page{Limit: maxEvents})
	if err != nil {
		return c.refuse(err)
	}
	shown := activityJSON{Days: make([]dayJSON, len(days)), Events: make([]eventJSON, len(events))}
	for i, d := range days {
		shown.Days[i] = dayJSON{
			Date: d.Date.UTC().Format(time.DateOnly), Allowed: d.Allowed, Denied: d.Denied(),
			DeniedBy: deniedJSON{
				State: d.DeniedState, Address: d.DeniedAddress, Type: d.DeniedType,
				Permission: d.DeniedPermission, Request: d.DeniedRequest,
			},
		}
	}
	for i, e := range events {
		changes := make([]changeJSON, len(e.Changes))
		for j, change := range e.Changes {
			changes[j] = changeJSON(change)
		}
		shown.Events[i] = eventJSON{ID: e.ID, Kind: e.Kind, At: timeText(e.At), Actor: e.Actor, Changes: changes}
	}
	return &response{status: http.StatusOK, body: struct {
		Data activityJSON `json:"data"`
	}{shown}}
}

// A lastUse is one field of a last use: a text, or null if the key never was
// used. The zero lastUse is not known and left out.
type lastUse struct {
	known bool
	text  string
}

// IsZero makes omitzero leave it out.
func (u lastUse) IsZero() bool { return !u.known }

// MarshalJSON implements json.Marshaler.
func (u lastUse) MarshalJSON() ([]byte, error) {
	if u.text == "" {
		return []byte("null"), nil
	}
	return json.Marshal(u.text)
}

// showAll shows keys with their last uses, in one question to the Activity. If
// it cannot answer, the keys are shown all the same: whoever has to revoke one
// must be able to find it.
func (c *call) showAll(keys ...apikey.Key) []keyJSON {
	last, err := c.keys.LastUsed(c.r.Context(), keys...)
	if err != nil && c.r.Context().Err() == nil {
		c.h.log.WarnContext(c.r.Context(), "keyapi: last uses are not known", "actor", c.actor, "error", err)
	}
	shown := make([]keyJSON, len(keys))
	for i, k := range keys {
		shown[i] = c.show(k)
		if err != nil {
			continue
		}
		shown[i].LastUsedAt.known, shown[i].LastUsedIP.known = true, true
		if use, used := last[k.ID]; used {
			shown[i].LastUsedAt.text = timeText(use.At)
			if use.Addr.IsValid() {
				shown[i].LastUsedIP.text = use.Addr.String()
			}
		}
	}
	return shown
}
