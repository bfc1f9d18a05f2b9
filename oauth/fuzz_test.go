package oauth_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whatever is sent, the answer is lawful: requireLawful looks at it.
func FuzzTokenEndpoint(f *testing.F) {
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
