package oauth_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/oauth"
)

func base64Of(text string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(text)) }

func TestClientAuthentication(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		// try returns a body and Authorization headers.
		try    func(h *house) (string, []string)
		status int
		code   string
	}{
		{"030 right Basic", header(func(h *house) string { return h.basic("first") }), 200, ""},
		{"031 wrong Basic secret", header(func(*house) string { return basic("first", "wrong") }), 401, "invalid_client"},
		{"031 the secret of another client", header(func(h *house) string { return basic("first", h.secrets["other"]) }), 401, "invalid_client"},
		{"031 empty Basic secret", header(func(*house) string { return basic("first", "") }), 401, "invalid_client"},
		{"031 the hash for a secret", header(func(h *house) string {
			return basic("first", string(h.clients.get("first").Secrets[0].Hash[:]))
		}), 401, "invalid_client"},
		{"032 unknown client", header(func(*house) string { return basic("nobody", "wrong") }), 401, "invalid_client"},
		{"032 unknown client with a right secret", header(func(h *house) string { return basic("nobody", h.secrets["first"]) }), 401, "invalid_client"},
		{"032 a client in another case", header(func(h *house) string { return basic("First", h.secrets["first"]) }), 401, "invalid_client"},
		{"032 a client with a space", header(func(h *house) string { return basic("first ", h.secrets["first"]) }), 401, "invalid_client"},
		{"034 id and secret percent-encoded", header(func(h *house) string {
			return base64Of("%66irst:" + percent(h.secrets["first"]))
		}), 200, ""},
		{"034 slash, plus, colon, space and percent", header(func(*house) string { return basic("odd/+: %", "s/+: %") }), 200, ""},
		{"034 a plus is a space", header(func(*house) string { return base64Of("odd%2F%2B%3A+%25:s%2F%2B%3A+%25") }), 200, ""},
		{"034 a colon in a raw secret", header(func(*house) string { return base64Of("odd%2F%2B%3A+%25:s/%2B: %25") }), 200, ""},
		{"034 broken encoding of the id", header(func(*house) string { return base64Of("%zz:x") }), 401, "invalid_client"},
		{"034 broken encoding of the secret", header(func(*house) string { return base64Of("first:%zz") }), 401, "invalid_client"},
		{"034 an id of invalid UTF-8", header(func(*house) string { return base64Of("\xff%ff:x") }), 401, "invalid_client"},
		{"034 an id with a NUL", header(func(*house) string { return base64Of("first%00:x") }), 401, "invalid_client"},
		{"036 bad base64", header(func(*house) string { return "Basic ****" }), 401, "invalid_client"},
		{"036 base64 without padding", header(func(*house) string { return strings.TrimRight(base64Of("fi:x"), "=") }), 401, "invalid_client"},
		{"036 no colon", header(func(*house) string { return base64Of("first") }), 401, "invalid_client"},
		{"036 no id", header(func(h *house) string { return base64Of(":" + h.secrets["first"]) }), 401, "invalid_client"},
		{"036 nothing behind Basic", header(func(*house) string { return "Basic" }), 401, "invalid_client"},
		{"036 empty header", header(func(*house) string { return "" }), 401, "invalid_client"},
		{"037 Bearer", header(func(*house) string { return "Bearer paym_at_x" }), 401, "invalid_client"},
		{"037 Bearer with what Basic would hold", header(func(h *house) string { return "Bearer" + h.basic("first")[5:] }), 401, "invalid_client"},
		{"038 two Authorization headers", func(h *house) (string, []string) { return byClient, []string{h.basic("first"), h.basic("first")} }, 400, "invalid_request"},
		{"039 basic in lower case", header(func(h *house) string { return "basic" + h.basic("first")[5:] }), 200, ""},
		{"039 BASIC", header(func(h *house) string { return "BASIC" + h.basic("first")[5:] }), 200, ""},
		{"040 right secret in the body", body(func(h *house) string { return "first&client_secret=" + h.secrets["first"] }), 200, ""},
		{"040 in the body, registered for it", body(func(h *house) string { return "post&client_secret=" + h.secrets["post"] }), 200, ""},
		{"040 in the body, registered for Basic", body(func(h *house) string { return "basic&client_secret=" + h.secrets["basic"] }), 401, "invalid_client"},
		{"040 Basic, registered for Basic", header(func(h *house) string { return h.basic("basic") }), 200, ""},
		{"040 Basic, registered for the body", header(func(h *house) string { return h.basic("post") }), 401, "invalid_client"},
		{"041 wrong secret in the body", body(func(*house) string { return "first&client_secret=wrong" }), 401, "invalid_client"},
		{"041 unknown client in the body", body(func(*house) string { return "nobody&client_secret=wrong" }), 401, "invalid_client"},
		{"042 Basic and client_secret", func(h *house) (string, []string) {
			return byClient + "&client_secret=" + h.secrets["first"], []string{h.basic("first")}
		}, 400, "invalid_request"},
		{"043 Basic and the same client_id", func(h *house) (string, []string) {
			return byClient + "&client_id=first", []string{h.basic("first")}
		}, 200, ""},
		{"043 Basic and another client_id", func(h *house) (string, []string) {
			return byClient + "&client_id=other", []string{h.basic("first")}
		}, 400, "invalid_request"},
		{"044 confidential client without a secret", body(func(*house) string { return "first" }), 401, "invalid_client"},
		{"042 Basic and an assertion", func(h *house) (string, []string) {
			return byClient + "&client_assertion=x", []string{h.basic("first")}
		}, 400, "invalid_request"},
		{"042 Basic and the type of an assertion", func(h *house) (string, []string) {
			return byClient + "&client_assertion_type=x", []string{h.basic("first")}
		}, 400, "invalid_request"},
		{"042 a secret in the body and an assertion", body(func(h *house) string { return "first&client_assertion=x&client_secret=" + h.secrets["first"] }), 400, "invalid_request"},
		{"042 an assertion alone", body(func(*house) string { return "app&client_assertion_type=x&client_assertion=x" }), 401, "invalid_client"},
		{"044 confidential client with an empty secret", body(func(*house) string { return "first&client_secret=" }), 401, "invalid_client"},
		{"044 confidential client that has no secret", body(func(*house) string { return "bare" }), 401, "invalid_client"},
		{"044 confidential client that has no secret, Basic", header(func(*house) string { return basic("bare", "") }), 401, "invalid_client"},
		{"045 public client", body(func(*house) string { return "app" }), 400, "unauthorized_client"}, // none with client_credentials
		{"045 public client with an empty secret", body(func(*house) string { return "app&client_secret=" }), 400, "unauthorized_client"},
		{"046 public client with a secret", body(func(*house) string { return "app&client_secret=x" }), 401, "invalid_client"},
		{"046 public client that has a secret nevertheless", body(func(h *house) string { return "mixed&client_secret=" + h.secrets["mixed"] }), 401, "invalid_client"},
		{"046 public client with Basic", header(func(*house) string { return basic("app", "x") }), 401, "invalid_client"},
		{"047 nobody", func(*house) (string, []string) { return byClient, nil }, 401, "invalid_client"},
		{"047 an empty client_id", body(func(*house) string { return "" }), 401, "invalid_client"},
		{"047 a secret alone", func(h *house) (string, []string) { return byClient + "&client_secret=" + h.secrets["first"], nil }, 401, "invalid_client"},
		{"048 disabled client", header(func(h *house) string { return h.basic("disabled") }), 401, "invalid_client"},
		{"048 disabled public client", body(func(*house) string { return "closed" }), 401, "invalid_client"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			h.register("post", func(c *oauth.Client) { c.AuthMethod = oauth.AuthPost })
			h.register("basic", func(c *oauth.Client) { c.AuthMethod = oauth.AuthBasic })
			h.register("bare", func(c *oauth.Client) { c.Secrets = nil })
			h.register("mixed", func(c *oauth.Client) { c.Public = true })
			h.register("disabled", func(c *oauth.Client) { c.Disabled = true })
			h.register("closed", func(c *oauth.Client) { c.Disabled, c.Public, c.Secrets = true, true, nil })
			h.register("odd/+: %", func(c *oauth.Client) { c.Secrets = []oauth.ClientSecret{{Hash: hashOf("s/+: %")}} })
			form, authorization := c.try(h)
			a := h.post(form, authorization...)
			require.Equal(t, c.status, a.Code, "%s", a.Body)
			require.Equal(t, c.code, a.text("error"))
			if c.status == 401 {
				require.Equal(t, `Basic realm="oauth"`, a.Header().Get("WWW-Authenticate"))
				requireSame(t, h.post(byClient, basic("first", "another wrong one")), a)
			}
			if c.status != 200 {
				require.Empty(t, h.tap.writes())
			}
		})
	}
}

