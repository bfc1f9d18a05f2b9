package keyapi_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
)

func TestFieldFaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root(t)
	// None of these fields is good, in a new key as little as in one that is
	// there.
	for _, test := range []struct{ field, value, reason string }{
		{"name", `""`, "must not be empty"},
		{"name", `"  "`, "must not be empty"},
		{"name", `"` + strings.Repeat("ä", 256) + `"`, "must not have more than 255 characters"},
		{"name", `"` + strings.Repeat("x", 10_000) + `"`, "must not have more than 255 characters"},
		{"name", `"a\u0000b"`, "must not contain control characters"},
		{"name", `"a\nb"`, "must not contain control characters"},
		{"name", `null`, "must be a string"},
		{"name", `7`, "must be a string"},
		{"name", `["x"]`, "must be a string"},
		{"name", `{"name":"x"}`, "must be a string"},
		{"type", `"superuser"`, "must be one of admin, client"},
		{"type", `"Admin"`, "must be one of admin, client"},
		{"type", `""`, "must be one of admin, client"},
		{"type", `null`, "must be a string"},
		{"type", `true`, "must be a string"},
		{"permissions", `null`, "must be an array of strings"},
		{"permissions", `"users.view"`, "must be an array of strings"},
		{"permissions", `{}`, "must be an array of strings"},
		{"permissions", `[null]`, "entry 0 must be a string"},
		{"permissions", `["users.view",["users.view"]]`, "entry 1 must be a string"},
		{"permissions", `[""]`, `""`},
		{"permissions", `["users.v*"]`, `"users.v*"`},
		{"permissions", `[` + strings.Repeat(`"a",`, 256) + `"a"]`, "256"},
		{"allowed_ips", `[]`, "empty list"},
		{"allowed_ips", `"10.0.0.1"`, "must be null or an array of strings"},
		{"allowed_ips", `{}`, "must be null or an array of strings"},
		{"allowed_ips", `false`, "must be null or an array of strings"},
		{"allowed_ips", `[4]`, "entry 0 must be a string"},
		{"allowed_ips", `["0.0.0.0/0"]`, "covers every address"},
		{"allowed_ips", `["0.0.0.0/1","128.0.0.0/1"]`, "cover every IPv4 address"},
		{"allowed_ips", `["10.0.0.1/8"]`, "host bits set"},
		{"allowed_ips", `[` + strings.Repeat(`"10.0.0.1",`, 256) + `"10.0.0.1"]`, "too many entries"},
		{"expires_at", `"tomorrow"`, "must be null or a time as in RFC 3339"},
		{"expires_at", `""`, "must be null or a time as in RFC 3339"},
		{"expires_at", `4102444800`, "must be null or a time as in RFC 3339"},
		{"expires_at", `"2030-01-01"`, "must be null or a time as in RFC 3339"},
		{"expires_at", `"2030-01-01T00:00:00"`, "must be null or a time as in RFC 3339"},
		{"expires_at", `"2030-01-01T0:00:00Z"`, "must be null or a time as in RFC 3339"},
		{"expires_at", `"2030-01-01T00:00:00,5Z"`, "must be null or a time as in RFC 3339"},
		{"expires_at", `"2030-02-30T00:00:00Z"`, "must be null or a time as in RFC 3339"},
		{"expires_at", `"2000-01-01T00:00:00Z"`, "must be in the future"},
		{"expires_at", `"0001-01-01T00:00:00Z"`, "must be in the future"},
		{"expires_at", `"0001-01-01T01:00:00+01:00"`, "must be in the future"},
		{"expires_at", `"0001-01-01T00:00:00.0000009Z"`, "must be in the future"},
		{"expires_at", `"0000-12-31T23:59:59.9999999Z"`, "must be in the future"},
		{"expires_at", `"9999-12-31T23:59:59-01:00"`, "beyond the year 9999"},
		{"enabled", `"yes"`, ""},
		{"enabled", `null`, ""},
		{"owner", `"somebody"`, "is not a known field"},
		{"tenant_id", `"somebody"`, "is not a known field"},
		{"Name", `"x"`, "is not a known field"},
		{"id", `"` + nobody + `"`, "is not a known field"},
		{"version", `1`, "is not a known field"},
		{"metadata", `{}`, "is not a known field"},
		{"", `1`, "is not a known field"},
	} {
		k := w.issue(t, apikey.Spec{}, "users.view")
		before := w.stored(t, k.id)
		wrong := w.patch(t, root, k.id, `{"`+test.field+`":`+test.value+`}`).errors()
		require.Len(t, wrong, 1, "%s %s", test.field, test.value)
		require.Len(t, wrong[test.field], 1, "%v", wrong)
		require.Contains(t, wrong[test.field][0], test.reason)
		require.Equal(t, before, w.stored(t, k.id))

		members := map[string]string{"name": `"x"`, "type": `"admin"`, "permissions": `[]`}
		members[test.field] = test.value
		var body []string
		for name, value := range members {
			body = append(body, `"`+name+`":`+value)
		}
		wrong = w.post(t, root, "", "{"+strings.Join(body, ",")+"}").errors()
		require.Len(t, wrong, 1, "%s %s", test.field, test.value)
		require.Contains(t, wrong[test.field][0], test.reason)
	}
	require.NotContains(t, w.get(t, root, "").body, `"x"`, "nothing was created")
}

func TestAllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root(t)
	const rest = `"type":"nope","permissions":["users.view","a..b",3,"-.*","x*"],
		"allowed_ips":["10.0.0.1/8","192.0.2.1","nowhere",null],"expires_at":"2000-01-01T00:00:00Z"`
	want := func(wrong map[string][]string) {
		t.Helper()
		require.Equal(t, []string{"must be one of admin, client"}, wrong["type"])
		require.Contains(t, wrong["permissions"][0], `1 ("a..b")`)
		require.Equal(t, "entry 2 must be a string", wrong["permissions"][1])
		require.Contains(t, wrong["permissions"][2], `4 ("x*")`)
		require.Len(t, wrong["allowed_ips"], 3)
		require.Contains(t, wrong["allowed_ips"][0], `entry 0 "10.0.0.1/8"`)
		require.Contains(t, wrong["allowed_ips"][1], `entry 2 "nowhere"`)
		require.Equal(t, "entry 3 must be a string", wrong["allowed_ips"][2])
		require.Equal(t, []string{"must be in the future"}, wrong["expires_at"])
		require.Equal(t, []string{"is not a known field"}, wrong["bogus"])
		require.Equal(t, []string{"must not be empty"}, wrong["name"])
	}
	wrong := w.post(t, root, "", `{"name":"","enabled":true,"bogus":null,`+rest+`}`).errors()
	want(wrong)
	require.Equal(t, []string{"is not a field of a new key"}, wrong["enabled"])
	require.Len(t, wrong, 7)

	wrong = w.patch(t, root, root.id, `{"name":"","enabled":1,"bogus":null,`+rest+`}`).errors()
	want(wrong)
	require.Equal(t, []string{"must be true or false"}, wrong["enabled"])
	require.Len(t, wrong, 7)

	wrong = w.post(t, root, "", `{"allowed_ips":["10.0.0.1"]}`).errors()
	require.Equal(t, map[string][]string{"name": {"is required"}, "type": {"is required"}, "permissions": {"is required"}}, wrong)

	require.Equal(t, int64(1), w.stored(t, root.id).Version)
	require.Len(t, w.events, 1, "only that root was created")
}

func TestUnknownPermissions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root(t)
	for _, grant := range []string{"user.view", "ghosts.*", "users.view.all", "*.ghost"} {
		wrong := w.post(t, root, "", `{"name":"x","type":"admin","permissions":["users.view","`+grant+`"]}`).errors()
		require.Contains(t, wrong["permissions"][0], grant)
		wrong = w.patch(t, root, root.id, `{"permissions":["a..b","`+grant+`"]}`).errors()
		require.Len(t, wrong["permissions"], 2, "what the grammar says, and what the catalogue says of the rest")
		require.Contains(t, wrong["permissions"][1], grant)
	}
}

