package keyapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/apikey/keyapi"
	"github.com/latchwork/latchwork/scope"
)

// A key that may create keys makes one with fewer permissions, and fails to
// make one with more. Here the host looks at the key itself; usually a Guard of
// the package middleware has done that before.
func Example() {
	keys, err := apikey.New(apikey.NewMemoryStore(), apikey.Config{Prefix: "paym"})
	if err != nil {
		fmt.Println(err)
		return
	}
	const path = "/api/v1/admin/api-keys"
	api, err := keyapi.New(keys, keyapi.Config{
		Path: path,
		Actor: func(r *http.Request) (apikey.Actor, error) {
			v, err := keys.Verify(r.Context(), strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
			if err != nil {
				return apikey.Actor{}, err
			}
			return keys.ActorOf(r.Context(), v.Key().ID)
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle(path, api)
	mux.Handle(path+"/", api)

	operator, err := keys.Create(context.Background(), apikey.Spec{
		Name: "deploy", Type: "admin", Permissions: scope.MustParseSet("api_keys.create", "users.view"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, body := range []string{
		`{"name": "CI", "type": "admin", "permissions": ["users.view"], "allowed_ips": ["192.0.2.0/24"]}`,
		`{"name": "CI", "type": "admin", "permissions": ["users.delete"]}`,
		`{"name": "", "permissions": []}`,
	} {
		r := httptest.NewRequest("POST", path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+operator.Secret.Reveal())
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)

		if w.Code != http.StatusCreated {
			fmt.Print(w.Code, " ", w.Body)
			continue
		}
		var created struct {
			Data  struct{ Name, State string }
			Token string
		}
		if err := json.Unmarshal(w.Body.Bytes(), &created); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(w.Code, created.Data.Name, created.Data.State, keys.Recognize(created.Token))
	}
	// Output:
	// 201 CI active true
	// 403 {"error":"exceeds_ceiling","message":"A key like that goes beyond what you hold yourself: permissions users.delete.","exceeds":{"permissions":["users.delete"]}}
	// 422 {"error":"validation_failed","message":"Some fields are not valid: see errors.","errors":{"name":["must not be empty"],"type":["is required"]}}
}

// A key asks what it is, wherever the host has mounted that.
func ExampleHandler_Self() {
	keys, err := apikey.New(apikey.NewMemoryStore(), apikey.Config{Prefix: "paym"})
	if err != nil {
		fmt.Println(err)
		return
	}
	issued, err := keys.Create(context.Background(), apikey.Spec{
		Name: "CI", Type: "admin", Permissions: scope.MustParseSet("users.view"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	api, err := keyapi.New(keys, keyapi.Config{
		Path:  "/api/v1/admin/api-keys",
		Actor: func(r *http.Request) (apikey.Actor, error) { return keys.ActorOf(r.Context(), issued.Key.ID) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/api/whoami", api.Self())

	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest("GET", "/api/whoami", nil))
	var self struct {
		Data struct {
			Name, Type  string
			Permissions []string
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &self); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(w.Code, self.Data.Name, self.Data.Type, self.Data.Permissions)
	// Output: 200 CI admin [users.view]
}
