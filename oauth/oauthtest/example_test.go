package oauthtest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/latchwork/latchwork/middleware"
	"github.com/latchwork/latchwork/oauth"
	"github.com/latchwork/latchwork/oauth/oauthtest"
)

// A handler behind a Guard is tested with tokens that cost one line each.
func Example() {
	// In a test, t is the test's own.
	t := new(exampleT)
	defer t.end()

	server := oauthtest.NewServer(t)
	guard, err := middleware.New(middleware.Config{
		Credentials: []middleware.Authenticator{middleware.Tokens(server.Server)},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	me := guard.RequireScope("profile")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, _ := middleware.PrincipalFrom(r.Context())
		fmt.Fprintf(w, "you are %s", p.Subject)
	}))
	get := func(token string) {
		r := httptest.NewRequest(http.MethodGet, "/api/me", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		me.ServeHTTP(w, r)
		if w.Code == http.StatusOK {
			fmt.Println(w.Code, w.Body)
			return
		}
		fmt.Println(w.Code)
	}

	ada := oauthtest.Token(t, server, "ada", "profile")
	get(ada)
	get(oauthtest.Token(t, server, "ada", "invoices"))
	get(oauthtest.ClientToken(t, server, "profile"))

	if _, err := server.RevokeSubject(t.Context(), "ada"); err != nil {
		fmt.Println(err)
	}
	get(ada)
	server.Store.Fail(errors.New("connection refused"))
	get(ada)
	// Output:
	// 200 you are ada
	// 403
	// 403
	// 401
	// 503
}

// A store is checked without a testing.T, too.
func ExampleCheckStore() {
	err := oauthtest.CheckStore(context.Background(), func() (oauthtest.Backend, error) {
		return oauthtest.Backend{Store: oauth.NewMemoryStore()}, nil
	})
	fmt.Println(err)
	// Output: <nil>
}

// An exampleT stands for the testing.T that an example does not have.
type exampleT struct {
	testing.TB

	cleanups []func()
}

func (t *exampleT) Helper() {}

func (t *exampleT) Context() context.Context { return context.Background() }

func (t *exampleT) Cleanup(f func()) { t.cleanups = append(t.cleanups, f) }

func (t *exampleT) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func (t *exampleT) end() {
	for _, f := range t.cleanups {
		f()
	}
}
