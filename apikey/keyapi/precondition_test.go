package keyapi_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
)

func TestIfMatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root(t)
	for _, test := range []struct {
		headers []string
		holds   bool
	}{
		{nil, true},
		{[]string{`If-Match: "3"`}, true},
		{[]string{`If-Match:   "3"  `}, true},
		{[]string{`If-Match: *`}, true},
		{[]string{`If-Match: "1", "2","3"`}, true},
		{[]string{`If-Match: "3" , "4"`}, true},
		{[]string{`If-Match: W/"1", "3"`}, true},
		{[]string{`If-Match: "a,b", "3"`}, true},
		{[]string{`If-Match: ,, "3",,`}, true},
		{[]string{`If-Match: "", "3"`}, true},
		{[]string{`If-Match: "2"`, `If-Match: "3"`}, true},
		{[]string{`If-Match: "2"`}, false},
		{[]string{`If-Match: "4"`}, false},
		{[]string{`If-Match: "0"`}, false},
		{[]string{`If-Match: "-1"`}, false},
		{[]string{`If-Match: "03"`}, false},
		{[]string{`If-Match: "+3"`}, false},
		{[]string{`If-Match: "3.0"`}, false},
		{[]string{`If-Match: "18446744073709551619"`}, false},
		{[]string{`If-Match: W/"3"`}, false},
		{[]string{`If-Match: w/"3"`}, false},
		{[]string{`If-Match: W/ "3"`}, false},
		{[]string{`If-Match: 3`}, false},
		{[]string{`If-Match: '3'`}, false},
		{[]string{`If-Match: "3`}, false},
		{[]string{`If-Match: 3"`}, false},
		{[]string{`If-Match: "`}, false},
		{[]string{`If-Match: "3""4"`}, false},
		{[]string{`If-Match: "3" "4"`}, false},
		{[]string{`If-Match: "3", 4`}, false},
		{[]string{`If-Match: 4", "3"`}, false},
		{[]string{`If-Match: "3", *`}, false},
		{[]string{`If-Match: *, "3"`}, false},
		{[]string{`If-Match: "3", "a b"`}, false},
		{[]string{`If-Match: "3", "` + "\x7f" + `"`}, false},
		{[]string{`If-Match: `}, false},
		{[]string{`If-Match: ,`}, false},
		{[]string{`If-Match: W/`}, false},
		{[]string{`If-Match: "2", ` + strings.Repeat(`"x",`, 1000) + `"4"`}, false},
	} {
		for _, c := range []call{
			{method: "PATCH", body: `{"name":"new"}`},
			{method: "PATCH", body: `{}`},
			{method: "POST", below: "/rotate"},
			{method: "DELETE"},
			{method: "DELETE", below: "?descendants=true"},
		} {
			k := w.issue(t, apikey.Spec{}, "users.view")
			w.patch(t, root, k.id, `{"name":"version 2"}`).is(200)
			w.patch(t, root, k.id, `{"name":"version 3"}`).is(200)
			c.below, c.headers = "/"+k.id+c.below, test.headers
			a := w.do(t, root, c)
			if test.holds {
				require.Less(t, a.status, 300, "%s %q: %s", c.method, test.headers, a.body)
				continue
			}
			a.is(412)
			require.Equal(t, int64(3), w.stored(t, k.id).Version)
		}
	}
	// Reading and creating have no such condition.
	w.do(t, root, call{method: "GET", below: "/" + root.id, headers: []string{`If-Match: "7"`}}).is(200)
	w.do(t, root, call{method: "POST", body: `{"name":"x","type":"admin","permissions":[]}`, headers: []string{`If-Match: "7"`}}).is(201)
}

func TestIfMatchOfRevoked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root(t)
	k := w.issue(t, apikey.Spec{}, "users.view")
	w.delete(t, root, "/"+k.id, `If-Match: "1"`).is(204)
	w.delete(t, root, "/"+k.id, `If-Match: "1"`).is(412)
	w.delete(t, root, "/"+k.id, `If-Match: "2"`).is(204)
	w.delete(t, root, "/"+k.id, `If-Match: *`).is(204)
	w.patch(t, root, k.id, `{}`, `If-Match: "2"`).is(409)
	w.patch(t, root, k.id, `{}`, `If-Match: "1"`).is(412)
	w.post(t, root, "/"+k.id+"/rotate", "").is(409)
}

// Somebody is always faster than this store's Manager.
func TestConflicts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root(t)
	k := w.issue(t, apikey.Spec{}, "users.view")
	w.store.fail(apikey.ErrConflict, "update")
	for _, c := range []call{
		{method: "PATCH", below: "/" + k.id, body: `{"name":"new"}`},
		{method: "POST", below: "/" + k.id + "/rotate"},
		{method: "DELETE", below: "/" + k.id},
	} {
		w.do(t, root, c).is(409)
		c.headers = []string{"If-Match: *"}
		w.do(t, root, c).is(409) // the condition does hold
		c.headers = []string{`If-Match: "7", "1"`}
		w.do(t, root, c).is(412)
	}
}

