package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/oauth"
	"github.com/latchwork/latchwork/oauth/password"
)

func login(name, password string) string {
	return "grant_type=password&username=" + url.QueryEscape(name) + "&password=" + url.QueryEscape(password)
}

func TestReq054_RightPassword(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.register("once", func(c *oauth.Client) { c.Grants = []oauth.GrantType{oauth.GrantPassword} })
	for _, client := range []string{"first", "app"} {
		a := requireTokens(t, h.as(client, byLogin))
		require.Regexp(t, `^paym_rt_\w{49}$`, a.refresh())
		token, err := h.server.Verify(t.Context(), a.access())
		require.NoError(t, err)
		require.Equal(t, oauth.Subject{Kind: oauth.SubjectUser, ID: "u1"}, token.Subject)
		require.Equal(t, client, token.ClientID)
		require.Equal(t, "profile", token.Scope.String())
		require.Equal(t, 15*time.Minute, token.ExpiresAt.Sub(token.IssuedAt))
	}
	require.NotContains(t, requireTokens(t, h.as("once", byLogin)).members, "refresh_token")
	require.Equal(t, []oauth.EventKind{"issued", "issued", "issued"}, h.kinds())
}

// Not every Store takes longer IDs: so no Server does, and it says why.
func TestLongSubject(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ada := h.people.byName["ada"]
	for n, status := range map[int]int{255: 200, 256: 503} {
		ada.Subject = strings.Repeat("u", n)
		h.people.byName["ada"] = ada
		require.Equal(t, status, h.as("first", byLogin).Code)
	}
	require.Contains(t, h.log.String(), "longer than 255 bytes")
}

func TestPasswordGrantScope(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, client, scope, granted string }{
		{"013 omitted", "first", "", "profile"},
		{"013 empty", "first", "&scope=", "profile"},
		{"one", "first", "&scope=invoices", "invoices"},
		{"two, in canonical order", "first", "&scope=profile+invoices", "invoices profile"},
		{"the same twice", "first", "&scope=profile+profile", "profile"},
		{"no defaults", "bare", "", ""},
		{"defaults beyond the scopes", "odd", "", "profile"},
		{"unknown", "first", "&scope=root", "!"},
		{"one of two unknown", "first", "&scope=profile+root", "!"},
		{"another case", "first", "&scope=Profile", "!"},
		{"a wildcard", "first", "&scope=*", "!"},
		{"below one it has", "first", "&scope=profile.x", "!"},
		{"two spaces", "first", "&scope=profile++invoices", "!"},
		{"a space behind", "first", "&scope=profile+", "!"},
		{"a space alone", "first", "&scope=+", "!"},
		{"a quote", "first", "&scope=%22", "!"},
		{"too many", "first", "&scope=profile" + strings.Repeat("+profile", 300), "!"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			h.register("bare", func(c *oauth.Client) { c.DefaultScopes = c.DefaultScopes.Intersect(set("other")) })
			h.register("odd", func(c *oauth.Client) { c.DefaultScopes = set("profile", "root") })
			a := h.as(c.client, byLogin+c.scope)
			if c.granted == "!" {
				requireError(t, a, 400, "invalid_scope")
				require.Empty(t, h.tap.since("Users", "Passwords", "Store"))
				return
			}
			requireTokens(t, a)
			require.Equal(t, c.granted, a.text("scope"))
			require.Equal(t, c.granted != "", a.members["scope"] != nil, "left out only when nothing was granted")
			token, err := h.server.Verify(t.Context(), a.access())
			require.NoError(t, err)
			require.Equal(t, c.granted, token.Scope.String())
		})
	}
}

// A client with a star would be granted what no user was asked for.
func TestStarsInAClient(t *testing.T) {
	t.Parallel()
	for _, change := range []func(c *oauth.Client){
		func(c *oauth.Client) { c.Scopes = set("*") },
		func(c *oauth.Client) { c.Scopes = set("profile", "invoices.*") },
		func(c *oauth.Client) { c.DefaultScopes = set("*") },
	} {
		h := newHouse(t)
		h.register("star", change)
		for _, form := range []string{byLogin, byClient, byClient + "&scope=*", byClient + "&scope=profile"} {
			requireError(t, h.as("star", form), 503, "temporarily_unavailable")
		}
		require.Empty(t, h.tap.writes())
		require.Contains(t, h.log.String(), `client \"star\": a scope with a star`)
	}
}

