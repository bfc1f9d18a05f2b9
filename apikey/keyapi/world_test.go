package keyapi_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/apikey/keyapi"
	"github.com/latchwork/latchwork/ipfilter"
	"github.com/latchwork/latchwork/scope"
)

const (
	mount  = "/api/v1/admin/api-keys"
	nobody = "0198c0de-0000-7000-8000-000000000000" // nobody's id
)

// A world is a Manager with its API, in which whoever presents a key is the
// actor that the key is.
type world struct {
	store  *flaky
	keys   *apikey.Manager
	api    *keyapi.Handler
	logs   *logBuffer
	events []apikey.Event
	mu     sync.Mutex // guards events
}

func newWorld(t testing.TB) *world {
	w := &world{store: &flaky{MemoryStore: apikey.NewMemoryStore()}, logs: new(logBuffer)}
	logger := slog.New(slog.NewJSONHandler(w.logs, nil))
	var err error
	w.keys, err = apikey.New(w.store, apikey.Config{
		Prefix: "paym", Types: []string{"admin", "client"}, Catalog: catalog(t), Activity: w.store, Logger: logger,
		OnEvent: func(e apikey.Event) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.events = append(w.events, e)
		},
	})
	require.NoError(t, err)
	w.api, err = keyapi.New(w.keys, keyapi.Config{Path: mount, Actor: w.actor, Logger: logger})
	require.NoError(t, err)
	return w
}

func catalog(t testing.TB) *scope.Catalog {
	var entries []scope.Permission
	for _, group := range []struct{ name, actions string }{
		{"users", "view create update delete"},
		{"invoices", "view create"},
		{"api_keys", "view create update rotate delete revoke_any"},
	} {
		for action := range strings.FieldsSeq(group.actions) {
			entries = append(entries, scope.Permission{Name: group.name + "." + action, Group: group.name, Label: action})
		}
	}
	c, err := scope.NewCatalog(entries...)
	require.NoError(t, err)
	return c
}

// actor is what a Guard and Manager.ActorOf do together.
func (w *world) actor(r *http.Request) (apikey.Actor, error) {
	v, err := w.keys.Verify(r.Context(), strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	if err != nil {
		return apikey.Actor{}, err
	}
	return w.keys.ActorOf(r.Context(), v.Key().ID)
}

// setActor makes everybody this actor.
func (w *world) setActor(t testing.TB, actor apikey.Actor) {
	var err error
	w.api, err = keyapi.New(w.keys, keyapi.Config{
		Path: mount, Logger: slog.New(slog.NewJSONHandler(w.logs, nil)),
		Actor: func(*http.Request) (apikey.Actor, error) { return actor, nil },
	})
	require.NoError(t, err)
}

// issue creates a key as the operator. Fields that are not set are those of a
// key that nothing bounds but its permissions.
func (w *world) issue(t testing.TB, spec apikey.Spec, grants ...string) key {
	t.Helper()
	if spec.Name == "" {
		spec.Name = "A key"
	}
	if spec.Type == "" {
		spec.Type = "admin"
	}
	spec.Permissions = scope.MustParseSet(grants...)
	issued, err := w.keys.Create(t.Context(), spec)
	require.NoError(t, err)
	return key{issued.Key.ID, issued.Secret.Reveal()}
}

// root issues a key that may do everything.
func (w *world) root(t testing.TB) key { return w.issue(t, apikey.Spec{Name: "root"}, "*") }

func (w *world) stored(t testing.TB, id string) apikey.Key {
	t.Helper()
	k, err := w.keys.Get(context.WithoutCancel(t.Context()), id)
	require.NoError(t, err)
	return k
}

type key struct{ id, token string }

// A call is one request. A body makes it application/json, unless the headers
// say otherwise.
type call struct {
	method, below string
	body          string
	headers       []string // "Name: value"
	ctx           context.Context
}

func (c call) request(token string) *http.Request {
	var body io.Reader
	if c.body != "" {
		body = strings.NewReader(c.body)
	}
	r := httptest.NewRequest(c.method, mount+c.below, body)
	if c.ctx != nil {
		r = r.WithContext(c.ctx)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if c.body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	seen := map[string]bool{}
	for _, h := range c.headers {
		name, value, _ := strings.Cut(h, ":")
		if !seen[name] {
			r.Header.Del(name)
		}
		seen[name] = true
		if value = strings.TrimPrefix(value, " "); value != "-" { // "-" takes it away
			r.Header.Add(name, value)
		}
	}
	return r
}

// serve sends a request and checks what holds for every answer.
func (w *world) serve(t testing.TB, r *http.Request) answer {
	t.Helper()
	recorder := httptest.NewRecorder()
	w.api.ServeHTTP(recorder, r)
	a := answer{t, recorder.Code, recorder.Header(), recorder.Body.String()}
	a.decent(r.Method)
	return a
}

func (w *world) do(t testing.TB, as key, c call) answer {
	t.Helper()
	return w.serve(t, c.request(as.token))
}

func (w *world) get(t testing.TB, as key, below string) answer {
	t.Helper()
	return w.do(t, as, call{method: "GET", below: below})
}

func (w *world) post(t testing.TB, as key, below, body string) answer {
	t.Helper()
	return w.do(t, as, call{method: "POST", below: below, body: body})
}

func (w *world) patch(t testing.TB, as key, id, body string, headers ...string) answer {
	t.Helper()
	return w.do(t, as, call{method: "PATCH", below: "/" + id, body: body, headers: headers})
}

func (w *world) delete(t testing.TB, as key, below string, headers ...string) answer {
	t.Helper()
	return w.do(t, as, call{method: "DELETE", below: below, headers: headers})
}

func list(t testing.TB, entries ...string) *ipfilter.List {
	l, err := ipfilter.ParseList(entries, ipfilter.MaxEntries)
	require.NoError(t, err)
	return &l
}

func in(d time.Duration) time.Time { return time.Now().Add(d).UTC().Truncate(time.Second) }

func rfc3339(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
