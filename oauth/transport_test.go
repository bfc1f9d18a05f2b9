package oauth_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/oauth"
)

func TestTransport(t *testing.T) {
	t.Parallel()
	const post, form, json = http.MethodPost, formType, "application/json"
	for _, c := range []struct {
		name, method, contentType, target, body string
		status                                  int
		code                                    string
	}{
		{"001 a form in a POST", post, form, "", byClient, 200, ""},
		{"002 GET", http.MethodGet, form, "", byClient, 405, "invalid_request"},
		{"002 GET with the parameters in the URL", http.MethodGet, "", "?" + byClient, "", 405, "invalid_request"},
		{"002 HEAD", http.MethodHead, form, "", byClient, 405, "invalid_request"},
		{"002 PUT", http.MethodPut, form, "", byClient, 405, "invalid_request"},
		{"002 DELETE", http.MethodDelete, form, "", byClient, 405, "invalid_request"},
		{"002 PATCH", http.MethodPatch, form, "", byClient, 405, "invalid_request"},
		{"002 post in lower case", "post", form, "", byClient, 405, "invalid_request"},
		{"003 OPTIONS", http.MethodOptions, form, "", byClient, 405, "invalid_request"},
		{"004 with a charset", post, form + "; charset=UTF-8", "", byClient, 200, ""},
		{"004 with a charset and without a space", post, form + ";charset=utf-8", "", byClient, 200, ""},
		{"004 in upper case", post, strings.ToUpper(form), "", byClient, 200, ""},
		{"005 without a content type", post, "", "", byClient, 400, "invalid_request"},
		{"006 JSON", post, json, "", `{"grant_type":"client_credentials"}`, 400, "invalid_request"},
		{"006 a form that says it is JSON", post, json, "", byClient, 400, "invalid_request"},
		{"007 multipart", post, "multipart/form-data; boundary=x", "", "--x--", 400, "invalid_request"},
		{"007 something longer", post, form + "x", "", byClient, 400, "invalid_request"},
		{"007 a broken media type", post, form + "; charset", "", byClient, 400, "invalid_request"},
		{"008 client_secret in the URL", post, form, "?client_secret=x", byClient, 400, "invalid_request"},
		{"008 grant_type in the URL", post, form, "?" + byClient, "", 400, "invalid_request"},
		{"008 in the URL and in the body", post, form, "?" + byClient, byClient, 400, "invalid_request"},
		{"008 an empty one in the URL", post, form, "?scope", byClient, 400, "invalid_request"},
		{"008 encoded in the URL", post, form, "?%73cope=x", byClient, 400, "invalid_request"},
		{"008 behind a semicolon in the URL", post, form, "?a=b;scope=x", byClient, 400, "invalid_request"},
		{"008 something else in the URL", post, form, "?utm=x&foo", byClient, 200, ""},
		{"009 grant_type twice", post, form, "", byClient + "&" + byClient, 400, "invalid_request"},
		{"009 scope twice", post, form, "", byClient + "&scope=profile&scope=invoices", 400, "invalid_request"},
		{"009 scope twice, once encoded", post, form, "", byClient + "&scope=profile&sc%6Fpe=profile", 400, "invalid_request"},
		{"009 scope twice, once empty", post, form, "", byClient + "&scope=profile&scope=", 400, "invalid_request"},
		{"009 username twice", post, form, "", byLogin + "&username=ada", 400, "invalid_request"},
		{"009 password twice", post, form, "", byLogin + "&password=x", 400, "invalid_request"},
		{"009 code twice", post, form, "", byClient + "&code=x&code=x", 400, "invalid_request"},
		{"009 client_id twice", post, form, "", byClient + "&client_id=first&client_id=first", 400, "invalid_request"},
		{"010 resource twice", post, form, "", byClient + "&resource=https%3A%2F%2Fa&resource=https%3A%2F%2Fb", 200, ""},
		{"010 audience twice", post, form, "", byClient + "&audience=a&audience=a", 200, ""},
		{"011 unknown parameter", post, form, "", byClient + "&foo=bar", 200, ""},
		{"012 unknown parameter twice", post, form, "", byClient + "&foo=bar&foo=bar", 200, ""},
		{"013 empty scope", post, form, "", byLogin + "&scope=", 200, ""},
		{"013 empty scope without an equals sign", post, form, "", byLogin + "&scope", 200, ""},
		{"013 empty client_id beside Basic", post, form, "", byClient + "&client_id=&client_secret=", 200, ""},
		{"013 empty username", post, form, "", "grant_type=password&username=&password=x", 400, "invalid_request"},
		{"013 empty refresh_token", post, form, "", byToken, 400, "invalid_request"},
		{"013 empty grant_type", post, form, "", "grant_type=", 400, "invalid_request"},
		{"014 broken percent-encoding", post, form, "", byClient + "&foo=%zz", 400, "invalid_request"},
		{"014 half an escape", post, form, "", byClient + "&foo=%2", 400, "invalid_request"},
		{"014 broken percent-encoding of a name", post, form, "", byClient + "&%=1", 400, "invalid_request"},
		{"014 invalid UTF-8", post, form, "", byClient + "&foo=%ff", 400, "invalid_request"},
		{"014 invalid UTF-8 in a name", post, form, "", byClient + "&%c3%28=1", 400, "invalid_request"},
		{"014 raw bytes", post, form, "", byClient + "&foo=\xff\xfe", 400, "invalid_request"},
		{"014 broken percent-encoding in the URL", post, form, "?%zz", byClient, 400, "invalid_request"},
		{"015 semicolons do not separate", post, form, "", byClient + ";scope=profile", 400, "unsupported_grant_type"},
		{"015 semicolons belong to values", post, form, "", byClient + "&foo=1;scope=nonsense", 200, ""},
		{"016 64 KiB", post, form, "", pad(byClient, 64<<10), 200, ""},
		{"016 more than 64 KiB", post, form, "", pad(byClient, 64<<10+1), 413, "invalid_request"},
		{"017 a hundred parameters", post, form, "", byClient + strings.Repeat("&a=b", 99), 200, ""},
		{"017 more than a hundred parameters", post, form, "", byClient + strings.Repeat("&a=b", 100), 400, "invalid_request"},
		{"017 nothing between ampersands", post, form, "", byClient + strings.Repeat("&", 1000), 200, ""},
		{"018 no grant_type", post, form, "", "scope=profile", 400, "invalid_request"},
		{"018 nothing at all", post, form, "", "", 400, "invalid_request"},
		{"019 unknown grant_type", post, form, "", "grant_type=nonsense", 400, "unsupported_grant_type"},
		{"019 implicit", post, form, "", "grant_type=implicit", 400, "unsupported_grant_type"},
		{"020 Password", post, form, "", strings.Replace(byLogin, "password", "Password", 1), 400, "unsupported_grant_type"},
		{"020 a space behind it", post, form, "", byClient + "+", 400, "unsupported_grant_type"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			r := httptest.NewRequest(c.method, "/oauth/token"+c.target, strings.NewReader(c.body))
			if c.contentType != "" {
				r.Header.Set("Content-Type", c.contentType)
			}
			r.Header.Set("Authorization", h.basic("first"))
			a := h.send(r)
			require.Equal(t, c.status, a.Code, "%s", a.Body)
			require.Equal(t, c.code, a.text("error"))
			switch c.status {
			case 200:
				require.Len(t, h.tap.writes(), 1)
			case 405:
				require.Equal(t, "POST", a.Header().Get("Allow"))
				require.Empty(t, h.tap.since(""), "somebody was asked")
			default:
				require.Empty(t, h.tap.writes(), "something was issued")
			}
		})
	}
}

