package keyapi_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
)

func TestLifeOfAKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root(t)
	expiry := in(time.Hour)

	created := w.post(t, root, "", `{"name":"CI <b>","type":"admin","permissions":["users.view","invoices.*","users.view"],
		"allowed_ips":["10.0.0.0/9","10.128.0.0/9","2001:db8::1"],"expires_at":"`+rfc3339(expiry)+`"}`).is(201)
	k := created.key()
	require.Equal(t, mount+"/"+k.id, created.header.Get("Location"))
	require.Equal(t, `"1"`, created.header.Get("ETag"))
	require.True(t, w.keys.Recognize(k.token))
	stored := w.stored(t, k.id)
	require.Equal(t, map[string]any{
		"id": k.id, "name": "CI <b>", "type": "admin", "hint": k.token[:len("paym_")+4],
		"permissions": []any{"invoices.*", "users.view"},
		"allowed_ips": []any{"10.0.0.0/8", "2001:db8::1"},
		"enabled":     true, "state": "active",
		"created_at": rfc3339(stored.CreatedAt), "expires_at": rfc3339(expiry),
		"last_used_at": nil, "last_used_ip": nil, "created_by": apikey.KeyActorID(root.id),
	}, created.data())
	require.NotContains(t, created.body, "<b>", "it is safe where somebody takes it for HTML")

	read := w.get(t, root, "/"+k.id).is(200)
	require.Equal(t, created.data(), read.data())
	require.Equal(t, `"1"`, read.header.Get("ETag"))

	changed := w.patch(t, root, k.id, `{"name":"CI 2","permissions":[],"allowed_ips":null,"expires_at":null}`).is(200)
	require.Equal(t, `"2"`, changed.header.Get("ETag"))
	want := created.data()
	want["name"], want["permissions"], want["allowed_ips"], want["expires_at"] = "CI 2", []any{}, nil, nil
	require.Equal(t, want, changed.data())

	disabled := w.patch(t, root, k.id, `{"enabled":false}`).is(200)
	require.Equal(t, false, disabled.data()["enabled"])
	require.Equal(t, "disabled", disabled.data()["state"])
	_, err := w.keys.Verify(t.Context(), k.token)
	require.ErrorIs(t, err, apikey.ErrDisabled)
	w.patch(t, root, k.id, `{"enabled":true}`).is(200)
	_, err = w.keys.Verify(t.Context(), k.token)
	require.NoError(t, err)

	rotated := w.post(t, root, "/"+k.id+"/rotate", `{"overlap_seconds":3600}`).is(200)
	require.Equal(t, `"5"`, rotated.header.Get("ETag"))
	require.Equal(t, k.id, rotated.key().id)
	fresh := rotated.key().token
	require.Equal(t, fresh[:len("paym_")+4], rotated.data()["hint"])
	for _, token := range []string{k.token, fresh} {
		_, err = w.keys.Verify(t.Context(), token)
		require.NoError(t, err)
	}

	gone := w.delete(t, root, "/"+k.id).is(204)
	require.Empty(t, gone.header.Get("ETag"))
	w.delete(t, root, "/"+k.id).is(204)
	for _, token := range []string{k.token, fresh} {
		_, err = w.keys.Verify(t.Context(), token)
		require.ErrorIs(t, err, apikey.ErrRevoked)
	}
	require.Equal(t, "revoked", w.get(t, root, "/"+k.id).is(200).data()["state"])

	events, ok := w.get(t, root, "/"+k.id+"/activity").is(200).data()["events"].([]any)
	require.True(t, ok)
	var kinds []string
	for _, e := range events {
		event, ok := e.(map[string]any)
		require.True(t, ok)
		require.ElementsMatch(t, []string{"id", "kind", "at", "actor", "changes"}, slices.Collect(maps.Keys(event)))
		require.Equal(t, apikey.KeyActorID(root.id), event["actor"])
		kind, _ := event["kind"].(string)
		kinds = append(kinds, kind)
	}
	require.Equal(t, []string{"revoked", "rotated", "enabled", "disabled", "updated", "created"}, kinds)
}

