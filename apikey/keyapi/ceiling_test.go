package keyapi_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/scope"
)

// Nobody makes a key of more than the own one has, nor makes more of the own.
func TestCeiling(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	expiry := in(time.Hour)
	caller := w.issue(t, apikey.Spec{Name: "caller", AllowedIPs: list(t, "10.0.0.0/8"), ExpiresAt: expiry}, "api_keys.create", "api_keys.update", "api_keys.view", "users.view")
	const (
		fits  = `"permissions":["users.view"]`
		typed = `"type":"admin"`
		from  = `"allowed_ips":["10.1.0.0/16"]`
	)
	until := `"expires_at":"` + rfc3339(expiry) + `"`
	w.post(t, caller, "", `{"name":"child",`+strings.Join([]string{fits, typed, from, until}, ",")+`}`).is(201)
	for _, test := range []struct {
		members []string // of a new key
		change  string   // of the caller itself
		exceeds map[string][]string
	}{
		{[]string{`"permissions":["users.view","users.delete"]`, typed, from, until}, `{"permissions":["users.delete"]}`, map[string][]string{"permissions": {"users.delete"}}},
		{[]string{`"permissions":["*"]`, typed, from, until}, `{"permissions":["*"]}`, map[string][]string{"permissions": {"*"}}},
		{[]string{`"permissions":["users.*","api_keys.*"]`, typed, from, until}, `{"permissions":["users.*","api_keys.*"]}`, map[string][]string{"permissions": {"api_keys.*", "users.*"}}},
		{[]string{fits, `"type":"client"`, from, until}, `{"type":"client"}`, map[string][]string{"type": {"client"}}},
		{[]string{fits, typed, from}, `{"expires_at":null}`, map[string][]string{"expires_at": {"never"}}},
		{[]string{fits, typed, from, `"expires_at":"2999-01-01T00:00:00Z"`}, `{"expires_at":"2999-01-01T00:00:00Z"}`, map[string][]string{"expires_at": {"2999-01-01T00:00:00Z"}}},
		{[]string{fits, typed, until}, `{"allowed_ips":null}`, map[string][]string{"allowed_ips": {"any"}}},
		{[]string{fits, typed, until, `"allowed_ips":["10.1.2.3","192.0.2.1"]`}, `{"allowed_ips":["10.1.2.3","192.0.2.1"]}`, map[string][]string{"allowed_ips": {"192.0.2.1"}}},
		{[]string{`"permissions":["users.delete"]`, `"type":"client"`}, `{"permissions":["users.delete"],"type":"client","expires_at":null,"allowed_ips":null}`, map[string][]string{
			"permissions": {"users.delete"}, "type": {"client"}, "expires_at": {"never"}, "allowed_ips": {"any"},
		}},
	} {
		a := w.post(t, caller, "", `{"name":"child",`+strings.Join(test.members, ",")+`}`)
		require.Equal(t, test.exceeds, a.exceeds())
		for _, values := range test.exceeds {
			require.Contains(t, a.object()["message"], values[0])
		}
		require.Equal(t, test.exceeds, w.patch(t, caller, caller.id, test.change).exceeds())
		require.Equal(t, int64(1), w.stored(t, caller.id).Version)
	}
}

