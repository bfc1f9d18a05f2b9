package scope_test

import (
	"encoding"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/scope"
)

var (
	_ encoding.TextMarshaler   = scope.Set{}
	_ encoding.TextUnmarshaler = (*scope.Set)(nil)
	_ json.Marshaler           = scope.Set{}
	_ json.Unmarshaler         = (*scope.Set)(nil)
)

func TestJSON(t *testing.T) {
	t.Parallel()
	roundTrip := func(given, canonical string) {
		t.Helper()
		var set scope.Set
		require.NoError(t, json.Unmarshal([]byte(given), &set))
		encoded, err := json.Marshal(set)
		require.NoError(t, err)
		require.Equal(t, canonical, string(encoded))
	}
	roundTrip(`[]`, `[]`)
	roundTrip(` [ ] `, `[]`)
	roundTrip(`["users.view"]`, `["users.view"]`)
	roundTrip(`["users.*", "*", "a.b", "a.b"]`, `["*","a.b","users.*"]`)
	roundTrip(`["\u0061"]`, `["a"]`)

	encoded, err := json.Marshal(struct{ A, B scope.Set }{B: scope.MustParseSet("a")})
	require.NoError(t, err)
	require.JSONEq(t, `{"A":[],"B":["a"]}`, string(encoded))
}

func TestUnmarshalJSONRefuses(t *testing.T) {
	t.Parallel()
	refuse := func(given, want string) {
		t.Helper()
		set := scope.MustParseSet("before")
		require.EqualError(t, set.UnmarshalJSON([]byte(given)), want)
		require.Equal(t, "before", set.String(), "an error changes nothing")
	}
	refuse(`null`, `scope: null is not an array of strings`)
	refuse(`"users.view"`, `scope: json: cannot unmarshal string into Go value of type []json.RawMessage`)
	refuse(`{"users.view":true}`, `scope: json: cannot unmarshal object into Go value of type []json.RawMessage`)
	refuse(`true`, `scope: json: cannot unmarshal bool into Go value of type []json.RawMessage`)
	refuse(`[`, `scope: unexpected end of JSON input`)
	refuse(`["a", null, 1, ["b"]]`, `scope: grant 1 ("null"): not a string`+"\n"+
		`scope: grant 2 ("1"): not a string`+"\n"+`scope: grant 3 ("[\"b\"]"): not a string`)
	refuse(`[""]`, `scope: grant 0 (""): empty`)
	refuse(`["a", "users.v*"]`, `scope: grant 1 ("users.v*"): a '*' must be a whole segment`)
	refuse(`["a b"]`, `scope: grant 0 ("a b"): ' ' is not an ASCII letter, digit, '_' or '-'`)
	refuse("[\"\xff\"]", `scope: grant 0 ("\ufffd"): '\ufffd' is not an ASCII letter, digit, '_' or '-'`)
	refuse(`["a"`+strings.Repeat(`,"a"`, 256)+`]`, `scope: more than 256 grants`)

	// Inside other values, null is no less an error.
	var v struct{ Permissions scope.Set }
	require.Error(t, json.Unmarshal([]byte(`{"Permissions":null}`), &v))
}

func TestText(t *testing.T) {
	t.Parallel()
	for given, canonical := range map[string]string{"": "", "a": "a", "users.* a *": "* a users.*"} {
		var set scope.Set
		require.NoError(t, set.UnmarshalText([]byte(given)))
		text, err := set.MarshalText()
		require.NoError(t, err)
		require.Equal(t, canonical, string(text))
	}
	for given, want := range map[string]string{
		" ":                       `scope: grant 0 (""): empty` + "\n" + `scope: grant 1 (""): empty`,
		"a  b":                    `scope: grant 1 (""): empty`,
		"a\n":                     `scope: grant 0 ("a\n"): '\n' is not an ASCII letter, digit, '_' or '-'`,
		strings.Repeat("a ", 256): `scope: more than 256 grants`,
	} {
		set := scope.MustParseSet("before")
		require.EqualError(t, set.UnmarshalText([]byte(given)), want)
		require.Equal(t, "before", set.String(), "an error changes nothing")
	}
}
