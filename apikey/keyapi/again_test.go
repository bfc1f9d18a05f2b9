package keyapi_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/apikey/keyapi"
	"github.com/latchwork/latchwork/scope"
)

// A body may be long in coming. What the actor was before it came does not
// count.
func TestTheActorIsAskedAgainAfterTheBody(t *testing.T) {
	t.Parallel()
	person := func(id string, grants ...string) apikey.Actor {
		return apikey.Actor{ID: id, Ceiling: apikey.Ceiling{
			Permissions: scope.MustParseSet(grants...), Types: []string{"admin"},
		}}
	}
	before := person("user:1", "api_keys.*", "users.*")
	for name, after := range map[string]struct {
		actor  apikey.Actor
		err    error
		status int
		code   string
	}{
		"as before":         {before, nil, 0, ""},
		"signed out":        {apikey.Actor{}, apikey.ErrNoActor, 401, "invalid_token"},
		"nobody":            {apikey.Actor{}, nil, 401, "invalid_token"},
		"somebody else":     {person("user:2", "*"), nil, 401, "invalid_token"},
		"no longer allowed": {person("user:1", "api_keys.view", "users.*"), nil, 403, "insufficient_scope"},
		"with less":         {person("user:1", "api_keys.*"), nil, 403, "exceeds_ceiling"},
		"unknown":           {apikey.Actor{}, errors.New(storeTrouble), 503, "unavailable"},
	} {
		w := newWorld(t)
		k := w.issue(t, apikey.Spec{}, "users.view")
		for _, c := range []call{
			{method: "POST", body: `{"name":"child","type":"admin","permissions":["users.view"]}`},
			{method: "PATCH", below: "/" + k.id, body: `{"name":"renamed"}`},
			{method: "POST", below: "/" + k.id + "/rotate", body: `{"overlap_seconds":60}`},
			{method: "POST", below: "/" + k.id + "/rotate"}, // a body that could have come
		} {
			asked := 0
			var err error
			w.api, err = keyapi.New(w.keys, keyapi.Config{Path: mount, Actor: func(*http.Request) (apikey.Actor, error) {
				if asked++; asked > 1 {
					return after.actor, after.err
				}
				return before, nil
			}})
			require.NoError(t, err)
			version, keys := w.stored(t, k.id).Version, w.list(t, key{}, "").names()
			asked = 0
			a := w.do(t, key{}, c)
			require.Equal(t, 2, asked, name)
			if after.status == 0 {
				require.Less(t, a.status, 300, a.body)
				continue
			}
			a.is(after.status)
			require.Equal(t, after.code, a.object()["error"], name)
			asked = 0
			require.Equal(t, version, w.stored(t, k.id).Version, name)
			require.Equal(t, keys, w.list(t, key{}, "").names(), name)
		}
	}
}
