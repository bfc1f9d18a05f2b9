package middleware

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"strings"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/oauth"
)

// maxCredential is the longest credential that is looked at.
const maxCredential = 4096

// Authenticate returns whose credential an Authorization header holds, without
// any HTTP: for gRPC and its like. addr is the client's address, or the zero
// Addr when that is not known. The Rejection is nil exactly when there is a
// Principal.
func (g *Guard) Authenticate(ctx context.Context, authorization string, addr netip.Addr) (Principal, *Rejection) {
	presented, code := bearer([]string{authorization})
	if code != "" {
		return Principal{}, g.rejection(Rejection{Code: code}, addr)
	}
	c := caller{addr: addr}
	if rejected := g.identify(ctx, &trial{g.brake, addr, presented}, &c); rejected != nil {
		return Principal{}, rejected
	}
	p := c.principal()
	p.use = c.uncounted()
	return p, nil
}

// authenticate returns who sent a request: what this Guard bound to it before,
// or what is to be bound, filled in with who the credential says.
func (g *Guard) authenticate(r *http.Request) (*binding, *Rejection) {
	if b := g.bound(r); b != nil {
		return b, nil
	}
	b := g.newBinding(r)
	return b, g.identifyRequest(r, &b.caller)
}

// identifyRequest fills in whose credential a request has.
func (g *Guard) identifyRequest(r *http.Request, c *caller) *Rejection {
	c.addr = g.addr(r)
	authorization := r.Header["Authorization"]
	if g.keyHeader != "" {
		if values := r.Header[g.keyHeader]; len(values) > 0 {
			return g.identifyKeyHeader(r, values, len(authorization) > 0, c)
		}
	}
	presented, code := bearer(authorization)
	if code != "" {
		return g.rejection(Rejection{Code: code}, c.addr)
	}
	if hasToken(r.URL.RawQuery) {
		return g.rejection(Rejection{Code: CodeInvalidRequest, Message: "There is an access_token in the URL, too."}, c.addr)
	}
	return g.identify(r.Context(), &trial{g.brake, g.brake.source(r, c.addr), presented}, c)
}

// hasToken reports whether there is a token in a query, RFC 6750 section 2.3.
// None is accepted from there, but whoever sends two does not know which counts.
func hasToken(query string) bool {
	if query == "" {
		return false
	}
	for pair := range strings.SplitSeq(query, "&") {
		if name, _, _ := strings.Cut(pair, "="); name == "access_token" {
			return true
		}
	}
	return false
}

func (g *Guard) identifyKeyHeader(r *http.Request, values []string, both bool, c *caller) *Rejection {
	switch {
	case both || len(values) > 1 || !isToken(values[0]):
		return g.rejection(Rejection{Code: CodeInvalidRequest}, c.addr)
	case values[0] == "":
		return g.rejection(Rejection{Code: CodeMissingToken}, c.addr)
	}
	rejected := g.identify(r.Context(), &trial{g.brake, g.brake.source(r, c.addr), values[0]}, c)
	if rejected == nil && c.kind() != KindKey {
		return g.rejection(Rejection{Code: CodeInvalidToken}, c.addr)
	}
	return rejected
}

// bearer takes the token out of the values of an Authorization header, RFC
// 6750 section 2.1, or says with which code to refuse them.
func bearer(values []string) (token, code string) {
	const scheme = "Bearer"
	switch {
	case len(values) == 0:
		return "", CodeMissingToken
	case len(values) > 1:
		return "", CodeInvalidRequest
	}
	value := values[0]
	if token, ok := strings.CutPrefix(value, scheme+" "); ok && token != "" && isToken(token) {
		return token, "" // as nearly everybody writes it
	}
	if len(value) < len(scheme) || !strings.EqualFold(value[:len(scheme)], scheme) {
		if hasLeadingSpace(value) {
			return "", CodeInvalidRequest
		}
		return "", CodeMissingToken
	}
	rest := value[len(scheme):]
	switch {
	case strings.TrimLeft(rest, " ") == "", isTokenByte(rest[0]): // nothing, or another scheme
		return "", CodeMissingToken
	case rest[0] != ' ' || !isToken(rest[1:]):
		return "", CodeInvalidRequest
	}
	return rest[1:], ""
}