// Between the look at If-Match and the change, somebody else changes the key.
func TestSomebodyIsFaster(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		headers []string
		holds   bool
	}{
		{nil, true},
		{[]string{`If-Match: *`}, true},
		{[]string{`If-Match: "1"`}, false},
		{[]string{`If-Match: "1", "2"`}, false}, // it was 1 that matched
	} {
		for _, c := range []call{
			{method: "PATCH", body: `{"expires_at":"2999-01-01T00:00:00Z"}`},
			{method: "POST", below: "/rotate"},
			{method: "DELETE"},
			{method: "DELETE", below: "?descendants=true"},
		} {
			w := newWorld(t)
			root := w.root(t)
			k := w.issue(t, apikey.Spec{}, "users.view")
			actor, err := w.keys.ActorOf(t.Context(), root.id)
			require.NoError(t, err)
			w.setActor(t, actor)
			w.store.afterGet = func() {
				_, err := w.keys.Update(t.Context(), k.id, 1, func(s *apikey.Spec) { s.Name = "faster" })
				require.NoError(t, err)
			}
			c.below, c.headers = "/"+k.id+c.below, test.headers
			a := w.do(t, root, c)
			require.Equal(t, "faster", w.stored(t, k.id).Name, "nothing is lost")
			if test.holds {
				require.Less(t, a.status, 300, a.body)
				require.Equal(t, int64(3), w.stored(t, k.id).Version)
				continue
			}
			a.is(412)
			require.Equal(t, int64(2), w.stored(t, k.id).Version)
		}
	}
}

func TestConcurrentPatches(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root(t)
	k := w.issue(t, apikey.Spec{Name: "before"}, "users.view")
	fields := []string{"name", "permissions", "allowed_ips", "expires_at"}
	body := func(i int) string {
		return []string{
			fmt.Sprintf(`{"name":"name %d"}`, i),
			fmt.Sprintf(`{"permissions":[%s]}`, []string{`"users.view"`, `"users.create"`, `"invoices.view"`, ``}[i/4%4]),
			fmt.Sprintf(`{"allowed_ips":["192.0.2.%d"]}`, i),
			fmt.Sprintf(`{"expires_at":"20%d-01-01T00:00:00Z"}`, 40+i/4),
		}[i%4]
	}
	answers := make([]answer, 100)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() { answers[i] = w.patch(t, root, k.id, body(i)) })
	}
	all.Wait()

	// Each version is one acknowledged change of one field on top of the one
	// before. Some change nothing: then they show a version of somebody else.
	byVersion := map[int]map[string]any{1: nil}
	for i, a := range answers {
		var want map[string]any
		require.NoError(t, json.Unmarshal([]byte(body(i)), &want))
		for field, value := range want {
			require.Equal(t, value, a.is(200).data()[field], "what was acknowledged is there")
		}
		tag, err := strconv.Unquote(a.header.Get("ETag"))
		require.NoError(t, err)
		version, err := strconv.Atoi(tag)
		require.NoError(t, err)
		if other := byVersion[version]; other != nil {
			require.Equal(t, other, a.data(), "one version, one key")
		}
		byVersion[version] = a.data()
	}
	last := len(byVersion)
	require.Equal(t, int64(last), w.stored(t, k.id).Version, "every version was acknowledged")
	for version := 3; version <= last; version++ {
		require.Contains(t, byVersion, version)
		var changed []string
		for field := range byVersion[version] {
			if fmt.Sprint(byVersion[version-1][field]) != fmt.Sprint(byVersion[version][field]) {
				changed = append(changed, field)
			}
		}
		require.Len(t, changed, 1, "version %d", version)
		require.True(t, slices.Contains(fields, changed[0]))
	}
	require.Equal(t, byVersion[last], w.get(t, root, "/"+k.id).data())
	require.Len(t, w.events, last+1, "root, the key, and each of its changes")
}

func TestConcurrentRotations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root(t)
	k := w.issue(t, apikey.Spec{}, "users.view")
	answers := make([]answer, 100)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() {
			answers[i] = w.do(t, root, call{method: "POST", below: "/" + k.id + "/rotate", headers: []string{`If-Match: "1"`}})
		})
	}
	all.Wait()
	won := 0
	for _, a := range answers {
		if a.status == 200 {
			won++
			_, err := w.keys.Verify(t.Context(), a.key().token)
			require.NoError(t, err)
			continue
		}
		a.is(412)
	}
	require.Equal(t, 1, won)
	require.Equal(t, int64(2), w.stored(t, k.id).Version)
}
