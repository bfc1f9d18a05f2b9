package main

import (
	"context"
	"net/http"
	"net/netip"

	"github.com/go-chi/jwtauth/v5"
	echo4 "github.com/labstack/echo/v4"
	echo4mw "github.com/labstack/echo/v4/middleware"
	echo5 "github.com/labstack/echo/v5"
	echo5mw "github.com/labstack/echo/v5/middleware"
	"github.com/ory/fosite"

	"github.com/latchwork/latchwork/internal/bench/fixture"
	"github.com/latchwork/latchwork/internal/bench/floor"
)

// permission is what every request needs.
const permission = "users.view"

// A chain stands in front of a handler and does equal work in each case: who
// presented the credential, whether from an address of a list, whether with a
// permission, the handler, which is one of net/http, finds all of that in the
// context of its request, and the use is counted. What a peer has not is done by
// hand, as the floor does it, which itself does not count. Where a credential has
// no record to count on, uses are counted all together.
type chain struct {
	name, brief string
	yardstick   bool
	build       func(next http.Handler) (handler http.Handler, tokens []string)
}

const clientsOfEach = 1000

func chains() []chain {
	return []chain{
		{name: "Latchwork `Guard.Require`", build: ours},
		{name: "by hand: the floor", yardstick: true, build: byHand},
		{name: "echo v4 key-auth, the rest by hand", brief: "echo key-auth", build: echo4Chain},
		{name: "echo v5 key-auth, the rest by hand", build: echo5Chain},
		{name: "go-chi/jwtauth HS256, the rest by hand", brief: "jwtauth HS256", build: jwtauthChain},
		{name: "fosite IntrospectToken, memory store, address by hand", brief: "fosite introspection", build: fositeChain},
		{name: "go-oauth2 LoadAccessToken, memory store, the rest by hand", brief: "go-oauth2 lookup", build: goOAuth2Chain},
	}
}

func ours(next http.Handler) (http.Handler, []string) {
	secrets := fixture.Secrets(clientsOfEach)
	return fixture.Guarded(secrets, next), secrets
}

func byHand(next http.Handler) (http.Handler, []string) {
	secrets := fixture.Secrets(clientsOfEach)
	return fixture.Floored(secrets, next), secrets
}

// echo4Chain goes without echo's router.
func echo4Chain(next http.Handler) (http.Handler, []string) {
	secrets := fixture.Secrets(clientsOfEach)
	keys := fixture.FloorKeys(secrets)
	e := echo4.New()
	authenticate := echo4mw.KeyAuth(func(presented string, c echo4.Context) (bool, error) {
		r, ok := identified(keys, presented, c.Request())
		c.SetRequest(r)
		return ok, nil
	})
	authorize := func(next echo4.HandlerFunc) echo4.HandlerFunc {
		return func(c echo4.Context) error {
			if !mayPass(c.Request()) {
				return echo4.ErrForbidden
			}
			return next(c)
		}
	}
	handle := authenticate(authorize(echo4.WrapHandler(next)))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := e.AcquireContext()
		c.Reset(r, w)
		if err := handle(c); err != nil {
			e.HTTPErrorHandler(err, c)
		}
		e.ReleaseContext(c)
	}), secrets
}

// echo5Chain goes without echo's router.
func echo5Chain(next http.Handler) (http.Handler, []string) {
	secrets := fixture.Secrets(clientsOfEach)
	keys := fixture.FloorKeys(secrets)
	e := echo5.New()
	authenticate := echo5mw.KeyAuth(func(c *echo5.Context, presented string, _ echo5mw.ExtractorSource) (bool, error) {
		r, ok := identified(keys, presented, c.Request())
		c.SetRequest(r)
		return ok, nil
	})
	authorize := func(next echo5.HandlerFunc) echo5.HandlerFunc {
		return func(c *echo5.Context) error {
			if !mayPass(c.Request()) {
				return echo5.ErrForbidden
			}
			return next(c)
		}
	}
	handle := authenticate(authorize(echo5.WrapHandler(next)))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := e.AcquireContext()
		c.Reset(r, w)
		if err := handle(c); err != nil {
			e.HTTPErrorHandler(c, err)
		}
		e.ReleaseContext(c)
	}), secrets
}

