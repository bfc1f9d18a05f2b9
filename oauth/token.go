package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/latchwork/latchwork/scope"
)

// TokenHandler returns the token endpoint, RFC 6749 section 3.2.
func (s *Server) TokenHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, rejected := s.token(w, r)
		if rejected != nil {
			s.writeError(w, r, rejected)
			return
		}
		writeJSON(w, http.StatusOK, answer)
	})
}

// A tokenResponse is a successful answer, RFC 6749 section 5.1.
type tokenResponse struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"`
	RefreshToken string `json:"refresh_token,omitempty"`
	Scope        string `json:"scope,omitempty"`

	grantID string // for the Server itself
}

// receive reads what a client posted, and finds out which client that is.
func (s *Server) receive(w http.ResponseWriter, r *http.Request) (Client, form, *Error) {
	if r.Method != http.MethodPost {
		return Client{}, nil, methodNotAllowed(http.MethodPost)
	}
	if s.store == nil {
		return Client{}, nil, unavailable(errNotNew)
	}
	f, rejected := readForm(w, r)
	if rejected != nil {
		return Client{}, nil, rejected
	}
	c, rejected := s.authenticate(r.Context(), r, f)
	return c, f, rejected
}

// token decides: transport, client, grant type, and then the grant.
func (s *Server) token(w http.ResponseWriter, r *http.Request) (tokenResponse, *Error) {
	c, f, rejected := s.receive(w, r)
	if rejected != nil {
		return tokenResponse{}, rejected
	}
	grant := GrantType(f["grant_type"])
	var run func(context.Context, Client, form) (tokenResponse, *Error)
	switch {
	case grant == "":
		return tokenResponse{}, invalidRequest("grant_type is missing.")
	case grant == GrantPassword && s.cfg.LegacyPasswordGrant:
		run = func(ctx context.Context, c Client, f form) (tokenResponse, *Error) {
			return s.passwordGrant(ctx, c, f, s.source(r))
		}
	case grant == GrantAuthorizationCode:
		run = s.codeGrant
	case grant == GrantRefreshToken:
		run = s.refreshGrant
	case grant == GrantClientCredentials:
		run = s.clientCredentialsGrant
	default:
		return tokenResponse{}, unsupportedGrantType()
	}
	if !c.may(grant) {
		return tokenResponse{}, unauthorizedClient()
	}
	return run(r.Context(), c, f)
}

// requestedScope returns what a client asks for, or otherwise if it does not
// say. What it may not have is invalid_scope, and so is what does not exist.
func (s *Server) requestedScope(f form, allowed, otherwise scope.Set) (scope.Set, *Error) {
	if f["scope"] == "" {
		return narrowed(otherwise, allowed)
	}
	// A copy: what is granted would hold on to the whole request otherwise.
	requested, err := scope.ParseScope(strings.Clone(f["scope"]))
	if err != nil || !allowed.Covers(requested) {
		return scope.Set{}, invalidScope()
	}
	if s.cfg.Scopes != nil && s.cfg.Scopes.Validate(requested) != nil {
		return scope.Set{}, invalidScope()
	}
	return requested, nil
}

// narrowed is what is left of a scope that was approved, or is the default, in
// what is allowed now. If nothing is, that is invalid_scope, RFC 6749 section
// 3.3: an answer without scope would say that all of it was granted. Nothing of
// nothing is fine.
func narrowed(approved, allowed scope.Set) (scope.Set, *Error) {
	granted := approved.Intersect(allowed)
	if granted.IsEmpty() && !approved.IsEmpty() {
		return scope.Set{}, invalidScope()
	}
	return granted, nil
}

// writeError writes an error response.
func (s *Server) writeError(w http.ResponseWriter, r *http.Request, e *Error) {
	if s.failed(w, r, e) {
		return
	}
	writeJSON(w, e.Status, struct {
		Error       string `json:"error"`
		Description string `json:"error_description,omitempty"`
	}{e.Code, e.Description})
}

// failed sets what an error says in headers, and reports whether there is nothing
// more to say: what failed because the sender of the request cancelled it has a
// status, because net/http would make a 200 of nothing at all, and no body.
func (s *Server) failed(w http.ResponseWriter, r *http.Request, e *Error) bool {
	h := w.Header()
	if e.Status == http.StatusServiceUnavailable {
		if isCancelled(r) {
			w.WriteHeader(e.Status)
			return true
		}
		if s.cfg.Logger != nil {
			s.cfg.Logger.ErrorContext(r.Context(), "oauth: cannot answer", "error", e.Err)
		}
	}
	if e.RetryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64((e.RetryAfter+time.Second-1)/time.Second), 10))
	}
	if e.Challenge {
		h.Set("WWW-Authenticate", `Basic realm="oauth"`)
	}
	if len(e.Allow) > 0 {
		h.Set("Allow", strings.Join(e.Allow, ", "))
	}
	return false
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client is gone: nobody to tell
}

// secondsUntil is what expires_in says: whole seconds, rounded up so that an
// answer that is given again soon is the same, and 1 of what is over already,
// since clients cannot read less.
func secondsUntil(t, now time.Time) int64 {
	return max(1, int64((t.Sub(now)+time.Second-1)/time.Second))
}

// isCancelled reports whether the request's sender is gone.
func isCancelled(r *http.Request) bool { return errors.Is(r.Context().Err(), context.Canceled) }
