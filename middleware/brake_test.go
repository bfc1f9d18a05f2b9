package middleware_test

import (
	"errors"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/internal/credential"
	"github.com/latchwork/latchwork/middleware"
	"github.com/latchwork/latchwork/oauth"
	"github.com/latchwork/latchwork/scope"
)

// braked runs a test in a bubble, where waiting takes no time, behind a Guard
// that has a brake and accepts keys and tokens.
func braked(t *testing.T, test func(t *testing.T, a *agency), change ...func(*middleware.Config)) {
	t.Helper()
	t.Parallel()
	brake := func(c *middleware.Config) { c.FailureBurst = 20 }
	synctest.Test(t, func(t *testing.T) { test(t, newAgency(t, append([]func(*middleware.Config){brake}, change...)...)) })
}

// from sends a request with a credential from an address to a route for keys.
func (a *agency) from(addr, presented string) answer {
	r := request(http.MethodGet, "/", "Bearer "+presented)
	r.RemoteAddr = netip.AddrPortFrom(netip.MustParseAddr(addr), 1234).String()
	return send(a.guard.Require("users.view"), r)
}

// unknown returns a key that nobody has.
func unknown() string {
	format, err := credential.New("paym")
	if err != nil {
		panic(err)
	}
	return format.Generate()
}

// exhaust uses up what may fail.
func (a *agency) exhaust(addr string) {
	a.t.Helper()
	for range 20 {
		requireRejected(a.t, a.from(addr, unknown()), 401, "invalid_token")
	}
}

func TestNoBrakeUnlessAskedFor(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	for range 200 {
		requireRejected(t, a.from("192.0.2.1", unknown()), 401, "invalid_token")
	}
	requirePass(t, a.from("192.0.2.1", a.key("users.view")))
}

func TestBrake(t *testing.T) {
	braked(t, func(t *testing.T, a *agency) {
		const here, neighbour, elsewhere = "2001:db8:1:2::1", "2001:db8:1:2:ffff::", "2001:db8:1:3::1"
		old, young, other := a.key("users.view"), a.key("users.view"), a.key("users.view")
		requirePass(t, a.from(here, old))
		a.exhaust(here)
		reads, lookups := a.spy.Calls("Find"), a.store.lookups.Load()
		for _, addr := range []string{here, neighbour} {
			for _, presented := range []string{unknown(), young, "wrong", a.user("profile"), "paym_at_x"} {
				blocked := a.from(addr, presented)
				requireRejected(t, blocked, 429, "too_many_requests")
				require.Equal(t, "3", blocked.Header().Get("Retry-After"))
				require.Empty(t, blocked.Header().Get("WWW-Authenticate"))
				require.JSONEq(t, `{"error":"too_many_requests","message":"Too many requests from this address have failed. Try again later."}`, blocked.Body.String())
			}
		}
		require.Equal(t, reads, a.spy.Calls("Find"), "no store is asked")
		require.Equal(t, lookups, a.store.lookups.Load())
		requireRejected(t, a.from(here, ""), 401, "missing_token")
		requirePass(t, a.from(elsewhere, other))

		// What was good here is let through, and only here.
		requirePass(t, a.from(here, old))
		requirePass(t, a.from(neighbour, old))

		time.Sleep(3*time.Second - time.Nanosecond)
		requireRejected(t, a.from(here, young), 429, "too_many_requests")
		time.Sleep(time.Nanosecond)
		requirePass(t, a.from(here, young))
		requirePass(t, a.from(here, young))
		requireRejected(t, a.from(here, unknown()), 401, "invalid_token")
		requireRejected(t, a.from(here, unknown()), 429, "too_many_requests")
		requirePass(t, a.from(here, young))
	})
}

