package keyapi_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/apikey/keyapi"
	"github.com/latchwork/latchwork/scope"
)

func TestNewNamesEveryFault(t *testing.T) {
	t.Parallel()
	_, err := keyapi.New(nil, keyapi.Config{})
	require.ErrorContains(t, err, "keyapi: the Manager is nil")
	require.ErrorContains(t, err, "keyapi: Config.Path")
	require.ErrorContains(t, err, "keyapi: Config.Actor is nil")

	w := newWorld(t)
	for _, path := range []string{"", "/", "keys", "/keys/", "//keys", "/a/../keys", "/keys?", "/k ys", "/k%79s", "/{tenant}/keys"} {
		_, err := keyapi.New(w.keys, keyapi.Config{Path: path, Actor: w.actor})
		require.ErrorContains(t, err, "keyapi: Config.Path", path)
	}
	for _, path := range []string{"/keys", "/k", "/a/b.c/~d"} {
		_, err = keyapi.New(w.keys, keyapi.Config{Path: path, Actor: w.actor})
		require.NoError(t, err, path)
	}
}

func TestZeroHandlerRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []call{{method: "GET"}, {method: "POST", body: "{}"}, {method: "DELETE", below: "/" + nobody}} {
		recorder := httptest.NewRecorder()
		new(keyapi.Handler).ServeHTTP(recorder, c.request(""))
		require.Equal(t, 401, recorder.Code)
	}
	// Nor does a Manager that New did not make let anything happen.
	api, err := keyapi.New(new(apikey.Manager), keyapi.Config{Path: mount, Actor: func(*http.Request) (apikey.Actor, error) {
		return apikey.Actor{ID: "user:1", Ceiling: apikey.Ceiling{Permissions: scope.MustParseSet("*")}}, nil
	}})
	require.NoError(t, err)
	for _, below := range []string{"", "/" + nobody} {
		recorder := httptest.NewRecorder()
		api.ServeHTTP(recorder, call{method: "GET", below: below}.request(""))
		require.Equal(t, 401, recorder.Code)
	}
}

func TestActorErrors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	everything := apikey.Ceiling{Permissions: scope.MustParseSet("*")}
	for _, test := range []struct {
		name   string
		actor  apikey.Actor
		err    error
		status int
	}{
		{"somebody", apikey.Actor{ID: "user:1", Ceiling: everything}, nil, 200},
		{"no id", apikey.Actor{Ceiling: everything}, nil, 401},
		{"an id that is too long", apikey.Actor{ID: strings.Repeat("x", 256), Ceiling: everything}, nil, 401},
		{"zero", apikey.Actor{}, nil, 401},
		{"not found", apikey.Actor{}, fmt.Errorf("host: %w", apikey.ErrNotFound), 401},
		{"invalid", apikey.Actor{}, apikey.ErrInvalid, 401},
		{"revoked", apikey.Actor{}, apikey.ErrRevoked, 401},
		{"disabled", apikey.Actor{}, apikey.ErrDisabled, 401},
		{"expired", apikey.Actor{}, apikey.ErrExpired, 401},
		{"no actor", apikey.Actor{}, apikey.ErrNoActor, 401},
		{"somebody and revoked", apikey.Actor{ID: "user:1", Ceiling: everything}, apikey.ErrRevoked, 401},
		{"somebody and an error", apikey.Actor{ID: "user:1", Ceiling: everything}, errors.New("no database"), 503},
		{"conflict", apikey.Actor{}, apikey.ErrConflict, 503},
	} {
		api, err := keyapi.New(w.keys, keyapi.Config{Path: mount, Actor: func(*http.Request) (apikey.Actor, error) {
			return test.actor, test.err
		}})
		require.NoError(t, err)
		recorder := httptest.NewRecorder()
		api.ServeHTTP(recorder, call{method: "GET"}.request(""))
		a := answer{t, recorder.Code, recorder.Header(), recorder.Body.String()}
		a.decent("GET")
		require.Equal(t, test.status, a.status, test.name)
		require.NotContains(t, a.body, "no database")
	}
}

