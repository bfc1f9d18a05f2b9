package oauth_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/oauth"
)

// Of a hundred at once, no more are looked at than of a hundred in turn.
func TestGuessesAtOnce(t *testing.T) {
	for name, change := range map[string]func(*oauth.Config){
		"default": func(*oauth.Config) {},
		"one":     func(c *oauth.Config) { c.Limits.Account.Burst = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			limited(t, func(t *testing.T, h *house) {
				burst := 5
				if name == "one" {
					burst = 1
				}
				for _, user := range []string{"ada", "nobody"} {
					h.tap.do(func(call string) error {
						if call == "Passwords.Verify" {
							time.Sleep(50 * time.Millisecond)
						}
						return nil
					})
					var wrong, later atomic.Int64
					together(100, func(i int) {
						switch a := h.from(host(i%3), "first", login(user, fmt.Sprint(i))); a.Code {
						case 400:
							wrong.Add(1)
						case 429:
							later.Add(1)
						}
					})
					require.Equal(t, int64(burst), wrong.Load())
					require.Equal(t, int64(100-burst), later.Load())
					require.Equal(t, burst, h.hashed())
				}
			}, change)
		})
	}
}

// Right passwords do not count, however many come at once: they wait for each
// other.
func TestRightPasswordsAtOnce(t *testing.T) {
	limited(t, func(t *testing.T, h *house) {
		slow := func(call string) error {
			if call == "Passwords.Verify" {
				time.Sleep(50 * time.Millisecond)
			}
			return nil
		}
		for range 4 {
			requireError(t, h.from(host(1), "first", login("ada", "wrong")), 400, "invalid_grant")
		}
		for _, client := range []string{"first", "app"} {
			h.tap.do(slow)
			together(32, func(int) { requireTokens(t, h.from(host(1), client, byLogin)) })
		}
		// Some of them wrong: those that are right get through all the same.
		time.Sleep(time.Hour)
		h.tap.do(slow)
		var wrong atomic.Int64
		together(40, func(i int) {
			if i%10 == 0 {
				wrong.Add(1)
				requireError(t, h.from(host(2), "first", login("ada", "wrong")), 400, "invalid_grant")
			} else {
				requireTokens(t, h.from(host(1), "first", byLogin))
			}
		})
		require.Equal(t, int64(4), wrong.Load())
	})
}

// A right password forgets those that were wrong before it, and not those that
// turn out to be wrong after it.
func TestRightPasswordAmongWrongOnes(t *testing.T) {
	limited(t, func(t *testing.T, h *house) {
		const home = "192.0.2.1"
		requireTokens(t, h.from(home, "first", byLogin))
		requireError(t, h.from(home, "first", login("ada", "wrong")), 400, "invalid_grant")
		var verified atomic.Int64
		h.tap.do(func(call string) error {
			if call == "Passwords.Verify" {
				time.Sleep(time.Duration(verified.Add(1)) * 10 * time.Millisecond) // the first is the first to end
			}
			return nil
		})
		var done sync.WaitGroup
		done.Go(func() { requireTokens(t, h.from(home, "first", byLogin)) })
		synctest.Wait()
		for range 3 {
			done.Go(func() { requireError(t, h.from(home, "first", login("ada", "wrong")), 400, "invalid_grant") })
		}
		done.Wait()
		for range 2 {
			requireError(t, h.from(home, "first", login("ada", "wrong")), 400, "invalid_grant")
		}
		requireLater(t, h.from(home, "first", byLogin), 30*time.Second)
	})
}

// Nobody waits for others if that would be in vain.
func TestNoWaitingInVain(t *testing.T) {
	limited(t, func(t *testing.T, h *house) {
		for i := range 20 {
			requireError(t, h.from(host(9), "app", login(fmt.Sprint("name", i), "wrong")), 400, "invalid_grant")
		}
		h.tap.do(func(call string) error {
			if call == "Passwords.Verify" {
				time.Sleep(time.Second)
			}
			return nil
		})
		var slow sync.WaitGroup
		for i := range 5 {
			slow.Go(func() { requireTokens(t, h.from(host(i), "app", byLogin)) })
		}
		synctest.Wait()
		start := time.Now()
		requireError(t, h.from(host(9), "app", byLogin), 429, "too_many_requests")
		require.Zero(t, time.Since(start))
		slow.Wait()
	})
}

// Who cannot wait any longer learns nothing.
func TestPatience(t *testing.T) {
	limited(t, func(t *testing.T, h *house) {
		h.tap.do(func(call string) error {
			if call == "Passwords.Verify" {
				time.Sleep(time.Hour)
			}
			return nil
		})
		var slow sync.WaitGroup
		for i := range 5 {
			slow.Go(func() { requireTokens(t, h.from(host(i), "first", byLogin)) })
		}
		synctest.Wait()
		start := time.Now()
		requireError(t, h.from(host(9), "first", byLogin), 503, "temporarily_unavailable")
		require.Equal(t, 5*time.Second, time.Since(start))

		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		require.True(t, h.at(host(9), request(byLogin, h.basic("first")).WithContext(ctx)).silent())
		slow.Wait()
		h.tap.do(nil)
		requireTokens(t, h.from(host(9), "first", byLogin))
	})
}

