package apikeysql

import (
	"context"
	"database/sql"
	"encoding/json"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/internal/sqlkit"
)

// Events implements [apikey.Activity].
func (s *Store) Events(ctx context.Context, keyID string, page apikey.Page) ([]apikey.Event, error) {
	if err := ctx.Err(); err != nil {
		return nil, s.fail(ctx, "events", err)
	}
	events := []apikey.Event{}
	if page.Limit <= 0 || !sqlkit.IsText(keyID) || !sqlkit.IsText(page.Before) {
		return events, nil
	}
	query, args := "SELECT id, key_id, kind, happened_at, actor, changes FROM latchwork_key_events WHERE key_id = ?", []any{keyID}
	if page.Before != "" {
		query, args = query+" AND id < ?", append(args, page.Before)
	}
	err := s.db.Each(ctx, query+" ORDER BY id DESC LIMIT ?", append(args, page.Limit), func(rows *sql.Rows) error {
		e, err := scanEvent(rows)
		events = append(events, e)
		return err
	})
	if err != nil {
		return nil, s.fail(ctx, "events", err)
	}
	return events, nil
}

// A change is an [apikey.FieldChange] in a column.
type change struct {
	Field string `json:"field"`
	Old   string `json:"old"`
	New   string `json:"new"`
}

func scanEvent(rows *sql.Rows) (e apikey.Event, err error) {
	var text sql.RawBytes
	if err := rows.Scan(&e.ID, &e.KeyID, &e.Kind, (*sqlkit.Time)(&e.At), &e.Actor, &text); err != nil {
		return e, err
	}
	var changes []change
	if err := json.Unmarshal(text, &changes); err != nil {
		return e, err
	}
	for _, c := range changes {
		e.Changes = append(e.Changes, apikey.FieldChange(c))
	}
	return e, nil
}

// appendChanges appends the JSON of changes.
func appendChanges(b []byte, changes []apikey.FieldChange) []byte {
	b = append(b, '[')
	for i, c := range changes {
		if i > 0 {
			b = append(b, ',')
		}
		b = sqlkit.AppendString(append(b, `{"field":`...), c.Field)
		b = sqlkit.AppendString(append(b, `,"old":`...), c.Old)
		b = sqlkit.AppendString(append(b, `,"new":`...), c.New)
		b = append(b, '}')
	}
	return append(b, ']')
}