func TestBrakeOnTokens(t *testing.T) {
	braked(t, func(t *testing.T, a *agency) {
		protect := a.guard.RequireScope("profile")
		old, young := a.user("profile"), a.user("profile")
		requirePass(t, get(protect, "Bearer "+old))
		for range 20 {
			requireRejected(t, get(protect, "Bearer "+a.format.Generate()), 401, "invalid_token")
		}
		requireRejected(t, get(protect, "Bearer "+young), 429, "too_many_requests")
		requirePass(t, get(protect, "Bearer "+old))
	})
}

// A credential that was good once and is so no more is let through no longer.
func TestBrakeOnWhatWasGood(t *testing.T) {
	braked(t, func(t *testing.T, a *agency) {
		issued := a.issue(apikey.Spec{Permissions: scope.MustParseSet("users.view")})
		key := issued.Secret.Reveal()
		requirePass(t, a.from("192.0.2.1", key))
		a.exhaust("192.0.2.1")
		requirePass(t, a.from("192.0.2.1", key))
		require.NoError(t, a.keys.Revoke(t.Context(), issued.Key.ID, apikey.RevokeOptions{}))
		requireRejected(t, a.from("192.0.2.1", key), 429, "too_many_requests")
		reads := a.spy.Calls("Find")
		requireRejected(t, a.from("192.0.2.1", key), 429, "too_many_requests")
		require.Equal(t, reads, a.spy.Calls("Find"))
	})
}

// A key that the Manager has in its cache passes where it was never used before,
// and nothing is read for it.
func TestBrakeLetsThroughCachedKeys(t *testing.T) {
	braked(t, func(t *testing.T, a *agency) {
		cached, uncached := a.key("users.view"), a.key("users.view")
		requirePass(t, a.from("192.0.2.2", cached))
		a.exhaust("192.0.2.1")
		reads := a.spy.Calls("Find")
		requirePass(t, a.from("192.0.2.1", cached))
		requireRejected(t, a.from("192.0.2.1", uncached), 429, "too_many_requests")
		require.Equal(t, reads, a.spy.Calls("Find"))
		time.Sleep(time.Minute) // longer than anything is cached; there is room again
		a.exhaust("192.0.2.1")
		requireRejected(t, a.from("192.0.2.1", cached), 429, "too_many_requests")
	})
}

// So does a token that the Server has in its cache, if it has one.
func TestBrakeLetsThroughCachedTokens(t *testing.T) {
	braked(t, func(t *testing.T, a *agency) {
		server, err := oauth.New(a.store, oauth.StaticClients{}, oauth.Config{
			Issuer: "https://billing.example", Prefix: "paym", CacheTTL: 5 * time.Second,
		})
		require.NoError(t, err)
		guard, err := middleware.New(middleware.Config{Credentials: []middleware.Authenticator{middleware.Tokens(server)}, FailureBurst: 20})
		require.NoError(t, err)
		from := func(addr, token string) answer {
			r := request(http.MethodGet, "/", "Bearer "+token)
			r.RemoteAddr = addr
			return send(guard.RequireScope("profile"), r)
		}
		cached, uncached := a.user("profile"), a.user("profile")
		requirePass(t, from("192.0.2.2:1", cached))
		for range 20 {
			requireRejected(t, from("192.0.2.1:1", a.format.Generate()), 401, "invalid_token")
		}
		lookups := a.store.lookups.Load()
		requirePass(t, from("192.0.2.1:1", cached))
		requireRejected(t, from("192.0.2.1:1", uncached), 429, "too_many_requests")
		requireRejected(t, from("192.0.2.1:1", "paym_at_x"), 429, "too_many_requests")
		require.Equal(t, lookups, a.store.lookups.Load())
		_, err = server.RevokeSubject(t.Context(), "u1")
		require.NoError(t, err)
		requireRejected(t, from("192.0.2.2:1", cached), 401, "invalid_token")
	})
}

// remembering answers from memory, as a cache does, and never asks Admit.
type remembering struct{ foreign }

func (remembering) Samples() []string { return []string{"eyJ"} }

