package main

import (
	"net"
	"net/http"

	"github.com/go-chi/jwtauth/v5"
	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/keyauth"
	echo4 "github.com/labstack/echo/v4"
	echo4mw "github.com/labstack/echo/v4/middleware"
	echo5 "github.com/labstack/echo/v5"
	echo5mw "github.com/labstack/echo/v5/middleware"
	"github.com/valyala/fasthttp"

	"github.com/latchwork/latchwork/internal/bench/fixture"
)

// chainTable has equal work for everybody.
func chainTable() table {
	t := table{
		job:   "A request through the middleware: credential, address, permission, bound to the request, use counted",
		brief: "a request through the middleware: credential, address, permission, principal, use counted",
	}
	for _, c := range chains() {
		handler, tokens := c.build(keep)
		t.rows = append(t.rows, row{
			who: c.name, brief: c.brief, yardstick: c.yardstick,
			work: fixture.Serving(handler, fixture.Requests(fixture.Bearer(tokens))),
		})
	}
	return t
}

// keep is a handler that does nothing.
var keep = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { requestSink = r })

var requestSink *http.Request

// middlewareTable has the peers' middlewares as they are. What validates their
// keys is the floor, so that what they take beside it is their own.
func middlewareTable() table {
	secrets := fixture.Secrets(clientsOfEach)
	keys := fixture.FloorKeys(secrets)
	requests := fixture.Requests(fixture.Bearer(secrets))
	guard, _ := ours(keep)
	auth := jwtauth.New("HS256", signingKey, nil)
	_, tokens := jwtauthChain(keep)
	const rest = "address, permission, principal"
	return table{job: "The middlewares as they are", rows: []row{
		{who: "Latchwork `Guard.Require`, all of it", work: fixture.Serving(guard, requests)},
		{who: "echo v4 key-auth", lacks: rest, work: echo4KeyAuth(requests, func(presented string, _ echo4.Context) (bool, error) {
			_, ok := keys.Verify(presented)
			return ok, nil
		})},
		{who: "echo v5 key-auth", lacks: rest, work: echo5KeyAuth(requests, func(_ *echo5.Context, presented string, _ echo5mw.ExtractorSource) (bool, error) {
			_, ok := keys.Verify(presented)
			return ok, nil
		})},
		{who: "fiber v3 key-auth, with its app", lacks: rest, work: fiberApp(secrets, keyauth.New(keyauth.Config{
			Validator: func(_ fiber.Ctx, presented string) (bool, error) {
				_, ok := keys.Verify(presented)
				return ok, nil
			},
		}))},
		{who: "fiber v3, its app alone", lacks: "everything", work: fiberApp(secrets)},
		{
			who: "go-chi/jwtauth HS256", lacks: "address, permission, revocation",
			work: fixture.Serving(jwtauth.Verifier(auth)(jwtauth.Authenticator(auth)(keep)), fixture.Requests(fixture.Bearer(tokens))),
		},
	}}
}

func echo4KeyAuth(requests []*http.Request, validate echo4mw.KeyAuthValidator) func(n int) {
	e := echo4.New()
	handle := echo4mw.KeyAuth(validate)(func(echo4.Context) error { return nil })
	c := e.NewContext(nil, nil)
	return func(n int) {
		for i := range n {
			c.SetRequest(requests[i%len(requests)])
			mustBeNil(handle(c))
		}
	}
}

func echo5KeyAuth(requests []*http.Request, validate echo5mw.KeyAuthValidator) func(n int) {
	e := echo5.New()
	handle := echo5mw.KeyAuth(validate)(func(*echo5.Context) error { return nil })
	c := e.NewContext(nil, nil)
	return func(n int) {
		for i := range n {
			c.SetRequest(requests[i%len(requests)])
			mustBeNil(handle(c))
		}
	}
}

// fiberApp has requests of its own, because fiber is not net/http.
func fiberApp(tokens []string, middlewares ...any) func(n int) {
	app := fiber.New()
	for _, m := range middlewares {
		app.Use(m)
	}
	app.Get("/users", func(fiber.Ctx) error { return nil })
	handle := app.Handler()
	requests := make([]fasthttp.RequestCtx, len(tokens))
	for i, token := range tokens {
		var r fasthttp.Request
		r.SetRequestURI("/users")
		r.Header.Set("Authorization", "Bearer "+token)
		requests[i].Init(&r, &net.TCPAddr{IP: net.IP(fixture.Addr.AsSlice()), Port: 1234}, nil)
	}
	return func(n int) {
		for i := range n {
			c := &requests[i%len(requests)]
			handle(c)
			if c.Response.StatusCode() != fiber.StatusOK {
				panic(c.Response.String())
			}
		}
	}
}
