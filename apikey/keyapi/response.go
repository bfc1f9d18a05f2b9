package keyapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/latchwork/latchwork/apikey"
)

// A response is what a request is answered with, decided and ready to be
// written.
type response struct {
	status int
	header map[string]string // besides those that every answer has
	body   any               // nil: none

	// For the log only: why it is a 503, and which actor and key it is about.
	cause      error
	actor, key string
}

// write is the one place that writes. What failed because its sender is gone
// has no body and is not logged.
func (h *Handler) write(w http.ResponseWriter, r *http.Request, a *response) {
	cancelled := a.cause != nil && errors.Is(r.Context().Err(), context.Canceled)
	if a.cause != nil && !cancelled {
		h.log.ErrorContext(r.Context(), "keyapi: request failed",
			"method", r.Method, "actor", a.actor, "key", a.key, "error", a.cause)
	}
	header := w.Header()
	for name, value := range a.header {
		header.Set(name, value)
	}
	if a.status != http.StatusNoContent {
		header.Set("Content-Type", "application/json")
	}
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(a.status)
	if a.body != nil && !cancelled && r.Method != http.MethodHead {
		_ = json.NewEncoder(w).Encode(a.body) // the client is gone: nobody to tell
	}
}

// keyJSON is a key as the API shows it. See showAll for its last use.
type keyJSON struct {
	ID          string       `json:"id"`
	Name        string       `json:"name"`
	Type        string       `json:"type"`
	Hint        string       `json:"hint"`
	Permissions []string     `json:"permissions"`
	AllowedIPs  []string     `json:"allowed_ips"` // null: from anywhere
	Enabled     bool         `json:"enabled"`
	State       apikey.State `json:"state"`
	CreatedAt   string       `json:"created_at"`
	ExpiresAt   *string      `json:"expires_at"`
	LastUsedAt  lastUse      `json:"last_used_at,omitzero"`
	LastUsedIP  lastUse      `json:"last_used_ip,omitzero"`
	CreatedBy   string       `json:"created_by"`
}

func (c *call) show(k apikey.Key) keyJSON {
	shown := keyJSON{
		ID: k.ID, Name: k.Name, Type: k.Type, Hint: k.Hint, Permissions: k.Permissions.Strings(),
		Enabled: k.Enabled, State: c.keys.State(k), CreatedAt: timeText(k.CreatedAt), CreatedBy: k.CreatedBy,
	}
	if k.AllowedIPs != nil {
		shown.AllowedIPs = k.AllowedIPs.Strings()
	}
	if !k.ExpiresAt.IsZero() {
		expiry := timeText(k.ExpiresAt)
		shown.ExpiresAt = &expiry
	}
	return shown
}

// one answers with one key, and its secret if that was just made.
func (c *call) one(status int, k apikey.Key, secret apikey.Secret) *response {
	body := struct {
		Data  keyJSON `json:"data"`
		Token string  `json:"token,omitempty"`
	}{c.showAll(k)[0], secret.Reveal()}
	return &response{status: status, header: map[string]string{"ETag": etag(k.Version)}, body: body}
}

func timeText(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// problem is the body of a refusal.
type problem struct {
	Error    string              `json:"error"`
	Message  string              `json:"message"`
	Required []string            `json:"required,omitempty"`
	Errors   faults              `json:"errors,omitempty"`
	Exceeds  map[string][]string `json:"exceeds,omitempty"`
}

func refusal(status int, code, message string) *response {
	return &response{status: status, body: problem{Error: code, Message: message}}
}

// challenged is a refusal with the challenge of RFC 6750 section 3.
func challenged(status int, p problem) *response {
	challenge := `Bearer realm="api", error="` + p.Error + `"`
	return &response{status: status, header: map[string]string{"WWW-Authenticate": challenge}, body: p}
}

func invalidToken() *response {
	return challenged(http.StatusUnauthorized, problem{Error: "invalid_token", Message: "The credential is not valid."})
}

func insufficientScope(permission string) *response {
	return challenged(http.StatusForbidden, problem{
		Error: "insufficient_scope", Message: "The credential lacks a permission.", Required: []string{permission},
	})
}

func unavailable(cause error) *response {
	a := refusal(http.StatusServiceUnavailable, "unavailable", "The keys cannot be reached at the moment.")
	a.header, a.cause = map[string]string{"Retry-After": "1"}, cause
	return a
}

func methodNotAllowed(allowed []string) *response {
	a := refusal(http.StatusMethodNotAllowed, "method_not_allowed", "The method is not allowed here.")
	a.header = map[string]string{"Allow": strings.Join(allowed, ", ")}
	return a
}

func notFound(message string) *response {
	return refusal(http.StatusNotFound, "not_found", message)
}

func noSuchKey() *response { return notFound("There is no such key.") }

func preconditionFailed() *response {
	return refusal(http.StatusPreconditionFailed, "precondition_failed", "The key is not, or no longer, as If-Match demands.")
}

func conflict(message string) *response { return refusal(http.StatusConflict, "conflict", message) }

func invalidRequest(message string) *response {
	return refusal(http.StatusBadRequest, "invalid_request", message)
}

func validationFailed(f faults) *response {
	return &response{status: http.StatusUnprocessableEntity, body: problem{
		Error: "validation_failed", Message: "Some fields are not valid: see errors.", Errors: f,
	}}
}

// exceedsCeiling names what is too much. What another key holds is for those
// alone who may view keys.
func (c *call) exceedsCeiling(e *apikey.ExceedsError) *response {
	what := "A key like that"
	if e.KeyID != "" {
		what = "Key " + e.KeyID
		if !c.sees {
			return refusal(http.StatusForbidden, "exceeds_ceiling",
				"The key, or one that it created, goes beyond what you hold yourself.")
		}
	}
	exceeds, parts := map[string][]string{}, make([]string, len(e.Exceeded))
	for i, x := range e.Exceeded {
		exceeds[x.Field] = x.Values
		parts[i] = x.Field + " " + strings.Join(x.Values, ", ")
	}
	return &response{status: http.StatusForbidden, body: problem{
		Error: "exceeds_ceiling", Message: what + " goes beyond what you hold yourself: " + strings.Join(parts, "; ") + ".", Exceeds: exceeds,
	}}
}

// refuse is the one place that knows what an error of the Manager means for
// the client.
func (c *call) refuse(err error) *response {
	var spec *apikey.SpecError
	var exceeds *apikey.ExceedsError
	switch {
	case errors.As(err, &spec):
		f := faults{}
		f.addSpec(spec)
		return validationFailed(f)
	case errors.As(err, &exceeds):
		return c.exceedsCeiling(exceeds)
	case errors.Is(err, apikey.ErrNoActor):
		return invalidToken()
	case errors.Is(err, apikey.ErrNotFound):
		return noSuchKey()
	case errors.Is(err, apikey.ErrConflict) && c.version != 0:
		return preconditionFailed()
	case errors.Is(err, apikey.ErrConflict):
		return conflict("The key is being changed by others: try again.")
	case errors.Is(err, apikey.ErrRevoked):
		return conflict("The key is revoked, and that is final.")
	case errors.Is(err, apikey.ErrExpired):
		return conflict("The key is expired.")
	default:
		return c.unavailable(err)
	}
}

func (c *call) unavailable(cause error) *response {
	a := unavailable(cause)
	a.actor, a.key = c.actor, c.id
	return a
}