// A key whose time is over is given a new one by whoever may change it, and only
// within what they have themselves.
func TestRevival(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		k := w.issue(t, apikey.Spec{ExpiresAt: time.Now().Add(time.Minute)}, "users.view")
		end := time.Now().Add(time.Hour)
		caller := func(name string, grants ...string) key {
			return w.issue(t, apikey.Spec{Name: name, ExpiresAt: end}, append(grants, "users.view")...)
		}
		looks, rotates, changes := caller("looks", "api_keys.view"), caller("rotates", "api_keys.rotate"), caller("changes", "api_keys.update")
		weak := w.issue(t, apikey.Spec{Name: "weak", ExpiresAt: end}, "api_keys.update", "api_keys.view")
		time.Sleep(time.Minute)
		until := func(at time.Time) string { return `{"expires_at":"` + rfc3339(at) + `"}` }
		over := func() {
			t.Helper()
			_, err := w.keys.Verify(t.Context(), k.token)
			require.ErrorIs(t, err, apikey.ErrExpired)
		}
		w.patch(t, looks, k.id, until(end)).is(403)
		w.patch(t, rotates, k.id, until(end)).is(403)
		w.post(t, rotates, "/"+k.id+"/rotate", `{"overlap_seconds":60}`).is(409)
		require.Equal(t, map[string][]string{"permissions": {"users.view"}}, w.patch(t, weak, k.id, until(end)).exceeds())
		require.Contains(t, w.patch(t, changes, k.id, until(end.Add(time.Second))).exceeds(), "expires_at")
		require.Contains(t, w.patch(t, changes, k.id, `{"expires_at":null}`).exceeds(), "expires_at")
		w.patch(t, changes, k.id, `{"enabled":true,"name":"still over"}`).is(200)
		over()
		require.Equal(t, "active", w.patch(t, changes, k.id, until(end)).is(200).data()["state"])
		_, err := w.keys.Verify(t.Context(), k.token)
		require.NoError(t, err)
		last := w.events[len(w.events)-1]
		require.Equal(t, apikey.KeyActorID(changes.id), last.Actor)
		require.Equal(t, "expires_at", last.Changes[0].Field)

		require.NoError(t, w.keys.Revoke(t.Context(), k.id, apikey.RevokeOptions{}))
		w.patch(t, changes, k.id, until(end)).is(409)
	})
}

// What exceeds the caller cannot be touched by it, except that revoke_any
// switches it off, which "api_keys.*" includes.
func TestRevokeAny(t *testing.T) {
	t.Parallel()
	const byName = "api_keys.view api_keys.create api_keys.update api_keys.rotate api_keys.delete"
	for _, grants := range []string{byName, byName + " api_keys.revoke_any", "api_keys.*"} {
		w := newWorld(t)
		strong := w.issue(t, apikey.Spec{Name: "strong"}, "users.*")
		caller := w.issue(t, apikey.Spec{Name: "caller"}, strings.Fields(grants)...)
		w.get(t, caller, "/"+strong.id).is(200)
		for _, body := range []string{
			`{"name":"mine"}`, `{"enabled":false,"name":"mine"}`, `{"permissions":[]}`, `{"permissions":["users.view"]}`, `{"expires_at":"2999-01-01T00:00:00Z"}`,
		} {
			require.Equal(t, map[string][]string{"permissions": {"users.*"}}, w.patch(t, caller, strong.id, body).exceeds(), body)
		}
		w.post(t, caller, "/"+strong.id+"/rotate", "").exceeds()
		if grants == byName {
			w.patch(t, caller, strong.id, `{}`).exceeds()
			w.patch(t, caller, strong.id, `{"enabled":false}`).exceeds()
			w.delete(t, caller, "/"+strong.id).exceeds()
			w.delete(t, caller, "/"+strong.id+"?descendants=true").exceeds()
			require.Equal(t, int64(1), w.stored(t, strong.id).Version)
			continue
		}
		w.patch(t, caller, strong.id, `{"enabled":false}`).is(200)
		w.patch(t, caller, strong.id, `{"enabled":true}`).exceeds()
		w.patch(t, caller, strong.id, `{"enabled":false}`).is(200)
		w.delete(t, caller, "/"+strong.id).is(204)
		w.delete(t, caller, "/"+strong.id).is(204)
	}
}

// A descendant that is out of reach is named, and nothing is revoked.
func TestDescendantsOutOfReach(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root(t)
	caller := w.issue(t, apikey.Spec{}, "api_keys.delete", "api_keys.create", "api_keys.view")
	parent := w.issue(t, apikey.Spec{}, "api_keys.create")
	child := w.post(t, parent, "", `{"name":"child","type":"admin","permissions":[]}`).is(201).key()
	w.patch(t, root, child.id, `{"permissions":["users.view"]}`).is(200)
	a := w.delete(t, caller, "/"+parent.id+"?descendants=true")
	require.Equal(t, map[string][]string{"permissions": {"users.view"}}, a.exceeds())
	require.Contains(t, a.object()["message"], child.id)
	require.Equal(t, int64(1), w.stored(t, parent.id).Version)
}