func TestReq055_UsernameOrPasswordMissing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for _, form := range []string{"grant_type=password", "grant_type=password&username=ada", "grant_type=password&password=x"} {
		requireError(t, h.as("first", form), 400, "invalid_request")
	}
	require.Empty(t, h.tap.since("Users", "Passwords", "Store"))
}

// Whoever cannot sign in gets one answer, after one comparison.
func TestReq056_057_058_059_NobodySignsIn(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.people.put("ghost", oauth.User{PasswordHash: rightHash()}) // without a subject
	wrong := h.as("first", login("ada", "wrong"))
	requireError(t, wrong, 400, "invalid_grant")
	for name, password := range map[string]string{
		"056 ada": "Correct-horse-battery-staple", "057 nobody": right, "058 eve": right, "058 bob": right, "058 ghost": right, "057 ADA": right,
	} {
		h.tap.do(nil)
		requireSame(t, wrong, h.as("first", login(name[4:], password)))
		require.Equal(t, []string{"Clients.Client", "Users.ByName", "Passwords.Verify"}, h.tap.since(""), name)
	}
	require.Equal(t, slices.Repeat([]oauth.EventKind{oauth.EventLoginFailed}, 7), h.kinds())
}

// With a hash that takes a while, the fastest of some show whether the work is
// the same.
func TestReq059_UnknownUserTakesAsLong(t *testing.T) {
	slow, err := password.New(password.Config{Memory: 1024, Iterations: 1})
	require.NoError(t, err)
	h := newHouse(t, func(c *oauth.Config) { c.Passwords = slow }, unlimited)
	hash, err := slow.Hash(t.Context(), right)
	require.NoError(t, err)
	h.people.put("ada", oauth.User{Subject: "u1", PasswordHash: hash})
	known, unknown := time.Hour, time.Hour
	try := func(name string) time.Duration {
		r := request(login(name, "wrong"), h.basic("first"))
		start := time.Now()
		requireError(t, h.send(r), 400, "invalid_grant")
		return time.Since(start)
	}
	// In turns, because others use the machine too. A difference in the work
	// would stay, however often it is tried.
	for range 200 {
		known, unknown = min(known, try("ada")), min(unknown, try("nobody"))
		if known < 2*unknown && unknown < 2*known {
			return
		}
	}
	require.Fail(t, "the times differ", "known %v, unknown %v", known, unknown)
}

func TestReq064_OddPasswords(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	wrong := h.as("first", login("ada", "wrong"))
	for name, c := range map[string]struct{ name, password string }{
		"longer than 4 KiB":  {"ada", strings.Repeat("x", 4097)},
		"NUL":                {"ada", right + "\x00"},
		"NUL alone":          {"ada", "\x00"},
		"NUL in the name":    {"ada\x00", right},
		"longer, of nobody":  {"nobody", strings.Repeat("x", 4097)},
		"longer, in unicode": {"ada", strings.Repeat("ü", 2049)},
	} {
		h.tap.do(nil)
		requireSame(t, wrong, h.as("first", login(c.name, c.password)))
		require.Empty(t, h.tap.since("Users", "Passwords", "Store"), name)
	}
	for i, good := range []string{strings.Repeat("x", 4096), strings.Repeat("x", 65), strings.Repeat("пароль ", 20), "a&b=c+d%20;\"\\<\n", " "} {
		hash, err := cheap().Hash(t.Context(), good)
		require.NoError(t, err)
		h.people.put("Ünï cödé@example.com", oauth.User{Subject: "u9", PasswordHash: hash})
		a := h.as("first", login("Ünï cödé@example.com", good))
		require.Equal(t, 200, a.Code, "password %d: %s", i, a.Body)
	}
	requireError(t, h.as("first", login("ünï cödé@example.com", " ")), 400, "invalid_grant") // names are the host's to normalise
}

func TestReq065_OffUnlessEnabledTwice(t *testing.T) {
	t.Parallel()
	off := newHouse(t, func(c *oauth.Config) { c.LegacyPasswordGrant = false })
	requireError(t, off.as("first", byLogin), 400, "unsupported_grant_type")

	h := newHouse(t)
	h.register("machine", func(c *oauth.Client) { c.Grants = []oauth.GrantType{oauth.GrantClientCredentials} })
	h.register("third", func(c *oauth.Client) { c.FirstParty = false })
	h.register("stranger", func(c *oauth.Client) { c.FirstParty, c.Public, c.Secrets = false, true, nil })
	for _, client := range []string{"machine", "third", "stranger"} {
		requireError(t, h.as(client, byLogin), 400, "unauthorized_client")
		requireSame(t, h.as(client, byLogin), h.as(client, login("ada", "wrong")))
	}
	require.Empty(t, slices.Concat(h.tap.since("Users", "Passwords", "Store"), off.tap.since("Users", "Passwords", "Store")))
}

