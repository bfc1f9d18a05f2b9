package middleware

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"

	"github.com/latchwork/latchwork/scope"
)

// Check returns who sent a request if that fulfils all the requirements, and
// otherwise why it must not pass. It writes nothing and binds nothing: this is
// for deciding inside a handler, and for routers that write answers in a way of
// their own. WriteRejection writes one. The Rejection is nil exactly when the
// request may pass.
func (g *Guard) Check(r *http.Request, requirement Requirement, more ...Requirement) (Principal, *Rejection) {
	var c *caller
	var rejected *Rejection
	b := g.bound(r)
	if b != nil {
		c = &b.caller
	} else {
		c = new(caller)
		rejected = g.identifyRequest(r, c)
	}
	if rejected != nil {
		requirement.explain(rejected)
		g.describe(r, rejected)
		return Principal{}, rejected
	}
	rejected = g.authorize(c, requirement, more...)
	if b == nil { // otherwise it has not ended here
		c.count(rejected.outcome())
	}
	if rejected != nil {
		g.describe(r, rejected)
		return Principal{}, rejected
	}
	return c.principal(), nil
}

// Authorize holds a Principal that Authenticate returned against requirements.
// Nil: it fulfils them all. Where Require would panic, because a permission is
// not in the catalogue, nobody passes, and Rejection.Err says why. It counts as
// the use of a key, once for each call, but not with a Principal that came from
// PrincipalFrom or Check.
func (g *Guard) Authorize(_ context.Context, p Principal, requirement Requirement, more ...Requirement) *Rejection {
	rejected := g.authorize(&caller{foreign: &p, addr: p.ClientAddr}, requirement, more...)
	p.use.count(p.ClientAddr, rejected.outcome())
	return rejected
}

func (g *Guard) authorize(c *caller, requirement Requirement, more ...Requirement) *Rejection {
	for i := range 1 + len(more) {
		if i > 0 {
			requirement = more[i-1]
		}
		if err := g.knows(requirement); err != nil {
			return g.rejection(Rejection{Code: CodeUnavailable, Err: err}, c.addr)
		}
		if rejected := g.judge(c, &requirement); rejected != nil {
			requirement.explain(rejected)
			return rejected
		}
	}
	return nil
}

// knows says why a requirement can never be fulfilled, or nil.
func (g *Guard) knows(r Requirement) error {
	if r.kind != KindKey {
		return inCatalog(g.scopes, r.permissions)
	}
	if r.keyType == "" && len(g.keyTypes) == 0 {
		return errors.New("middleware: Config.KeyTypes is empty, so no key would pass: set it or use RequireType")
	}
	return inCatalog(g.catalog, r.permissions)
}

// inCatalog names the first that a catalogue does not have. A nil one is not
// asked.
func inCatalog(catalog *scope.Catalog, names []string) error {
	for _, name := range names {
		if catalog == nil || catalog.Has(name) {
			continue
		}
		suggestion := ""
		if known, ok := catalog.Suggest(name); ok {
			suggestion = fmt.Sprintf(": did you mean %q?", known)
		}
		return fmt.Errorf("middleware: the catalogue has no permission %q%s", name, suggestion)
	}
	return nil
}

// judge holds a Principal against one requirement: kind and type first, then
// permissions.
func (g *Guard) judge(c *caller, r *Requirement) *Rejection {
	if code := g.misfit(c, r); code != "" {
		return g.rejection(Rejection{Code: code}, c.addr)
	}
	missing := c.permissions().Missing(r.permissions...)
	if len(missing) == 0 || (r.oneIsEnough && len(missing) < len(r.permissions)) {
		return nil
	}
	return g.insufficient(missing, c.addr)
}

// misfit says with which code to refuse a Principal of another kind or type,
// or "". What keys hold and what users consented to are two namespaces: a
// scope that is named like a permission gives none.
func (g *Guard) misfit(c *caller, r *Requirement) string {
	switch r.kind {
	case KindKey:
		if c.kind() != KindKey || !g.accepts(c.keyType(), r.keyType) {
			return CodeWrongKeyType
		}
	case KindUser:
		if c.kind() != KindUser {
			return CodeUserRequired
		}
	case KindClient:
		if c.kind() != KindClient {
			return CodeClientRequired
		}
	default:
		return CodeUnavailable
	}
	return ""
}

// accepts reports whether a key's type is the wanted one, or without one, of
// Config.KeyTypes.
func (g *Guard) accepts(keyType, wanted string) bool {
	if wanted == "" {
		return slices.Contains(g.keyTypes, keyType)
	}
	return keyType == wanted
}

func (g *Guard) insufficient(missing []string, addr netip.Addr) *Rejection {
	return g.rejection(Rejection{Code: CodeInsufficientScope, Required: missing}, addr)
}