// A flood does not wait: beside those that are looked at, so many may, and the
// others are told at once. Who is gone leaves a place.
func TestCrowd(t *testing.T) {
	limited(t, func(t *testing.T, h *house) {
		const looked, crowd = 5, 1024
		verified := make(chan struct{})
		h.tap.do(func(call string) error {
			if call == "Passwords.Verify" {
				<-verified
			}
			return nil
		})
		var got [3]atomic.Int64 // tokens, busy, nothing
		ctx, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		come := func(ctx context.Context, n int) {
			for range n {
				group.Go(func() {
					switch a := h.at(host(1), request(byLogin, h.basic("first")).WithContext(ctx)); {
					case a.silent():
						got[2].Add(1)
					case a.Code == 200:
						got[0].Add(1)
					case a.Code == 503:
						requireError(t, a, 503, "temporarily_unavailable")
						require.Equal(t, "1", a.Header().Get("Retry-After"))
						got[1].Add(1)
					}
				})
			}
			synctest.Wait()
		}
		start := time.Now()
		come(t.Context(), looked)
		come(ctx, 24)
		come(t.Context(), crowd-24)
		require.Zero(t, got[1].Load())
		come(t.Context(), 1000)
		require.EqualValues(t, 1000, got[1].Load())
		cancel()
		synctest.Wait()
		require.EqualValues(t, 24, got[2].Load())
		come(t.Context(), 25)
		require.EqualValues(t, 1001, got[1].Load())
		require.Equal(t, looked, h.hashed())
		require.Zero(t, time.Since(start))
		close(verified)
		group.Wait()
		require.EqualValues(t, looked+crowd, got[0].Load())
		require.Zero(t, time.Since(start))
	}, func(c *oauth.Config) { c.Logger = nil })
}

// Clients that try Basic and then the body send every guess twice. Of these, the
// second is none.
func TestGuessesThatComeTwice(t *testing.T) {
	limited(t, func(t *testing.T, h *house) {
		body := func(name, password string) answer {
			return h.at("192.0.2.1", request(login(name, password)+"&client_id=first&client_secret="+h.secrets["first"]))
		}
		header := func(name, password string) answer { return h.from("192.0.2.1", "first", login(name, password)) }
		for i := range 5 {
			requireError(t, header("ada", fmt.Sprint(i)), 400, "invalid_grant")
			requireError(t, body("ada", fmt.Sprint(i)), 400, "invalid_grant")
		}
		requireError(t, header("ada", "5"), 429, "too_many_requests")
		requireError(t, body("ada", "5"), 429, "too_many_requests")
		require.Equal(t, 10, h.hashed())

		for name, tries := range map[string]func(name string){
			"another password": func(name string) { header(name, "a"); body(name, "b") },
			"another name":     func(name string) { header(name, "a"); body(name+"x", "a"); body(name, "b") },
			"too late":         func(name string) { header(name, "a"); time.Sleep(10 * time.Second); body(name, "a") },
			"three times":      func(name string) { header(name, "a"); body(name, "a"); body(name, "a") },
			"body first":       func(name string) { body(name, "a"); header(name, "a") },
			"another client": func(name string) {
				header(name, "a")
				h.at("192.0.2.1", request(login(name, "a")+"&client_id=other&client_secret="+h.secrets["other"]))
			},
			"another address": func(name string) {
				header(name, "a")
				h.at("192.0.2.2", request(login(name, "a")+"&client_id=first&client_secret="+h.secrets["first"]))
			},
			"public client": func(name string) {
				h.from("192.0.2.1", "app", login(name, "a"))
				h.from("192.0.2.1", "app", login(name, "a"))
			},
		} {
			tries(name)
			for i := range 3 {
				requireError(t, header(name, fmt.Sprint(i)), 400, "invalid_grant")
			}
			if name != "too late" { // which has forgotten a third of one
				requireError(t, h.from("192.0.2.3", "first", login(name, "a")), 429, "too_many_requests")
			}
		}
	})
}

