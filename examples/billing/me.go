package main

import (
	"context"
	"net/http"

	"github.com/latchwork/latchwork/middleware"
)

// me answers whom the token speaks for.
func (a api) me(w http.ResponseWriter, r *http.Request) {
	caller, _ := middleware.PrincipalFrom(r.Context())
	found, err := a.db.get(r.Context(), "users", caller.Subject)
	if err != nil {
		broken(w, r, err)
		return
	}
	if len(found) == 0 { // deleted since the Guard let the request through
		w.Header().Set("WWW-Authenticate", `Bearer realm="api", error="invalid_token"`)
		fail(w, http.StatusUnauthorized, middleware.CodeInvalidToken, "The credential is not valid.", nil)
		return
	}
	profile := values{"id": found[0].ID}
	for _, name := range []string{"first_name", "last_name", "email", "email_verified_at", "created_at", "updated_at"} {
		profile[name] = found[0].Attributes[name]
	}
	respond(w, http.StatusOK, profile)
}

// myInvoices answers with those of whom the token speaks for.
func (a api) myInvoices(w http.ResponseWriter, r *http.Request) {
	caller, _ := middleware.PrincipalFrom(r.Context())
	a.page(w, r, func(ctx context.Context, from, limit int) ([]record, int, error) {
		mine, err := a.db.find(ctx, "invoices", func(rec record) bool { return rec.Attributes["user_id"] == caller.Subject })
		from = min(from, len(mine))
		return mine[from:min(from+limit, len(mine))], len(mine), err
	})
}