// A name is text, whatever it looks like.
func TestNamesAreText(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root(t)
	for _, test := range []struct{ sent, name string }{
		{`<script>alert(1)</script>`, `<script>alert(1)</script>`},
		{`\u202egnp.exe`, "\u202egnp.exe"},
		{`a\"b\\c\/d`, `a"b\c/d`},
		{`😀 \ud83d\ude00 \\ud800 \u00e4`, `😀 😀 \ud800 ä`},
		{`Robert'); DROP TABLE api_keys;--`, `Robert'); DROP TABLE api_keys;--`},
		{strings.Repeat("ä", 255), strings.Repeat("ä", 255)},
	} {
		a := w.post(t, root, "", `{"name":"`+test.sent+`","type":"admin","permissions":[]}`).is(201)
		require.Equal(t, test.name, a.data()["name"])
		require.Equal(t, test.name, w.get(t, root, "/"+a.key().id).data()["name"])
		require.NotContains(t, a.body, "<")
	}
}

func TestStrictJSON(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root(t)
	deep := strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000)
	for _, body := range []string{
		"", "{", "}", "null", "[]", "true", "7", `"name"`, "{}{}", "{} x", "{},", "[{}]", "{'name':'x'}", `{"name":"x",}`, `{name:"x"}`,
		"\ufeff{}", "{}\x00", "// x\n{}", `{"name":NaN}`, `{"name":01}`, `{"name":"` + "\xff" + `"}`, `{"` + "\xc3\x28" + `":1}`,
		`{"name":"\ud800"}`, `{"name":"\udc00\ud800"}`, `{"name":"\ud800\u0041"}`, `{"name":"\ud800x"}`, `{"\udfff":1}`, `{"name":"\\\ud800"}`, `{"name":"\ud83d\ude00\ud800"}`,
		`{"name":"a","name":"b"}`, `{"name":"a","n\u0061me":"a"}`, `{"bogus":1,"bogus":1}`, `{"x":{"a":1,"a":1}}`, `{"x":[1,{"a":[],"a":{}}]}`,
		`{"a":1e999,"b":1,"b":1}`, `{"x":` + deep + `}`, `{"name":"x"`, `{"name":"a` + "\n" + `b"}`,
	} {
		headers := []string{"Content-Type: application/json"}
		w.do(t, root, call{method: "POST", body: body, headers: headers}).is(400)
		w.patch(t, root, root.id, body, headers...).is(400)
	}
	require.Contains(t, w.patch(t, root, root.id, `{"x\"y":1,"x\"y":1}`).body, `x\\\"y`)
	// Odd, but clear.
	for _, body := range []string{"{}", " \t\r\n{ } \n", `{"name":"root"}`, `{"n\u0061me":"root"}`} {
		w.patch(t, root, root.id, body).is(200)
	}
	for _, body := range []string{`{"name":"\n"}`, `{"name":1e999}`, `{"a":{"x":1},"b":{"x":1}}`, `{"a":"a"}`, `{"x":[[[{}]]]}`} {
		w.patch(t, root, root.id, body).is(422)
	}
}

