package oauth

import (
	"errors"
	"net/http"
	"strings"
	"time"
)

// What a Server and a Store answer. An error that matches none of these is the
// store's own: nothing is known about the token, and the request is refused
// with 503.
var (
	// ErrNotFound: there is no such client, user, credential or grant.
	ErrNotFound = errors.New("oauth: not found")

	// ErrExists: an ID or a hash is taken already.
	ErrExists = errors.New("oauth: exists already")

	// ErrConflict: a client has another version than was assumed.
	ErrConflict = errors.New("oauth: conflict")

	// ErrInvalid: what was presented is not an access token, or was spent.
	ErrInvalid = errors.New("oauth: invalid")

	// ErrExpired: the credential's or its grant's time is over. The instant
	// of ExpiresAt itself belongs to the time after.
	ErrExpired = errors.New("oauth: expired")

	// ErrRevoked: the grant was revoked. That is final.
	ErrRevoked = errors.New("oauth: revoked")

	// ErrNotCached: only the store can tell.
	ErrNotCached = errors.New("oauth: not cached")

	// ErrBusy: too many others wait for the store. Nothing is known.
	ErrBusy = errors.New("oauth: busy")
)

// isAnswer reports whether an error of a Spend says that the credential cannot
// be spent, and not that the store is in trouble.
func isAnswer(err error) bool {
	return errors.Is(err, ErrNotFound) || errors.Is(err, ErrRevoked) || errors.Is(err, ErrExpired)
}

// An Error is an error response, RFC 6749 section 5.2. Nothing in it repeats
// what the client sent, except Err, which never reaches a client.
type Error struct {
	Status      int
	Code        string        // "invalid_grant"
	Description string        // for developers; printable ASCII without quotes and backslashes
	Challenge   bool          // with WWW-Authenticate: Basic
	Allow       []string      // the methods there are, of a 405
	RetryAfter  time.Duration // when to try again, of 429 and 503
	Err         error         // the cause, for logs
}

// Error implements the error interface.
func (e *Error) Error() string {
	text := "oauth: " + e.Code + ": " + e.Description
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

func invalidRequest(description string) *Error {
	return &Error{Status: http.StatusBadRequest, Code: "invalid_request", Description: description}
}

func methodNotAllowed(allow ...string) *Error {
	return &Error{
		Status: http.StatusMethodNotAllowed, Code: "invalid_request",
		Description: "Use " + strings.Join(allow, " or ") + ".", Allow: allow,
	}
}

// forbidden is for people: see Config.ErrorPage.
func forbidden(description string, cause error) *Error {
	return &Error{Status: http.StatusForbidden, Code: "access_denied", Description: description, Err: cause}
}

// invalidClient is the one answer to every client that is not who it says, or
// is not there at all.
func invalidClient() *Error {
	return &Error{
		Status: http.StatusUnauthorized, Code: "invalid_client", Description: "Client authentication failed.", Challenge: true,
	}
}

// invalidGrant is the one answer to wrong passwords and to refresh tokens that
// are no good.
func invalidGrant(cause error) *Error {
	return &Error{
		Status: http.StatusBadRequest, Code: "invalid_grant", Description: "The grant is invalid, expired or revoked.", Err: cause,
	}
}

func invalidScope() *Error {
	return &Error{Status: http.StatusBadRequest, Code: "invalid_scope", Description: "The scope is unknown, malformed or more than may be granted."}
}

func unauthorizedClient() *Error {
	return &Error{Status: http.StatusBadRequest, Code: "unauthorized_client", Description: "The client may not use this grant type."}
}

func unsupportedGrantType() *Error {
	return &Error{Status: http.StatusBadRequest, Code: "unsupported_grant_type", Description: "The grant type is not supported."}
}

// unavailable hides what is wrong with a store, or a password hasher that is
// busy.
func unavailable(cause error) *Error {
	return &Error{
		Status: http.StatusServiceUnavailable, Code: "temporarily_unavailable", Description: "Try again later.",
		RetryAfter: time.Second, Err: cause,
	}
}

// tooManyRequests refuses what may not be looked at because too much has failed.
func tooManyRequests(wait time.Duration) *Error {
	return &Error{
		Status: http.StatusTooManyRequests, Code: "too_many_requests", Description: "Too many attempts have failed. Try again later.",
		RetryAfter: wait,
	}
}
