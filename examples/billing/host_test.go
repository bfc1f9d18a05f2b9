package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A host is a billing service that runs as main runs it.
type host struct {
	t      *testing.T
	client *http.Client
	base   string
	key    string // of the first administrator
	user   login
	app    client

	web, public client
}

func newHost(t *testing.T, shown credentials) *host {
	t.Helper()
	transport := new(http.Transport) // one for each host: ports come back
	t.Cleanup(transport.CloseIdleConnections)
	follow := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &host{
		t: t, client: &http.Client{Transport: transport, CheckRedirect: follow},
		base: shown.BaseURL, key: shown.APIKey, user: shown.User, app: shown.Clients["first_party"],
		web: shown.Clients["web"], public: shown.Clients["public"],
	}
}

// A reply is an answer that was read whole.
type reply struct {
	status int
	header http.Header
	raw    string
	body   map[string]any
}

// start runs the service on a free port until the test ends.
func start(t *testing.T, args ...string) *host {
	t.Helper()
	file := filepath.Join(t.TempDir(), "credentials.json")
	db := filepath.Join(t.TempDir(), "billing.db")
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	var stdout, stderr bytes.Buffer
	go func() {
		ended <- run(ctx, append([]string{"-addr", "127.0.0.1:0", "-db", db, "-credentials", file}, args...), &stdout, &stderr)
	}()
	h := newHost(t, waitForCredentials(t, file, ended))
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
		require.Equal(t, slices.Contains(args, "0"), strings.Contains(stderr.String(), "warning"), "of a brake that is off")
		require.Equal(t, 1, strings.Count(stdout.String(), "The admin key, which is not shown again: "+h.key+"\n"))
		require.Equal(t, 2, strings.Count(stdout.String(), "  curl -H 'Authorization: Bearer "+h.key+"'"))
		require.Equal(t, 2, strings.Count(stdout.String(), h.user.Password), "where it is shown, and in a command")
		require.Equal(t, 2, strings.Count(stdout.String(), h.app.Secret))
		require.Equal(t, 1, strings.Count(stdout.String(), h.web.Secret))
	})
	return h
}

func waitForCredentials(t *testing.T, file string, ended <-chan error) (shown credentials) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		select {
		case err := <-ended:
			require.FailNow(t, "the service ended", "%v", err)
		default:
		}
		data, err := os.ReadFile(file)
		if err == nil {
			// It is there whole from the first moment on.
			require.NoError(t, json.Unmarshal(data, &shown))
			return shown
		}
		require.ErrorIs(t, err, os.ErrNotExist)
		require.True(t, time.Now().Before(deadline), "no credentials")
	}
}

// request makes a request for a path below /api/v1/admin, or a path from the
// root. A string as the body is sent as it is, everything else as JSON.
func (h *host) request(method, path, key string, body any) *http.Request {
	h.t.Helper()
	if !strings.HasPrefix(path, "/") {
		path = adminPath + path
	}
	var reader io.Reader
	switch body := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(body)
	default:
		data, err := json.Marshal(body)
		require.NoError(h.t, err)
		reader = bytes.NewReader(data)
	}
	r, err := http.NewRequestWithContext(h.t.Context(), method, h.base+path, reader)
	require.NoError(h.t, err)
	if reader != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	return r
}

// exchange returns the answer, whatever it is.
func (h *host) exchange(r *http.Request) reply {
	h.t.Helper()
	response, err := h.client.Do(r)
	require.NoError(h.t, err)
	defer func() { _ = response.Body.Close() }()
	raw, err := io.ReadAll(response.Body)
	require.NoError(h.t, err)
	return reply{status: response.StatusCode, header: response.Header, raw: string(raw)}
}