// A person has no key, but may be just as much an actor.
func TestActorIsWhoeverTheHostSays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ceiling := apikey.Ceiling{Permissions: scope.MustParseSet("api_keys.view", "api_keys.update"), Types: []string{"admin"}}
	strong := w.root(t)
	for _, revokeAny := range []bool{false, true} {
		api, err := keyapi.New(w.keys, keyapi.Config{Path: mount, Actor: func(*http.Request) (apikey.Actor, error) {
			return apikey.Actor{ID: "user:1", Ceiling: ceiling, RevokeAny: revokeAny}, nil
		}})
		require.NoError(t, err)
		recorder := httptest.NewRecorder()
		api.ServeHTTP(recorder, call{method: "PATCH", below: "/" + strong.id, body: `{"enabled":false}`}.request(""))
		require.Equal(t, revokeAny, recorder.Code == 200, "what the host allows is not taken back: %s", recorder.Body)
	}
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root(t)
	k := w.issue(t, apikey.Spec{}, "users.view")
	for _, test := range []struct {
		method, below string
		status        int
		allow         string
	}{
		{"GET", "", 200, ""},
		{"HEAD", "", 200, ""},
		{"PUT", "", 405, "GET, HEAD, POST"},
		{"PATCH", "", 405, "GET, HEAD, POST"},
		{"DELETE", "", 405, "GET, HEAD, POST"},
		{"OPTIONS", "", 405, "GET, HEAD, POST"},
		{"TRACE", "", 405, "GET, HEAD, POST"},
		{"get", "", 405, "GET, HEAD, POST"},
		{"GET", "/" + k.id, 200, ""},
		{"HEAD", "/" + k.id, 200, ""},
		{"POST", "/" + k.id, 405, "DELETE, GET, HEAD, PATCH"},
		{"PUT", "/" + k.id, 405, "DELETE, GET, HEAD, PATCH"},
		{"GET", "/" + k.id + "/activity", 200, ""},
		{"HEAD", "/" + k.id + "/activity", 200, ""},
		{"DELETE", "/" + k.id + "/activity", 405, "GET, HEAD"},
		{"GET", "/" + k.id + "/rotate", 405, "POST"},
		{"HEAD", "/" + k.id + "/rotate", 405, "POST"},
		{"POST", "/" + k.id + "/rotate", 200, ""},
		{"POST", "/" + k.id + "%2Frotate", 200, ""},
		{"GET", "/", 404, ""},
		{"POST", "/", 404, ""},
		{"GET", "/" + k.id + "/", 404, ""},
		{"GET", "//activity", 404, ""},
		{"GET", "/" + k.id + "/secret", 404, ""},
		{"GET", "/" + k.id + "/activity/", 404, ""},
		{"GET", "/" + k.id + "/activity/1", 404, ""},
		{"GET", "x", 404, ""},
		{"DELETE", "-x/" + k.id, 404, ""},
		{"GET", "/" + nobody, 404, ""},
		{"GET", "/" + nobody + "/activity", 404, ""},
		{"PATCH", "/" + nobody, 404, ""},
		{"DELETE", "/" + nobody, 404, ""},
		{"POST", "/" + nobody + "/rotate", 404, ""},
		{"GET", "/" + strings.ToUpper(k.id), 404, ""},
		{"GET", "/urn:uuid:" + k.id, 404, ""},
		{"GET", "/%7B" + k.id + "%7D", 404, ""},
		{"GET", "/" + k.id + "%00", 404, ""},
		{"GET", "/%25", 404, ""},
		{"GET", "/_", 404, ""},
		{"GET", "/.", 404, ""},
		{"GET", "/" + strings.Repeat("9", 5000), 404, ""},
		{"GET", "/" + k.token, 404, ""},
		{"DELETE", "/" + k.id, 204, ""},
		{"DELETE", "/" + k.id, 204, ""},
	} {
		a := w.do(t, root, call{method: test.method, below: test.below})
		require.Equal(t, test.status, a.status, "%s %s: %s", test.method, test.below, a.body)
		require.Equal(t, test.allow, a.header.Get("Allow"))
	}
	require.Empty(t, w.logs.String(), "nothing of this is the store's fault")
}

// Who mounts the handler elsewhere than said has nothing there.
func TestOutsideOfTheMount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root(t)
	below := "/" + root.id
	for _, path := range []string{"/", "/api/v1/admin", below, "/other" + mount, "/other" + mount + below, mount + "x", mount + "x" + root.id, mount + "x" + below} {
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("Authorization", "Bearer "+root.token)
		recorder := httptest.NewRecorder()
		w.api.ServeHTTP(recorder, r)
		require.Equal(t, 404, recorder.Code, path)
		require.Contains(t, recorder.Body.String(), "nothing at this path", path)
	}
}

