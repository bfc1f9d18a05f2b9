package apikey

import (
	"errors"
	"strings"
)

// What a Manager and a Store answer. An error that matches none of these, nor
// one of the types below, is the store's own: the request is refused with 503
// and nothing is known about the key.
var (
	// ErrNotFound: no key has this ID, or it belongs to an owner whom the
	// actor does not see.
	ErrNotFound = errors.New("apikey: not found")

	// ErrExists: the ID or a hash of the record is taken already.
	ErrExists = errors.New("apikey: exists already")

	// ErrConflict: the record is no longer at the version that was asked for.
	ErrConflict = errors.New("apikey: changed by somebody else meanwhile")

	// ErrInvalid: what was presented is not a secret of any key, or no longer.
	ErrInvalid = errors.New("apikey: invalid")

	// ErrRevoked: the key was revoked. That is final.
	ErrRevoked = errors.New("apikey: revoked")

	// ErrDisabled: the key is switched off.
	ErrDisabled = errors.New("apikey: disabled")

	// ErrExpired: the key's time is over. The instant of ExpiresAt itself
	// belongs to the time after.
	ErrExpired = errors.New("apikey: expired")

	// ErrIPNotAllowed: the key may not be used from this address.
	ErrIPNotAllowed = errors.New("apikey: address not allowed")

	// ErrIPUnknown: the key is bound to addresses, and the client's is not
	// known.
	ErrIPUnknown = errors.New("apikey: client address unknown")

	// ErrNotCached: only the store can tell.
	ErrNotCached = errors.New("apikey: not cached")

	// ErrBusy: too many loads are under way already.
	ErrBusy = errors.New("apikey: busy")

	// ErrCursor: the cursor is none of this Feed's, or too old.
	ErrCursor = errors.New("apikey: cursor unknown")

	// ErrNoActivity: what was asked for is known only with a Config.Activity.
	ErrNoActivity = errors.New("apikey: no activity is recorded")

	// ErrUncertain: an Activity does not know whether it recorded something.
	ErrUncertain = errors.New("apikey: perhaps recorded")

	// ErrNoActor: the Actor of a change has no ID, or the Manager was not made
	// by New.
	ErrNoActor = errors.New("apikey: no actor")
)

// A SpecError says everything that is wrong with what a key should become.
type SpecError struct {
	Fields []FieldError
}

// A FieldError is one fault of one field. Field is the field's name in
// snake_case, as the JSON API has it: "allowed_ips". Reason may be shown to
// whoever sent the value.
type FieldError struct {
	Field, Reason string
}

// Error implements the error interface.
func (e *SpecError) Error() string {
	faults := make([]string, len(e.Fields))
	for i, f := range e.Fields {
		faults[i] = f.Field + " " + f.Reason
	}
	return "apikey: " + strings.Join(faults, "; ")
}

func (e *SpecError) add(field, reason string) {
	e.Fields = append(e.Fields, FieldError{Field: field, Reason: reason})
}

// orNil turns an empty collection of faults into no error at all.
func (e *SpecError) orNil() error {
	if len(e.Fields) == 0 {
		return nil
	}
	return e
}

// An ExceedsError says in what a key exceeds the ceiling of the actor who
// wanted to make or to touch it.
type ExceedsError struct {
	// KeyID is the key that exceeds it as it is. Empty: what the key was to be
	// made, or to become, does.
	KeyID    string
	Exceeded []Excess
}

// An Excess is one field that goes beyond a ceiling, and the values that do.
type Excess struct {
	Field  string // "permissions", "type", "expires_at", "allowed_ips"
	Values []string
}

// Error implements the error interface.
func (e *ExceedsError) Error() string {
	parts := make([]string, len(e.Exceeded))
	for i, x := range e.Exceeded {
		parts[i] = x.Field + " " + strings.Join(x.Values, ", ")
	}
	return "apikey: exceeds the ceiling: " + strings.Join(parts, "; ")
}
