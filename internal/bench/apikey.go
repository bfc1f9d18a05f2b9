package main

import (
	"context"
	"crypto/sha256"
	"net/http"
	"net/http/httptest"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/internal/bench/fixture"
	"github.com/latchwork/latchwork/internal/bench/ratio"
	"github.com/latchwork/latchwork/internal/credential"
	"github.com/latchwork/latchwork/middleware"
	"github.com/latchwork/latchwork/scope"
)

// apikeyCases hold what looking at a presented key costs before any cache or
// store, against a bare SHA-256 of the same bytes.
func apikeyCases() []ratio.Case {
	manager := fixture.Must(apikey.New(apikey.NewMemoryStore(), apikey.Config{Prefix: "paym"}))
	format := fixture.Must(credential.New("paym"))
	var keys, typos [256]string
	var raw [256][]byte
	for i := range keys {
		keys[i] = format.Generate()
		raw[i] = []byte(keys[i])
		typos[i] = keys[i][:len(keys[i])-1] + "~"
	}
	bare := func(n int) {
		for i := range n {
			hashSink = sha256.Sum256(raw[i%len(raw)])
		}
	}
	return []ratio.Case{
		{
			Name: "apikey/hash a presented key", Limit: 1.1, Reference: bare,
			Subject: func(n int) {
				for i := range n {
					hashSink = credential.Sum(keys[i%len(keys)])
				}
			},
		},
		{
			Name: "apikey/refuse a bad checksum", Limit: 0.6, Reference: bare,
			Subject: func(n int) {
				for i := range n {
					_, errSink = manager.VerifyCached(typos[i%len(typos)])
				}
			},
		},
	}
}

// guardCases hold what binding the Principal to the request costs, against
// what the standard library needs to bind a value of any kind.
func guardCases() []ratio.Case {
	guard := fixture.Must(middleware.New(middleware.Config{
		Credentials: []middleware.Authenticator{fixed{middleware.Principal{
			Kind: middleware.KindKey, KeyType: "admin", Permissions: scope.MustParseSet("users.view"),
		}}},
		KeyTypes: []string{"admin"},
	}))
	handler := guard.Require("users.view")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	r := httptest.NewRequest(http.MethodGet, "/users", nil)
	r.Header.Set("Authorization", "Bearer "+fixture.Must(credential.New("paym")).Generate())
	return []ratio.Case{{
		Name: "middleware/authenticate, require, bind", MaxAllocs: 2,
		Subject: func(n int) {
			for range n {
				handler.ServeHTTP(nil, r)
			}
		},
		Reference: func(n int) {
			for range n {
				requestSink = r.WithContext(middleware.WithPrincipal(r.Context(), middleware.Principal{}))
			}
		},
	}}
}

// fixed accepts everything as one principal, so that the Guard's own cost is
// all there is.
type fixed struct{ principal middleware.Principal }

func (fixed) Recognize(string) bool { return true }

func (fixed) Samples() []string { return []string{"x"} }

func (f fixed) Authenticate(context.Context, string, middleware.Request) (middleware.Principal, error) {
	return f.principal, nil
}

// Where results go, so that no compiler finds the work useless.
var (
	hashSink    [sha256.Size]byte
	errSink     error
	requestSink *http.Request
)
