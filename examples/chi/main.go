// Command chi puts the Guard on a chi router:
//
//	go run -C examples ./chi
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/middleware"
	"github.com/latchwork/latchwork/scope"
)

func main() {
	keys, err := apikey.New(apikey.NewMemoryStore(), apikey.Config{Prefix: "demo"})
	if err != nil {
		log.Fatal(err)
	}
	router, err := newRouter(keys)
	if err != nil {
		log.Fatal(err)
	}
	issued, err := keys.Create(context.Background(), apikey.Spec{
		Name: "my first key", Type: "admin", Permissions: scope.MustParseSet("users.view"),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("curl -H 'Authorization: Bearer " + issued.Secret.Reveal() + "' http://127.0.0.1:8080/users/42")
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", router))
}

func newRouter(keys *apikey.Manager) (http.Handler, error) {
	guard, err := middleware.New(middleware.Config{
		Credentials: []middleware.Authenticator{middleware.Keys(keys)},
		KeyTypes:    []string{"admin"},
	})
	if err != nil {
		return nil, err
	}
	r := chi.NewRouter()
	r.Use(guard.Optional) // no credential is fine, a bad one is refused on every route
	r.Get("/", hello)
	r.With(guard.Require("users.view")).Get("/users/{id}", showUser)
	r.With(guard.Require("users.delete")).Delete("/users/{id}", showUser)
	return r, nil
}

func hello(w http.ResponseWriter, r *http.Request) {
	caller, ok := middleware.PrincipalFrom(r.Context())
	if !ok {
		fmt.Fprintln(w, "hello, stranger")
		return
	}
	fmt.Fprintf(w, "hello, key %s\n", caller.CredentialID)
}

func showUser(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "user %s\n", chi.URLParam(r, "id"))
}
