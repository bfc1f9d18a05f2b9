package keyapi_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/apikey/keyapi"
	"github.com/latchwork/latchwork/scope"
)

// self asks what the presented key is.
func (w *world) self(t testing.TB, as key, method string) answer {
	t.Helper()
	r := httptest.NewRequest(method, "/whoami?x=y", nil)
	r.Header.Set("Authorization", "Bearer "+as.token)
	recorder := httptest.NewRecorder()
	w.api.Self().ServeHTTP(recorder, r)
	a := answer{t, recorder.Code, recorder.Header(), recorder.Body.String()}
	a.decent(method)
	return a
}

// A key needs no permission to be told what it is.
func TestSelf(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	expiry := in(time.Hour)
	k := w.issue(t, apikey.Spec{
		Name: "CI", Type: "client", Owner: "account 7", ExpiresAt: expiry, AllowedIPs: list(t, "192.0.2.0/24"),
	}, "users.view", "invoices.*")
	stored := w.stored(t, k.id)
	require.Equal(t, map[string]any{
		"id": k.id, "name": "CI", "type": "client", "hint": stored.Hint, "permissions": []any{"invoices.*", "users.view"},
		"allowed_ips": []any{"192.0.2.0/24"}, "created_at": rfc3339(stored.CreatedAt), "expires_at": rfc3339(expiry),
	}, w.self(t, k, "GET").is(200).data())
	w.self(t, k, "HEAD").is(200)
	endless := w.issue(t, apikey.Spec{})
	data := w.self(t, endless, "GET").is(200).data()
	require.Nil(t, data["allowed_ips"])
	require.Nil(t, data["expires_at"])
	require.Equal(t, []any{}, data["permissions"])

	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
		require.Equal(t, "GET, HEAD", w.self(t, k, method).is(405).header.Get("Allow"))
	}
	w.self(t, key{token: "nonsense"}, "GET").is(401)
	require.NoError(t, w.keys.Revoke(t.Context(), k.id, apikey.RevokeOptions{}))
	w.self(t, k, "GET").is(401)
	w.self(t, k, "POST").is(401)
}

// What a key may do is what is in effect, and not what is stored.
func TestSelfTellsWhatIsInEffect(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	k := w.issue(t, apikey.Spec{}, "users.*")
	w.setActor(t, apikey.Actor{
		ID: apikey.KeyActorID(k.id), Ceiling: apikey.Ceiling{Permissions: scope.MustParseSet("users.view"), Types: []string{"admin"}},
	})
	require.Equal(t, []any{"users.view"}, w.self(t, k, "GET").is(200).data()["permissions"])
	w.store.fail(errors.New(storeTrouble), "get")
	w.self(t, k, "GET").is(503)
	require.Contains(t, w.logs.String(), k.id)
	w.setActor(t, apikey.Actor{ID: "user:1", Ceiling: apikey.Ceiling{Permissions: scope.MustParseSet("*")}})
	w.self(t, k, "GET").is(404)

	recorder := httptest.NewRecorder()
	new(keyapi.Handler).Self().ServeHTTP(recorder, httptest.NewRequest("GET", "/", nil))
	require.Equal(t, http.StatusUnauthorized, recorder.Code)
}

// A host's bound on lifetimes is a fault of the field.
func TestMaxLifetime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root(t)
	old := w.issue(t, apikey.Spec{}, "users.view")
	var err error
	w.keys, err = apikey.New(w.store, apikey.Config{Prefix: "paym", MaxLifetime: 24 * time.Hour, Catalog: catalog(t)})
	require.NoError(t, err)
	w.api, err = keyapi.New(w.keys, keyapi.Config{Path: mount, Actor: w.actor})
	require.NoError(t, err)
	body := `{"name":"x","type":"admin","permissions":[]`
	for _, a := range []answer{
		w.post(t, root, "", body+`}`), w.post(t, root, "", body+`,"expires_at":null}`),
		w.post(t, root, "", body+`,"expires_at":"`+rfc3339(in(25*time.Hour))+`"}`),
		w.patch(t, root, old.id, `{"expires_at":"`+rfc3339(in(25*time.Hour))+`"}`),
		w.post(t, root, "/"+old.id+"/rotate", ""),
	} {
		errs, ok := a.is(422).object()["errors"].(map[string]any)
		require.True(t, ok)
		require.Contains(t, errs["expires_at"].([]any)[0], "24h0m0s ahead")
	}
	w.post(t, root, "", body+`,"expires_at":"`+rfc3339(in(23*time.Hour))+`"}`).is(201)
	w.patch(t, root, old.id, `{"name":"renamed"}`).is(200)
}
