package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A record is what the API shows. Once it is stored it is never changed, only
// replaced, so it may be read without the lock.
type record struct {
	ID         string `json:"id"`
	Type       string `json:"type"`
	Attributes values `json:"attributes"`
}

func is(name string, id any) func(record) bool {
	return func(r record) bool { return r.Type == name && r.ID == id }
}

// A database keeps records in memory. It is safe for concurrent use.
type database struct {
	mu        sync.Mutex
	records   []record
	last      map[string]int    // the last id of each type
	passwords map[string]string // their hashes, by user
}

func newDatabase() *database {
	db := &database{last: map[string]int{}, passwords: map[string]string{}}
	for _, res := range resources() {
		for _, demo := range res.demo {
			db.save(res, "", demo)
		}
	}
	return db
}

func (db *database) find(match func(record) bool) []record {
	db.mu.Lock()
	defer db.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(db.records), func(r record) bool { return !match(r) })
}

// save creates a record or, with an id, changes the fields that were sent. It
// returns what is wrong with them, and whether there is such a record at all.
func (db *database) save(res resource, id string, sent values) (record, faults, bool) {
	db.mu.Lock()
	defer db.mu.Unlock()
	now := time.Now().UTC().Format(time.RFC3339Nano)
	rec := record{Type: res.name, ID: id, Attributes: values{"created_at": now}}
	i := slices.IndexFunc(db.records, is(res.name, id))
	if i >= 0 {
		rec.Attributes = maps.Clone(db.records[i].Attributes)
	} else if id != "" {
		return rec, nil, false
	}
	rec.Attributes["updated_at"] = now
	wrong := db.apply(res.fields, rec, sent)
	switch {
	case len(wrong) > 0:
	case i >= 0:
		db.records[i] = rec
	default:
		db.last[res.name]++
		rec.ID = strconv.Itoa(db.last[res.name])
		db.records = append(db.records, rec)
	}
	return rec, wrong, true
}

// apply puts what was sent into a record that is not stored yet, as far as there are fields for it.
func (db *database) apply(fields []field, rec record, sent values) faults {
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
		switch {
		case !ok:
			wrong[f.name] = []string{"This must be " + f.kind + f.choices + "."}
		case f.kind == reference && !slices.ContainsFunc(db.records, is(strings.TrimSuffix(f.name, "_id")+"s", value)):
			wrong[f.name] = []string{"There is no such record."}
		case f.unique && slices.ContainsFunc(db.records, func(r record) bool {
			return r.Type == rec.Type && r.ID != rec.ID && strings.EqualFold(fmt.Sprint(r.Attributes[f.name]), fmt.Sprint(value))
		}):
			wrong[f.name] = []string{"This is taken already."}
		default:
			rec.Attributes[f.name] = value
		}
	}
	return wrong
}

// remove deletes a record, if there is one, and all that refers to it.
func (db *database) remove(name, id string) bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	found := slices.ContainsFunc(db.records, is(name, id))
	db.cascade(name, id)
	return found
}

func (db *database) cascade(name, id string) {
	db.records = slices.DeleteFunc(db.records, is(name, id))
	refers := func(r record) bool { return r.Attributes[foreignKey(name)] == id }
	for i := slices.IndexFunc(db.records, refers); i >= 0; i = slices.IndexFunc(db.records, refers) {
		db.cascade(db.records[i].Type, db.records[i].ID)
	}
}

// foreignKey returns the field that refers to a record: user_id for "users".
func foreignKey(name string) string { return strings.TrimSuffix(name, "s") + "_id" }
