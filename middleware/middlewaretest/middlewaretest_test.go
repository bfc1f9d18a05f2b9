package middlewaretest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/middleware"
	"github.com/latchwork/latchwork/middleware/middlewaretest"
)

func greet(w http.ResponseWriter, r *http.Request) {
	p, ok := middleware.PrincipalFrom(r.Context())
	fmt.Fprintln(w, ok, p.Kind, p.Permissions.Allows("users.view"))
}

func ExampleNewRequest() {
	w := httptest.NewRecorder()
	greet(w, middlewaretest.NewRequest(middlewaretest.Key("users.*"), http.MethodGet, "/users", nil))
	fmt.Print(w.Body)
	// Output: true key true
}

func ExampleUser() {
	me := func(w http.ResponseWriter, r *http.Request) {
		p, _ := middleware.PrincipalFrom(r.Context())
		fmt.Fprintln(w, p.Kind, p.Subject, p.Permissions)
	}
	w := httptest.NewRecorder()
	me(w, middlewaretest.NewRequest(middlewaretest.User("ada", "profile"), http.MethodGet, "/api/me", nil))
	me(w, middlewaretest.NewRequest(middlewaretest.Client("cron", "invoices"), http.MethodGet, "/api/me", nil))
	fmt.Print(w.Body)
	// Output:
	// user ada profile
	// client  invoices
}

func TestMalformedPermissionsPanic(t *testing.T) {
	t.Parallel()
	require.Panics(t, func() { middlewaretest.Key("users..view") })
	require.Panics(t, func() { middlewaretest.User("ada", "pro file") })
	require.Panics(t, func() { middlewaretest.User("ada", "*") }, "no token has that")
	require.Panics(t, func() { middlewaretest.Client("cron", "invoices.*") }, "nor this")
}

func TestGuardsDoNotTrustIt(t *testing.T) {
	t.Parallel()
	guard := new(middleware.Guard)
	w := httptest.NewRecorder()
	guard.RequireType("admin", "users.view")(http.HandlerFunc(greet)).
		ServeHTTP(w, middlewaretest.NewRequest(middlewaretest.Key("*"), http.MethodGet, "/users", nil))
	require.Equal(t, http.StatusUnauthorized, w.Code)
}
