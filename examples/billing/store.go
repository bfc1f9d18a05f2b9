package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A record is what the API shows.
type record struct {
	ID         string `json:"id"`
	Type       string `json:"type"`
	Attributes values `json:"attributes"`
}

// all matches every record.
func all(record) bool { return true }

// find returns the records of a type that match, in the order of their ids.
func (db *database) find(ctx context.Context, name string, match func(record) bool) ([]record, error) {
	return db.read(ctx, db, match, "WHERE type = ? ORDER BY id", name)
}

// page returns one page of the records of a type, and how many there are.
func (db *database) page(ctx context.Context, name string, from, limit int) (records []record, total int, err error) {
	err = db.QueryRowContext(ctx, db.sql("SELECT COUNT(*) FROM billing_records WHERE type = ?"), name).Scan(&total)
	if err == nil {
		records, err = db.read(ctx, db, all, "WHERE type = ? ORDER BY id LIMIT ? OFFSET ?", name, limit, from)
	}
	return records, total, err
}

// get returns the record with an id, or none.
func (db *database) get(ctx context.Context, name, id string) ([]record, error) {
	return db.getFrom(ctx, db, name, id)
}

func (db *database) getFrom(ctx context.Context, q querier, name, id string) ([]record, error) {
	n, ok := number(id)
	if !ok {
		return []record{}, nil
	}
	return db.read(ctx, q, all, "WHERE type = ? AND id = ?", name, n)
}

// number reads an id as it is written, and in no other way.
func number(id string) (int64, bool) {
	n, err := strconv.ParseInt(id, 10, 64)
	return n, err == nil && n > 0 && strconv.FormatInt(n, 10) == id
}

func (db *database) read(ctx context.Context, q querier, match func(record) bool, where string, args ...any) ([]record, error) {
	rows, err := q.QueryContext(ctx, db.sql("SELECT type, id, attributes FROM billing_records "+where), args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // Err says what is wrong
	records := []record{}
	for rows.Next() {
		var r record
		var attributes []byte
		if err := rows.Scan(&r.Type, &r.ID, &attributes); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(attributes, &r.Attributes); err != nil {
			return nil, fmt.Errorf("%s %s: %w", r.Type, r.ID, err)
		}
		if match(r) {
			records = append(records, r)
		}
	}
	return records, rows.Err()
}

// save creates a record or, with an id, changes the fields that were sent. It
// returns what is wrong with them, and whether there is such a record at all.
func (db *database) save(ctx context.Context, res resource, id string, sent values) (rec record, wrong faults, found bool, err error) {
	err = db.write(ctx, func(tx *sql.Tx) error {
		rec, wrong, found, err = db.saveIn(ctx, tx, res, id, sent)
		return err
	})
	return rec, wrong, found, err
}

func (db *database) saveIn(ctx context.Context, tx querier, res resource, id string, sent values) (rec record, wrong faults, found bool, err error) {
	now := time.Now().UTC().Format(time.RFC3339Nano)
	rec = record{Type: res.name, ID: id, Attributes: values{"created_at": now}}
	if id != "" {
		before, err := db.getFrom(ctx, tx, res.name, id)
		if err != nil || len(before) == 0 {
			return rec, nil, false, err
		}
		rec.Attributes = maps.Clone(before[0].Attributes)
	}
	rec.Attributes["updated_at"] = now
	if wrong, err = db.apply(ctx, tx, res.fields, rec, sent); err != nil || len(wrong) > 0 {
		return rec, wrong, true, err
	}
	statement := "UPDATE billing_records SET attributes = ? WHERE type = ? AND id = ?"
	if id == "" {
		statement = "INSERT INTO billing_records (attributes, type, id) VALUES (?, ?, ?)"
		if rec.ID, err = db.next(ctx, tx, res.name); err != nil {
			return rec, nil, true, err
		}
	}
	attributes, err := json.Marshal(rec.Attributes)
	if err == nil {
		_, err = tx.ExecContext(ctx, db.sql(statement), string(attributes), res.name, rec.ID)
	}
	return rec, nil, true, err
}

// next returns an id that no record has had before.
func (db *database) next(ctx context.Context, tx querier, name string) (id string, err error) {
	_, err = tx.ExecContext(ctx, db.sql("UPDATE billing_counters SET last = last + 1 WHERE name = ?"), name)
	if err == nil {
		err = tx.QueryRowContext(ctx, db.sql("SELECT last FROM billing_counters WHERE name = ?"), name).Scan(&id)
	}
	return id, err
}

// apply puts what was sent into a record that is not stored yet, as far as there
// are fields for it.
func (db *database) apply(ctx context.Context, tx querier, fields []field, rec record, sent values) (faults, error) {
	wrong := faults{}
	if rec.ID != "" && !slices.ContainsFunc(fields, func(f field) bool { _, given := sent[f.name]; return given }) {
		wrong["body"] = []string{"This must have at least one field of the record."}
	}
	for _, f := range fields {
		value, given := sent[f.name]
		if !given && rec.ID != "" {
			continue
		} else if !given {
			value = f.fallback
		}
		value, ok := f.read(value)
		if !ok {
			wrong[f.name] = []string{"This must be " + f.kind + f.choices + "."}
			continue
		}
		fault, err := db.clash(ctx, tx, f, rec, value)
		if err != nil {
			return nil, err
		}
		if fault != "" {
			wrong[f.name] = []string{fault}
			continue
		}
		rec.Attributes[f.name] = value
	}
	return wrong, nil
}

// clash says what is wrong with a value beside the other records.
func (db *database) clash(ctx context.Context, tx querier, f field, rec record, value any) (string, error) {
	switch {
	case f.kind == reference:
		found, err := db.getFrom(ctx, tx, strings.TrimSuffix(f.name, "_id")+"s", fmt.Sprint(value))
		if len(found) == 0 {
			return "There is no such record.", err
		}
		return "", err
	case f.unique:
		taken, err := db.read(ctx, tx, func(r record) bool {
			return r.ID != rec.ID && strings.EqualFold(fmt.Sprint(r.Attributes[f.name]), fmt.Sprint(value))
		}, "WHERE type = ?", rec.Type)
		if len(taken) > 0 {
			return "This is taken already.", err
		}
		return "", err
	default:
		return "", nil
	}
}

// remove deletes a record, if there is one, and all that refers to it.
func (db *database) remove(ctx context.Context, name, id string) (found bool, err error) {
	err = db.write(ctx, func(tx *sql.Tx) error {
		records, err := db.getFrom(ctx, tx, name, id)
		if err != nil || len(records) == 0 {
			return err
		}
		found = true
		return db.cascade(ctx, tx, name, id)
	})
	return found, err
}

func (db *database) cascade(ctx context.Context, tx querier, name, id string) error {
	if _, err := tx.ExecContext(ctx, db.sql("DELETE FROM billing_records WHERE type = ? AND id = ?"), name, id); err != nil {
		return err
	}
	refers, err := db.read(ctx, tx, func(r record) bool { return r.Attributes[foreignKey(name)] == id }, "ORDER BY id")
	for _, r := range refers {
		if err == nil {
			err = db.cascade(ctx, tx, r.Type, r.ID)
		}
	}
	return err
}

// foreignKey returns the field that refers to a record: user_id for "users".
func foreignKey(name string) string { return strings.TrimSuffix(name, "s") + "_id" }