func TestNothingComesBackFromRevoked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root(t)
	k := w.issue(t, apikey.Spec{}, "users.view")
	w.delete(t, root, "/"+k.id).is(204)
	for _, body := range []string{`{"enabled":true}`, `{"enabled":false}`, `{"name":"again"}`, `{}`, `{"bogus":1}`} {
		w.patch(t, root, k.id, body).is(409)
	}
	w.post(t, root, "/"+k.id+"/rotate", "").is(409)
	require.Equal(t, int64(2), w.stored(t, k.id).Version)
}

func TestCreateNeedsLittle(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root(t)
	for _, body := range []string{
		`{"name":"x","type":"admin","permissions":[]}`,
		`{"name":"x","type":"admin","permissions":[],"allowed_ips":null,"expires_at":null}`,
	} {
		data := w.post(t, root, "", body).is(201).data()
		require.Nil(t, data["allowed_ips"])
		require.Nil(t, data["expires_at"])
		require.Equal(t, []any{}, data["permissions"])
		require.Equal(t, true, data["enabled"])
	}
}

// What one answer shows can be sent with the next request.
func TestWhatIsShownCanBePostedBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root(t)
	k := w.post(t, root, "", `{"name":"x","type":"admin","permissions":["*.view","users.*"],"expires_at":"2999-12-31T23:59:59.123456+02:00",
		"allowed_ips":["10.0.0.0/8","10.1.2.3","192.0.2.1-192.0.2.9","::ffff:192.0.2.77","2001:DB8::/32"]}`).is(201)
	var fields []string
	for _, name := range []string{"name", "type", "permissions", "allowed_ips", "expires_at", "enabled"} {
		_, member, _ := strings.Cut(k.body, `"`+name+`":`)
		end := strings.IndexAny(member, "],}")
		if member[0] == '[' {
			end = strings.IndexByte(member, ']') + 1
		}
		fields = append(fields, `"`+name+`":`+member[:end])
	}
	back := w.patch(t, root, k.key().id, "{"+strings.Join(fields, ",")+"}").is(200)
	require.Equal(t, k.data(), back.data())
	require.Equal(t, `"1"`, back.header.Get("ETag"), "nothing has changed")
	require.Equal(t, "2999-12-31T21:59:59.123456Z", back.data()["expires_at"])
}

func TestPatchOfNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root(t)
	a := w.patch(t, root, root.id, `{}`).is(200)
	require.Equal(t, `"1"`, a.header.Get("ETag"))
	require.Len(t, w.events, 1, "only that it was created")
}

func TestStateIsJudgedNow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		root := w.root(t)
		k := w.issue(t, apikey.Spec{ExpiresAt: time.Now().Add(time.Minute)}, "users.view")
		one := func() (state any, listed int) {
			shown, ok := w.get(t, root, "?state=expired").is(200).object()["data"].([]any)
			require.True(t, ok)
			return w.get(t, root, "/"+k.id).is(200).data()["state"], len(shown)
		}
		state, listed := one()
		require.Equal(t, "active", state)
		require.Zero(t, listed)
		time.Sleep(time.Minute)
		state, listed = one()
		require.Equal(t, "expired", state)
		require.Equal(t, 1, listed)

		// An expired key is not revived by a new secret, but by a new expiry.
		w.post(t, root, "/"+k.id+"/rotate", "").is(409)
		require.Contains(t, w.patch(t, root, k.id, `{"expires_at":"`+rfc3339(time.Now().Add(-time.Second))+`"}`).errors(), "expires_at")
		require.Equal(t, "expired", w.patch(t, root, k.id, `{"name":"still over"}`).is(200).data()["state"])
		require.Equal(t, "active", w.patch(t, root, k.id, `{"expires_at":null}`).is(200).data()["state"])

		w.patch(t, root, k.id, `{"enabled":false,"expires_at":"`+rfc3339(time.Now().Add(time.Second))+`"}`).is(200)
		time.Sleep(time.Hour)
		state, _ = one()
		require.Equal(t, "disabled", state, "the stronger state is told")
	})
}

