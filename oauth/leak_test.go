package oauth_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/oauth"
)

// A sink remembers every secret that goes to the Server or comes from it, and
// all that can be read elsewhere.
type sink struct {
	*house

	secrets []string
	texts   []string
}

// say sends a request whose secrets it remembers.
func (s *sink) say(form, id, secret string) answer {
	values, err := url.ParseQuery(form)
	require.NoError(s.t, err)
	s.secrets = append(s.secrets, secret, values.Get("password"), values.Get("refresh_token"), values.Get("code"), values.Get("code_verifier"))
	a := s.post(form, basic(id, secret))
	s.secrets = append(s.secrets, a.access(), a.refresh())
	if a.Code != 200 {
		s.texts = append(s.texts, a.Body.String(), fmt.Sprint(a.Header()))
	}
	return a
}

// run does everything there is, rightly and wrongly.
func (s *sink) run() {
	h, first := s.house, s.house.secrets["first"]
	h.people.put("taylor@example.com", oauth.User{Subject: "u7", PasswordHash: legacyHash()})
	s.say(byClient+"&scope=profile", "first", first)
	a := s.say(login("taylor@example.com", "password"), "first", first)
	requireTokens(s.t, a)
	b := s.say(byToken+a.refresh(), "first", first)
	s.say(byToken+a.refresh(), "first", first)
	s.say(byToken+b.refresh(), "first", first)
	s.say(byToken+b.refresh(), "other", h.secrets["other"])
	s.say(byToken+a.refresh(), "first", first)
	s.say(byToken+b.access(), "first", first)
	s.say(byToken+b.refresh()[:40], "first", first)
	s.say(login("taylor@example.com", "wrong-password-1"), "first", first)
	s.say(login("nobody@example.com", "wrong-password-2"), "first", first)
	s.say(login("eve", right), "first", first)
	s.say(byLogin, "first", "wrong-client-secret")
	s.say(byLogin+"&scope=root", "first", first)
	for _, call := range []string{"Clients", "Users.ByName", "Users.Set", "Passwords", "Store"} {
		h.people.put("taylor@example.com", oauth.User{Subject: "u7", PasswordHash: legacyHash()})
		h.tap.do(fail(call))
		s.say(login("taylor@example.com", "password"), "first", first)
		s.say(byToken+b.refresh(), "first", first)
		h.tap.do(nil)
	}
	for _, token := range []string{a.access(), b.refresh(), "paym_at_typo"} {
		_, err := h.server.Verify(s.t.Context(), token)
		s.texts = append(s.texts, fmt.Sprintf("%v %+v %#v", err, err, err))
	}
	h.clock.advance(time.Hour)
	_, err := h.server.Verify(s.t.Context(), s.say(byLogin, "first", first).access())
	require.NoError(s.t, err)
	s.visit()
}

// visit does everything there is with a browser, and what comes of that.
func (s *sink) visit() {
	h, first := s.house, s.house.secrets["first"]
	const long = "a-verifier-that-nobody-else-should-ever-get-to-see"
	ask := func(decision string) string {
		q := h.question("u1", asking("code_challenge", s256(long)).Encode())
		secret, _, _ := strings.Cut(q.Ticket.Reveal(), ".")
		s.secrets = append(s.secrets, secret)
		a := h.decide("u1", q.Ticket.Reveal(), decision)
		again := h.decide("u1", q.Ticket.Reveal(), decision)
		s.texts = append(s.texts, a.Body.String(), again.Body.String(), fmt.Sprint(again.Header()), fmt.Sprintf("%v %+v %#v", q, q, q))
		u, err := url.Parse(a.Header().Get("Location"))
		require.NoError(s.t, err)
		s.secrets = append(s.secrets, u.Query().Get("code"), long)
		return u.Query().Get("code")
	}
	ask("deny")
	s.say(byCode(ask("approve"), "code_verifier", "another-verifier-that-is-long-enough-to-be-one"), "first", first)
	code := ask("approve")
	a := s.say(byCode(code, "code_verifier", long), "first", first)
	requireTokens(s.t, a)
	for _, post := range []func(id, body string, authorization ...string) answer{h.introspect, h.revoke} {
		for _, token := range []string{a.access(), a.refresh(), code} {
			for _, client := range []string{"first", "other"} {
				answered := post(client, "token="+token)
				s.texts = append(s.texts, answered.Body.String(), fmt.Sprint(answered.Header()))
			}
		}
	}
	s.say(byCode(code, "code_verifier", long), "first", first)
	for _, call := range []string{"Clients", "Users", "Store"} {
		q := h.question("u1", asking().Encode())
		secret, _, _ := strings.Cut(q.Ticket.Reveal(), ".")
		s.secrets = append(s.secrets, secret)
		h.tap.do(fail(call))
		failed := h.decide("u1", q.Ticket.Reveal(), "approve")
		s.texts = append(s.texts, failed.Body.String(), fmt.Sprint(failed.Header()))
		s.say(byCode(code, "code_verifier", long), "first", first)
		h.tap.do(nil)
	}
	h.questions = nil // the page's, which has to know the ticket
}

