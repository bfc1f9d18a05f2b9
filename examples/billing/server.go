package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/apikey/keyapi"
	"github.com/latchwork/latchwork/middleware"
	"github.com/latchwork/latchwork/oauth"
	"github.com/latchwork/latchwork/oauth/password"
	"github.com/latchwork/latchwork/scope"
)

const adminPath = "/api/v1/admin/"

// bursts are how many failures are tolerated at once, any number if it is 0.
type bursts struct{ login, failure int }

// A service is the whole API, how a new database is filled, and what is to be
// done when the context of the service has ended.
type service struct {
	http.Handler

	fill  func(context.Context) (credentials, error)
	close func(context.Context) error
}

// newService returns the service on a database.
func newService(ctx context.Context, db *database, baseURL string, tolerated bursts, cacheTTL time.Duration) (s service, err error) {
	permissions, err := catalogue()
	if err != nil {
		return s, err
	}
	keys, err := apikey.New(db.keys, apikey.Config{
		Prefix: "paym", ForeignFormats: []apikey.ForeignFormat{apikey.Paymenter()}, // imported from a panel
		Catalog: permissions, Activity: db.keys, Feed: db.keys, CacheTTL: cacheTTL, Logger: slog.Default(),
	})
	if err != nil {
		return s, err
	}
	passwords, err := password.New(password.Config{})
	if err != nil {
		return s, err
	}
	pages, err := newSite(baseURL, db)
	if err != nil {
		return s, err
	}
	cfg, err := tokenConfig(baseURL, db, passwords, pages, tolerated.login)
	if err != nil {
		return s, err
	}
	clients, err := oauth.NewClients(db.oauth, db.oauth, oauth.ClientsConfig{Scopes: cfg.Scopes})
	if err != nil {
		return s, err
	}
	tokens, err := oauth.New(db.oauth, clients, cfg)
	if err != nil {
		return s, fmt.Errorf("-base-url: %w", err)
	}
	guard, err := middleware.New(middleware.Config{
		Credentials: []middleware.Authenticator{middleware.Keys(keys), middleware.Tokens(tokens)},
		KeyTypes:    []string{"admin"}, Catalog: permissions, Scopes: cfg.Scopes, Logger: slog.Default(),
		FailureBurst: tolerated.failure, ResourceMetadata: tokens.ResourceMetadata,
	})
	if err != nil {
		return s, err
	}
	management, err := keyapi.New(keys, keyapi.Config{
		Path: adminPath + "api-keys", Actor: middleware.KeyActor(keys), Logger: slog.Default(),
	})
	if err != nil {
		return s, err
	}
	mux := http.NewServeMux()
	for _, res := range resources() {
		mount(mux, guard, api{res, db, tokens})
	}
	mux.Handle(adminPath+"api-keys", guard.RequireType("admin")(management))
	mux.Handle(adminPath+"api-keys/", guard.RequireType("admin")(management))
	pages.mount(mux, tokens)
	own := api{db: db}
	mux.Handle("/api/me", guard.RequireScope("profile")(methods{"GET": own.me, "HEAD": own.me}))
	mux.Handle("/api/me/invoices", guard.RequireScope("invoices")(methods{"GET": own.myInvoices, "HEAD": own.myInvoices}))
	mux.HandleFunc("/", notFound)

	if err := keys.Watch(ctx); err != nil { // what other hosts change
		return s, err
	}
	tidied := db.tidy(ctx)
	return service{
		Handler: mux,
		fill:    func(ctx context.Context) (credentials, error) { return db.fill(ctx, keys, clients, passwords) },
		close: func(ctx context.Context) error {
			err := keys.Close(ctx)
			<-tidied
			return err
		},
	}, nil
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
