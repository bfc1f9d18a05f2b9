package oauth_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/oauth"
)

// Whatever is sent, the answer is lawful: requireLawful looks at it.
func FuzzReq202_TokenEndpoint(f *testing.F) {
	h := newHouse(f, unlimited)
	authorization := h.basic("first")
	for _, form := range []string{
		"", byClient, byLogin, byToken, byToken + "paym_rt_x", byClient + "&scope=profile", "grant_type=%zz", "a=%ff", "&&=&", "grant_type=password&username=%00&password=%00",
		byClient + "&client_id=first&client_secret=x", byClient + "&client_id=app",
	} {
		f.Add(form, formType, authorization, "")
		f.Add(form, formType+"; charset=utf-8", "", "a=b&%")
	}
	f.Add(byClient, "multipart/form-data", "Basic "+strings.Repeat("A", 100), "scope=x")
	f.Add(byClient, "\x00", "Bearer x", ";;%3b")
	f.Add(byClient, formType, "Basic Og==", "")
	f.Fuzz(func(t *testing.T, body, contentType, authorization, query string) {
		h.t, h.answers, h.events, h.tap.given = t, nil, nil, nil
		h.tap.do(nil)
		r := httptest.NewRequest(http.MethodPost, "/oauth/token", strings.NewReader(body))
		r.URL.RawQuery = query
		r.Header["Content-Type"] = []string{contentType}
		if authorization != "" {
			r.Header["Authorization"] = []string{authorization}
		}
		a := h.send(r)
		require.False(t, a.silent())
		require.NotEqual(t, 405, a.Code)
		require.NotEqual(t, 503, a.Code, "nothing failed")
		if a.Code != 200 {
			require.Empty(t, h.tap.since("Store.CreateGrant", "Store.Spend"))
		}
	})
}

// A body that net/url reads means the same when it is written in another way,
// and one with something twice is refused.
func FuzzParseForm(f *testing.F) {
	h := newHouse(f, unlimited)
	for _, form := range []string{
		byClient, byLogin, byToken + "x", byClient + "&scope=profile+invoices", byClient + "&scope=a%20b&foo=bar&foo", "grant_type=&grant_type=x",
		"gr%61nt_type=client_credentials", "=x&&=y", "scope", byClient + "&" + byClient, byClient + "&%63lient_id=first",
	} {
		f.Add(form)
	}
	f.Fuzz(func(t *testing.T, body string) {
		h.t, h.answers, h.events, h.tap.given = t, nil, nil, nil
		values, err := url.ParseQuery(body)
		a := h.as("first", body)
		if err != nil || len(body) > 20<<10 {
			return
		}
		again := h.as("first", values.Encode())
		require.Equal(t, again.Code, a.Code, "%s %s", a.Body, again.Body)
		require.Equal(t, again.text("error"), a.text("error"))
		for _, name := range []string{"grant_type", "scope", "username", "password", "client_id", "refresh_token"} {
			if len(values[name]) > 1 {
				require.Equal(t, 400, a.Code)
			}
		}
	})
}

// Neither endpoint says anything about a token to somebody who is nobody.
func FuzzReq202_RevokeAndIntrospect(f *testing.F) {
	h := newHouse(f)
	a := h.tokens("first")
	authorization := h.basic("first")
	for _, body := range []string{
		"", "token=", "token=x", "token=" + a.access(), "token=" + a.access()[:56], "token=%00&token_type_hint=x", "token=a&token=b", "client_id=app&token=x", "token=%zz",
	} {
		f.Add(body, formType, authorization, "")
		f.Add(body, formType, "", "token=x")
	}
	f.Fuzz(func(t *testing.T, body, contentType, authorization, query string) {
		h.t, h.answers, h.events, h.tap.given = t, nil, nil, nil
		h.tap.do(nil)
		for _, e := range []struct {
			handler http.Handler
			success func(testing.TB, *answer)
		}{{h.server.IntrospectHandler(), requireLawfulIntrospection}, {h.server.RevokeHandler(), requireEmptyObject}} {
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
			r.URL.RawQuery = query
			r.Header["Content-Type"] = []string{contentType}
			if authorization != "" {
				r.Header["Authorization"] = []string{authorization}
			}
			answered := h.sendTo(e.handler, r, e.success)
			require.NotEqual(t, 503, answered.Code, "nothing failed")
			if authorization == "" && answered.Code == 200 {
				require.NotContains(t, answered.Body.String(), "true")
			}
		}
	})
}

func FuzzDocuments(f *testing.F) {
	server, err := oauth.New(oauth.NewMemoryStore(), oauth.StaticClients{}, oauth.Config{
		Issuer: issuer, Prefix: "paym", Resources: []oauth.Resource{{Path: "/api/"}, {Path: "/me"}},
	})
	require.NoError(f, err)
	for _, path := range []string{"", "/me", "/api/x", "/api/%22", "/api/\xff", "//", "/api/..", "x"} {
		f.Add("GET", path)
		f.Add("POST", path)
	}
	f.Fuzz(func(t *testing.T, method, path string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Method, r.URL.Path = method, "/.well-known/oauth-protected-resource"+path
		for _, handler := range []http.Handler{server.MetadataHandler(), server.ResourceMetadataHandler()} {
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			require.Contains(t, []int{200, 404, 405}, w.Code)
			require.True(t, json.Valid(w.Body.Bytes()))
			require.Equal(t, w.Code == 405, w.Header().Get("Allow") != "")
		}
	})
}