// Laravel's Hash::make wrote this, for "password".
const laravel = "$2y$10$92IXUNpkjO0rOQ5byMi.Ye4oKoEa3Ro9llC/.og/at2.uheWG/igi"

func TestLaravelHashIsRenewed(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.people.put("taylor", oauth.User{Subject: "u7", PasswordHash: laravel})
	requireError(t, h.as("first", login("taylor", "Password")), 400, "invalid_grant")
	require.Equal(t, laravel, h.people.byName["taylor"].PasswordHash)
	requireTokens(t, h.as("first", login("taylor", "password")))
	require.Regexp(t, `^\$argon2id\$`, h.people.byName["taylor"].PasswordHash)
	h.tap.do(nil)
	requireTokens(t, h.as("first", login("taylor", "password")))
	require.Empty(t, h.tap.since("Passwords.Hash", "Users.Set"), "once is enough")
	requireError(t, h.as("first", login("taylor", "Password")), 400, "invalid_grant")
}

// A hash that cannot be renewed is no reason to keep somebody out.
func TestFailingRenewal(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"Users.SetPasswordHash", "Passwords.Hash"} {
		h := newHouse(t)
		h.people.put("taylor", oauth.User{Subject: "u7", PasswordHash: legacyHash()})
		h.tap.do(fail(call))
		requireTokens(t, h.as("first", login("taylor", "password")))
		require.Equal(t, legacyHash(), h.people.byName["taylor"].PasswordHash)
		require.Contains(t, h.log.String(), "u7")
		require.NotContains(t, h.log.String(), "taylor")
	}
}

func TestRenewalIsNotForTheDisabled(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.people.put("taylor", oauth.User{Subject: "u7", PasswordHash: legacyHash(), Disabled: true})
	requireError(t, h.as("first", login("taylor", "password")), 400, "invalid_grant")
	require.Empty(t, h.tap.since("Passwords.Hash", "Users.Set"))
}

func TestBusyHasher(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *oauth.Config) { c.Passwords = busy{} })
	for _, name := range []string{"ada", "nobody"} {
		a := h.as("first", login(name, right))
		requireError(t, a, 503, "temporarily_unavailable")
		require.Equal(t, "1", a.Header().Get("Retry-After"))
	}
	require.Empty(t, h.tap.writes())
	require.Empty(t, h.kinds(), "nothing is known about the password")
}

// With the hasher that a server with two cores has when it is told nothing: a
// backend signs in many users at the same moment, or one with many devices.
func TestSixtyFourSignInAtOnce(t *testing.T) {
	passwords, err := password.New(password.Config{Concurrent: 4})
	require.NoError(t, err)
	hash, err := passwords.Hash(t.Context(), right)
	require.NoError(t, err)
	h := newHouse(t, func(c *oauth.Config) { c.Passwords = passwords })
	for i := range 64 {
		h.people.put(fmt.Sprint("user", i), oauth.User{Subject: fmt.Sprint("s", i), PasswordHash: hash})
	}
	h.people.put("ada", oauth.User{Subject: "u1", PasswordHash: hash})
	for name, user := range map[string]func(i int) string{
		"one":  func(int) string { return "ada" },
		"many": func(i int) string { return fmt.Sprint("user", i) },
	} {
		start := time.Now()
		var refused atomic.Int64
		together(64, func(i int) {
			if h.from(host(1), "first", login(user(i), right)).Code != 200 {
				refused.Add(1)
			}
		})
		if took := time.Since(start); took >= 5*time.Second {
			t.Skipf("this machine takes %v", took)
		}
		require.Zero(t, refused.Load(), name)
	}
}

type busy struct{}

func (busy) Verify(context.Context, string, string) (ok, outdated bool, err error) {
	return false, false, password.ErrBusy
}

func (busy) Hash(context.Context, string) (string, error) { return "", errors.ErrUnsupported }

// Whoever has no password cannot sign in, even if the hasher says yes to nothing.
func TestNoPasswordIsNone(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *oauth.Config) { c.Passwords = gullible{} })
	for _, name := range []string{"bob", "nobody"} {
		requireError(t, h.as("first", login(name, right)), 400, "invalid_grant")
	}
	requireTokens(t, h.as("first", byLogin))
}

type gullible struct{ busy }

func (gullible) Verify(context.Context, string, string) (ok, outdated bool, err error) {
	return true, false, nil
}
