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

// Require lets API keys of Config.KeyTypes pass that hold all these
// permissions. It panics if there is none, if one is malformed, or if
// Config.Catalog does not know it.
func (g *Guard) Require(permissions ...string) func(http.Handler) http.Handler {
	return g.handler(AllOf(permissions...))
}

// RequireAny lets API keys of Config.KeyTypes pass that hold one of these
// permissions. It panics like Require.
func (g *Guard) RequireAny(permissions ...string) func(http.Handler) http.Handler {
	return g.handler(AnyOf(permissions...))
}

// RequireType lets API keys of this type pass, whatever Config.KeyTypes says,
// that hold all these permissions, of which there may be none. It panics like
// Require.
func (g *Guard) RequireType(keyType string, permissions ...string) func(http.Handler) http.Handler {
	return g.handler(OfType(keyType, permissions...))
}

// RequireScope lets access tokens of users pass that hold all these scopes,
// and neither keys nor a client's own tokens. It panics if there is none, if
// one is malformed, or if Config.Scopes does not know it.
func (g *Guard) RequireScope(scopes ...string) func(http.Handler) http.Handler {
	return g.handler(Scope(scopes...))
}

// RequireAnyScope lets access tokens of users pass that hold one of these
// scopes. It panics like RequireScope.
func (g *Guard) RequireAnyScope(scopes ...string) func(http.Handler) http.Handler {
	return g.handler(AnyScope(scopes...))
}

// RequireClientScope lets access tokens of OAuth clients themselves pass that
// hold all these scopes, and neither keys nor users. It panics like
// RequireScope.
func (g *Guard) RequireClientScope(scopes ...string) func(http.Handler) http.Handler {
	return g.handler(ClientScope(scopes...))
}

// Resource lets API keys of Config.KeyTypes pass that hold the permission
// which the method needs: GET and HEAD name.view, POST name.create, PUT and
// PATCH name.update, DELETE name.delete. Other methods are answered with 405.
// It panics like Require.
func (g *Guard) Resource(name string) func(http.Handler) http.Handler {
	view, update := AllOf(name+".view"), AllOf(name+".update")
	byMethod := map[string]Requirement{
		http.MethodGet: view, http.MethodHead: view, http.MethodPost: AllOf(name + ".create"),
		http.MethodPut: update, http.MethodPatch: update, http.MethodDelete: AllOf(name + ".delete"),
	}
	for _, requirement := range byMethod {
		g.mustKnow(requirement)
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b, rejected := g.authenticate(r)
			if rejected == nil {
				rejected = g.resource(&b.caller, byMethod, r.Method)
			}
			if rejected == nil {
				r, b = b.admit(r)
			}
			view.explain(rejected)
			b.serve(w, r, next, rejected)
		})
	}
}

func (g *Guard) resource(c *caller, byMethod map[string]Requirement, method string) *Rejection {
	requirement, ok := byMethod[method]
	if !ok {
		return g.rejection(Rejection{
			Code:    CodeMethodNotAllowed,
			Allowed: []string{"DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"},
		}, c.addr)
	}
	return g.judge(c, &requirement)
}

// Optional lets requests without a credential pass, without a Principal. A bad
// credential is refused as everywhere, and so is every request by the zero
// Guard.
func (g *Guard) Optional(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, rejected := g.authenticate(r)
		anonymous := r.Header["Authorization"] == nil && (g.keyHeader == "" || r.Header[g.keyHeader] == nil)
		if anonymous && rejected != nil && rejected.Code == CodeMissingToken && len(g.credentials) > 0 {
			next.ServeHTTP(w, r)
			return
		}
		if rejected == nil && b.outermost == nil {
			r, b = b.bind(r, false)
		}
		b.serve(w, r, next, rejected)
	})
}

// Check returns who sent a request if that fulfils all the requirements, and
// otherwise why it must not pass. It writes nothing and binds nothing: this is
// for deciding inside a handler, and for routers that write answers in a way of
// their own. WriteRejection writes one. The Rejection is nil exactly when the
// request may pass.
func (g *Guard) Check(r *http.Request, requirement Requirement, more ...Requirement) (Principal, *Rejection) {
	b := g.bound(r)
	var rejected *Rejection
	if b == nil {
		b = new(binding) // which is bound to nothing
		rejected = g.identifyRequest(r, &b.caller)
	}
	if rejected != nil {
		requirement.explain(rejected)
		g.describe(r, rejected)
		return Principal{}, rejected
	}
	rejected = g.authorize(&b.caller, requirement, more...)
	if b.outermost == nil { // otherwise it has not ended here
		b.caller.count(rejected.outcome())
	}
	if rejected != nil {
		g.describe(r, rejected)
		return Principal{}, rejected
	}
	return b.caller.principal(), nil
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

// handler wires a requirement in front of handlers.
func (g *Guard) handler(requirement Requirement) func(http.Handler) http.Handler {
	g.mustKnow(requirement)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b, rejected := g.authenticate(r)
			if rejected == nil {
				rejected = g.judge(&b.caller, &requirement)
			}
			if rejected == nil {
				r, b = b.admit(r)
			}
			requirement.explain(rejected)
			g.describe(r, rejected)
			b.serve(w, r, next, rejected)
		})
	}
}

// serve ends every way through the Guard: with the rejection, or with the
// handler. A request counts once, when it has ended for the outermost of those
// that the same Guard made.
func (b *binding) serve(w http.ResponseWriter, r *http.Request, next http.Handler, rejected *Rejection) {
	if rejected != nil {
		b.turnedAway(rejected)
		b.guard.reject(w, r, *rejected)
		return
	}
	if outermost := b.outermost; !outermost.settling {
		outermost.settling = true
		defer outermost.settle()
	}
	next.ServeHTTP(w, r)
}

// describe adds to the challenge of a route that needs a token where the route
// is described, RFC 9728 section 5.1.
func (g *Guard) describe(r *http.Request, rejected *Rejection) {
	if rejected == nil || rejected.Challenge == "" || rejected.Code == CodeInvalidRequest || rejected.Needed == KindKey || g.describedBy == nil {
		return
	}
	if url := g.describedBy(r); url != "" && isQuotable(url) {
		rejected.Challenge += `, resource_metadata="` + url + `"`
	}
}

// mustKnow panics if a requirement can never be fulfilled.
func (g *Guard) mustKnow(r Requirement) {
	if err := g.knows(r); err != nil {
		panic(err.Error())
	}
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