func TestContentType(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root(t)
	rotate := "/" + w.issue(t, apikey.Spec{}).id + "/rotate"
	calls := []call{
		{method: "POST", body: `{"name":"x","type":"admin","permissions":[]}`},
		{method: "PATCH", below: "/" + root.id, body: `{}`},
		{method: "POST", below: rotate, body: `{}`},
	}
	for _, test := range []struct {
		headers []string
		ok      bool
	}{
		{[]string{"Content-Type: application/json"}, true},
		{[]string{"Content-Type: application/json; charset=utf-8"}, true},
		{[]string{"Content-Type: Application/JSON ;Charset=\"UTF-8\""}, true},
		{[]string{"Content-Type: -"}, false},
		{[]string{"Content-Type: "}, false},
		{[]string{"Content-Type: text/plain"}, false},
		{[]string{"Content-Type: text/json"}, false},
		{[]string{"Content-Type: application/x-www-form-urlencoded"}, false},
		{[]string{"Content-Type: application/jsonp"}, false},
		{[]string{"Content-Type: application/merge-patch+json"}, false},
		{[]string{"Content-Type: application/json, text/plain"}, false},
		{[]string{"Content-Type: application/json; charset"}, false},
		{[]string{"Content-Type: application/json", "Content-Type: application/json"}, false},
	} {
		for _, c := range calls {
			c.headers = test.headers
			a := w.do(t, root, c)
			require.Equal(t, test.ok, a.status < 300, "%v: %s", test.headers, a.body)
			require.Equal(t, test.ok, a.status != 415)
		}
	}
	// Nothing is of no type. Where there has to be something, that is what is
	// missing.
	w.do(t, root, call{method: "POST", below: rotate}).is(200)
	w.do(t, root, call{method: "POST", below: rotate, headers: []string{"Content-Type: text/plain"}}).is(200)
	w.do(t, root, call{method: "POST"}).is(400)
	w.do(t, root, call{method: "PATCH", below: "/" + root.id}).is(400)
	w.do(t, root, call{method: "POST", headers: []string{"Content-Type: text/plain"}}).is(415)
}

func TestLargeBodies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root(t)
	fill := func(size int) string {
		const frame = `{"name":""}`
		return `{"name":"` + strings.Repeat("x", size-len(frame)) + `"}`
	}
	for _, c := range []call{
		{method: "POST"}, {method: "PATCH", below: "/" + root.id}, {method: "POST", below: "/" + root.id + "/rotate"},
	} {
		c.body = fill(64 << 10)
		w.do(t, root, c).is(422)
		c.body = fill(64<<10 + 1)
		w.do(t, root, c).is(413)
		c.body = strings.Repeat(" ", 1<<20)
		w.do(t, root, c).is(413)
	}
	require.Equal(t, int64(1), w.stored(t, root.id).Version)
}

// What a header says of the length of a body changes nothing.
func TestBodiesOverTheWire(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root(t)
	server := httptest.NewServer(w.api)
	defer server.Close()
	big := strings.Repeat(" ", 64<<10) + "{}"
	for _, test := range []struct{ name, framing, body, status string }{
		{"declared", fmt.Sprintf("Content-Length: %d", len(big)), big, "413"},
		{"chunked", "Transfer-Encoding: chunked", fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(big), big), "413"},
		{"chunked and small", "Transfer-Encoding: chunked", "2\r\n{}\r\n0\r\n\r\n", "200"},
		{"chunked and empty", "Transfer-Encoding: chunked", "0\r\n\r\n", "400"},
		{"broken chunks", "Transfer-Encoding: chunked", "2\r\n{}\r\nzz\r\n\r\n", "400"},
		{"declared shorter", "Content-Length: 2", "{}{}", "200"},
	} {
		connection, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
		require.NoError(t, err)
		_, err = fmt.Fprintf(connection, "PATCH %s/%s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n%s\r\n\r\n%s",
			mount, root.id, root.token, test.framing, test.body)
		require.NoError(t, err)
		line, err := bufio.NewReader(connection).ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, test.status, strings.Fields(line)[1], test.name)
		require.NoError(t, connection.Close())
	}
}

// A request that was made by hand may have no body at all.
func TestNilBody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root(t)
	k := w.issue(t, apikey.Spec{})
	for below, status := range map[string]int{"": 400, "/" + k.id + "/rotate": 200} {
		r := call{method: "POST", below: below}.request(root.token)
		r.Body = nil
		recorder := httptest.NewRecorder()
		w.api.ServeHTTP(recorder, r)
		require.Equal(t, status, recorder.Code)
	}
}

// A body that breaks off is no reason to do half of what it says.
func TestBodyThatBreaksOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root(t)
	r := call{method: "PATCH", below: "/" + root.id, body: "{}"}.request(root.token)
	r.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"name":"x"}`), brokenReader{}))
	recorder := httptest.NewRecorder()
	w.api.ServeHTTP(recorder, r)
	require.Equal(t, 400, recorder.Code)
	require.Equal(t, "root", w.stored(t, root.id).Name)
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
