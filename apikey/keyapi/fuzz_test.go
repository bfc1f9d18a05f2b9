package keyapi_test

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"net/url"
	"strings"
	"testing"

	"github.com/latchwork/latchwork/apikey"
)

// FuzzBody sends a body to everything that reads one. What holds for every
// answer is checked by do: the status is one of those that are documented, and
// the body is JSON.
func FuzzBody(f *testing.F) {
	for _, body := range []string{
		"", "{}", "[]", "null", `{"name":"x","type":"admin","permissions":["users.view"],"allowed_ips":["10.0.0.0/8"],"expires_at":null}`,
		`{"enabled":false}`, `{"name":"\ud800\udc00\\u"}`, `{"permissions":["*",null,"a..b"],"allowed_ips":[],"expires_at":"0001-01-01T00:00:00Z"}`,
		`{"overlap_seconds":604800}`, `{"overlap_seconds":1e18}`, `{"a":{"b":[{"c":1,"c":2}]}}`, `{"name":"x"}{}`, "\xff", `{"name":"x","name":"y"}`,
	} {
		f.Add("application/json", body)
	}
	f.Add("application/json; charset=utf-8", "{}")
	f.Add("text/plain", "{}")
	f.Fuzz(func(t *testing.T, contentType, body string) {
		if strings.ContainsAny(contentType, "\r\n") {
			return // no server hands on such a header
		}
		w := newWorld(t)
		root := w.root(t)
		k := w.issue(t, apikey.Spec{}, "users.view")
		headers := []string{"Content-Type: " + contentType}
		for _, c := range []call{
			{method: "POST"}, {method: "PATCH", below: "/" + k.id}, {method: "POST", below: "/" + k.id + "/rotate"},
		} {
			before := w.stored(t, k.id)
			c.body, c.headers = body, headers
			a := w.do(t, root, c)
			if a.status == 503 || a.status == 401 {
				t.Fatalf("%s %s: %d", c.method, c.below, a.status)
			}
			if after := w.stored(t, k.id); a.status >= 300 && after.Version != before.Version {
				t.Fatalf("%d, and yet the key has changed: %+v", a.status, after)
			}
		}
	})
}

// FuzzRequest sends any path, query and If-Match.
func FuzzRequest(f *testing.F) {
	for _, below := range []string{"", "/", "/x", "/{id}", "/{id}/rotate", "/{id}/activity", "/{id}/x", "//", "/%00", "x"} {
		for _, query := range []string{"", "limit=1", "limit=1&limit=2", "state=active&q=%ff", "cursor=AQ", "descendants=true", "%"} {
			f.Add(uint(0), below, query, `"1"`)
			f.Add(uint(3), below, query, `W/"1", "2",,*`)
		}
	}
	methods := []string{"GET", "HEAD", "POST", "PATCH", "DELETE", "PUT", "OPTIONS"}
	f.Fuzz(func(t *testing.T, method uint, below, query, ifMatch string) {
		w := newWorld(t)
		root := w.root(t)
		k := w.issue(t, apikey.Spec{}, "users.view")
		r := call{method: methods[method%uint(len(methods))], headers: []string{"If-Match: " + ifMatch}}.request(root.token)
		r.URL.Path, r.URL.RawQuery = mount+strings.ReplaceAll(below, "{id}", k.id), query
		if a := w.serve(t, r); a.status == 503 || a.status == 401 {
			t.Fatalf("%s %q %q: %d", r.Method, below, query, a.status)
		}
	})
}

// FuzzCursor holds the cursors that are accepted against the definition of
// what one is.
func FuzzCursor(f *testing.F) {
	f.Add("")
	f.Add(nobody)
	f.Add(forge(f, 1, nobody))
	f.Add(forge(f, 2, nobody))
	f.Add(forge(f, 1, nobody) + "=")
	f.Add(forge(f, 1, nobody)[:14] + "\n" + forge(f, 1, nobody)[14:])
	w := newWorld(f)
	root := w.root(f)
	f.Fuzz(func(t *testing.T, text string) {
		status := 400
		if text == "" {
			status = 200 // an empty parameter is an absent one
		}
		raw, err := base64.RawURLEncoding.DecodeString(text)
		if err == nil && len(raw) == 21 && raw[0] == 1 && binary.BigEndian.Uint32(raw[17:]) == crc32.ChecksumIEEE(raw[:17]) &&
			base64.RawURLEncoding.EncodeToString(raw) == text {
			status = 200
		}
		w.get(t, root, "?cursor="+url.QueryEscape(text)).is(status)
	})
}
