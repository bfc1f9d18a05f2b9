package keyapi_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
)

func TestActivity(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root(t)
	k := w.post(t, root, "", `{"name":"before","type":"admin","permissions":["users.view"]}`).is(201).key()
	w.patch(t, root, k.id, `{"name":"after"}`).is(200)
	for i := range 120 {
		w.patch(t, root, k.id, `{"enabled":`+[]string{"false", "true"}[i%2]+`}`).is(200)
	}
	w.patch(t, root, k.id, `{"name":"in the end","allowed_ips":["192.0.2.1"]}`).is(200)
	data := w.get(t, root, "/"+k.id+"/activity").is(200).data()
	require.Len(t, data, 2)
	require.Equal(t, []any{}, data["days"])
	events, ok := data["events"].([]any)
	require.True(t, ok)
	require.Len(t, events, 100)
	newest, ok := events[0].(map[string]any)
	require.True(t, ok)
	require.Equal(t, "updated", newest["kind"])
	require.Equal(t, []any{
		map[string]any{"field": "name", "old": "after", "new": "in the end"},
		map[string]any{"field": "allowed_ips", "old": "", "new": "192.0.2.1"},
	}, newest["changes"])
	_, err := time.Parse(time.RFC3339, newest["at"].(string))
	require.NoError(t, err)
}

// uses records a request that was let through, and what else was counted.
func (w *world) uses(t testing.TB, k key, at time.Time, addr string, c apikey.Counts) {
	t.Helper()
	use := apikey.Use{KeyID: k.id, Day: apikey.Day{Date: at.Truncate(24 * time.Hour), Counts: c}, LastAt: at}
	if addr != "" {
		use.LastAddr = netip.MustParseAddr(addr)
	}
	require.NoError(t, w.store.Record(t.Context(), []apikey.Use{use}))
}

func TestDays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root(t)
	k := w.issue(t, apikey.Spec{}, "users.view")
	today := time.Now().UTC().Truncate(24 * time.Hour)
	for n := range 40 {
		if n != 1 {
			w.uses(t, k, today.AddDate(0, 0, -n), "", apikey.Counts{
				Allowed: int64(n), DeniedState: 1, DeniedAddress: 2, DeniedType: 3, DeniedPermission: 4, DeniedRequest: 5,
			})
		}
	}
	days, ok := w.get(t, root, "/"+k.id+"/activity").is(200).data()["days"].([]any)
	require.True(t, ok)
	require.Len(t, days, 29, "of 30 days there was one without any use")
	require.Equal(t, map[string]any{
		"date": today.AddDate(0, 0, -29).Format("2006-01-02"), "allowed": 29.0, "denied": 15.0,
		"denied_by": map[string]any{"state": 1.0, "address": 2.0, "type": 3.0, "permission": 4.0, "request": 5.0},
	}, days[0])
	last, ok := days[28].(map[string]any)
	require.True(t, ok)
	require.Equal(t, today.Format("2006-01-02"), last["date"])
	require.Equal(t, []any{}, w.get(t, root, "/"+root.id+"/activity").is(200).data()["days"])
	w.store.fail(errors.New(storeTrouble), "usage")
	w.get(t, root, "/"+k.id+"/activity").is(503)
}

// A page of keys is one question for their last uses.
func TestLastUses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root(t)
	at := time.Now().UTC().Truncate(time.Microsecond)
	var ids []string
	for i := range 10 {
		k := w.issue(t, apikey.Spec{Name: fmt.Sprint("key ", i)}, "users.view")
		w.uses(t, k, at.Add(time.Duration(i)*time.Second), fmt.Sprintf("192.0.2.%d", i), apikey.Counts{Allowed: 1})
		ids = append(ids, k.id)
	}
	unknown, never := w.issue(t, apikey.Spec{}, "users.view"), w.issue(t, apikey.Spec{}, "users.view")
	w.uses(t, unknown, at, "", apikey.Counts{Allowed: 1})

	before := w.store.lastUsed.Load()
	keys, ok := w.get(t, root, "?q=key").is(200).object()["data"].([]any)
	require.True(t, ok)
	require.Equal(t, before+1, w.store.lastUsed.Load())
	seen := 0
	for i, id := range ids {
		for _, shown := range keys {
			if k, _ := shown.(map[string]any); k["id"] == id {
				require.Equal(t, rfc3339(at.Add(time.Duration(i)*time.Second)), k["last_used_at"])
				require.Equal(t, fmt.Sprintf("192.0.2.%d", i), k["last_used_ip"])
				seen++
			}
		}
	}
	require.Equal(t, len(ids), seen)
	for id, want := range map[string][2]any{
		ids[3]: {rfc3339(at.Add(3 * time.Second)), "192.0.2.3"}, unknown.id: {rfc3339(at), nil}, never.id: {nil, nil},
	} {
		for _, a := range []answer{
			w.get(t, root, "/"+id), w.patch(t, root, id, `{"name":"again"}`), w.post(t, root, "/"+id+"/rotate", ""),
		} {
			data := a.is(200).data()
			require.Contains(t, data, "last_used_at")
			require.Contains(t, data, "last_used_ip")
			require.Equal(t, want[0], data["last_used_at"])
			require.Equal(t, want[1], data["last_used_ip"])
		}
	}
}

// Statistics that cannot be read keep nobody from managing keys, and are not
// taken for none.
func TestLastUsesThatAreNotKnown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root(t)
	k := w.issue(t, apikey.Spec{}, "users.view")
	w.store.fail(errors.New(storeTrouble), "last used", "usage")
	for _, a := range []answer{
		w.get(t, root, "/"+k.id), w.patch(t, root, k.id, `{"name":"again"}`),
		w.post(t, root, "/"+k.id+"/rotate", ""),
	} {
		data := a.is(200).data()
		require.NotContains(t, data, "last_used_at")
		require.NotContains(t, data, "last_used_ip")
		require.NotContains(t, a.body, "10.9.8.7")
	}
	require.NotEmpty(t, w.post(t, root, "/"+k.id+"/rotate", "").is(200).key().token, "the secret is not lost over it")
	require.NotEmpty(t, w.post(t, root, "", `{"name":"x","type":"admin","permissions":[]}`).is(201).key().token)
	keys, ok := w.get(t, root, "").is(200).object()["data"].([]any)
	require.True(t, ok)
	require.Len(t, keys, 3)
	require.NotContains(t, keys[0], "last_used_at")
	require.Equal(t, 6, strings.Count(w.logs.String(), storeTrouble), "and it is logged")
}
