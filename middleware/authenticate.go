package middleware

import (
	"context"
	"errors"
	"net/http"
	"net/netip"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/oauth"
)

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