func TestBrakeLetsThroughWhatIsCached(t *testing.T) {
	cached := middleware.Principal{Kind: middleware.KindKey, KeyType: "admin", Permissions: scope.MustParseSet("users.view")}
	braked(t, func(t *testing.T, a *agency) {
		a.exhaust("192.0.2.1")
		requirePass(t, a.from("192.0.2.1", "eyJ"))
	}, func(c *middleware.Config) {
		c.Credentials = append(c.Credentials, remembering{foreign{prefix: "eyJ", principal: cached}})
	})
}

func TestWhatCountsAsAFailure(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		counts bool
		status int
		try    func(a *agency) answer
	}{
		{"unknown", true, 401, func(a *agency) answer { return a.from("192.0.2.1", unknown()) }},
		{"another shape", true, 401, func(a *agency) answer { return a.from("192.0.2.1", "wrong") }},
		{"bad checksum", true, 401, func(a *agency) answer { return a.from("192.0.2.1", unknown()[:53]+"~") }},
		{"address refused", true, 403, func(a *agency) answer {
			return a.from("192.0.2.1", a.issue(apikey.Spec{Permissions: scope.MustParseSet("users.view"), AllowedIPs: listOf("192.0.2.2")}).Secret.Reveal())
		}},
		{"disabled", true, 401, func(a *agency) answer {
			issued := a.issue(apikey.Spec{Permissions: scope.MustParseSet("users.view")})
			_, err := a.keys.Disable(a.t.Context(), issued.Key.ID)
			require.NoError(a.t, err)
			return a.from("192.0.2.1", issued.Secret.Reveal())
		}},
		{"an unknown token", true, 401, func(a *agency) answer { return a.from("192.0.2.1", a.format.Generate()) }},
		{"nothing", false, 401, func(a *agency) answer { return a.from("192.0.2.1", "") }},
		{"malformed", false, 400, func(a *agency) answer { return a.from("192.0.2.1", "a b") }},
		{"no permission", false, 403, func(a *agency) answer { return a.from("192.0.2.1", a.key("users.delete")) }},
		{"another kind", false, 403, func(a *agency) answer { return a.from("192.0.2.1", a.user("users.view")) }},
		{"a store that fails", false, 503, func(a *agency) answer {
			a.spy.Fail(errors.New("boom"))
			defer a.spy.Fail(nil)
			return a.from("192.0.2.1", unknown())
		}},
		{"good", false, 204, func(a *agency) answer { return a.from("192.0.2.1", a.key("users.view")) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			braked(t, func(t *testing.T, a *agency) {
				for range 20 {
					require.Equal(t, c.status, c.try(a).Code)
				}
				last := a.from("192.0.2.1", a.key("users.view"))
				require.Equal(t, c.counts, last.Code == 429)
				require.Equal(t, c.counts, c.try(a).Code == 429)
			})
		})
	}
}

func TestBrakeByTheOtherWays(t *testing.T) {
	braked(t, func(t *testing.T, a *agency) {
		here := netip.MustParseAddr("192.0.2.1")
		key := a.key("users.view")
		for range 10 {
			_, rejected := a.guard.Authenticate(t.Context(), "Bearer "+unknown(), here)
			require.Equal(t, "invalid_token", rejected.Code)
			r := request(http.MethodGet, "/")
			r.Header.Set("X-API-Key", unknown())
			requireRejected(t, send(a.guard.Optional, r), 401, "invalid_token")
		}
		_, rejected := a.guard.Authenticate(t.Context(), "Bearer "+key, here)
		require.Equal(t, 429, rejected.Status)
		require.Equal(t, 3*time.Second, rejected.RetryAfter)
		require.ErrorContains(t, rejected.Err, "too many failures")
		_, rejected = a.guard.Check(request(http.MethodGet, "/", "Bearer "+key), middleware.AllOf("users.view"))
		require.Equal(t, 429, rejected.Status)
		r := request(http.MethodGet, "/")
		r.Header.Set("X-API-Key", key)
		requireRejected(t, send(a.guard.Require("users.view"), r), 429, "too_many_requests")
	}, func(c *middleware.Config) { c.KeyHeader = "X-API-Key" })
}