func TestReq198_199_Leaks(t *testing.T) {
	t.Parallel()
	t.Run("default", func(t *testing.T) { leaks(t) })
	t.Run("cached", func(t *testing.T) { leaks(t, cached, func(c *oauth.Config) { c.CacheSize = 1000 }) })
	t.Run("RefreshEndsAccess", func(t *testing.T) { leaks(t, endsAccess) })
}

// leaks does everything and looks at all that is left of it.
func leaks(t *testing.T, change ...func(*oauth.Config)) {
	t.Helper()
	t.Parallel()
	s := &sink{house: newSite(t, change...)}
	s.run()
	for _, e := range s.events {
		data, err := json.Marshal(e)
		require.NoError(t, err)
		s.texts = append(s.texts, fmt.Sprintf("%+v", e), string(data))
	}
	s.texts = append(s.texts, s.log.String())
	for _, text := range s.texts {
		require.NotContains(t, text, "@example.com", "a name is where a password may have been typed")
	}
	require.Contains(t, s.log.String(), "u7", "the log was heard")

	// All that is reachable from the store and from the Server, the fakes
	// around it with what they were given included. Names of people are
	// theirs to keep.
	last := sha256.Sum256([]byte(s.say(byClient, "first", s.house.secrets["first"]).access()))
	kept := reachable(s.server)
	for _, known := range []string{"u7", issuer, string(last[:])} {
		require.True(t, slices.Contains(kept, known), "the scan does not see %q", known)
		require.Equal(t, known != issuer, slices.Contains(reachable(s.memory), known))
	}
	s.texts = append(s.texts, kept...)

	needles := map[string]bool{}
	for _, secret := range s.secrets {
		if len(secret) < 8 {
			continue
		}
		needles[secret], needles[hex.EncodeToString([]byte(secret))] = true, true
		needles[base64.StdEncoding.EncodeToString([]byte(secret))] = true
		if len(secret) > 40 { // not a piece of it either
			needles[secret[8:30]], needles[secret[len(secret)-22:]] = true, true
		}
	}
	require.Greater(t, len(needles), 60)
	all := strings.Join(s.texts, "\n")
	for needle := range needles {
		if needle == "password" {
			continue // also a word
		}
		if strings.Contains(all, needle) { // the texts are too long to be printed
			require.Fail(t, "a secret can be read", needle)
		}
	}
}

// reachable returns every string and every byte sequence that can be reached
// from a value, through unexported fields and atomic pointers too.
func reachable(root any) []string {
	w := walker{seen: map[visit]bool{}}
	w.walk(reflect.ValueOf(root))
	return w.texts
}

type visit struct {
	pointer uintptr
	of      reflect.Type
}

type walker struct {
	seen  map[visit]bool
	texts []string
}

func (w *walker) walk(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		w.texts = append(w.texts, v.String())
	case reflect.Array, reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			text := make([]byte, v.Len())
			for i := range text {
				text[i] = byte(v.Index(i).Uint())
			}
			w.texts = append(w.texts, string(text))
			return
		}
		for i := range v.Len() {
			w.walk(v.Index(i))
		}
	case reflect.Map:
		for entries := v.MapRange(); entries.Next(); {
			w.walk(entries.Key())
			w.walk(entries.Value())
		}
	case reflect.Interface:
		w.walk(v.Elem())
	case reflect.Pointer:
		this := visit{v.Pointer(), v.Type()}
		if v.IsNil() || w.seen[this] {
			return
		}
		w.seen[this] = true
		w.walk(v.Elem())
	case reflect.Struct:
		if v.Type().PkgPath() == "sync/atomic" && strings.HasPrefix(v.Type().Name(), "Pointer[") {
			held := v.FieldByName("v").UnsafePointer()
			w.walk(reflect.NewAt(v.Type().Field(0).Type.Elem().Elem(), held))
			return
		}
		for i := range v.NumField() {
			w.walk(v.Field(i))
		}
	}
}
