package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/scope"
)

func TestChi(t *testing.T) {
	keys, err := apikey.New(apikey.NewMemoryStore(), apikey.Config{Prefix: "demo"})
	require.NoError(t, err)
	issued, err := keys.Create(t.Context(), apikey.Spec{
		Name: "viewer", Type: "admin", Permissions: scope.MustParseSet("users.view"),
	})
	require.NoError(t, err)
	router, err := newRouter(keys)
	require.NoError(t, err)
	server := httptest.NewServer(router)
	defer server.Close()

	valid := issued.Secret.Reveal()
	wrong := valid[:len(valid)-1] + "!"
	for _, c := range []struct {
		method, path, authorization string
		status                      int
		body                        string
	}{
		{http.MethodGet, "/", "", 200, "hello, stranger\n"},
		{http.MethodGet, "/", "Bearer " + valid, 200, "hello, key " + issued.Key.ID + "\n"},
		{http.MethodGet, "/", "Bearer " + valid[:20], 401, `"invalid_token"`},
		{http.MethodGet, "/", "Bearer " + wrong, 400, `"invalid_request"`},
		{http.MethodGet, "/", "Basic YTpi", 401, `"missing_token"`},
		{http.MethodGet, "/users/42", "", 401, `"missing_token"`},
		{http.MethodGet, "/users/42", "Bearer " + valid[:20], 401, `"invalid_token"`},
		{http.MethodGet, "/users/42", "Bearer " + valid, 200, "user 42\n"},
		{http.MethodDelete, "/users/42", "", 401, `"missing_token"`},
		{http.MethodDelete, "/users/42", "Bearer " + valid, 403, `"required":["users.delete"]`},
		{http.MethodGet, "/nowhere", "Bearer " + valid[:20], 401, `"invalid_token"`},
		{http.MethodGet, "/nowhere", "", 404, "404 page not found\n"},
	} {
		r, err := http.NewRequestWithContext(t.Context(), c.method, server.URL+c.path, nil)
		require.NoError(t, err)
		if c.authorization != "" {
			r.Header.Set("Authorization", c.authorization)
		}
		response, err := server.Client().Do(r)
		require.NoError(t, err)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		name := c.method + " " + c.path + " with " + c.authorization
		require.Equal(t, c.status, response.StatusCode, name)
		require.Contains(t, string(body), c.body, name)
	}
}
