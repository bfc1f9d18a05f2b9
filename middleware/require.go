package middleware

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"slices"

	"github.com/latchwork/latchwork/scope"
)

// A Requirement is what a Principal must fulfil. It is immutable. The zero
// Requirement is fulfilled by nobody.
type Requirement struct {
	keyType     string // empty: those of Config.KeyTypes
	permissions []string
	oneIsEnough bool // one of the permissions is enough
	valid       bool
}

// AllOf is fulfilled by API keys of Config.KeyTypes that hold all these
// permissions. It panics if there is none, or one is malformed.
func AllOf(permissions ...string) Requirement {
	return Requirement{permissions: mustBePermissions(permissions), valid: true}
}

// AnyOf is fulfilled by API keys of Config.KeyTypes that hold one of these
// permissions. It panics if there is none, or one is malformed.
func AnyOf(permissions ...string) Requirement {
	return Requirement{permissions: mustBePermissions(permissions), oneIsEnough: true, valid: true}
}

// OfType is fulfilled by API keys of this type, whatever Config.KeyTypes says,
// that hold all these permissions, of which there may be none. It panics if
// the type is empty or a permission malformed.
func OfType(keyType string, permissions ...string) Requirement {
	if keyType == "" {
		panic("middleware: the key type is empty")
	}
	if len(permissions) > 0 {
		permissions = mustBePermissions(permissions)
	}
	return Requirement{keyType: keyType, permissions: permissions, valid: true}
}

func mustBePermissions(names []string) []string {
	if len(names) == 0 {
		panic("middleware: no permission is required: that would let everybody pass")
	}
	for _, name := range names {
		if !scope.ValidPermission(name) {
			panic(fmt.Sprintf("middleware: %q is not a permission", name))
		}
	}
	return slices.Clone(names)
}

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
			p, rejected := g.authenticate(r)
			if rejected == nil {
				rejected = g.resource(p, byMethod, r.Method)
			}
			g.serve(w, r, next, p, rejected)
		})
	}
}

func (g *Guard) resource(p Principal, byMethod map[string]Requirement, method string) *Rejection {
	requirement, ok := byMethod[method]
	if !ok {
		return g.rejection(Rejection{
			Code:    CodeMethodNotAllowed,
			Allowed: []string{"DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"},
		}, p.ClientAddr)
	}
	return g.judge(p, requirement)
}

// Optional lets requests without a credential pass, without a Principal. A bad
// credential is refused as everywhere.
func (g *Guard) Optional(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, rejected := g.authenticate(r)
		if rejected != nil && rejected.Code == CodeMissingToken && r.Header["Authorization"] == nil {
			next.ServeHTTP(w, r)
			return
		}
		g.serve(w, r, next, p, rejected)
	})
}

// Check returns who sent a request if that fulfils all the requirements, and
// otherwise why it must not pass. It writes nothing: this is for routers that
// do not speak net/http. The Rejection is nil exactly when the request may
// pass.
func (g *Guard) Check(r *http.Request, requirement Requirement, more ...Requirement) (Principal, *Rejection) {
	p, rejected := g.authenticate(r)
	if rejected == nil {
		rejected = g.Authorize(r.Context(), p, requirement, more...)
	}
	if rejected != nil {
		return Principal{}, rejected
	}
	return p, nil
}

// Authorize holds a Principal that Authenticate returned against requirements.
// Nil: it fulfils them all.
func (g *Guard) Authorize(_ context.Context, p Principal, requirement Requirement, more ...Requirement) *Rejection {
	if rejected := g.judge(p, requirement); rejected != nil {
		return rejected
	}
	for _, r := range more {
		if rejected := g.judge(p, r); rejected != nil {
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
			p, rejected := g.authenticate(r)
			if rejected == nil {
				rejected = g.judge(p, requirement)
			}
			g.serve(w, r, next, p, rejected)
		})
	}
}

// serve ends every way through the Guard: with the rejection, or with the
// handler and the Principal bound to its request.
func (g *Guard) serve(w http.ResponseWriter, r *http.Request, next http.Handler, p Principal, rejected *Rejection) {
	if rejected != nil {
		g.reject(w, r, *rejected)
		return
	}
	if g.bound(r) == nil {
		r = g.bind(r, p, nil)
	}
	next.ServeHTTP(w, r)
}

// mustKnow panics if a requirement can never be fulfilled.
func (g *Guard) mustKnow(requirement Requirement) {
	if requirement.keyType == "" && len(g.keyTypes) == 0 {
		panic("middleware: Config.KeyTypes is empty, so no key would pass: set it or use RequireType")
	}
	for _, name := range requirement.permissions {
		if g.catalog != nil && !g.catalog.Has(name) {
			suggestion := ""
			if known, ok := g.catalog.Suggest(name); ok {
				suggestion = fmt.Sprintf(": did you mean %q?", known)
			}
			panic(fmt.Sprintf("middleware: the catalogue has no permission %q%s", name, suggestion))
		}
	}
}

// judge holds a Principal against one requirement: kind and type first, then
// permissions.
func (g *Guard) judge(p Principal, r Requirement) *Rejection {
	if !r.valid {
		return g.rejection(Rejection{Code: CodeUnavailable}, p.ClientAddr)
	}
	typeFits := p.KeyType == r.keyType
	if r.keyType == "" {
		typeFits = slices.Contains(g.keyTypes, p.KeyType)
	}
	if p.Kind != KindKey || !typeFits {
		return g.rejection(Rejection{Code: CodeWrongKeyType}, p.ClientAddr)
	}
	missing := p.Permissions.Missing(r.permissions...)
	if len(missing) == 0 || (r.oneIsEnough && len(missing) < len(r.permissions)) {
		return nil
	}
	return g.insufficient(missing, p.ClientAddr)
}

func (g *Guard) insufficient(missing []string, addr netip.Addr) *Rejection {
	return g.rejection(Rejection{Code: CodeInsufficientScope, Required: missing}, addr)
}
