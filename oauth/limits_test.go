package oauth_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/oauth"
)

// limited runs a test in a bubble, where waiting takes no time.
func limited(t *testing.T, test func(t *testing.T, h *house), change ...func(*oauth.Config)) {
	t.Helper()
	t.Parallel()
	rightHash() // outside, where everybody can use the hasher
	synctest.Test(t, func(t *testing.T) { test(t, newHouse(t, change...)) })
}

// from sends a token request from an address.
func (h *house) from(addr, id, body string) answer {
	var r *http.Request
	if h.clients.get(id).Public {
		r = request(body + "&client_id=" + id)
	} else {
		r = request(body, h.basic(id))
	}
	return h.at(addr, r)
}

func (h *house) at(addr string, r *http.Request) answer {
	r.RemoteAddr = netip.AddrPortFrom(netip.MustParseAddr(addr), 1234).String()
	return h.send(r)
}

// hashed is how many passwords were looked at since the last time.
func (h *house) hashed() int {
	n := len(h.tap.since("Passwords.Verify"))
	h.tap.do(nil)
	return n
}

// requireLater asserts that nobody may try again for so long.
func requireLater(t testing.TB, a answer, wait time.Duration) {
	t.Helper()
	requireError(t, a, 429, "too_many_requests")
	require.Equal(t, strconv.Itoa(int(wait/time.Second)), a.Header().Get("Retry-After"))
}

func host(i int) string {
	return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}).String()
}

// Names count over all addresses, and nothing tells those that exist from those
// that do not.
func TestReq060_Account(t *testing.T) {
	limited(t, func(t *testing.T, h *house) {
		for i := range 5 {
			wrong := h.from(host(i), "first", login("ada", "wrong"))
			requireError(t, wrong, 400, "invalid_grant")
			requireSame(t, wrong, h.from(host(100+i), "first", login("nobody", "wrong")))
			requireSame(t, wrong, h.from(host(200+i), "first", login("eve", right))) // disabled
		}
		require.Equal(t, 15, h.hashed())
		time.Sleep(700 * time.Millisecond)
		blocked := h.from(host(5), "first", login("ada", "wrong"))
		requireLater(t, blocked, 30*time.Second)
		for i, name := range []string{"ada", "nobody", "eve", "ADA", " ada ", "nobody ", "NoBody"} {
			requireSame(t, blocked, h.from(host(6+i), "first", login(name, "wrong")))
			requireSame(t, blocked, h.from(host(i), "first", login(name, right)))
			requireSame(t, blocked, h.from(host(300+i), "app", login(name, right)))
		}
		require.Empty(t, h.tap.since("Users", "Passwords", "Store"), "nothing is looked at")
		require.Equal(t, oauth.EventLoginThrottled, h.kinds()[len(h.kinds())-1])

		time.Sleep(29300*time.Millisecond - time.Nanosecond)
		requireLater(t, h.from(host(7), "first", byLogin), time.Second)
		time.Sleep(time.Nanosecond)
		requireTokens(t, h.from(host(7), "first", byLogin))
		requireError(t, h.from(host(8), "first", login("nobody", right)), 400, "invalid_grant")
		requireLater(t, h.from(host(8), "first", login("nobody", right)), 30*time.Second)
	})
}

// From where somebody signed in lately, they can whatever others do.
func TestReq060_WhoSignedInLately(t *testing.T) {
	const home, phone = "2001:db8::1", "192.0.2.9"
	limited(t, func(t *testing.T, h *house) {
		requireTokens(t, h.from(home, "first", byLogin))
		attack := func() {
			for i := range 6 {
				h.from(host(i), "app", login("ada", "wrong"))
			}
		}
		attack()
		requireError(t, h.from(phone, "first", byLogin), 429, "too_many_requests")
		requireTokens(t, h.from(home, "first", byLogin))
		requireTokens(t, h.from("2001:db8::ffff:2", "app", byLogin))
		requireError(t, h.from("2001:db8:0:1::1", "first", byLogin), 429, "too_many_requests")
		requireError(t, h.from(home, "first", login("nobody", right)), 400, "invalid_grant")

		time.Sleep(30*24*time.Hour - time.Second)
		attack()
		requireTokens(t, h.from(home, "first", byLogin)) // and that begins anew
		time.Sleep(30*24*time.Hour - time.Second)
		attack()
		requireTokens(t, h.from(home, "first", byLogin))
		time.Sleep(30 * 24 * time.Hour)
		attack()
		requireError(t, h.from(home, "first", byLogin), 429, "too_many_requests")
	})
}

// Whoever sits where somebody signed in can guess no faster than elsewhere, and
// does not keep others out.
func TestReq060_GuessesFromWhereSomebodySignedIn(t *testing.T) {
	limited(t, func(t *testing.T, h *house) {
		requireTokens(t, h.from("192.0.2.1", "first", byLogin))
		for range 5 {
			requireError(t, h.from("192.0.2.1", "first", login("ada", "wrong")), 400, "invalid_grant")
		}
		requireLater(t, h.from("192.0.2.1", "first", byLogin), 30*time.Second)
		requireTokens(t, h.from("192.0.2.2", "first", byLogin))
	})
}