// identified judges key and address, and returns the request with whose it is.
func identified(keys floor.Keys, presented string, r *http.Request) (*http.Request, bool) {
	key, ok := keys.Verify(presented)
	if !ok {
		return r, false
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !key.AllowsFrom(peer.Addr().Unmap()) {
		return r, false
	}
	return floor.Bind(r, floor.Principal{Key: key, Addr: peer.Addr().Unmap()}), true
}

// mayPass judges the permission, and counts.
func mayPass(r *http.Request) bool {
	p, ok := floor.PrincipalFrom(r.Context())
	if !ok {
		return false
	}
	if _, ok = p.Key.Permissions[permission]; ok {
		p.Key.Uses.Add()
	}
	return ok
}

// jwtauthChain binds the token itself.
func jwtauthChain(next http.Handler) (http.Handler, []string) {
	auth := jwtauth.New("HS256", signingKey, nil)
	tokens := make([]string, clientsOfEach)
	for i := range tokens {
		_, token, err := auth.Encode(claims(i))
		tokens[i] = fixture.Must(token, err)
	}
	bounds := addressBounds()
	var uses floor.Uses
	authorize := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := r.Context().Value(jwtauth.TokenCtxKey).(interface{ Get(name string) (any, bool) })
		claim, _ := token.Get("scope")
		scope, _ := claim.(string)
		if !within(bounds, r) || !holds(scope, permission) {
			http.Error(w, "forbidden", http.StatusForbidden)
			return
		}
		uses.Add()
		next.ServeHTTP(w, r)
	})
	return jwtauth.Verifier(auth)(jwtauth.Authenticator(auth)(authorize)), tokens
}

// fositeChain leaves the permission to fosite, too.
func fositeChain(next http.Handler) (http.Handler, []string) {
	provider, tokens := fositeTokens(clientsOfEach)
	bounds := addressBounds()
	var uses floor.Uses
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, token, err := provider.IntrospectToken(r.Context(), fosite.AccessTokenFromRequest(r), fosite.AccessToken,
			new(fosite.DefaultSession), permission)
		if err != nil || !within(bounds, r) {
			http.Error(w, "forbidden", http.StatusForbidden)
			return
		}
		uses.Add()
		next.ServeHTTP(w, bind(r, token))
	}), tokens
}

func goOAuth2Chain(next http.Handler) (http.Handler, []string) {
	manager, tokens := goOAuth2Tokens(clientsOfEach)
	bounds := addressBounds()
	var uses floor.Uses
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, err := manager.LoadAccessToken(r.Context(), bearer(r))
		if err != nil || !within(bounds, r) || !holds(token.GetScope(), permission) {
			http.Error(w, "forbidden", http.StatusForbidden)
			return
		}
		uses.Add()
		next.ServeHTTP(w, bind(r, token))
	}), tokens
}

type tokenKey struct{}

func bind(r *http.Request, token any) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), tokenKey{}, token))
}

func bearer(r *http.Request) string {
	const scheme = "Bearer "
	value := r.Header.Get("Authorization")
	if len(value) < len(scheme) || value[:len(scheme)] != scheme {
		return ""
	}
	return value[len(scheme):]
}

func addressBounds() (bounds []netip.Prefix) {
	for _, entry := range fixture.Addresses {
		bounds = append(bounds, netip.MustParsePrefix(entry))
	}
	return bounds
}

func within(bounds []netip.Prefix, r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	for _, prefix := range bounds {
		if prefix.Contains(peer.Addr().Unmap()) {
			return true
		}
	}
	return false
}