// send returns the answer, which must be one of those that are documented.
func (h *host) send(r *http.Request) reply {
	h.t.Helper()
	a := h.exchange(r)
	about := fmt.Sprintf("%s %s: %d %s", r.Method, r.URL, a.status, a.raw)
	documented := []int{200, 201, 204, 400, 401, 403, 404, 405, 409, 412, 413, 415, 422, 429}
	require.True(h.t, slices.Contains(documented, a.status), about)
	if a.status == http.StatusNoContent || r.Method == http.MethodHead {
		require.Empty(h.t, a.raw, about)
		return a
	}
	require.Equal(h.t, "application/json", a.header.Get("Content-Type"), about)
	require.Equal(h.t, "no-store", a.header.Get("Cache-Control"), about)
	require.NoError(h.t, json.Unmarshal([]byte(a.raw), &a.body), about)
	if a.status < 400 {
		require.Contains(h.t, a.body, "data", about)
		return a
	}
	require.NotEmpty(h.t, a.body["error"], about)
	require.NotEmpty(h.t, a.body["message"], about)
	if a.status == http.StatusUnauthorized {
		require.Contains(h.t, a.header.Get("WWW-Authenticate"), "Bearer", about)
	}
	if a.status == http.StatusUnprocessableEntity {
		require.Equal(h.t, "validation_failed", a.body["error"], about)
		require.NotEmpty(h.t, a.body["errors"], about)
	}
	return a
}

// admin sends a request as the first administrator.
func (h *host) admin(method, path string, body any) reply {
	h.t.Helper()
	return h.send(h.request(method, path, h.key, body))
}

// as sends a request with another key.
func (h *host) as(key, method, path string, body any) reply {
	h.t.Helper()
	return h.send(h.request(method, path, key, body))
}

// refused checks a refusal.
func (a reply) refused(t *testing.T, status int, code string) reply {
	t.Helper()
	require.Equal(t, status, a.status, a.raw)
	require.Equal(t, code, a.body["error"], a.raw)
	return a
}

// ok checks that there is a status, and returns the one record.
func (a reply) ok(t *testing.T, status int) values {
	t.Helper()
	require.Equal(t, status, a.status, a.raw)
	data, isRecord := a.body["data"].(map[string]any)
	require.True(t, isRecord, a.raw)
	return data
}

// attributes returns those of the one record.
func (a reply) attributes(t *testing.T, status int) values {
	t.Helper()
	return a.ok(t, status)["attributes"].(map[string]any)
}

// list returns the records of a list.
func (a reply) list(t *testing.T) []any {
	t.Helper()
	require.Equal(t, http.StatusOK, a.status, a.raw)
	data, isList := a.body["data"].([]any)
	require.True(t, isList, a.raw)
	return data
}

// included returns what is included, as type/id.
func (a reply) included(t *testing.T) []string {
	t.Helper()
	list, there := a.body["included"].([]any)
	require.True(t, there, a.raw)
	names := make([]string, len(list))
	for i, entry := range list {
		record := entry.(map[string]any)
		require.NotEmpty(t, record["attributes"], a.raw)
		names[i] = record["type"].(string) + "/" + record["id"].(string)
	}
	return names
}

// newKey creates a key over the management API and returns its secret and id.
func (h *host) newKey(spec values) (secret, id string) {
	h.t.Helper()
	full := values{"name": "test", "type": "admin", "permissions": []string{}}
	maps.Copy(full, spec)
	a := h.admin(http.MethodPost, "api-keys", full)
	return a.token(h.t, http.StatusCreated), a.ok(h.t, http.StatusCreated)["id"].(string)
}

// keyWith creates a key with these permissions.
func (h *host) keyWith(permissions ...string) string {
	h.t.Helper()
	secret, _ := h.newKey(values{"permissions": append([]string{}, permissions...)}) // never null
	return secret
}

// token returns the secret that an answer shows.
func (a reply) token(t *testing.T, status int) string {
	t.Helper()
	require.Equal(t, status, a.status, a.raw)
	secret, _ := a.body["token"].(string)
	require.NotEmpty(t, secret, a.raw)
	return secret
}