// hasLeadingSpace reports whether something follows leading space, which
// net/http would have cut off.
func hasLeadingSpace(s string) bool {
	trimmed := strings.TrimLeft(s, " \t")
	return trimmed != s && trimmed != ""
}

// isToken reports whether s is a b64token of bearable length, or empty. It looks
// at eight bytes in one step: one at a time, that takes as long as hashing them.
func isToken(s string) bool {
	if len(s) > maxCredential {
		return false
	}
	for len(s) > 1 && s[len(s)-1] == '=' {
		s = s[:len(s)-1]
	}
	if len(s) < 8 {
		for i := range len(s) {
			if !isTokenByte(s[i]) {
				return false
			}
		}
		return true
	}
	bad := strange(word(s[len(s)-8:]))
	for ; len(s) > 8; s = s[8:] {
		bad |= strange(word(s))
	}
	return bad == 0
}

// isTokenByte reports whether c may stand in a b64token before its padding:
// letters, digits and -._~+/.
func isTokenByte(c byte) bool { return strange(uint64(c)*each) == 0 }

// word returns the first eight bytes of s.
func word(s string) uint64 {
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// each has a 1 in each of its eight bytes.
const each = 0x0101010101010101

// strange is zero if all eight bytes may stand in a b64token. Below 0x80, adding
// 0x80-c to a byte sets its highest bit if the byte is c or greater, and carries
// nothing into the next one. From 0x80 on every byte is strange by itself.
func strange(bytes uint64) uint64 {
	lower := bytes | 0x20*each
	letter := (lower + (0x80-'a')*each) &^ (lower + (0x7f-'z')*each)
	digit := (bytes + (0x80-'-')*each) &^ (bytes + (0x7f-'9')*each) // with the -./ below them
	other := (bytes ^ '+'*each) + 0x7f*each
	other &= (bytes ^ '_'*each) + 0x7f*each
	other &= (bytes ^ '~'*each) + 0x7f*each
	return (bytes | other&^(letter|digit)) & (0x80 * each)
}

// identify asks the one Authenticator that recognizes the credential, and fills
// in whose it is.
func (g *Guard) identify(ctx context.Context, t *trial, c *caller) *Rejection {
	for _, a := range g.credentials {
		if !a.Recognize(t.presented) {
			continue
		}
		if err := c.find(ctx, a, t); err != nil {
			return g.denied(ctx, t, err, c.addr)
		}
		return nil
	}
	return g.denied(ctx, t, ErrInvalidCredential, c.addr)
}

// denied is the one place that knows what the error of an Authenticator means
// for the client.
func (g *Guard) denied(ctx context.Context, t *trial, err error, addr netip.Addr) *Rejection {
	code := CodeUnavailable
	var throttled *throttledError
	switch {
	case errors.As(err, &throttled):
		return g.rejection(Rejection{Code: CodeTooManyRequests, RetryAfter: throttled.wait, Err: err}, addr)
	case errors.Is(err, apikey.ErrIPNotAllowed):
		code = CodeIPNotAllowed
	case errors.Is(err, apikey.ErrIPUnknown):
		code = CodeIPUnknown
	case errors.Is(err, ErrInvalidCredential),
		errors.Is(err, apikey.ErrInvalid), errors.Is(err, apikey.ErrRevoked),
		errors.Is(err, apikey.ErrDisabled), errors.Is(err, apikey.ErrExpired),
		errors.Is(err, oauth.ErrInvalid), errors.Is(err, oauth.ErrRevoked), errors.Is(err, oauth.ErrExpired):
		code = CodeInvalidToken
	}
	if code == CodeUnavailable && g.log != nil && ctx.Err() == nil {
		g.log.ErrorContext(ctx, "middleware: cannot authenticate", "error", err)
	}
	if code != CodeUnavailable {
		if wait := t.failed(); wait > 0 {
			return g.rejection(Rejection{Code: CodeTooManyRequests, RetryAfter: wait, Err: err}, addr)
		}
	}
	if g.hideAddress && (code == CodeIPNotAllowed || code == CodeIPUnknown) {
		code = CodeInvalidToken
	}
	return g.rejection(Rejection{Code: code, Err: err}, addr)
}
