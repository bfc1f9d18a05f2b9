package scope_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/scope"
)

// malformed returns texts that no one may be granted.
func malformed() []string {
	texts := []string{
		"", ".", "..", "a.", ".a", "a..b", "a.b.", ".a.b", "a...b",
		" ", " a", "a ", "a. b", "a b", "a\tb", "a\n", "a\x00", "\x00", "a\x00.b",
		"a/b", "a:b", "a,b", "a+b", "a%2eb", "a\\b", "a@b", "a`b", "a[b", "a{b", "a~b", "a;b", `a"b`,
		"us\u0131ers.view", "caf\u00e9.view", "cafe\u0301.view", "users\u200b.view", "\ufeffusers.view",
		"\uff55sers.view", "us\u0435rs.view", "users\u3002view", "\xff", "a.\x80", "a.b\xc3",
		strings.Repeat("x", 65), "a." + strings.Repeat("x", 65), strings.Repeat("x", 65) + ".a",
		strings.Repeat("x", 256), strings.Repeat("x.", 150) + "x", strings.Repeat("x", 100_000),
		strings.Repeat("x", 64) + strings.Repeat(".x", 96),
	}
	for b := range 256 {
		if c := string([]byte{byte(b)}); !isPermission("a" + c + "b") {
			texts = append(texts, "a"+c+"b", c, "a."+c, c+".a", "a.b"+c)
		}
	}
	return texts
}

func TestValidPermission(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a", "profile", "users.view", "users.viewAny", "admin.ticket_messages.view", "a-b.c_d.0", "-", "_._", strings.Repeat("x", 64)} {
		require.True(t, scope.ValidPermission(name), "%q", name)
	}
	for _, name := range append(malformed(), "*", "users.*", "*.view", "a.*.c", "users.v*") {
		require.False(t, isPermission(name), "the test is wrong about %q", name)
		require.False(t, scope.ValidPermission(name), "%q", name)
	}
}

func TestParseSetRefuses(t *testing.T) {
	t.Parallel()
	refuse := func(text, reason string) {
		t.Helper()
		set, err := scope.ParseSet("users.view", text)
		require.True(t, set.IsEmpty(), "the good half of a list is no set")
		var fault *scope.GrantError
		require.ErrorAs(t, err, &fault)
		require.Equal(t, scope.GrantError{Index: 1, Text: text, Reason: reason}, *fault)
		require.ErrorContains(t, err, "scope: grant 1 (")
	}
	const (
		dot   = "a dot must stand between two segments"
		whole = "a '*' must be a whole segment"
	)
	refuse("", "empty")
	refuse(".", dot)
	refuse("..", dot)
	refuse("a..b", dot)
	refuse(".a", dot)
	refuse("a.", dot)
	refuse("*.", dot)
	refuse("**", whole)
	refuse("admin.**", whole)
	refuse("users.v*", whole)
	refuse("*users.view", whole)
	refuse("users.*x.view", whole)
	refuse(strings.Repeat("x", 64)+"*", whole)
	refuse(" users.view", `' ' is not an ASCII letter, digit, '_' or '-'`)
	refuse("users.view ", `' ' is not an ASCII letter, digit, '_' or '-'`)
	refuse("users.view\n", `'\n' is not an ASCII letter, digit, '_' or '-'`)
	refuse("us\u0131ers", `'\u0131' is not an ASCII letter, digit, '_' or '-'`)
	refuse("cafe\u0301", `'\u0301' is not an ASCII letter, digit, '_' or '-'`)
	refuse("users\u200b", `'\u200b' is not an ASCII letter, digit, '_' or '-'`)
	refuse("a.\xff", `'\ufffd' is not an ASCII letter, digit, '_' or '-'`)
	refuse("unkey:v1", `':' is not an ASCII letter, digit, '_' or '-'`)
	refuse(strings.Repeat("x", 65), "segment longer than 64 bytes")
	refuse(strings.Repeat("x.", 128), "longer than 255 bytes")

	for _, text := range malformed() {
		_, err := scope.ParseSet(text)
		require.Equal(t, isGrant(text), err == nil, "%q", text)
	}
}

func TestParseSetNamesEveryBadEntry(t *testing.T) {
	t.Parallel()
	_, err := scope.ParseSet("users.view", "users.v*", "a..b", "*", strings.Repeat("é", 1000))
	require.EqualError(t, err, `scope: grant 1 ("users.v*"): a '*' must be a whole segment`+"\n"+
		`scope: grant 2 ("a..b"): a dot must stand between two segments`+"\n"+
		`scope: grant 4 (`+strconv.QuoteToASCII(strings.Repeat("é", 40))+`...): longer than 255 bytes`)
}

func TestParseSetLimit(t *testing.T) {
	t.Parallel()
	grants := make([]string, 256)
	for i := range grants {
		grants[i] = fmt.Sprintf("p%03d", i)
	}
	set, err := scope.ParseSet(grants...)
	require.NoError(t, err)
	require.Equal(t, 256, set.Len())
	require.Equal(t, grants, set.Strings())

	_, err = scope.ParseSet(append(grants, grants[0])...)
	require.EqualError(t, err, "scope: more than 256 grants")
}

func TestMustParseSet(t *testing.T) {
	t.Parallel()
	require.True(t, scope.MustParseSet("users.*").Allows("users.view"))
	require.PanicsWithError(t, `scope: grant 0 ("users.v*"): a '*' must be a whole segment`, func() { scope.MustParseSet("users.v*") })
}

func TestParseScope(t *testing.T) {
	t.Parallel()
	accept := func(text string, want ...string) {
		t.Helper()
		set, err := scope.ParseScope(text)
		require.NoError(t, err)
		require.Equal(t, append([]string{}, want...), set.Strings())
	}
	refuse := func(text, want string) {
		t.Helper()
		set, err := scope.ParseScope(text)
		require.EqualError(t, err, want)
		require.True(t, set.IsEmpty())
	}
	accept("")
	accept("profile", "profile")
	accept("profile invoices", "invoices", "profile")
	accept("b a b", "a", "b")
	accept(strings.TrimSpace(strings.Repeat("a ", 256)), "a")
	refuse("*", `scope: grant 0 ("*"): a scope cannot have a '*'`)
	refuse("profile users.* **", `scope: grant 1 ("users.*"): a scope cannot have a '*'`+"\n"+`scope: grant 2 ("**"): a scope cannot have a '*'`)
	refuse(" ", `scope: grant 0 (""): empty`+"\n"+`scope: grant 1 (""): empty`)
	refuse(" profile", `scope: grant 0 (""): empty`)
	refuse("profile ", `scope: grant 1 (""): empty`)
	refuse("profile  invoices", `scope: grant 1 (""): empty`)
	refuse("profile\tinvoices", `scope: grant 0 ("profile\tinvoices"): '\t' is not an ASCII letter, digit, '_' or '-'`)
	refuse("profile,invoices", `scope: grant 0 ("profile,invoices"): ',' is not an ASCII letter, digit, '_' or '-'`)
	refuse(strings.Repeat("a ", 256)+"a", "scope: more than 256 grants")
	refuse(strings.Repeat(" ", 1<<20), "scope: more than 256 grants")
}
