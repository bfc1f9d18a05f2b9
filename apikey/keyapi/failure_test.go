package keyapi_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/apikey/keyapi"
	"github.com/latchwork/latchwork/scope"
)

// calls are all that the API can do with a key.
func calls(id string) []call {
	return []call{
		{method: "GET"},
		{method: "GET", below: "?q=x&state=active"},
		{method: "POST", body: `{"name":"x","type":"admin","permissions":[]}`},
		{method: "GET", below: "/" + id},
		{method: "PATCH", below: "/" + id, body: `{"name":"y"}`},
		{method: "PATCH", below: "/" + id, body: `{"enabled":false}`, headers: []string{`If-Match: "1"`}},
		{method: "POST", below: "/" + id + "/rotate"},
		{method: "GET", below: "/" + id + "/activity"},
		{method: "DELETE", below: "/" + id},
		{method: "DELETE", below: "/" + id + "?descendants=true"},
	}
}

const storeTrouble = "dial tcp 10.9.8.7:5432: connection refused"

func TestStoreFailures(t *testing.T) {
	t.Parallel()
	for i := range calls("") {
		w := newWorld(t)
		root := w.root(t)
		k := w.issue(t, apikey.Spec{}, "users.view")
		c := calls(k.id)[i]
		actor, err := w.keys.ActorOf(t.Context(), root.id)
		require.NoError(t, err)
		w.setActor(t, actor)
		for _, failing := range [][]string{nil, {"get", "list", "create", "events"}, {"list", "create", "update", "events"}} {
			w.logs.buf.Reset()
			w.store.fail(errors.New(storeTrouble), failing...)
			a := w.do(t, root, c)
			if a.status == 200 && c.below == "/"+k.id && c.method == "GET" {
				continue // needs nothing but get
			}
			a.is(503)
			require.NotContains(t, a.body, "10.9.8.7")
			require.Equal(t, 1, strings.Count(w.logs.String(), "\n"), "logged once: %s", w.logs)
			require.Contains(t, w.logs.String(), storeTrouble)
			require.Contains(t, w.logs.String(), apikey.KeyActorID(root.id))
			require.Equal(t, strings.Contains(c.below, k.id), strings.Contains(w.logs.String(), `"key":"`+k.id+`"`))
		}
		w.store.fail(nil)
		require.Equal(t, int64(1), w.stored(t, k.id).Version)
	}
}

func TestActorFailure(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root(t)
	w.store.fail(errors.New(storeTrouble), "get") // which ActorOf needs
	a := w.get(t, root, "/"+root.token).is(503)
	require.NotContains(t, a.body, "10.9.8.7")
	require.Contains(t, w.logs.String(), storeTrouble)
	require.NotContains(t, w.logs.String(), root.token, "a path may hold anything")
}

// A store need not cope with ids that nobody has.
func TestOddIDsDoNotReachTheStore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root(t)
	actor, err := w.keys.ActorOf(t.Context(), root.id)
	require.NoError(t, err)
	w.setActor(t, actor)
	w.store.fail(errors.New(storeTrouble))
	for _, id := range []string{"x", "%00", "%ff", strings.ToUpper(root.id), "urn:uuid:" + root.id, strings.ReplaceAll(root.id, "-", "")} {
		w.get(t, root, "/"+id).is(404)
	}
}

func TestNoLogger(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root(t)
	actor, err := w.keys.ActorOf(t.Context(), root.id)
	require.NoError(t, err)
	w.api, err = keyapi.New(w.keys, keyapi.Config{Path: mount, Actor: func(*http.Request) (apikey.Actor, error) { return actor, nil }})
	require.NoError(t, err)
	w.store.fail(errors.New(storeTrouble))
	w.get(t, root, "").is(503)
}

func TestDeadlinesAreTheStoresFault(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root(t)
	ctx, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	w.do(t, root, call{method: "GET", ctx: ctx}).is(503)
}

func TestCancelledRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root(t)
	k := w.issue(t, apikey.Spec{}, "users.view")
	actor, err := w.keys.ActorOf(t.Context(), root.id)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, known := range []bool{false, true} {
		if known {
			w.setActor(t, actor)
		}
		for _, c := range calls(k.id) {
			c.ctx = ctx
			recorder := httptest.NewRecorder()
			w.api.ServeHTTP(recorder, c.request(root.token))
			require.Equal(t, http.StatusServiceUnavailable, recorder.Code, "nothing at all would be a 200")
			require.Empty(t, recorder.Body.String())
		}
	}
	require.Equal(t, int64(1), w.stored(t, k.id).Version)
	require.Empty(t, w.logs.String(), "nobody needs to hear of it")
}

// An actor may lose its standing while the request is under way.
func TestActorLosesItsStanding(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	parent := w.issue(t, apikey.Spec{}, "api_keys.*", "users.view")
	body := `{"name":"child","type":"admin","permissions":["users.view"]}`
	actor, err := w.keys.ActorOf(t.Context(), parent.id)
	require.NoError(t, err)
	w.setActor(t, actor)

	narrowed := scope.MustParseSet("api_keys.*")
	_, err = w.keys.Update(t.Context(), parent.id, 0, func(s *apikey.Spec) { s.Permissions = narrowed })
	require.NoError(t, err)
	require.Equal(t, map[string][]string{"permissions": {"users.view"}}, w.post(t, parent, "", body).exceeds())

	require.NoError(t, w.keys.Revoke(t.Context(), parent.id, apikey.RevokeOptions{}))
	w.post(t, parent, "", body).is(401)

	keys, err := w.keys.List(t.Context(), apikey.Query{Search: "child", State: apikey.StateActive})
	require.NoError(t, err)
	require.Empty(t, keys.Keys)
}

// A slowBody lets something happen before it can be read.
type slowBody struct {
	io.Reader

	meanwhile func()
}

func (b *slowBody) Read(p []byte) (int, error) {
	if b.meanwhile != nil {
		b.meanwhile()
		b.meanwhile = nil
	}
	return b.Reader.Read(p)
}

// Whoever holds a body back keeps no right that was taken meanwhile.
func TestRightsLostWhileTheBodyIsHeldBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := w.issue(t, apikey.Spec{}, "users.view")
	try := func(method, path, body string, meanwhile func(id string)) *httptest.ResponseRecorder {
		m := w.issue(t, apikey.Spec{}, "users.view", "api_keys.*")
		path = strings.ReplaceAll(path, "{me}", m.id)
		r := call{method: method, below: path}.request(m.token)
		r.Header.Set("Content-Type", "application/json")
		r.Body = io.NopCloser(&slowBody{strings.NewReader(body), func() { meanwhile(m.id) }})
		r.ContentLength = int64(len(body))
		recorder := httptest.NewRecorder()
		w.api.ServeHTTP(recorder, r)
		return recorder
	}
	revoke := func(id string) { require.NoError(t, w.keys.Revoke(t.Context(), id, apikey.RevokeOptions{})) }
	disable := func(id string) { second(w.keys.Disable(t.Context(), id))(t) }
	cut := func(id string) {
		second(w.keys.Update(t.Context(), id, 0, func(s *apikey.Spec) { s.Permissions = scope.MustParseSet("api_keys.view") }))(t)
	}
	for _, c := range []struct {
		method, path, body string
		meanwhile          func(string)
		status             int
	}{
		{"POST", "/" + other.id + "/rotate", "{}", revoke, 401},
		{"POST", "/" + other.id + "/rotate", "", revoke, 401},
		{"POST", "/" + other.id + "/rotate", "{}", cut, 403},
		{"PATCH", "/{me}", `{"enabled":true}`, disable, 401},
		{"PATCH", "/{me}", `{"permissions":["users.view","api_keys.*"]}`, cut, 403},
		{"PATCH", "/" + other.id, `{"name":"mine"}`, revoke, 401},
		{"POST", "", `{"name":"x","type":"admin","permissions":[]}`, revoke, 401},
	} {
		recorder := try(c.method, c.path, c.body, c.meanwhile)
		require.Equal(t, c.status, recorder.Code, "%s %s: %s", c.method, c.path, recorder.Body)
		require.NotContains(t, recorder.Body.String(), `"token":`)
	}
	require.Equal(t, int64(1), w.stored(t, other.id).Version)
}

func second[T any](_ T, err error) func(*testing.T) {
	return func(t *testing.T) {
		t.Helper()
		require.NoError(t, err)
	}
}
