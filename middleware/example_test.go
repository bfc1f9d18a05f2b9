package middleware_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/middleware"
	"github.com/latchwork/latchwork/scope"
)

// A handler can decide by itself what a request needs: here, whoever may edit
// orders may see them too, and only a key of another type gets the whole table.
func ExampleGuard_Check() {
	keys, _ := apikey.New(apikey.NewMemoryStore(), apikey.Config{Prefix: "demo", Types: []string{"admin", "export"}})
	guard, _ := middleware.New(middleware.Config{
		Credentials: []middleware.Authenticator{middleware.Keys(keys)}, KeyTypes: []string{"admin"},
	})
	orders := func(w http.ResponseWriter, r *http.Request) {
		needed := middleware.AnyOf("orders.view", "orders.update")
		if r.URL.Query().Has("all") {
			needed = middleware.OfType("export")
		}
		p, rejected := guard.Check(r, needed)
		if rejected != nil {
			middleware.WriteRejection(w, r, *rejected)
			return
		}
		fmt.Fprint(w, "orders for a key of the type ", p.KeyType)
	}

	editor, _ := keys.Create(context.Background(), apikey.Spec{Name: "Editor", Type: "admin", Permissions: scope.MustParseSet("orders.update")})
	nightly, _ := keys.Create(context.Background(), apikey.Spec{Name: "Nightly", Type: "export"})
	for _, key := range []apikey.Issued{editor, nightly} {
		for _, path := range []string{"/orders", "/orders?all"} {
			r := httptest.NewRequest(http.MethodGet, path, nil)
			r.Header.Set("Authorization", "Bearer "+key.Secret.Reveal())
			w := httptest.NewRecorder()
			orders(w, r)
			fmt.Println(key.Key.Name, path, w.Code)
		}
	}
	// Output:
	// Editor /orders 200
	// Editor /orders?all 403
	// Nightly /orders 403
	// Nightly /orders?all 200
}

// directory is an identity provider of the house, whose tokens begin with
// "staff_".
type directory map[string]middleware.Principal

func (directory) Recognize(presented string) bool { return strings.HasPrefix(presented, "staff_") }

func (directory) Samples() []string { return []string{"staff_sample"} }

func (d directory) Authenticate(_ context.Context, presented string, r middleware.Request) (middleware.Principal, error) {
	if err := r.Admit(); err != nil { // strangers who guess are slowed down here
		return middleware.Principal{}, err
	}
	p, known := d[presented]
	if !known {
		return middleware.Principal{}, middleware.ErrInvalidCredential
	}
	return p, nil
}

// Credentials of another sort go through the same Guard, and into the same
// handlers.
func ExampleAuthenticator() {
	keys, _ := apikey.New(apikey.NewMemoryStore(), apikey.Config{Prefix: "demo"})
	staff := directory{"staff_ada": {Kind: middleware.KindUser, Subject: "ada", Permissions: scope.MustParseSet("profile")}}
	guard, _ := middleware.New(middleware.Config{
		Credentials: []middleware.Authenticator{staff, middleware.Keys(keys)}, KeyTypes: []string{"admin"},
	})
	me := guard.RequireScope("profile")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, _ := middleware.PrincipalFrom(r.Context())
		fmt.Fprint(w, "hello, ", p.Subject)
	}))
	for _, token := range []string{"staff_ada", "staff_mallory"} {
		r := httptest.NewRequest(http.MethodGet, "/api/me", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		me.ServeHTTP(w, r)
		if w.Code == http.StatusOK {
			fmt.Println(w.Body)
		} else {
			fmt.Println(w.Code)
		}
	}
	// Output:
	// hello, ada
	// 401
}
