// Command quickstart protects one handler with API keys kept in memory:
//
//	go run -C examples ./quickstart
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/middleware"
	"github.com/latchwork/latchwork/scope"
)

func main() {
	keys, err := apikey.New(apikey.NewMemoryStore(), apikey.Config{Prefix: "demo"})
	if err != nil {
		log.Fatal(err)
	}
	issued, err := keys.Create(context.Background(), apikey.Spec{
		Name: "my first key", Type: "admin", Permissions: scope.MustParseSet("users.view"),
	})
	if err != nil {
		log.Fatal(err)
	}
	handler, err := newHandler(keys)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("curl -H 'Authorization: Bearer " + issued.Secret.Reveal() + "' http://127.0.0.1:8080/users")
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", handler))
}

func newHandler(keys *apikey.Manager) (http.Handler, error) {
	guard, err := middleware.New(middleware.Config{
		Credentials: []middleware.Authenticator{middleware.Keys(keys)},
		KeyTypes:    []string{"admin"},
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /users", guard.Require("users.view")(http.HandlerFunc(hello)))
	mux.Handle("DELETE /users", guard.Require("users.delete")(http.HandlerFunc(hello)))
	return mux, nil
}

func hello(w http.ResponseWriter, r *http.Request) {
	caller, _ := middleware.PrincipalFrom(r.Context())
	fmt.Fprintf(w, "hello, key %s\n", caller.CredentialID)
}
