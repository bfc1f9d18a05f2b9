package middleware_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/apikey/apikeytest"
	"github.com/latchwork/latchwork/ipfilter"
	"github.com/latchwork/latchwork/middleware"
	"github.com/latchwork/latchwork/scope"
)

// A house is a Guard on a Manager on a store that counts and can fail.
type house struct {
	t     *testing.T
	spy   *apikeytest.Spy
	keys  *apikey.Manager
	guard *middleware.Guard
}

func newHouse(t *testing.T, change ...func(*middleware.Config)) *house {
	t.Helper()
	h := &house{t: t, spy: apikeytest.NewSpy(apikey.NewMemoryStore())}
	var err error
	h.keys, err = apikey.New(h.spy, apikey.Config{
		Prefix: "paym", Types: []string{"admin", "reseller"}, ForeignFormats: []apikey.ForeignFormat{apikey.Paymenter()},
		MaxLoads: 1000,
	})
	require.NoError(t, err)
	cfg := middleware.Config{
		Credentials: []middleware.Authenticator{middleware.Keys(h.keys)},
		KeyTypes:    []string{"admin"},
	}
	for _, c := range change {
		c(&cfg)
	}
	h.guard, err = middleware.New(cfg)
	require.NoError(t, err)
	return h
}

// key issues a key of type admin with these grants.
func (h *house) key(grants ...string) string {
	return h.issue(apikey.Spec{Permissions: scope.MustParseSet(grants...)}).Secret.Reveal()
}

func (h *house) issue(spec apikey.Spec) apikey.Issued {
	h.t.Helper()
	if spec.Name == "" {
		spec.Name = h.t.Name()
	}
	if spec.Type == "" {
		spec.Type = "admin"
	}
	issued, err := h.keys.Create(h.t.Context(), spec)
	require.NoError(h.t, err)
	return issued
}

func listOf(entries ...string) *ipfilter.List {
	list := ipfilter.MustParseList(entries...)
	return &list
}

// request makes a request from 192.0.2.1 with one Authorization header for
// each value.
func request(method, target string, authorization ...string) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	for _, value := range authorization {
		r.Header.Add("Authorization", value)
	}
	return r
}

// An answer is what came back, and whether the handler was reached.
type answer struct {
	*httptest.ResponseRecorder

	reached   bool
	principal middleware.Principal
}

func send(protect func(http.Handler) http.Handler, r *http.Request) answer {
	a := answer{ResponseRecorder: httptest.NewRecorder()}
	protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.reached = true
		a.principal, _ = middleware.PrincipalFrom(r.Context())
		w.WriteHeader(http.StatusNoContent)
	})).ServeHTTP(a, r)
	return a
}

// requirePass asserts that the handler was reached, and left alone.
func requirePass(t *testing.T, a answer) {
	t.Helper()
	require.True(t, a.reached, "%d %s", a.Code, a.Body)
	require.Equal(t, http.StatusNoContent, a.Code)
	require.Empty(t, a.Header(), "the response belongs to the handler")
}

// requireRejected asserts everything that holds for every rejection, and
// returns its body.
func requireRejected(t *testing.T, a answer, status int, code string) map[string]any {
	t.Helper()
	require.False(t, a.reached, "the handler was reached")
	require.Equal(t, status, a.Code, "%s", a.Body)
	require.Equal(t, "application/json", a.Header().Get("Content-Type"))
	require.Equal(t, "no-store", a.Header().Get("Cache-Control"))
	require.Equal(t, "nosniff", a.Header().Get("X-Content-Type-Options"))
	switch code {
	case "ip_not_allowed", "client_ip_unknown", "wrong_key_type", "method_not_allowed", "unavailable":
		require.Empty(t, a.Header().Get("WWW-Authenticate"), "no other credential of the caller would do")
	}
	if status == http.StatusUnauthorized {
		require.NotEmpty(t, a.Header().Get("WWW-Authenticate"), "every 401 has a challenge")
	}
	if status == http.StatusMethodNotAllowed {
		require.NotEmpty(t, a.Header().Get("Allow"), "every 405 has Allow")
	}
	later := status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests
	require.Equal(t, later, a.Header().Get("Retry-After") != "")
	var body map[string]any
	require.NoError(t, json.Unmarshal(a.Body.Bytes(), &body))
	require.Equal(t, code, body["error"])
	require.NotEmpty(t, body["message"])
	return body
}
