package middleware_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/middleware"
	"github.com/latchwork/latchwork/scope"
)

func TestAuthorizationHeader(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	key := h.key("users.view")
	body := key[len("paym_"):]
	typo := key[:len(key)-1] + "~"
	unknown := newHouse(t).key("users.view")
	protect := h.guard.Require("users.view")

	allow := func(name string, authorization ...string) {
		requirePass(t, send(protect, request(http.MethodGet, "/", authorization...)))
	}
	deny := func(status int, code, name string, reads int, authorization ...string) {
		t.Helper()
		before := h.spy.Calls("Find")
		a := send(protect, request(http.MethodGet, "/", authorization...))
		requireRejected(t, a, status, code)
		require.Equal(t, reads, h.spy.Calls("Find")-before, name)
		require.NotContains(t, a.Body.String(), body, "a credential comes back in the answer")
	}

	allow("as it should be", "Bearer "+key)
	allow("schemes have no case", "bearer "+key)
	allow("schemes have no case", "BEARER "+key)

	deny(401, "missing_token", "no header", 0)
	deny(401, "missing_token", "empty", 0, "")
	deny(401, "missing_token", "only spaces", 0, "   ")
	deny(401, "missing_token", "nothing behind the scheme", 0, "Bearer")
	deny(401, "missing_token", "nothing behind the scheme", 0, "Bearer ")
	deny(401, "missing_token", "nothing behind the scheme", 0, "Bearer     ")
	deny(401, "missing_token", "another scheme", 0, "Basic "+key)
	deny(401, "missing_token", "another scheme", 0, "Bearerx "+key)
	deny(401, "missing_token", "another scheme", 0, "Foo Bearer "+key)
	deny(401, "missing_token", "another scheme", 0, "Basic x, Bearer "+key)
	deny(401, "missing_token", "no scheme", 0, key)

	deny(400, "invalid_request", "two headers", 0, "Bearer "+key, "Bearer "+key)
	deny(400, "invalid_request", "two headers", 0, "Basic x", "Bearer "+key)
	deny(400, "invalid_request", "two spaces", 0, "Bearer  "+key)
	deny(400, "invalid_request", "a tab", 0, "Bearer\t"+key)
	deny(400, "invalid_request", "leading space", 0, " Bearer "+key)
	deny(400, "invalid_request", "trailing space", 0, "Bearer "+key+" ")
	deny(400, "invalid_request", "a newline", 0, "Bearer "+key+"\n")
	deny(400, "invalid_request", "two tokens", 0, "Bearer "+key+" "+key)
	deny(400, "invalid_request", "a list", 0, "Bearer "+key+", Bearer "+key)
	deny(400, "invalid_request", "NUL", 0, "Bearer "+key+"\x00")
	deny(400, "invalid_request", "invalid UTF-8", 0, "Bearer \xff"+key)
	deny(400, "invalid_request", "full-width", 0, "Bearer ｐaym_"+body)
	deny(400, "invalid_request", "padding alone", 0, "Bearer =")
	deny(400, "invalid_request", "padding inside", 0, "Bearer a=b")
	deny(400, "invalid_request", "a quote", 0, `Bearer "`+key+`"`)
	deny(400, "invalid_request", "over 4 KiB", 0, "Bearer "+strings.Repeat("x", 4097))
	deny(400, "invalid_request", "a megabyte", 0, "Bearer "+strings.Repeat("x", 1<<20))

	deny(401, "invalid_token", "just 4 KiB", 0, "Bearer "+strings.Repeat("x", 4096))
	deny(401, "invalid_token", "padding", 0, "Bearer abc==")
	deny(401, "invalid_token", "nobody's shape", 0, "Bearer x")
	deny(401, "invalid_token", "bad checksum", 0, "Bearer "+typo)
	deny(401, "invalid_token", "another environment's prefix", 0, "Bearer test_"+body)
	deny(401, "invalid_token", "the case flipped", 0, "Bearer paym_"+flipCase(body))
	deny(401, "invalid_token", "cut off", 0, "Bearer "+key[:len(key)-1])
	deny(401, "invalid_token", "too long", 0, "Bearer "+key+"0")
	deny(401, "invalid_token", "unknown", 1, "Bearer "+unknown)
	deny(401, "invalid_token", "unknown, of a foreign format", 1, "Bearer PAYM"+strings.Repeat("0", 64))
}

func flipCase(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z':
			return r - 'a' + 'A'
		case 'A' <= r && r <= 'Z':
			return r - 'A' + 'a'
		}
		return r
	}, s)
}

func TestOnlyTheHeaderCounts(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	key := h.key("users.view")
	for _, r := range []*http.Request{
		httptest.NewRequest(http.MethodGet, "/?access_token="+key+"&api_key="+key+"&token="+key, nil),
		httptest.NewRequest(http.MethodPost, "/", strings.NewReader("access_token="+key)),
		func() *http.Request {
			r := request(http.MethodGet, "/")
			r.AddCookie(&http.Cookie{Name: "token", Value: key})
			r.Header.Set("X-Api-Key", key)
			r.Header.Set("Proxy-Authorization", "Bearer "+key)
			return r
		}(),
	} {
		requireRejected(t, send(h.guard.Require("users.view"), r), 401, "missing_token")
	}
	require.Zero(t, h.spy.Calls("Find"))
}