// What each method needs.
func TestPermissions(t *testing.T) {
	t.Parallel()
	all := []string{"api_keys.view", "api_keys.create", "api_keys.update", "api_keys.rotate", "api_keys.delete", "api_keys.revoke_any"}
	for _, test := range []struct {
		method, below, body string
		needs               string
	}{
		{"GET", "", "", "api_keys.view"},
		{"HEAD", "", "", "api_keys.view"},
		{"POST", "", `{"name":"x","type":"admin","permissions":[]}`, "api_keys.create"},
		{"GET", "/{id}", "", "api_keys.view"},
		{"HEAD", "/{id}", "", "api_keys.view"},
		{"PATCH", "/{id}", `{"name":"y"}`, "api_keys.update"},
		{"DELETE", "/{id}", "", "api_keys.delete"},
		{"POST", "/{id}/rotate", "", "api_keys.rotate"},
		{"GET", "/{id}/activity", "", "api_keys.view"},
		{"HEAD", "/{id}/activity", "", "api_keys.view"},
	} {
		w := newWorld(t)
		target := w.issue(t, apikey.Spec{})
		c := call{method: test.method, below: strings.Replace(test.below, "{id}", target.id, 1), body: test.body}
		for _, only := range all {
			a := w.do(t, w.issue(t, apikey.Spec{}, only), c)
			if only == test.needs {
				require.Less(t, a.status, 300, "%s %s with %s: %s", test.method, test.below, only, a.body)
				continue
			}
			a.is(403)
			if test.method != "HEAD" {
				require.Equal(t, []any{test.needs}, a.object()["required"])
			}
		}
	}
}

// Each request has two things wrong with it: the first to be looked at decides.
func TestOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root(t)
	viewer := w.issue(t, apikey.Spec{}, "api_keys.view")
	none := key{token: "paym_nonsense"}
	k := w.issue(t, apikey.Spec{}, "users.view")
	dead := w.issue(t, apikey.Spec{})
	w.delete(t, root, "/"+dead.id).is(204)
	text, stale := "Content-Type: text/plain", `If-Match: "7"`
	tooLong := `{"name":"` + strings.Repeat("x", 64<<10) + `"}`
	for _, test := range []struct {
		name   string
		as     key
		call   call
		status int
	}{
		{"actor before path", none, call{method: "GET", below: "/nowhere/at/all"}, 401},
		{"actor before method", none, call{method: "PUT"}, 401},
		{"actor before existence", none, call{method: "GET", below: "/" + nobody}, 401},
		{"actor before body", none, call{method: "POST", body: "{"}, 401},
		{"path before method", viewer, call{method: "PUT", below: "/a/b"}, 404},
		{"method before permission", viewer, call{method: "PUT"}, 405},
		{"permission before existence", viewer, call{method: "DELETE", below: "/" + nobody}, 403},
		{"permission before precondition", viewer, call{method: "PATCH", below: "/" + k.id, body: "{}", headers: []string{stale}}, 403},
		{"permission before content type", viewer, call{method: "POST", body: "{}", headers: []string{text}}, 403},
		{"permission before body", viewer, call{method: "POST", body: "{"}, 403},
		{"existence before precondition", root, call{method: "DELETE", below: "/" + nobody, headers: []string{stale}}, 404},
		{"existence before query", root, call{method: "DELETE", below: "/" + nobody + "?descendants=maybe"}, 404},
		{"existence before body", root, call{method: "PATCH", below: "/" + nobody, body: "{"}, 404},
		{"precondition before content type", root, call{method: "PATCH", below: "/" + k.id, body: "{}", headers: []string{stale, text}}, 412},
		{"precondition before body", root, call{method: "PATCH", below: "/" + k.id, body: "{", headers: []string{stale}}, 412},
		{"precondition before query", root, call{method: "DELETE", below: "/" + k.id + "?descendants=maybe", headers: []string{stale}}, 412},
		{"content type before size", root, call{method: "POST", body: tooLong, headers: []string{text}}, 415},
		{"size before fields", root, call{method: "POST", body: tooLong}, 413},
		{"syntax before fields", root, call{method: "POST", body: `{"bogus":1,"bogus":2}`}, 400},
		{"body before state", root, call{method: "PATCH", below: "/" + dead.id, body: "{"}, 400},
	} {
		require.Equal(t, test.status, w.do(t, test.as, test.call).status, test.name)
	}
}

// Whoever is not let in cannot tell what exists.
func TestStrangersCannotTellWhatExists(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.issue(t, apikey.Spec{}, "users.view")
	for _, token := range []string{"", "paym_x", "Bearer"} {
		for _, suffix := range []string{"", "/activity"} {
			there := w.get(t, key{token: token}, "/"+k.id+suffix).is(401)
			missing := w.get(t, key{token: token}, "/"+nobody+suffix).is(401)
			require.Equal(t, there.body, missing.body)
			require.Equal(t, there.header, missing.header)
		}
	}
}

func TestHeadOverTheWire(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root(t)
	server := httptest.NewServer(w.api)
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), "HEAD", server.URL+mount+"/"+root.id, nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+root.token)
	response, err := server.Client().Do(r)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, 200, response.StatusCode)
	require.Equal(t, `"1"`, response.Header.Get("ETag"))
}