// Of keys that the caller may not view, nothing is named: not what they hold,
// and not which ones there are.
func TestExcessOfAKeyThatTheCallerMayNotView(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	caller := w.issue(t, apikey.Spec{}, "api_keys.update", "api_keys.rotate", "api_keys.delete", "users.view")
	strong := w.issue(t, apikey.Spec{}, "invoices.view")
	parent := w.issue(t, apikey.Spec{}, "api_keys.create")
	w.patch(t, w.root(t), caller.id, `{"permissions":["api_keys.update","api_keys.rotate","api_keys.delete","api_keys.create","users.view"]}`).is(200)
	child := w.post(t, parent, "", `{"name":"child","type":"admin","permissions":[]}`).is(201).key()
	w.patch(t, w.root(t), child.id, `{"permissions":["invoices.view"]}`).is(200)
	for _, a := range []answer{
		w.patch(t, caller, strong.id, `{"name":"mine"}`),
		w.patch(t, caller, strong.id, `{"name":""}`), // and not what is wrong with that
		w.post(t, caller, "/"+strong.id+"/rotate", ""),
		w.delete(t, caller, "/"+strong.id),
		w.delete(t, caller, "/"+parent.id+"?descendants=true"),
	} {
		a.is(403)
		require.Equal(t, "exceeds_ceiling", a.object()["error"])
		require.NotContains(t, a.object(), "exceeds")
		for _, secret := range []string{"invoices", strong.id, child.id} {
			require.NotContains(t, a.body, secret)
		}
	}
	// What the caller itself asks for is no news.
	within := w.issue(t, apikey.Spec{}, "users.view")
	a := w.patch(t, caller, within.id, `{"permissions":["invoices.view"]}`)
	require.Equal(t, map[string][]string{"permissions": {"invoices.view"}}, a.exceeds())
}

// A delegate tries by whatever calls it can think of to hold, or to hand out,
// more than it had.
func TestNoSequenceOfCallsEscalates(t *testing.T) {
	t.Parallel()
	const sequences, length = 40, 150
	done := map[string]int{}
	for seed := range uint64(sequences) {
		t.Logf("seed %d", seed)
		runEscalation(t, seed, length, done)
	}
	for _, what := range []string{"POST 201", "POST 200", "PATCH 200", "DELETE 204", "POST 403", "PATCH 403", "POST 422", "PATCH 409"} {
		require.Positive(t, done[what], "%s never happened: the test proves nothing: %v", what, done)
	}
}