func pad(body string, length int) string {
	return body + "&foo=" + strings.Repeat("x", length-len(body)-len("&foo="))
}

func TestReq007_TwoContentTypes(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	r := request(byClient, h.basic("first"))
	r.Header.Add("Content-Type", "application/json")
	requireError(t, h.send(r), 400, "invalid_request")
}

// The server reads no more of a body than it needs to see that it is too long.
func TestReq016_AnEndlessBody(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	body := new(endless)
	r := httptest.NewRequest(http.MethodPost, "/oauth/token", body)
	r.Header.Set("Content-Type", formType)
	r.Header.Set("Authorization", h.basic("first"))
	requireError(t, h.send(r), 413, "invalid_request")
	require.Less(t, body.read, 256<<10)
	require.Empty(t, h.tap.since(""), "somebody was asked")
}

type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	e.read += len(p)
	return len(p), nil
}

func TestReq016_TheConnectionIsClosed(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	server := httptest.NewServer(h.server.TokenHandler())
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, strings.NewReader(strings.Repeat("x", 100<<10)))
	require.NoError(t, err)
	r.Header.Set("Content-Type", formType)
	answer, err := server.Client().Do(r)
	require.NoError(t, err)
	defer func() { require.NoError(t, answer.Body.Close()) }()
	require.Equal(t, 413, answer.StatusCode)
	require.True(t, answer.Close)
}