// Whose address cannot be told is limited by the peer, and those without any are
// one.
func TestBrakeOnUnknownAddresses(t *testing.T) {
	braked(t, func(t *testing.T, a *agency) {
		try := func(peer, presented string) answer {
			r := request(http.MethodGet, "/", "Bearer "+presented)
			r.RemoteAddr = peer
			return send(a.guard.Require("users.view"), r)
		}
		bound := a.issue(apikey.Spec{Permissions: scope.MustParseSet("users.view"), AllowedIPs: listOf("10.0.0.1")}).Secret.Reveal()
		key := a.key("users.view")
		for i := range 20 {
			requireRejected(t, try("10.0.0.1:1", bound), 403, "client_ip_unknown")
			requireRejected(t, try([]string{"@", ""}[i%2], unknown()), 401, "invalid_token")
		}
		requireRejected(t, try("10.0.0.1:2", key), 429, "too_many_requests")
		requireRejected(t, try("/run/app.sock", key), 429, "too_many_requests")
		requirePass(t, try("10.0.0.2:1", key))
	}, func(c *middleware.Config) {
		c.ClientAddr = func(*http.Request) (netip.Addr, error) { return netip.Addr{}, errors.New("no chain") }
	})
}

// Of many at once, as many fail as of many in turn.
func TestBrakeOnManyAtOnce(t *testing.T) {
	braked(t, func(t *testing.T, a *agency) {
		release := a.spy.Hold()
		var done sync.WaitGroup
		var failed, later atomic.Int64
		for range 100 {
			done.Go(func() {
				switch a.from("192.0.2.1", unknown()).Code {
				case 401:
					failed.Add(1)
				case 429:
					later.Add(1)
				}
			})
		}
		synctest.Wait()
		release()
		done.Wait()
		require.Equal(t, int64(20), failed.Load())
		require.Equal(t, int64(80), later.Load())
	})
}

func TestBrakeConfig(t *testing.T) {
	t.Parallel()
	keys := newHouse(t).keys
	for _, c := range []middleware.Config{
		{FailureBurst: -1}, {FailureBurst: 1e7}, {FailureEvery: time.Second}, {FailureBurst: 1, FailureEvery: -1}, {FailureBurst: 1, FailureEvery: 1},
	} {
		c.Credentials = []middleware.Authenticator{middleware.Keys(keys)}
		_, err := middleware.New(c)
		require.ErrorContainsf(t, err, "middleware: FailureBurst", "%d %v", c.FailureBurst, c.FailureEvery)
	}
}

func TestBrakeInterval(t *testing.T) {
	braked(t, func(t *testing.T, a *agency) {
		requireRejected(t, a.from("192.0.2.1", unknown()), 401, "invalid_token")
		blocked := a.from("192.0.2.1", unknown())
		requireRejected(t, blocked, 429, "too_many_requests")
		require.Equal(t, "60", blocked.Header().Get("Retry-After"))
	}, func(c *middleware.Config) { c.FailureBurst, c.FailureEvery = 1, time.Minute })
}

func TestBrakeInTheMannerOfPaymenter(t *testing.T) {
	braked(t, func(t *testing.T, a *agency) {
		a.from("192.0.2.1", unknown())
		blocked := a.from("192.0.2.1", unknown())
		require.Equal(t, 429, blocked.Code)
		require.JSONEq(t, `{"message":"Too Many Attempts."}`, blocked.Body.String())
		require.Equal(t, "3", blocked.Header().Get("Retry-After"))
	}, func(c *middleware.Config) { c.FailureBurst, c.Reject = 1, middleware.WritePaymenterRejection })
}
