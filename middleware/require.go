package middleware

import "net/http"

// Require lets API keys of Config.KeyTypes pass that hold all these
// permissions. It panics if there is none, if one is malformed, or if
// Config.Catalog does not know it. What it returns panics, as that of the others
// does, if there is no handler.
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
		mustServe(next)
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
	mustServe(next)
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

// handler wires a requirement in front of handlers.
func (g *Guard) handler(requirement Requirement) func(http.Handler) http.Handler {
	g.mustKnow(requirement)
	return func(next http.Handler) http.Handler {
		mustServe(next)
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

// mustServe panics if there is no handler: not only when the first request has
// come through.
func mustServe(next http.Handler) {
	if next == nil {
		panic("middleware: the handler is nil")
	}
}
