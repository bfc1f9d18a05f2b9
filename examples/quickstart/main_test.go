package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/scope"
)

func TestQuickstart(t *testing.T) {
	keys, err := apikey.New(apikey.NewMemoryStore(), apikey.Config{Prefix: "demo"})
	require.NoError(t, err)
	issued, err := keys.Create(t.Context(), apikey.Spec{
		Name: "my first key", Type: "admin", Permissions: scope.MustParseSet("users.view"),
	})
	require.NoError(t, err)
	handler, err := newHandler(keys)
	require.NoError(t, err)
	server := httptest.NewServer(handler)
	defer server.Close()

	do := func(method, key string) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), method, server.URL+"/users", nil)
		require.NoError(t, err)
		if key != "" {
			r.Header.Set("Authorization", "Bearer "+key)
		}
		response, err := server.Client().Do(r)
		require.NoError(t, err)
		defer func() { _ = response.Body.Close() }()
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return response.StatusCode, string(body)
	}

	status, body := do(http.MethodGet, issued.Secret.Reveal())
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "hello, key "+issued.Key.ID+"\n", body)

	status, body = do(http.MethodGet, "")
	require.Equal(t, http.StatusUnauthorized, status)
	require.Contains(t, body, `"missing_token"`)

	status, body = do(http.MethodGet, issued.Secret.Reveal()[:20])
	require.Equal(t, http.StatusUnauthorized, status)
	require.Contains(t, body, `"invalid_token"`)

	status, body = do(http.MethodDelete, issued.Secret.Reveal())
	require.Equal(t, http.StatusForbidden, status)
	require.Contains(t, body, `"required":["users.delete"]`)
}

// What the README shows is this very program.
func TestReadme(t *testing.T) {
	program, err := os.ReadFile("main.go")
	require.NoError(t, err)
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	_, code, found := strings.Cut(string(program), "package main\n")
	require.True(t, found)
	require.Contains(t, string(readme), "```go\npackage main\n"+code+"```\n")
}