func TestChallenges(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *middleware.Config) { c.Realm = "billing" })
	key := h.key("users.view")
	for _, c := range []struct{ authorization, permission, challenge string }{
		{"", "users.view", `Bearer realm="billing"`},
		{"Bearer x", "users.view", `Bearer realm="billing", error="invalid_token"`},
		{"Bearer a b", "users.view", `Bearer realm="billing", error="invalid_request"`},
		{"Bearer " + key, "users.delete", `Bearer realm="billing", error="insufficient_scope"`},
	} {
		a := send(h.guard.Require(c.permission), request(http.MethodGet, "/", c.authorization))
		require.Equal(t, c.challenge, a.Header().Get("WWW-Authenticate"))
	}
	a := send(newHouse(t).guard.Require("users.view"), request(http.MethodGet, "/"))
	require.Equal(t, `Bearer realm="api"`, a.Header().Get("WWW-Authenticate"))
}

func TestKeyHeader(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *middleware.Config) { c.KeyHeader = "x-api-key" })
	key := h.key("users.view")
	protect := h.guard.Require("users.view")
	with := func(authorization []string, values ...string) answer {
		r := request(http.MethodGet, "/", authorization...)
		for _, v := range values {
			r.Header.Add("X-API-Key", v)
		}
		return send(protect, r)
	}
	requirePass(t, with(nil, key))
	requirePass(t, with([]string{"Bearer " + key}))
	requireRejected(t, with(nil), 401, "missing_token")
	requirePass(t, send(h.guard.Optional, request(http.MethodGet, "/")))
	requireRejected(t, with(nil, ""), 401, "missing_token")
	requireRejected(t, with(nil, "Bearer "+key), 400, "invalid_request")
	requireRejected(t, with(nil, key, key), 400, "invalid_request")
	requireRejected(t, with(nil, " "+key), 400, "invalid_request")
	requireRejected(t, with([]string{"Bearer " + key}, key), 400, "invalid_request")
	requireRejected(t, with([]string{"Basic x"}, key), 400, "invalid_request")
	requireRejected(t, with(nil, key[1:]), 401, "invalid_token")
	requireRejected(t, with(nil, strings.Repeat("x", 5000)), 400, "invalid_request")
	empty := request(http.MethodGet, "/")
	empty.Header.Set("X-API-Key", "")
	requireRejected(t, send(h.guard.Optional, empty), 401, "missing_token")

	// What else is wrong is said as for any other key.
	bound := h.issue(apikey.Spec{Permissions: scope.MustParseSet("users.view"), AllowedIPs: listOf("198.51.100.7")})
	requireRejected(t, with(nil, bound.Secret.Reveal()), 403, "ip_not_allowed")
	unseen := h.key("users.view")
	h.spy.Fail(errors.New("boom"))
	requireRejected(t, with(nil, unseen), 503, "unavailable")

	tokens := newHouse(t, func(c *middleware.Config) {
		c.KeyHeader = "X-API-Key"
		c.Credentials = append(c.Credentials, foreign{"tok_", middleware.Principal{Kind: middleware.KindUser, Subject: "ada"}, nil})
	})
	r := request(http.MethodGet, "/")
	r.Header.Set("X-API-Key", "tok_1")
	requireRejected(t, send(tokens.guard.Optional, r), 401, "invalid_token")
}

func FuzzReq202_Authorization(f *testing.F) {
	for _, seed := range []string{"", "Bearer", "Bearer x", "bearer  x", "Basic x", "Bearer a=b", "Bearer =", "\tBearer x", "Bearer \x00"} {
		f.Add(seed, seed)
	}
	h := newHouse(&testing.T{})
	protect := h.guard.Require("users.view")
	f.Fuzz(func(t *testing.T, one, two string) {
		for _, r := range []*http.Request{
			request(http.MethodGet, "/", one), request(http.MethodGet, "/", one, two), request(http.MethodGet, "/", "Bearer "+one),
		} {
			a := send(protect, r)
			require.False(t, a.reached)
			require.Contains(t, []int{400, 401}, a.Code)
		}
		require.Zero(t, h.spy.Calls("Get")+h.spy.Calls("Create")+h.spy.Calls("Update")+h.spy.Calls("List"))
	})
}

// Every byte there is, in every place, against RFC 6750 section 2.1.
func TestTokenAlphabet(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	protect := h.guard.Require("users.view")
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/"
	for _, length := range []int{2, 7, 8, 9, 15, 16, 17} {
		for place := 1; place < length; place++ {
			for c := range 256 {
				token := []byte(strings.Repeat("x", length))
				token[place] = byte(c)
				status, code := 400, "invalid_request"
				if strings.IndexByte(alphabet, byte(c)) >= 0 || (c == '=' && place == length-1) {
					status, code = 401, "invalid_token"
				}
				requireRejected(t, send(protect, request(http.MethodGet, "/", "Bearer "+string(token))), status, code)
			}
		}
	}
}