func header(value func(*house) string) func(*house) (string, []string) {
	return func(h *house) (string, []string) { return byClient, []string{value(h)} }
}

func body(id func(*house) string) func(*house) (string, []string) {
	return func(h *house) (string, []string) { return byClient + "&client_id=" + id(h), nil }
}

// percent encodes every byte.
func percent(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		b.WriteString("%" + string("0123456789ABCDEF"[c>>4]) + string("0123456789ABCDEF"[c&15]))
	}
	return b.String()
}

// What no client can be called never reaches a store, which may choke on it.
func TestImpossibleClientIDs(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	wrong := h.post(byClient, basic("first", "wrong"))
	h.tap.do(nil)
	for _, id := range []string{"first\x00", "\xff", "a\nb", "ä", strings.Repeat("x", 256)} {
		requireSame(t, wrong, h.post(byClient, basic(id, "x")))
		if id != "\xff" { // which is no form
			requireSame(t, wrong, h.post(byClient+"&client_secret=x&client_id="+percent(id)))
		}
	}
	require.Empty(t, h.tap.since("Clients"))
}

// Measured as the fastest of many: the work is the same, the rest is noise.
func TestReq033_UnknownClientTakesAsLong(t *testing.T) {
	h := newHouse(t, unlimited)
	fastest := func(id string) time.Duration {
		least := time.Hour
		for range 300 {
			r := request(byClient, basic(id, "wrong"))
			start := time.Now()
			h.send(r)
			least = min(least, time.Since(start))
		}
		return least
	}
	known, unknown := fastest("first"), fastest("nobody")
	require.Less(t, known, 2*unknown)
	require.Less(t, unknown, 2*known)
}

