package middleware

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// The words a client can branch on: Rejection.Code, and "error" in the body.
const (
	CodeMissingToken      = "missing_token"
	CodeInvalidRequest    = "invalid_request"
	CodeInvalidToken      = "invalid_token"
	CodeIPNotAllowed      = "ip_not_allowed"
	CodeIPUnknown         = "client_ip_unknown"
	CodeWrongKeyType      = "wrong_key_type"
	CodeUserRequired      = "user_required"
	CodeClientRequired    = "client_required"
	CodeInsufficientScope = "insufficient_scope"
	CodeMethodNotAllowed  = "method_not_allowed"
	CodeTooManyRequests   = "too_many_requests"
	CodeUnavailable       = "unavailable"
)

// A Rejection is why a request does not pass, decided and ready to be written.
type Rejection struct {
	Status  int    // 400, 401, 403, 405, 429 or 503
	Code    string // one of the Code constants
	Message string // for people, the same for every request with this Code unless it names what was sent

	// Challenge is the value of WWW-Authenticate, RFC 6750 section 3. Empty:
	// none.
	Challenge string

	// Required names the permissions that are missing.
	Required []string

	// Allowed names what would have been accepted: the methods of a 405, the
	// includes of an unknown one.
	Allowed []string

	// Unknown names the includes that are not known, at most ten of them.
	Unknown []string

	// Needed is the kind of credential that is accepted here, for renderers
	// that speak to users of an API and to those of access tokens in different
	// ways. Zero: that is not decided here, as in Optional.
	Needed Kind

	// ClientAddr is where the request came from, as far as that is known.
	ClientAddr netip.Addr

	// RetryAfter is when to try again. Zero: not said.
	RetryAfter time.Duration

	// Err is the cause, for logs. It must not reach a client.
	Err error
}

// An answer is what all rejections with the same code have in common.
type answer struct {
	status  int
	message string

	// Whether there is a challenge, and which error it names, RFC 6750
	// section 3.1.
	challenge bool
	err       string
}

func answerTo(code string) answer {
	switch code {
	case CodeMissingToken:
		return answer{http.StatusUnauthorized, "The request has no bearer token.", true, ""}
	case CodeInvalidRequest:
		return answer{http.StatusBadRequest, "The credential of the request is malformed.", true, code}
	case CodeInvalidToken:
		return answer{http.StatusUnauthorized, "The credential is not valid.", true, code}
	case CodeIPNotAllowed:
		return answer{http.StatusForbidden, "The key may not be used from this address.", false, ""}
	case CodeIPUnknown:
		return answer{http.StatusForbidden, "The key is bound to addresses, and the client's is not known.", false, ""}
	case CodeWrongKeyType:
		return answer{http.StatusForbidden, "An API key of a type that is accepted here is needed.", false, ""}
	case CodeUserRequired:
		return answer{http.StatusForbidden, "The access token of a user is needed here.", true, "insufficient_scope"}
	case CodeClientRequired:
		return answer{http.StatusForbidden, "The access token of a client itself is needed here.", true, "insufficient_scope"}
	case CodeInsufficientScope:
		return answer{http.StatusForbidden, "The credential lacks a permission.", true, code}
	case CodeMethodNotAllowed:
		return answer{http.StatusMethodNotAllowed, "The method is not allowed here.", false, ""}
	case CodeTooManyRequests:
		return answer{http.StatusTooManyRequests, "Too many requests from this address have failed. Try again later.", false, ""}
	default:
		return answer{http.StatusServiceUnavailable, "The credential cannot be checked at the moment.", false, ""}
	}
}

// rejection completes what was decided by what follows from it.
func (g *Guard) rejection(rej Rejection, addr netip.Addr) *Rejection {
	a := answerTo(rej.Code)
	rej.Status, rej.ClientAddr = a.status, addr
	if rej.Message == "" {
		rej.Message = a.message
	}
	if rej.Code == CodeUnavailable {
		rej.RetryAfter = time.Second
	}
	if a.challenge {
		rej.Challenge = `Bearer realm="` + cmp.Or(g.realm, "api") + `"`
	}
	if a.err != "" {
		rej.Challenge += `, error="` + a.err + `"`
	}
	return &rej
}

// reject writes a rejection. For a request that was cancelled by its sender
// there is no body, and no renderer is asked; but there is the status, because
// net/http makes a 200 of a handler that says nothing, and somebody who only
// closed the sending half of a connection would read that.
func (g *Guard) reject(w http.ResponseWriter, r *http.Request, rej Rejection) {
	rej.setHeader(w.Header())
	if rej.Code == CodeUnavailable && isCancelled(r) {
		w.WriteHeader(rej.Status)
		return
	}
	if g.writeReject != nil {
		g.writeReject(w, r, rej)
		return
	}
	WriteRejection(w, r, rej)
}

// isCancelled reports whether the request's sender is gone. A deadline that
// passed is something else: somebody still waits.
func isCancelled(r *http.Request) bool {
	return errors.Is(r.Context().Err(), context.Canceled)
}

// setHeader sets what a rejection says in headers, so that no renderer can
// forget it.
func (rej Rejection) setHeader(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if rej.Challenge != "" {
		h.Set("WWW-Authenticate", rej.Challenge)
	}
	if rej.RetryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64((rej.RetryAfter+time.Second-1)/time.Second), 10))
	}
	if rej.Status == http.StatusMethodNotAllowed {
		h.Set("Allow", strings.Join(rej.Allowed, ", "))
	}
}

// WriteRejection answers with the status, its headers, and a JSON object with
// "error" and "message". It adds "required" to insufficient_scope and
// "client_ip" to ip_not_allowed.
func WriteRejection(w http.ResponseWriter, _ *http.Request, rej Rejection) {
	body := struct {
		Error    string   `json:"error"`
		Message  string   `json:"message"`
		Required []string `json:"required,omitempty"`
		ClientIP string   `json:"client_ip,omitempty"`
	}{Error: rej.Code, Message: rej.Message, Required: rej.Required}
	if rej.Code == CodeIPNotAllowed {
		body.ClientIP = rej.ClientAddr.String()
	}
	writeJSON(w, rej, body)
}

func writeJSON(w http.ResponseWriter, rej Rejection, body any) {
	rej.setHeader(w.Header())
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(rej.Status)
	_ = json.NewEncoder(w).Encode(body) // the client is gone: nobody to tell
}
