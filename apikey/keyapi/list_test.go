package keyapi_test

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
)

// A page is the answer to a list.
type page struct {
	Data []struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"data"`
	NextCursor *string `json:"next_cursor"`
}

func (w *world) list(t testing.TB, as key, query string) page {
	t.Helper()
	var p page
	require.NoError(t, json.Unmarshal([]byte(w.get(t, as, query).is(200).body), &p))
	return p
}

func (p page) names() string {
	var names []string
	for _, k := range p.Data {
		names = append(names, k.Name)
	}
	return strings.Join(names, " ")
}

func TestListPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root(t)
	var want []string // the newest first
	for i := range 10 {
		want = append([]string{w.issue(t, apikey.Spec{Name: fmt.Sprintf("k%d", i)}).id}, want...)
	}
	want = append(want, root.id)
	for _, limit := range []int{1, 2, 3, 5, 10, 11, 12, 100} {
		var got []string
		pages := 0
		for query := fmt.Sprintf("?limit=%d", limit); ; {
			p := w.list(t, root, query)
			require.NotEmpty(t, p.Data, "a page that is announced has something on it")
			require.LessOrEqual(t, len(p.Data), limit)
			pages++
			for _, k := range p.Data {
				got = append(got, k.ID)
			}
			if p.NextCursor == nil {
				break
			}
			require.Len(t, p.Data, limit)
			query = fmt.Sprintf("?limit=%d&cursor=%s", limit, *p.NextCursor)
		}
		require.Equal(t, want, got)
		require.Equal(t, (len(want)+limit-1)/limit, pages)
	}
	require.Contains(t, w.get(t, root, "?limit=11").body, `"next_cursor":null`)
	require.Contains(t, w.get(t, root, "?q=nothing-is-called-that").body, `"data":[]`)

	// A new key does not move the pages behind a cursor.
	first := w.list(t, root, "?limit=4")
	w.issue(t, apikey.Spec{Name: "late"})
	second := w.list(t, root, "?limit=4&cursor="+*first.NextCursor)
	require.Equal(t, want[4], second.Data[0].ID)
}

// Where keys that match are rare, a page may be short, and even empty, and
// still lead on to others.
func TestListOfRareKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root(t)
	rare := w.issue(t, apikey.Spec{Name: "rare"})
	for range 5 {
		w.issue(t, apikey.Spec{Name: "common"})
	}
	w.store.sight = 3
	first := w.list(t, root, "?q=rare")
	require.Empty(t, first.Data)
	second := w.list(t, root, "?q=rare&cursor="+*first.NextCursor)
	require.Equal(t, rare.id, second.Data[0].ID)
	last := w.list(t, root, "?q=rare&cursor="+*second.NextCursor)
	require.Empty(t, last.Data)
	require.Nil(t, last.NextCursor)
}

func TestListDefaultsTo50(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root(t)
	for range 50 {
		w.issue(t, apikey.Spec{})
	}
	p := w.list(t, root, "")
	require.Len(t, p.Data, 50)
	require.Len(t, w.list(t, root, "?cursor="+*p.NextCursor).Data, 1)
}

func TestListFilters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root(t)
	w.issue(t, apikey.Spec{Name: "off", Disabled: true})
	w.issue(t, apikey.Spec{Name: "100%_sure"})
	w.issue(t, apikey.Spec{Name: "100 percent"})
	w.issue(t, apikey.Spec{Name: `back\slash 'quoted'`})
	w.issue(t, apikey.Spec{Name: "Über"})
	gone := w.issue(t, apikey.Spec{Name: "gone"})
	w.delete(t, root, "/"+gone.id).is(204)
	for _, test := range []struct{ query, names string }{
		{"?state=disabled", "off"},
		{"?state=revoked", "gone"},
		{"?state=expired", ""},
		{"?state=active&q=root", "root"},
		{"?state=revoked&q=root", ""},
		{"?q=ROO", "root"},
		{"?q=100", "100 percent 100%_sure"},
		// Nothing is a wildcard, and an id is whole.
		{"?q=%25", "100%_sure"},
		{"?q=_", "100%_sure"},
		{"?q=0%25_s", "100%_sure"},
		{"?q=%5C", `back\slash 'quoted'`},
		{"?q=%27", `back\slash 'quoted'`},
		{"?q=%C3%9Cber", "Über"},
		{"?q=*", ""},
		{"?q=" + root.id, "root"},
		{"?q=" + root.id[:35], ""},
		{"?q=" + root.token[:9], "root"},
		{"?q=" + root.token, ""},
		{"?unknown=1&unknown=2&q=root", "root"},
	} {
		require.Equal(t, test.names, w.list(t, root, test.query).names(), test.query)
	}
	require.Len(t, w.list(t, root, "?q=").Data, 7)
	require.Empty(t, w.list(t, root, "?q="+strings.Repeat("%C3%BC", 255)).Data)
}

func TestListTakesEmptyParametersForAbsentOnes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root(t)
	require.Len(t, w.list(t, root, "?limit=&cursor=&q=&state=").Data, 1)
}

func TestListRefusesOtherQueries(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root(t)
	for _, query := range []string{
		"limit=0", "limit=-1", "limit=101", "limit=1000000000", "limit=99999999999999999999", "limit=abc", "limit=1.0", "limit=1e1",
		"limit=0x10", "limit=+5", "limit=%2B5", "limit=05", "limit=5 ", "limit=5&limit=5",
		"state=Active", "state=any", "state=active,revoked", "state=active&state=active",
		"q=a&q=b", "q=%ff", "q=%00", "q=a%00", "q=" + strings.Repeat("x", 256), "q=" + strings.Repeat("%C3%BC", 256),
		"cursor=1", "cursor=" + nobody, "cursor=" + root.id, "cursor=a&cursor=a",
		"%", "limit=%zz", "a;b", "q=%",
	} {
		r := call{method: "GET"}.request(root.token)
		r.URL.RawQuery = query
		w.serve(t, r).is(400)
	}
}

func TestListKeepsToTheOwner(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root(t)
	var theirs []key
	for i := range 6 {
		w.issue(t, apikey.Spec{Name: fmt.Sprintf("ours-%d", i), Owner: "us"})
		theirs = append(theirs, w.issue(t, apikey.Spec{Name: fmt.Sprintf("theirs-%d", i), Owner: "them"}))
	}
	us := w.issue(t, apikey.Spec{Name: "us", Owner: "us"}, "api_keys.*")
	require.Equal(t, "us ours-5 ours-4 ours-3 ours-2 ours-1 ours-0", w.list(t, us, "").names())
	require.Empty(t, w.list(t, us, "?q=theirs").Data)
	require.Empty(t, w.list(t, us, "?q="+theirs[0].id).Data)

	// A cursor from somebody who sees more shows no more.
	cursor := *w.list(t, root, "?limit=4").NextCursor
	require.Equal(t, "ours-4 ours-3 ours-2 ours-1 ours-0", w.list(t, us, "?cursor="+cursor).names())
	require.Equal(t, "ours-5 ours-4 ours-3 ours-2 ours-1 ours-0", w.list(t, us, "?cursor="+forge(t, 1, theirs[5].id)).names())

	// Keys of other owners do not exist.
	other := theirs[0].id
	missing := w.get(t, us, "/"+nobody).is(404)
	for _, a := range []answer{
		w.get(t, us, "/"+other), w.get(t, us, "/"+other+"/activity"), w.patch(t, us, other, `{"enabled":false}`),
		w.post(t, us, "/"+other+"/rotate", ""), w.delete(t, us, "/"+other), w.delete(t, us, "/"+other+"?descendants=true"),
	} {
		require.Equal(t, missing.body, a.is(404).body)
	}
	require.Equal(t, apikey.StateActive, w.stored(t, other).State(time.Now()))
	for _, body := range []string{
		`{"name":"x","type":"admin","permissions":[],"owner":"them"}`, `{"name":"x","type":"admin","permissions":[],"owner_id":"them"}`,
	} {
		w.post(t, us, "", body).is(422)
	}
	mine := w.post(t, us, "", `{"name":"x","type":"admin","permissions":[]}`).is(201).key()
	require.Equal(t, "us", w.stored(t, mine.id).Owner)
}

// forge makes up a cursor.
func forge(t testing.TB, version byte, id string) string {
	parsed, err := uuid.Parse(id)
	require.NoError(t, err)
	raw := append([]byte{version}, parsed[:]...)
	raw = binary.BigEndian.AppendUint32(raw, crc32.ChecksumIEEE(raw))
	return base64.RawURLEncoding.EncodeToString(raw)
}

func TestCursorsAreTamperProof(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root(t)
	w.issue(t, apikey.Spec{})
	cursor := *w.list(t, root, "?limit=1").NextCursor
	require.Len(t, w.list(t, root, "?cursor="+cursor).Data, 1)
	refused := func(text string) {
		t.Helper()
		w.get(t, root, "?cursor="+url.QueryEscape(text)).is(400)
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=\n\x00 "
	for i := range cursor {
		for _, c := range []byte(alphabet) {
			if c != cursor[i] {
				refused(cursor[:i] + string(c) + cursor[i+1:])
			}
		}
		if i > 0 {
			refused(cursor[:i])
		}
		refused(cursor[i:] + cursor)
		refused(cursor[:i] + "\n" + cursor[i:])
	}
	refused(cursor + "=")
	refused(cursor + "A")
	refused(forge(t, 0, root.id))
	refused(forge(t, 2, root.id))
	require.Empty(t, w.list(t, root, "?cursor="+forge(t, 1, nobody)).Data, "made up well, it goes on after nobody")
}

// A store whose ids are not UUIDs is broken. It is not the client's fault.
func TestListOfForeignIDs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root(t)
	for _, id := range []string{"zz-1", "zz-2"} {
		record := apikey.Record{Key: apikey.Key{ID: id, Version: 1}, Secrets: []apikey.SecretHash{{Hash: apikey.Hash([]byte(strings.Repeat(id, 8)))}}}
		require.NoError(t, w.store.Create(t.Context(), record, apikey.Event{ID: id, KeyID: id}))
	}
	w.get(t, root, "?limit=1").is(503)
	require.Len(t, w.list(t, root, "?limit=3").Data, 3)
}
