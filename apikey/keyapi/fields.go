package keyapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/ipfilter"
	"github.com/latchwork/latchwork/scope"
)

// faults are the reasons, by field, why a body is refused.
type faults map[string][]string

func (f faults) add(field string, reasons ...string) { f[field] = append(f[field], reasons...) }

func (f faults) addSpec(e *apikey.SpecError) {
	for _, fault := range e.Fields {
		f.add(fault.Field, fault.Reason)
	}
}

// refuseAll answers with the faults that were found here, and with those that
// the Manager finds in the rest.
func (c *call) refuseAll(wrong faults, err error) *response {
	var spec *apikey.SpecError
	if err != nil && !errors.As(err, &spec) {
		return c.refuse(err)
	}
	all := faults{}
	if spec != nil {
		all.addSpec(spec)
	}
	for field, reasons := range wrong {
		// Only of permissions has the Manager seen a part, the good one. Of
		// other fields it knows no more than that they are missing.
		if field == "permissions" {
			reasons = append(reasons, all[field]...)
		}
		all[field] = reasons
	}
	return validationFailed(all)
}

// readSpec reads the fields that make a key: what they change in a Spec, and
// what is wrong with them.
func readSpec(object map[string]json.RawMessage) (edit func(*apikey.Spec), wrong faults) {
	var edits []func(*apikey.Spec)
	wrong = faults{}
	for field, raw := range object {
		edit, reasons := readField(field, raw)
		if edit != nil {
			edits = append(edits, edit)
		}
		if len(reasons) > 0 {
			wrong.add(field, reasons...)
		}
	}
	return func(s *apikey.Spec) {
		for _, edit := range edits {
			edit(s)
		}
	}, wrong
}

func readField(field string, raw json.RawMessage) (edit func(*apikey.Spec), reasons []string) {
	switch field {
	case "name":
		name, reasons := readText(raw)
		return func(s *apikey.Spec) { s.Name = name }, reasons
	case "type":
		keyType, reasons := readText(raw)
		return func(s *apikey.Spec) { s.Type = keyType }, reasons
	case "permissions":
		set, reasons := readPermissions(raw)
		return func(s *apikey.Spec) { s.Permissions = set }, reasons
	case "allowed_ips":
		list, reasons := readAllowedIPs(raw)
		return func(s *apikey.Spec) { s.AllowedIPs = list }, reasons
	case "expires_at":
		expiry, reasons := readExpiry(raw)
		return func(s *apikey.Spec) { s.ExpiresAt = expiry }, reasons
	case "enabled":
		enabled, ok := as[bool](raw)
		if !ok {
			reasons = []string{"must be true or false"}
		}
		return func(s *apikey.Spec) { s.Disabled = !enabled }, reasons
	default:
		return nil, []string{"is not a known field"}
	}
}

// as returns a JSON value as a T, and whether it is one. null never is.
func as[T any](raw json.RawMessage) (T, bool) {
	var value *T
	if err := json.Unmarshal(raw, &value); err != nil || value == nil {
		var zero T
		return zero, false
	}
	return *value, true
}

func isNull(raw json.RawMessage) bool { return string(raw) == "null" }

func readText(raw json.RawMessage) (string, []string) {
	text, ok := as[string](raw)
	if !ok {
		return "", []string{"must be a string"}
	}
	return text, nil
}

func readExpiry(raw json.RawMessage) (time.Time, []string) {
	if isNull(raw) {
		return time.Time{}, nil
	}
	text, ok := as[string](raw)
	expiry, err := time.Parse(time.RFC3339, text)
	// Parse lets pass an hour of one digit and a comma for the decimal point.
	if !ok || err != nil || text[len("2006-01-02T15")] != ':' || strings.Contains(text, ",") {
		return time.Time{}, []string{"must be null or a time as in RFC 3339, such as 2030-01-31T00:00:00Z"}
	}
	// The first instant of the year 1 would be no expiry at all.
	if expiry.Truncate(time.Microsecond).IsZero() {
		return time.Time{}, []string{"must be in the future"}
	}
	return expiry, nil
}

// readPermissions returns the good entries, and what is wrong with each of the
// others.
func readPermissions(raw json.RawMessage) (scope.Set, []string) {
	texts, strays, ok := readStrings(raw)
	if !ok {
		return scope.Set{}, []string{"must be an array of strings"}
	}
	set, err := scope.ParseSet(texts...)
	if err == nil {
		return set, nil
	}
	reasons, bad := explain(err, "scope: ", strays)
	var good []string
	for i, text := range texts {
		if !bad[i] {
			good = append(good, text)
		}
	}
	set, _ = scope.ParseSet(good...) // if they are too many, the reasons say so
	return set, reasons
}

// readAllowedIPs returns the list, or what is wrong with each entry. null is
// no list.
func readAllowedIPs(raw json.RawMessage) (*ipfilter.List, []string) {
	if isNull(raw) {
		return nil, nil
	}
	texts, strays, ok := readStrings(raw)
	if !ok {
		return nil, []string{"must be null or an array of strings"}
	}
	list, err := ipfilter.ParseList(texts, ipfilter.MaxEntries)
	if err != nil {
		reasons, _ := explain(err, "ipfilter: ", strays)
		return nil, reasons
	}
	return &list, nil
}

// explain takes apart why a list was refused, and says which entries are bad.
// The prefix is that of the errors, which is nothing to people.
func explain(err error, prefix string, strays map[int]string) (reasons []string, bad map[int]bool) {
	all := []error{err}
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		all = joined.Unwrap()
	}
	bad = map[int]bool{}
	for _, fault := range all {
		var grant *scope.GrantError
		var address *ipfilter.EntryError
		index := -1
		switch {
		case errors.As(fault, &grant):
			index = grant.Index
		case errors.As(fault, &address):
			index = address.Index
		}
		bad[index] = true
		reason, stray := strays[index]
		if !stray {
			reason = strings.TrimPrefix(fault.Error(), prefix)
		}
		reasons = append(reasons, reason)
	}
	return reasons, bad
}

// readStrings returns the entries of an array. In the place of one that is no
// string stands "", which neither kind of list accepts, and strays say so.
func readStrings(raw json.RawMessage) (texts []string, strays map[int]string, ok bool) {
	entries, ok := as[[]json.RawMessage](raw)
	if !ok {
		return nil, nil, false
	}
	texts, strays = make([]string, len(entries)), map[int]string{}
	for i, entry := range entries {
		if texts[i], ok = as[string](entry); !ok {
			strays[i] = fmt.Sprintf("entry %d must be a string", i)
		}
	}
	return texts, strays, true
}

// readOverlap reads for how long a secret goes on working.
func readOverlap(object map[string]json.RawMessage) (time.Duration, faults) {
	const most = 7 * 24 * 60 * 60
	seconds, wrong := uint64(0), faults{}
	for field, raw := range object {
		if field != "overlap_seconds" {
			wrong.add(field, "is not a known field")
			continue
		}
		var ok bool
		if seconds, ok = as[uint64](raw); !ok || seconds > most {
			wrong.add(field, "must be a whole number from 0 to 604800")
		}
	}
	return time.Duration(min(seconds, most)) * time.Second, wrong
}
