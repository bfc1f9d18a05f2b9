package scope_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/scope"
)

// The parsers accept what the grammar says, and what they accept survives
// every way of writing it down.
func FuzzParseSet(f *testing.F) {
	for _, seed := range append(malformed(), "", "*", "users.*", "users.view orders.*.view", "a a", "a  b", "**", "users.v*", "[]", "null", `["a",null]`, `["a.*", "b"]`) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		entries := strings.Split(text, " ")
		set, err := scope.ParseSet(entries...)
		require.Equal(t, len(entries) <= 256 && !slices.ContainsFunc(entries, func(e string) bool { return !isGrant(e) }), err == nil)
		require.Equal(t, isPermission(text), scope.ValidPermission(text))

		var fromText scope.Set
		textErr := fromText.UnmarshalText([]byte(text))
		require.Equal(t, text == "" || err == nil, textErr == nil)
		fromScope, scopeErr := scope.ParseScope(text)
		require.Equal(t, textErr == nil && !strings.Contains(text, "*"), scopeErr == nil)
		if scopeErr == nil {
			require.True(t, fromScope.Equal(fromText))
		}
		var fromBytes scope.Set
		if fromBytes.UnmarshalJSON([]byte(text)) == nil {
			var list []string
			require.NoError(t, json.Unmarshal([]byte(text), &list))
			require.NotNil(t, list)
			require.True(t, fromBytes.Equal(scope.MustParseSet(list...)))
		}
		if err != nil {
			require.True(t, set.IsEmpty())
			return
		}
		require.True(t, fromText.Equal(set))
		require.True(t, slices.IsSorted(set.Strings()))
		require.Equal(t, slices.Compact(slices.Sorted(slices.Values(entries))), set.Strings())

		again, err := scope.ParseSet(set.Strings()...)
		require.NoError(t, err)
		require.True(t, again.Equal(set))

		encoded, err := json.Marshal(set)
		require.NoError(t, err)
		var fromJSON scope.Set
		require.NoError(t, json.Unmarshal(encoded, &fromJSON))
		require.True(t, fromJSON.Equal(set))

		written, err := set.MarshalText()
		require.NoError(t, err)
		require.NoError(t, fromText.UnmarshalText(written))
		require.True(t, fromText.Equal(set))
	})
}

// Allows agrees with its slow twin, and one more grant never means one name
// less.
func FuzzAllows(f *testing.F) {
	f.Add([]byte("\x01\x02\x00\x03\x06"), "a.b", "users.* *.view", "users.view")
	f.Add([]byte("\x06\x00\x04\x05"), "a..b", "*", "users..view")
	f.Add([]byte("\x04\x06\x02\x00\x05\x06"), "of-sixteen-bytes.a.a", "of-sixteen-bytes.*.x *", "of-seventeen-byte.\xff")
	names := everyName()
	f.Fuzz(func(t *testing.T, data []byte, ask, text, askToo string) {
		made := someGrants(data)
		written := slices.DeleteFunc(strings.Fields(text), func(g string) bool { return !isGrant(g) })
		for _, grants := range [][]string{made, written[:min(len(written), 256)]} {
			set := scope.MustParseSet(grants...)
			less := scope.MustParseSet(grants[:len(grants)/2]...)
			asked := slices.Concat([]string{ask, askToo}, grants)
			for i := len(data) % 16; i < len(names); i += 16 { // all would be slow
				asked = append(asked, names[i])
			}
			for _, name := range asked {
				if set.Allows(name) != slowAllows(grants, name) {
					t.Fatalf("%q: %q: %t", set, name, set.Allows(name))
				}
				if less.Allows(name) && !set.Allows(name) {
					t.Fatalf("%q allows %q, %q does not", less, name, set)
				}
			}
		}
	})
}

// If a set covers another, it allows what the other allows, and what it has
// over the excess is covered.
func FuzzCovers(f *testing.F) {
	f.Add([]byte("\x06"), []byte("\x01\x02"))
	f.Add([]byte("\x02\x06\x00\x03\x06"), []byte("\x02\x02\x00\x03\x03\x06"))
	f.Add([]byte("\x02\x06\x04"), []byte("\x06\x04\x00\x05"))
	names := everyName()
	f.Fuzz(func(t *testing.T, left, right []byte) {
		s, other := scope.MustParseSet(someGrants(left)...), scope.MustParseSet(someGrants(right)...)
		require.True(t, s.Covers(s))
		var excess []string
		for _, h := range other.Strings() {
			if !slices.ContainsFunc(s.Strings(), func(g string) bool {
				return slowCovers(strings.Split(g, "."), strings.Split(h, "."))
			}) {
				excess = append(excess, h)
			}
		}
		require.Equal(t, excess, s.Excess(other), "%q over %q", other, s)
		require.Equal(t, excess == nil, s.Covers(other), "%q covers %q", s, other)
		if excess == nil {
			require.Empty(t, s.Missing(allowed(other, names)...), "%q covers %q", s, other)
		}
	})
}

// The intersection allows what both sets allow, no more and no less.
func FuzzIntersect(f *testing.F) {
	f.Add([]byte("\x06"), []byte("\x01\x02"))
	f.Add([]byte("\x02\x06\x02\x06"), []byte("\x06\x03\x06"))
	f.Add([]byte("\x02\x06\x04\x00\x06\x05"), []byte("\x06\x04\x00\x05\x06"))
	f.Add([]byte("22X\x000A"), []byte("0\x0020")) // they cover each other
	names := everyName()
	f.Fuzz(func(t *testing.T, left, right []byte) {
		s, other := scope.MustParseSet(someGrants(left)...), scope.MustParseSet(someGrants(right)...)
		both := s.Intersect(other)
		require.True(t, both.Equal(other.Intersect(s)))
		require.True(t, s.Covers(both) && other.Covers(both), "%q and %q: %q", s, other, both)
		for _, name := range names {
			if both.Allows(name) != (s.Allows(name) && other.Allows(name)) {
				t.Fatalf("%q and %q: %q: %t", s, other, name, both.Allows(name))
			}
		}
	})
}
