package keyapi_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

type answer struct {
	t      testing.TB
	status int
	header http.Header
	body   string
}

// decent checks the promises that every answer keeps.
func (a answer) decent(method string) {
	a.t.Helper()
	mediaType := "application/json"
	if a.status == http.StatusNoContent {
		mediaType = ""
	}
	require.Equal(a.t, mediaType, a.header.Get("Content-Type"))
	require.Equal(a.t, "no-store", a.header.Get("Cache-Control"))
	require.Equal(a.t, "nosniff", a.header.Get("X-Content-Type-Options"))
	codes := map[int][]string{
		200: nil, 201: nil, 204: nil,
		400: {"invalid_request"}, 401: {"invalid_token"}, 403: {"insufficient_scope", "exceeds_ceiling"},
		404: {"not_found"}, 405: {"method_not_allowed"}, 409: {"conflict"}, 412: {"precondition_failed"},
		413: {"payload_too_large"}, 415: {"unsupported_media_type"}, 422: {"validation_failed"}, 503: {"unavailable"},
	}
	known, ok := codes[a.status]
	require.True(a.t, ok, "status %d", a.status)
	if method == http.MethodHead || a.status == http.StatusNoContent {
		require.Empty(a.t, a.body)
		return
	}
	body := a.object()
	if a.status < 300 {
		require.Contains(a.t, body, "data")
		return
	}
	require.Contains(a.t, known, body["error"])
	require.NotEmpty(a.t, body["message"])
	code, _ := body["error"].(string)
	challenge := ""
	if code == "invalid_token" || code == "insufficient_scope" {
		challenge = `Bearer realm="api", error="` + code + `"`
	}
	require.Equal(a.t, challenge, a.header.Get("WWW-Authenticate"))
	require.Equal(a.t, a.status == 503, a.header.Get("Retry-After") == "1")
	require.Equal(a.t, a.status == 405, a.header.Get("Allow") != "")
	require.Equal(a.t, code == "validation_failed", body["errors"] != nil)
	if body["exceeds"] != nil { // which is left out of keys that the actor may not view
		require.Equal(a.t, "exceeds_ceiling", code)
	}
	require.Equal(a.t, code == "insufficient_scope", body["required"] != nil)
}

func (a answer) is(status int) answer {
	a.t.Helper()
	require.Equal(a.t, status, a.status, a.body)
	return a
}

func (a answer) object() map[string]any {
	a.t.Helper()
	var object map[string]any
	require.NoError(a.t, json.Unmarshal([]byte(a.body), &object), a.body)
	return object
}

// data is the key in the answer.
func (a answer) data() map[string]any {
	a.t.Helper()
	data, ok := a.object()["data"].(map[string]any)
	require.True(a.t, ok, a.body)
	return data
}

// key is the key in the answer, with its secret if that is there.
func (a answer) key() key {
	a.t.Helper()
	id, _ := a.data()["id"].(string)
	token, _ := a.object()["token"].(string)
	return key{id, token}
}

// errors are the reasons of a 422.
func (a answer) errors() map[string][]string {
	a.t.Helper()
	var body struct {
		Errors map[string][]string `json:"errors"`
	}
	require.NoError(a.t, json.Unmarshal([]byte(a.is(422).body), &body))
	for field, reasons := range body.Errors {
		require.NotEmpty(a.t, reasons, field)
	}
	return body.Errors
}

// exceeds is what a 403 exceeds_ceiling names.
func (a answer) exceeds() map[string][]string {
	a.t.Helper()
	var body struct {
		Exceeds map[string][]string `json:"exceeds"`
	}
	require.NoError(a.t, json.Unmarshal([]byte(a.is(403).body), &body))
	return body.Exceeds
}