func TestReq035_GeneratedSecretsNeedNoEncoding(t *testing.T) {
	t.Parallel()
	for range 100 {
		secret, stored := oauth.NewClientSecret()
		require.Regexp(t, `^[0-9A-Za-z]{43}$`, secret.Reveal())
		require.Equal(t, hashOf(secret.Reveal()), stored.Hash)
		require.Zero(t, stored.Deadline)
	}
}

func TestReq048_DeletedClient(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	requireTokens(t, h.as("first", byClient))
	wrong := h.post(byClient, basic("first", "wrong"))
	delete(h.clients.byID, "first")
	requireSame(t, wrong, h.post(byClient, h.basic("first")))
}

func TestReq049_TwoSecrets(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	secret, stored := oauth.NewClientSecret()
	c := h.clients.get("first")
	c.Secrets[0].Deadline = h.clock.now().Add(time.Hour).Truncate(time.Microsecond)
	c.Secrets = append(c.Secrets, stored)
	h.clients.put(c)
	old, young := h.basic("first"), basic("first", secret.Reveal())
	requireTokens(t, h.post(byClient, old))
	requireTokens(t, h.post(byClient, young))
	h.clock.advance(time.Hour - time.Microsecond)
	requireTokens(t, h.post(byClient, old))
	h.clock.advance(time.Microsecond)
	requireError(t, h.post(byClient, old), 401, "invalid_client")
	requireTokens(t, h.post(byClient, young))
}

func TestReq050_ClientNotAllowedTheGrant(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.register("nothing", func(c *oauth.Client) { c.Grants = nil })
	for _, form := range []string{byLogin, byClient, byToken + "x"} {
		requireError(t, h.as("nothing", form), 400, "unauthorized_client")
		requireError(t, h.post(form, basic("nothing", "wrong")), 401, "invalid_client")
	}
	require.Empty(t, h.tap.since("Users", "Passwords", "Store"))
}

// A wrong client learns nothing about passwords, tokens, scopes or grant types.
func TestReq051_ClientBeforeEverythingElse(t *testing.T) {
	t.Parallel()
	h := newHouse(t, unlimited)
	token := requireTokens(t, h.as("first", byLogin)).refresh()
	want := h.post(byClient, basic("first", "wrong"))
	h.tap.do(nil)
	for _, form := range []string{
		byLogin, strings.Replace(byLogin, right, "wrong", 1), strings.Replace(byLogin, "ada", "nobody", 1), "grant_type=password",
		byToken + token, byToken + "x", byToken, byClient + "&scope=nonsense", "grant_type=nonsense", "",
	} {
		requireSame(t, want, h.post(form, basic("first", "wrong")))
		requireSame(t, want, h.post(form, basic("nobody", "wrong")))
		requireSame(t, want, h.post(form+"&client_id=first&client_secret=wrong"))
		requireSame(t, want, h.post(form+"&client_id=first"))
		requireSame(t, want, h.post(form))
	}
	require.Empty(t, h.tap.since("Users", "Passwords", "Store"))
	requireTokens(t, h.as("first", byToken+token))
}

// That no store and no log sees one is in TestReq198_199_Leaks.
func TestReq053_OnlyTheHashOfASecretIsKept(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for _, text := range reachable(&h.clients) {
		require.NotContains(t, text, h.secrets["first"])
	}
	require.Equal(t, hashOf(h.secrets["first"]), h.clients.get("first").Secrets[0].Hash)
}