func TestRotateOverlap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		root := w.root(t)
		for _, test := range []struct {
			body    string
			overlap time.Duration
		}{
			{"", 0},
			{"{}", 0},
			{`{"overlap_seconds":0}`, 0},
			{`{"overlap_seconds": 60 }`, time.Minute},
			{`{"overlap_seconds":604800}`, 7 * 24 * time.Hour},
		} {
			k := w.issue(t, apikey.Spec{}, "users.view")
			w.post(t, root, "/"+k.id+"/rotate", test.body).is(200)
			if test.overlap > 0 {
				time.Sleep(test.overlap - time.Second)
				_, err := w.keys.Verify(t.Context(), k.token)
				require.NoError(t, err)
				time.Sleep(time.Second)
			}
			_, err := w.keys.Verify(t.Context(), k.token)
			require.ErrorIs(t, err, apikey.ErrInvalid, test.body)
		}
	})
}

func TestRotateRefusesOtherOverlaps(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root(t)
	k := w.issue(t, apikey.Spec{}, "users.view")
	for _, value := range []string{
		"604801", "-1", "-0", "1.5", "1.0", "1e3", "1e18", "1000000000000000000", "18446744073709551615", "18446744073709551616",
		"9223372036854775808", "1e400", `"3600"`, "null", "true", "[]", "{}",
	} {
		wrong := w.post(t, root, "/"+k.id+"/rotate", `{"overlap_seconds":`+value+`}`).errors()
		require.Equal(t, map[string][]string{"overlap_seconds": {"must be a whole number from 0 to 604800"}}, wrong, value)
	}
	wrong := w.post(t, root, "/"+k.id+"/rotate", `{"overlap":1,"Overlap_seconds":1,"overlap_seconds":-1}`).errors()
	require.Len(t, wrong, 3)
	w.post(t, root, "/"+k.id+"/rotate", " ").is(400)
	w.post(t, root, "/"+k.id+"/rotate", "[]").is(400)
	require.Equal(t, int64(1), w.stored(t, k.id).Version)
}

func TestDeleteDescendants(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		query string
		child apikey.State
	}{
		{"", apikey.StateActive},
		{"?descendants=false", apikey.StateActive},
		{"?descendants=true", apikey.StateRevoked},
	} {
		w := newWorld(t)
		root := w.root(t)
		parent := w.issue(t, apikey.Spec{}, "api_keys.*", "users.*")
		child := w.post(t, parent, "", `{"name":"child","type":"admin","permissions":["api_keys.create"]}`).is(201).key()
		grandchild := w.post(t, child, "", `{"name":"grandchild","type":"admin","permissions":[]}`).is(201).key()
		w.delete(t, root, "/"+parent.id+test.query).is(204)
		w.delete(t, root, "/"+parent.id+test.query).is(204)
		require.Equal(t, apikey.StateRevoked, w.stored(t, parent.id).State(time.Now()))
		require.Equal(t, test.child, w.stored(t, child.id).State(time.Now()))
		require.Equal(t, test.child, w.stored(t, grandchild.id).State(time.Now()))
	}

	w := newWorld(t)
	root := w.root(t)
	k := w.issue(t, apikey.Spec{}, "users.view")
	for _, query := range []string{"descendants", "descendants=", "descendants=1", "descendants=TRUE", "descendants=true&descendants=true", "descendants=%zz", "a;b"} {
		w.delete(t, root, "/"+k.id+"?"+query).is(400)
	}
	require.Equal(t, int64(1), w.stored(t, k.id).Version)
}
