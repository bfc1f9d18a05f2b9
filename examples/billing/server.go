package main

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/apikey/keyapi"
	"github.com/latchwork/latchwork/middleware"
	"github.com/latchwork/latchwork/scope"
)

const adminPath = "/api/v1/admin/"

// newService returns the first admin key, and the whole API.
func newService(ctx context.Context) (admin apikey.Secret, handler http.Handler, err error) {
	permissions, err := catalogue()
	if err != nil {
		return admin, nil, err
	}
	store := apikey.NewMemoryStore()
	keys, err := apikey.New(store, apikey.Config{Prefix: "paym", Catalog: permissions, Activity: store, Logger: slog.Default()})
	if err != nil {
		return admin, nil, err
	}
	guard, err := middleware.New(middleware.Config{
		Credentials: []middleware.Authenticator{middleware.Keys(keys)},
		KeyTypes:    []string{"admin"}, Catalog: permissions, Logger: slog.Default(),
	})
	if err != nil {
		return admin, nil, err
	}
	management, err := keyapi.New(keys, keyapi.Config{
		Path: adminPath + "api-keys", Actor: middleware.KeyActor(keys), Logger: slog.Default(),
	})
	if err != nil {
		return admin, nil, err
	}
	mux, db := http.NewServeMux(), newDatabase()
	for _, res := range resources() {
		mount(mux, guard, api{res, db})
	}
	mux.Handle(adminPath+"api-keys", guard.RequireType("admin")(management))
	mux.Handle(adminPath+"api-keys/", guard.RequireType("admin")(management))
	mux.HandleFunc("/", notFound)
	issued, err := keys.Create(ctx, apikey.Spec{Name: "Admin", Type: "admin", Permissions: scope.MustParseSet("*")})
	return issued.Secret, mux, err
}

func catalogue() (*scope.Catalog, error) {
	all := keyapi.Permissions()
	for _, res := range resources() {
		for _, action := range []string{"View", "Create", "Update", "Delete"} {
			if action == "View" || !res.readOnly {
				all = append(all, scope.Permission{
					Name: res.name + "." + strings.ToLower(action), Group: res.title, Label: action + " " + res.title,
				})
			}
		}
	}
	return scope.NewCatalog(all...)
}

func mount(mux *http.ServeMux, guard *middleware.Guard, a api) {
	collection := methods{"GET": a.list, "HEAD": a.list}
	item := methods{"GET": a.get, "HEAD": a.get}
	permitted := guard.Require(a.res.name + ".view")
	if !a.res.readOnly {
		collection["POST"] = a.save
		item["PUT"], item["PATCH"], item["DELETE"] = a.save, a.save, a.remove
		permitted = guard.Resource(a.res.name)
	}
	includes := guard.RequireIncludes(a.res.relations)
	mux.Handle(adminPath+a.res.name, permitted(includes(collection)))
	mux.Handle(adminPath+a.res.name+"/{id}", permitted(includes(item)))
}

// methods do what ServeMux can do by itself, but not in JSON, nor behind a Guard.
type methods map[string]http.HandlerFunc

func (m methods) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if handle, ok := m[r.Method]; ok {
		handle(w, r)
		return
	}
	w.Header().Set("Allow", strings.Join(slices.Sorted(maps.Keys(m)), ", "))
	fail(w, http.StatusMethodNotAllowed, "method_not_allowed", "The method is not allowed here.", nil)
}