// Over a long time there are no more than a hundred guesses, and then four an
// hour, however many addresses they come from.
func TestReq060_WhoDoesNotGiveUp(t *testing.T) {
	limited(t, func(t *testing.T, h *house) {
		const home = "192.0.2.1"
		requireTokens(t, h.from(home, "app", byLogin))
		guesses := 0
		for start := time.Now(); time.Since(start) < 24*time.Hour; {
			a := h.from(host(guesses), "app", login("ada", "wrong"))
			if a.Code == 400 {
				guesses++
				continue
			}
			wait, err := strconv.Atoi(a.Header().Get("Retry-After"))
			require.NoError(t, err)
			time.Sleep(time.Duration(wait) * time.Second)
		}
		require.InDelta(t, 100+24*4, guesses, 2)
		requireError(t, h.from(host(guesses), "app", login("ada", "wrong")), 400, "invalid_grant")
		requireLater(t, h.from(host(guesses), "app", byLogin), 15*time.Minute)
		requireTokens(t, h.from(home, "app", byLogin)) // who is not kept out
	})
}

func TestReq061_Address(t *testing.T) {
	limited(t, func(t *testing.T, h *house) {
		const here, neighbour, elsewhere = "2001:db8:1:2::1", "2001:db8:1:2:ffff::", "2001:db8:1:3::1"
		for i := range 20 {
			requireError(t, h.from(here, "app", login(fmt.Sprint("name", i), "wrong")), 400, "invalid_grant")
		}
		h.tap.do(nil)
		requireLater(t, h.from(here, "app", byLogin), 3*time.Second)
		requireLater(t, h.from(neighbour, "app", login("name99", "wrong")), 3*time.Second)
		require.Empty(t, h.tap.since("Users", "Passwords"))
		requireTokens(t, h.from(elsewhere, "app", byLogin))
		requireError(t, h.from(elsewhere, "app", login("name99", "wrong")), 400, "invalid_grant")
		requireTokens(t, h.from(here, "first", byLogin)) // a backend has another budget
		time.Sleep(3 * time.Second)
		requireTokens(t, h.from(here, "app", byLogin))
	})
}

// A backend signs in all its users from one address.
func TestReq061_Backend(t *testing.T) {
	limited(t, func(t *testing.T, h *house) {
		for range 500 {
			requireTokens(t, h.from("192.0.2.1", "first", byLogin))
		}
		for i := range 300 {
			requireError(t, h.from("192.0.2.1", "first", login(fmt.Sprint("name", i), "wrong")), 400, "invalid_grant")
		}
		a := h.from("192.0.2.1", "first", byLogin)
		requireLater(t, a, time.Second) // 200 ms
		requireTokens(t, h.from("192.0.2.1", "other", byLogin))
		requireTokens(t, h.from("192.0.2.2", "first", byLogin))
		time.Sleep(200 * time.Millisecond)
		requireTokens(t, h.from("192.0.2.1", "first", byLogin))
	})
}

// The peer is limited when it cannot be told who is behind it, and those without
// an address are one.
func TestReq061_UnknownAddress(t *testing.T) {
	unreadable := func(r *http.Request) (netip.Addr, error) {
		if via := r.Header.Get("X-Real-IP"); via != "" {
			return netip.ParseAddr(via)
		}
		return netip.Addr{}, nil // neither an address nor an error is none, too
	}
	limited(t, func(t *testing.T, h *house) {
		try := func(peer, via, name string) answer {
			r := request(login(name, right) + "&client_id=app")
			r.RemoteAddr = peer
			if via != "" {
				r.Header.Set("X-Real-IP", via)
			}
			return h.send(r)
		}
		const proxy, other = "10.0.0.1:99", "10.0.0.2:99"
		for i := range 20 {
			requireError(t, try(proxy, "nonsense", fmt.Sprint("name", i)), 400, "invalid_grant")
			requireError(t, try([]string{"@", "/run/app.sock", ""}[i%3], "", fmt.Sprint("name", 100+i)), 400, "invalid_grant")
		}
		requireError(t, try(proxy, "", "ada"), 429, "too_many_requests")
		requireError(t, try("@", "nonsense", "ada"), 429, "too_many_requests")
		requireTokens(t, try(other, "nonsense", "ada"))
		requireTokens(t, try(other, "", "ada"))
		requireTokens(t, try(proxy, "192.0.2.1", "ada"))
		require.Equal(t, "10.0.0.1", h.events[0].ClientAddr.String())
	}, func(c *oauth.Config) { c.ClientAddr = unreadable })
}