func TestReq021_022_023_025_WhatAnAnswerSays(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	// requireLawful looks at the headers, the members and their types.
	require.Regexp(t, `^\{"access_token":"paym_at_\w{49}","token_type":"Bearer","expires_in":900,"refresh_token":"paym_rt_\w{49}","scope":"profile"\}\n$`,
		requireTokens(t, h.as("first", byLogin)).Body.String())
	require.NotContains(t, requireTokens(t, h.as("first", byClient)).members, "scope", "nothing was granted")
	require.Equal(t, "invoices profile", requireTokens(t, h.as("first", byClient+"&scope=profile+invoices")).text("scope"))
	require.JSONEq(t, `{"error":"invalid_client","error_description":"Client authentication failed."}`, h.post(byClient).Body.String())
}

// requireLawful holds every error against this closed list.
func TestReq024_DescriptionsAreFixedAndPrintable(t *testing.T) {
	t.Parallel()
	for _, d := range descriptions() {
		require.Regexp(t, `^[\x20-\x21\x23-\x5B\x5D-\x7E]+$`, d)
	}
	h := newHouse(t)
	const canary = "canary%22%3Cscript%3E"
	for _, a := range []answer{
		h.post("grant_type=" + canary), h.as("first", "grant_type="+canary), h.as("first", byClient+"&scope="+canary),
		h.as("first", byToken+canary), h.as("first", "grant_type=password&username="+canary+"&password="+canary),
		h.post(byClient, canary), h.post(byClient, "Basic "+canary), h.post(byClient, basic("canary", "canary")),
		h.post(byClient + "&client_id=canary&client_secret=canary"), h.as("first", "canary=%zz"), h.as("first", canary),
	} {
		require.NotEqual(t, 200, a.Code)
		require.NotContains(t, a.Body.String(), "canary")
		for _, values := range a.Header() {
			require.NotContains(t, strings.Join(values, " "), "canary")
		}
	}
}

func TestReq029_PathVariants(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	mux := http.NewServeMux()
	mux.Handle("/oauth/token", h.server.TokenHandler())
	for _, path := range []string{"/oauth/token/", "/oauth//token", "/oauth/token/x", "/oauth/Token", "/x/../oauth/token", "/oauth/token%2F"} {
		r := request(byClient, h.basic("first"))
		r.URL.Path = path
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		require.NotEqual(t, 200, w.Code, path)
	}
	require.Empty(t, h.tap.since(""))
}

func TestOwnScopesCatalogue(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *oauth.Config) { c.Scopes = catalog("profile") })
	require.Equal(t, "profile", requireTokens(t, h.as("first", byClient+"&scope=profile")).text("scope"))
	requireError(t, h.as("first", byClient+"&scope=invoices"), 400, "invalid_scope")
}