// A guess about which nothing was said is none; but one that made a collaborator
// panic is.
func TestUndecidedGuesses(t *testing.T) {
	limited(t, func(t *testing.T, h *house) {
		for _, call := range []string{"Users.ByName", "Passwords.Verify", "Store.CreateGrant"} {
			h.tap.do(fail(call))
			for range 20 {
				requireError(t, h.as("first", byLogin), 503, "temporarily_unavailable")
			}
			h.tap.do(nil)
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			require.True(t, h.send(request(byLogin, h.basic("first")).WithContext(ctx)).silent())
			requireTokens(t, h.as("app", byLogin))
		}
		h.tap.do(func(call string) error {
			if call == "Users.ByName" {
				panic("boom")
			}
			return nil
		})
		for range 5 {
			require.Panics(t, func() { h.as("first", login("nobody", right)) })
		}
		requireLater(t, h.as("first", login("nobody", right)), 30*time.Second)
	})
}

// Whoever is told to wait need not wait longer, and would wait in vain if it
// were shorter.
func TestRetryAfterIsRight(t *testing.T) {
	limited(t, func(t *testing.T, h *house) {
		for i := range 5 {
			requireError(t, h.from(host(i), "app", login("eve", "wrong")), 400, "invalid_grant")
		}
		time.Sleep(29 * time.Second)
		for i := range 20 {
			requireError(t, h.from(host(9), "app", login(fmt.Sprint("name", i), "wrong")), 400, "invalid_grant")
		}
		requireLater(t, h.from(host(8), "app", login("eve", "wrong")), time.Second)
		requireLater(t, h.from(host(9), "app", login("eve", "wrong")), 3*time.Second) // of both, the longer
		names := []string{"ada", "nobody", "bob"}
		for i := range 400 {
			name, client := names[i%7%3], []string{"first", "app"}[i%5%2]
			try := func() answer { return h.from(host(i%11), client, login(name, "wrong")) }
			a := try()
			if a.Code == 400 {
				time.Sleep(time.Duration(i*i%4000) * time.Millisecond)
				continue
			}
			requireError(t, a, 429, "too_many_requests")
			wait, err := strconv.Atoi(a.Header().Get("Retry-After"))
			require.NoError(t, err)
			time.Sleep(time.Duration(wait-1) * time.Second)
			requireError(t, try(), 429, "too_many_requests")
			time.Sleep(time.Second)
			requireError(t, try(), 400, "invalid_grant")
		}
	})
}

func TestSignIn(t *testing.T) {
	limited(t, func(t *testing.T, h *house) {
		signIn := func(addr, name, password string) (oauth.User, error) {
			r := request("")
			r.RemoteAddr = addr + ":1"
			return h.server.SignIn(r, name, password)
		}
		status := func(err error) int {
			var e *oauth.Error
			require.ErrorAs(t, err, &e)
			return e.Status
		}
		user, err := signIn("192.0.2.1", "ada", right)
		require.NoError(t, err)
		require.Equal(t, "u1", user.Subject)
		for i := range 5 {
			name := "ada"
			if i == 3 {
				requireError(t, h.from(host(i), "first", login(name, "wrong")), 400, "invalid_grant")
				continue
			}
			user, err = signIn(host(i), name, "wrong")
			require.Equal(t, 400, status(err))
			require.Zero(t, user)
		}
		_, err = signIn(host(9), "ada", right)
		require.Equal(t, 429, status(err))
		var e *oauth.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, 30*time.Second, e.RetryAfter)
		requireError(t, h.from(host(9), "first", byLogin), 429, "too_many_requests")
		_, err = signIn("192.0.2.1", "ada", right)
		require.NoError(t, err, "from where they signed in")
		_, err = signIn(host(1), "eve", right)
		require.Equal(t, 400, status(err), "disabled")

		h.tap.do(fail("Users"))
		_, err = signIn("192.0.2.1", "ada", right)
		require.Equal(t, 503, status(err))
		require.ErrorIs(t, err, errBoom)
		_, err = new(oauth.Server).SignIn(request(""), "ada", right)
		require.Equal(t, 503, status(err))
	})
}

// Nothing that can be reached from a Server has a name in it that was tried.
func TestNamesAreNotKept(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	server, err := oauth.New(h.memory, &h.clients, oauth.Config{
		Issuer: issuer, Prefix: "paym", Users: nobody{}, Passwords: cheap(), LegacyPasswordGrant: true,
	})
	require.NoError(t, err)
	for range 7 {
		r := request(login("somebody@example.com", "a-wrong-password"), h.basic("first"))
		server.TokenHandler().ServeHTTP(httptest.NewRecorder(), r)
		_, err := server.SignIn(r, "SOMEBODY@example.com", "a-wrong-password")
		require.Error(t, err)
	}
	kept := reachable(server)
	require.Contains(t, kept, issuer)
	for _, text := range kept {
		require.NotContains(t, strings.ToLower(text), "somebody")
		require.NotContains(t, text, "a-wrong-password")
	}
}

type nobody struct{ oauth.Users }

func (nobody) ByName(context.Context, string) (oauth.User, error) {
	return oauth.User{}, oauth.ErrNotFound
}