func TestReq062_SuccessClearsThePairAndNotTheAddress(t *testing.T) {
	limited(t, func(t *testing.T, h *house) {
		const here = "192.0.2.1"
		for round := range 3 {
			for range 4 {
				requireError(t, h.from(here, "app", login("ada", "wrong")), 400, "invalid_grant")
			}
			requireTokens(t, h.from(here, "app", byLogin))
			if round == 0 {
				// What was counted over all addresses stays: one is left for others.
				requireError(t, h.from("192.0.2.2", "app", login("ada", "wrong")), 400, "invalid_grant")
				requireLater(t, h.from("192.0.2.3", "app", byLogin), 30*time.Second)
			}
		}
		for i := range 8 {
			requireError(t, h.from(here, "app", login(fmt.Sprint("name", i), "wrong")), 400, "invalid_grant")
		}
		requireLater(t, h.from(here, "app", byLogin), 3*time.Second)
	})
}

func TestInsecureUnlimitedGuesses(t *testing.T) {
	limited(t, func(t *testing.T, h *house) {
		for range 200 {
			requireError(t, h.as("first", login("ada", "wrong")), 400, "invalid_grant")
			requireError(t, h.post(byLogin, basic("first", "wrong")), 401, "invalid_client")
		}
		h.tap.do(fail("Users"))
		requireError(t, h.as("first", byLogin), 503, "temporarily_unavailable")
		h.tap.do(nil)
		requireTokens(t, h.as("first", byLogin))
	}, unlimited)
}

func TestAccountName(t *testing.T) {
	limited(t, func(t *testing.T, h *house) {
		for i, name := range []string{"ada+1", "ada+2", "ada", "ada+x", "ada+"} {
			requireError(t, h.from(host(i), "first", login(name, "wrong")), 400, "invalid_grant")
		}
		requireError(t, h.as("first", byLogin), 429, "too_many_requests")
		requireError(t, h.as("first", login("Ada", right)), 400, "invalid_grant")
	}, func(c *oauth.Config) {
		c.AccountName = func(name string) string { return (name + "+")[:3] }
	})
}

// Letters that differ in case alone are one, in every script, and so are those
// with space around them.
func TestSpellingsOfAName(t *testing.T) {
	limited(t, func(t *testing.T, h *house) {
		for i, name := range []string{"Straße ΣΊΣΥΦΟΣ kelvin", "straſe", "STRAßE σίσυφος KELVIN", "\tstraße σίσυφοΣ \u212aelvin\u00a0", "ſtraße ςίσυφος kelvin", "straẞe σίσυφος kelvin"} {
			if i != 1 {
				requireError(t, h.from(host(i), "first", login(name, "wrong")), 400, "invalid_grant")
			}
		}
		requireError(t, h.as("first", login("straße σίσυφος kelvin", "wrong")), 429, "too_many_requests")
		requireError(t, h.as("first", login("strasse σίσυφος kelvin", "wrong")), 400, "invalid_grant")
	})
}

func TestLimitsAreValidated(t *testing.T) {
	t.Parallel()
	limits := oauth.Limits{
		Account: oauth.Rate{Burst: -1}, Sustained: oauth.Rate{Every: -time.Second}, Address: oauth.Rate{Every: 1},
		Backend: oauth.Rate{Burst: 1e7}, ClientSecret: oauth.Rate{Every: 1000 * time.Hour},
	}
	memory, clients := oauth.NewMemoryStore(), oauth.StaticClients{}
	_, err := oauth.New(memory, clients, oauth.Config{Issuer: issuer, Prefix: "paym", Limits: limits})
	for _, name := range []string{"Account", "Sustained", "Address", "Backend", "ClientSecret"} {
		require.ErrorContains(t, err, "the limit "+name+": ")
	}
	for text, change := range map[string]func(*oauth.Config){
		"LimiterKey is shorter": func(c *oauth.Config) { c.Limiter, c.LimiterKey = &ledger{}, oauth.NewSecret("short") },
		"contradict": func(c *oauth.Config) {
			c.Limiter, c.LimiterKey, c.InsecureUnlimitedGuesses = &ledger{}, limiterKey(), true
		},
		"are for a Limiter":   func(c *oauth.Config) { c.LimiterKey = limiterKey() },
		"LimiterRequired are": func(c *oauth.Config) { c.LimiterRequired = true },
	} {
		cfg := oauth.Config{Issuer: issuer, Prefix: "paym"}
		change(&cfg)
		_, err := oauth.New(memory, clients, cfg)
		require.ErrorContains(t, err, text)
	}
}

// A burst that is set is one that is met, whatever else there is.
func TestBiggerBurst(t *testing.T) {
	limited(t, func(t *testing.T, h *house) {
		for range 150 {
			requireError(t, h.as("app", login("ada", "wrong")), 400, "invalid_grant")
		}
		requireError(t, h.as("app", byLogin), 429, "too_many_requests")
	}, func(c *oauth.Config) { c.Limits.Account.Burst = 150 })
}

func limiterKey() oauth.Secret { return oauth.NewSecret("0123456789abcdef0123456789abcdef") }