func runEscalation(t *testing.T, seed uint64, length int, done map[string]int) {
	t.Helper()
	w := newWorld(t)
	random := rand.New(rand.NewPCG(seed, 1))
	pick := func(choices ...string) string { return choices[random.IntN(len(choices))] }

	expiry := in(time.Hour)
	bound := apikey.Spec{Name: "delegate", ExpiresAt: expiry, AllowedIPs: list(t, "10.0.0.0/8")}
	if seed%2 == 0 {
		bound.Owner = "us"
	}
	delegate := w.issue(t, bound, "api_keys.*", "users.view", "invoices.*")
	ceiling := apikey.Ceiling{
		Permissions: scope.MustParseSet("api_keys.*", "users.view", "invoices.*"), Types: []string{"admin"},
		ExpiresAt: expiry, AllowedIPs: bound.AllowedIPs, Owner: bound.Owner,
	}
	// What was there before: some within reach, some beyond.
	others := map[string]apikey.Key{}
	for i, grants := range [][]string{{"*"}, {"users.*"}, {"users.view"}, {"invoices.view"}, {"api_keys.*"}, {"users.view"}} {
		spec := apikey.Spec{Name: fmt.Sprintf("other %d", i), Owner: "us"}
		switch {
		case i == 5:
			spec.Owner = "them"
		case i > 2:
			spec.ExpiresAt, spec.AllowedIPs = expiry, list(t, "10.1.0.0/16")
		}
		k := w.issue(t, spec, grants...)
		others[k.id] = w.stored(t, k.id)
	}
	ids := []string{delegate.id}
	for id := range others {
		ids = append(ids, id)
	}
	held := []key{delegate}

	body := func() string {
		members := []string{
			`"name":"mine"`,
			`"type":"` + pick("admin", "admin", "admin", "client", "root") + `"`,
			`"permissions":[` + pick("", `"users.view"`, `"invoices.*"`, `"api_keys.*"`, `"api_keys.*","users.view"`, `"*"`, `"users.*"`, `"users.delete"`, `"*.view"`) + `]`,
			`"allowed_ips":` + pick(`["10.0.0.0/8"]`, `["10.1.0.0/16"]`, `["10.1.0.0/16"]`, `null`, `["192.0.2.1"]`, `["10.0.0.0/7"]`, `[]`),
			`"expires_at":"` + rfc3339(expiry.Add(time.Duration(random.IntN(4)-2)*time.Minute)) + `"`,
		}
		if random.IntN(8) == 0 {
			members[4] = `"expires_at":null`
		}
		if random.IntN(3) == 0 {
			members = append(members, `"enabled":`+pick("true", "false"))
		}
		if random.IntN(20) == 0 {
			members = append(members, pick(`"owner":"them"`, `"id":"`+delegate.id+`"`, `"created_by":"operator"`, `"version":1`, `"revoked_at":null`))
		}
		var chosen []string
		keep := random.IntN(10) // 0 to 2 keeps them all
		for _, m := range members {
			if keep < 3 || random.IntN(keep) == 0 {
				chosen = append(chosen, m)
			}
		}
		return "{" + strings.Join(chosen, ",") + "}"
	}
	for range length {
		as := held[random.IntN(len(held))]
		target := pick(ids...)
		if target == delegate.id && random.IntN(4) > 0 {
			target = pick(ids...) // do not saw off the own branch at once
		}
		var c call
		switch random.IntN(7) {
		case 0, 1:
			c = call{method: "POST", body: body()}
		case 2, 3:
			c = call{method: "PATCH", below: "/" + target, body: body()}
		case 4:
			c = call{method: "PATCH", below: "/" + target, body: pick(`{"enabled":true}`, `{"enabled":true}`, `{"enabled":false}`, `{}`)}
		case 5:
			c = call{method: "POST", below: "/" + target + "/rotate", body: pick("", `{"overlap_seconds":60}`, `{"overlap_seconds":604800}`)}
		default:
			c = call{method: "DELETE", below: "/" + target + pick("", "?descendants=true", "?descendants=false")}
			if target == delegate.id {
				c = call{method: "GET", below: "/" + target}
			}
		}
		if random.IntN(5) == 0 {
			c.headers = []string{"If-Match: " + pick("*", `"1"`, `"2"`, `"1","2","3","4"`)}
		}
		a := w.do(t, as, c)
		done[fmt.Sprint(c.method, " ", a.status)]++
		if strings.Contains(a.body, `"token"`) {
			held = append(held, a.key())
			if c.below == "" {
				ids = append(ids, a.key().id)
			}
			w.within(t, ceiling, a.key().id)
		}
		if a.status == 200 && c.method == "PATCH" {
			if other, was := others[target]; !was || fits(ceiling, other) {
				w.within(t, ceiling, target)
			}
		}
	}

	for _, k := range held {
		if v, err := w.keys.Verify(t.Context(), k.token); err == nil {
			w.within(t, ceiling, v.Key().ID)
		}
	}
	keys, err := w.keys.List(t.Context(), apikey.Query{Limit: 1000})
	require.NoError(t, err)
	for _, k := range keys.Keys {
		before, was := others[k.ID]
		if !was || fits(ceiling, before) {
			require.True(t, fits(ceiling, k), "key %s", k.ID)
			continue
		}
		// Beyond the ceiling, all that can have been done is to end it.
		k.Enabled, k.RevokedAt, k.UpdatedAt, k.Version = before.Enabled, before.RevokedAt, before.UpdatedAt, before.Version
		require.Equal(t, before, k)
		if ceiling.Owner != "" && before.Owner != ceiling.Owner {
			require.Equal(t, before, w.stored(t, k.ID), "keys of others do not exist")
		}
	}
}

// within checks that a key has nothing that the ceiling has not.
func (w *world) within(t testing.TB, ceiling apikey.Ceiling, id string) {
	t.Helper()
	require.True(t, fits(ceiling, w.stored(t, id)), "key %s: %+v", id, w.stored(t, id))
}

// fits is what apikey.Ceiling promises, said once more in other words.
func fits(c apikey.Ceiling, k apikey.Key) bool {
	return c.Permissions.Covers(k.Permissions) && k.Type == c.Types[0] && (c.Owner == "" || k.Owner == c.Owner) &&
		!k.ExpiresAt.IsZero() && !k.ExpiresAt.After(c.ExpiresAt) && k.AllowedIPs != nil && c.AllowedIPs.Covers(*k.AllowedIPs)
}
