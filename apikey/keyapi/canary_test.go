package keyapi_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
)

// The secret is in the answer that makes it and
// nowhere else, and what is stored instead of it is nowhere at all.
func TestSecretsAreShownOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root(t)
	created := w.post(t, root, "", `{"name":"canary","type":"admin","permissions":["users.view"]}`).is(201)
	k := created.key()
	rotated := w.post(t, root, "/"+k.id+"/rotate", `{"overlap_seconds":60}`).is(200)
	secrets := []string{root.token, k.token, rotated.key().token}
	for _, a := range []answer{created, rotated} {
		require.Equal(t, 1, strings.Count(a.body, a.key().token))
		require.NotContains(t, fmt.Sprint(a.header), a.key().token)
	}

	var seen []string
	keep := func(a answer) { seen = append(seen, a.body, fmt.Sprint(a.header)) }
	for _, c := range []call{
		{method: "GET"},
		{method: "GET", below: "?limit=1"},
		{method: "GET", below: "?q=" + k.token},
		{method: "GET", below: "?state=" + k.token},
		{method: "GET", below: "/" + k.id},
		{method: "GET", below: "/" + k.id + "/activity"},
		{method: "GET", below: "/" + k.token},
		{method: "GET", below: "/" + k.token + "/activity"},
		{method: "PUT", below: "/" + k.id},
		{method: "PATCH", below: "/" + k.id, body: `{"name":"canary 2"}`},
		{method: "PATCH", below: "/" + k.id, body: `{"name":""}`},
		{method: "PATCH", below: "/" + k.id, body: `{"name":"x"`},
		{method: "PATCH", below: "/" + k.id, body: `{}`, headers: []string{`If-Match: "1"`}},
		{method: "POST", below: "/" + k.id + "/rotate", body: `{"overlap_seconds":-1}`},
		{method: "DELETE", below: "/" + k.id},
		{method: "POST", below: "/" + k.id + "/rotate"},
	} {
		keep(w.do(t, root, c))
	}
	keep(w.get(t, key{token: rotated.key().token}, ""))
	w.store.fail(errors.New(storeTrouble))
	keep(w.post(t, root, "", `{"name":"canary","type":"admin","permissions":["users.view"]}`))
	w.store.fail(errors.New(storeTrouble), "update", "create")
	keep(w.post(t, root, "", `{"name":"canary","type":"admin","permissions":["users.view"]}`))
	keep(w.patch(t, root, root.id, `{"name":"other"}`))
	w.store.fail(nil)

	events, err := json.Marshal(w.events)
	require.NoError(t, err)
	stored, err := w.store.Events(t.Context(), k.id, apikey.Page{Limit: 100})
	require.NoError(t, err)
	require.NotEmpty(t, w.logs.String())
	seen = append(seen, w.logs.String(), string(events), fmt.Sprintf("%+v", stored))
	for _, text := range seen {
		for _, secret := range secrets {
			sum := sha256.Sum256([]byte(secret))
			// Hint and prefix may be seen; what follows them may not.
			require.NotContains(t, text, secret[len("paym_")+4:])
			require.NotContains(t, strings.ToLower(text), hex.EncodeToString(sum[:4]))
		}
	}
}
