package sqlkit

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// A class is what an error of a driver means to a store.
type class int

const (
	other     class = iota
	duplicate       // a primary key or a unique index has it already
	transient       // rolled back for somebody else's sake: again
	noTable         // the schema is not there, or another one
	readOnly
	full // the disk
)

// IsDuplicate reports whether a unique value was there already.
func (d *DB) IsDuplicate(err error) bool { return d.classify(err) == duplicate }

// classify finds out what a driver means without importing it.
func (d *DB) classify(err error) class {
	if err == nil {
		return other
	}
	state := ""
	if d.sqlState != nil {
		state = d.sqlState(err)
	}
	var stated interface{ SQLState() string }
	if state == "" && errors.As(err, &stated) {
		state = stated.SQLState()
	}
	if state != "" {
		return byState(state)
	}
	return d.classifyNumber(err)
}

// classifyNumber looks for the number of an error, or of one that it wraps.
func (d *DB) classifyNumber(err error) class {
	if code, ok := number(err); ok {
		switch d.dialect {
		case MySQL:
			return byMySQL(code)
		case SQLite:
			return bySQLite(code, err.Error())
		}
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range joined.Unwrap() {
			if c := d.classifyNumber(err); c != other {
				return c
			}
		}
	} else if inner := errors.Unwrap(err); inner != nil {
		return d.classifyNumber(inner)
	}
	return other
}

// byState reads an SQLSTATE, as PostgreSQL has them.
func byState(state string) class {
	switch state {
	case "23505", "23000":
		return duplicate
	case "40001", "40P01", "55P03":
		return transient
	case "42P01", "42703", "3F000", "42S02":
		return noTable
	case "25006", "42501":
		return readOnly
	case "53100":
		return full
	default:
		return other
	}
}

// byMySQL reads an error number of MySQL or MariaDB.
func byMySQL(number int64) class {
	switch number {
	case 1062, 1586:
		return duplicate
	case 1213, 1205, 1020: // deadlock, lock wait, changed since it was read
		return transient
	case 1146, 1054:
		return noTable
	case 1290, 1792, 1036, 1142:
		return readOnly
	case 1021, 1114:
		return full
	default:
		return other
	}
}

// bySQLite reads a result code of SQLite, primary or extended. Drivers that
// give away the primary one only tell the rest in words.
func bySQLite(code int64, text string) class {
	switch code & 0xff {
	case 5, 6: // busy, locked
		return transient
	case 8:
		return readOnly
	case 13:
		return full
	case 19:
		if code == 1555 || code == 2067 || code == 2579 || (code == 19 && strings.Contains(text, "UNIQUE")) {
			return duplicate
		}
	case 1:
		if strings.Contains(text, "no such table") || strings.Contains(text, "no such column") {
			return noTable
		}
	}
	return other
}

// number finds the number of an error: from a method, or in a field, as
// drivers happen to have it. Only errors come this way, so reflection is no
// matter.
func number(err error) (int64, bool) {
	for _, name := range []string{"ExtendedCode", "Code", "Number"} {
		if n, ok := numberIn(reflect.ValueOf(err), name); ok {
			return n, true
		}
	}
	return 0, false
}

func numberIn(v reflect.Value, name string) (int64, bool) {
	if m := v.MethodByName(name); m.IsValid() {
		if m.Type().NumIn() > 0 || m.Type().NumOut() != 1 || isNilPointer(v) {
			return 0, false
		}
		return integer(m.Call(nil)[0])
	}
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return 0, false
	}
	return integer(v.FieldByName(name))
}

func isNilPointer(v reflect.Value) bool { return v.Kind() == reflect.Pointer && v.IsNil() }

func integer(v reflect.Value) (int64, bool) {
	switch {
	case !v.IsValid():
		return 0, false
	case v.CanInt():
		return v.Int(), true
	case v.CanUint():
		return int64(v.Uint()), true
	default:
		return 0, false
	}
}

// Fail says what could not be done, and, of what people can mend, how. The
// error matches ctx.Err() when the context is done.
func (d *DB) Fail(ctx context.Context, what string, err error) error {
	if err == nil {
		return nil
	}
	hint := ""
	switch d.classify(err) {
	case noTable:
		hint = fmt.Sprintf(" (the schema is not there, or another one: run %s.Migrate)", d.pkg.Name)
	case readOnly:
		hint = " (the database, its file or its directory is read-only, or this account may not write to it)"
	case full:
		hint = " (the disk is full)"
	}
	if over := ctx.Err(); over != nil && !errors.Is(err, over) {
		return fmt.Errorf("%s: %s: %w: %w", d.pkg.Name, what, over, err)
	}
	return fmt.Errorf("%s: %s: %w%s", d.pkg.Name, what, err, hint)
}
