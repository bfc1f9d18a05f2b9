package scope_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/scope"
)

func TestAllowsMatrix(t *testing.T) {
	t.Parallel()
	// A line says which names the grant covers.
	const matrix = `
	|                  | users | users.view | users.viewAny | users.notes.view | usersx.view | view | a.b.c | a.c | a.b.b.c |
	| users            |   x   |            |               |                  |             |      |       |     |         |
	| users.view       |       |     x      |               |                  |             |      |       |     |         |
	| users.viewAny    |       |            |       x       |                  |             |      |       |     |         |
	| Users.view       |       |            |               |                  |             |      |       |     |         |
	| users.*          |       |     x      |       x       |        x         |             |      |       |     |         |
	| users.*.*        |       |            |               |        x         |             |      |       |     |         |
	| users.*.view     |       |            |               |        x         |             |      |       |     |         |
	| users.notes.*    |       |            |               |        x         |             |      |       |     |         |
	| *                |   x   |     x      |       x       |        x         |      x      |  x   |   x   |  x  |    x    |
	| *.*              |       |     x      |       x       |        x         |      x      |      |   x   |  x  |    x    |
	| *.view           |       |     x      |               |                  |      x      |      |       |     |         |
	| *.*.view         |       |            |               |        x         |             |      |       |     |         |
	| *.notes.*        |       |            |               |        x         |             |      |       |     |         |
	| a.*.c            |       |            |               |                  |             |      |   x   |     |         |
	| a.*              |       |            |               |                  |             |      |   x   |  x  |    x    |
	| a.b.*            |       |            |               |                  |             |      |   x   |     |    x    |
	| a.b.c.*          |       |            |               |                  |             |      |       |     |         |
	| *.b.c            |       |            |               |                  |             |      |   x   |     |         |
	| *.b.*.c          |       |            |               |                  |             |      |       |     |    x    |
	| a.*.*.c          |       |            |               |                  |             |      |       |     |    x    |`

	cells := func(line string) []string {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		return cells
	}
	lines := strings.Split(strings.TrimSpace(matrix), "\n")
	names := cells(lines[0])
	for _, line := range lines[1:] {
		row := cells(line)
		set := scope.MustParseSet(row[0])
		crowd := scope.MustParseSet(row[0], "zz.top", "zz.*.top", "zz.top.*")
		for i, name := range names[1:] {
			want := row[i+1] == "x"
			require.Equal(t, want, set.Allows(name), "%s: %s", row[0], name)
			require.Equal(t, want, crowd.Allows(name), "%s among others: %s", row[0], name)
		}
	}
}

func TestAllows(t *testing.T) {
	t.Parallel()
	allow := func(grants, permission string) {
		t.Helper()
		require.True(t, parse(t, grants).Allows(permission), "%q must allow %q", grants, permission)
	}
	deny := func(grants, permission string) {
		t.Helper()
		require.False(t, parse(t, grants).Allows(permission), "%q must not allow %q", grants, permission)
	}

	// No grants, no permission.
	deny("", "users.view")
	deny("", "")

	// Segments are compared whole, and as they are written.
	allow("users.view orders.view", "orders.view")
	deny("users.view", "users.viewAny")
	deny("users.view", "users.view_all")
	deny("users.view", "users.view.own")
	deny("users.view", "users.vie")
	deny("users.*", "usersx.view")
	deny("admin.*", "administrator.x")
	deny("root.sys", "root.sysadmin")
	deny("users.view", "Users.View")
	deny("users.*", "USERS.view")

	// A star covers one segment, the last one any number, none of them no segment.
	deny("users.*", "users")
	allow("users.*", "users.notes.view")
	deny("*.view", "users.notes.view")
	deny("*.view", "view")

	// Sets are unions: another grant never takes anything away.
	allow("a.b a.*", "a.b")
	allow("a.*.c a.b", "a.b")
	allow("*.b.c a.*.c", "z.b.c")
	allow("*.b.c a.*.c", "a.z.c")
	deny("*.b.c a.*.c", "z.z.c")
	deny("a.b *.c", "a.c.b")
	deny("a.*.x b.*.y", "a.q.y") // halves of two grants are not one

	// What is asked for is a permission: the grants themselves are not.
	for _, ask := range []string{"*", "**", "users.*", "*.view", "users.v*", "users.**"} {
		deny("*", ask)
		deny("users.* *.view *.*", ask)
	}

	// Malformed names are not even covered by "*".
	for _, ask := range malformed() {
		for _, grants := range []string{"*", "*.*", "a.* *.b *.*.b *.*.*", "a *.a", "a a.b"} {
			deny(grants, ask)
		}
	}
	longest := strings.Repeat(strings.Repeat("x", 64)+".", 3) + strings.Repeat("x", 60)
	allow("*", longest)
	allow(longest, longest)
	allow(longest+" a.*", longest)
	allow("*.*.*.*", longest)
	deny("*", longest+"x")
	deny(longest+" *", longest+"x")
	allow("*", strings.Repeat("x.", 127)+"x")
	deny("*", strings.Repeat("x.", 128))
}

// Two segments that differ in a single byte, wherever it is, are different.
func TestEveryByteCounts(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 64; n++ {
		word := strings.Repeat("m", n)
		set := scope.MustParseSet(word+".*", "*."+word, "a.*."+word, "b."+word+".b")
		for i := range n {
			for _, c := range []string{"l", "n", "M", "-", "Mm", "", "\x00", "m\x00", "\xed"} {
				other := word[:i] + c + word[i+1:]
				require.Equal(t, []string{other + ".a", "a." + other, "a.b." + other, "b." + other + ".b"},
					set.Missing(word+".a", other+".a", "a."+other, "a."+word, "a.b."+word, "a.b."+other, "b."+word+".b", "b."+other+".b"))
			}
		}
	}
}

// Wherever a byte stands in what a star takes, it is looked at.
func TestStarsTakeWhatIsWellFormed(t *testing.T) {
	t.Parallel()
	grants := []string{"*.b", "a.*", "c.*.d"}
	set := scope.MustParseSet(grants...)
	for n := range 20 {
		for i := range n {
			for b := range 256 {
				word := strings.Repeat("m", i) + string([]byte{byte(b)}) + strings.Repeat("m", n-1-i)
				for _, name := range []string{word + ".b", "a." + word, "a.b." + word, "a." + word + ".b", "c." + word + ".d"} {
					if set.Allows(name) != slowAllows(grants, name) {
						t.Fatalf("%q: %t", name, set.Allows(name))
					}
				}
			}
		}
	}
}

func TestMissing(t *testing.T) {
	t.Parallel()
	set := scope.MustParseSet("users.*", "orders.view")
	require.Nil(t, set.Missing())
	require.Nil(t, set.Missing("orders.view", "users.view"))
	require.Equal(t, []string{"tickets.view", "orders.delete"}, set.Missing("tickets.view", "users.view", "orders.delete"))
	require.Equal(t, []string{"*", "", "a..b"}, set.Missing("*", "", "a..b"))
	require.Equal(t, []string{"a", "a"}, scope.Set{}.Missing("a", "a"))
}

func TestZeroSet(t *testing.T) {
	t.Parallel()
	var zero scope.Set
	parsed, err := scope.ParseSet()
	require.NoError(t, err)
	for _, s := range []scope.Set{zero, parsed} {
		require.False(t, s.Allows("a"))
		require.True(t, s.IsEmpty())
		require.False(t, s.HasStars())
		require.Zero(t, s.Len())
		require.True(t, s.Equal(zero))
		require.Equal(t, []string{}, s.Strings())
		require.Empty(t, s.String())
	}
}

func TestHasStars(t *testing.T) {
	t.Parallel()
	many := make([]string, 100)
	for i := range many {
		many[i] = fmt.Sprintf("a%d.view", i)
	}
	for _, grants := range [][]string{{"a"}, {"a.b", "c"}, many} {
		require.False(t, scope.MustParseSet(grants...).HasStars())
		for _, star := range []string{"*", "a.*", "*.view", "a.*.b"} {
			require.True(t, scope.MustParseSet(append(slices.Clone(grants), star)...).HasStars())
		}
	}
}

func TestSetIsCanonical(t *testing.T) {
	t.Parallel()
	given := []string{"users.view", "*", "orders.*", "users.view", "Users.view"}
	set := scope.MustParseSet(given...)
	require.Equal(t, "users.view", given[0], "the caller's slice is left alone")
	require.Equal(t, []string{"*", "Users.view", "orders.*", "users.view"}, set.Strings())
	require.Equal(t, "* Users.view orders.* users.view", set.String())
	require.Equal(t, 4, set.Len())
	require.False(t, set.IsEmpty())
	require.True(t, set.HasStars())

	set.Strings()[0] = "changed"
	require.True(t, set.Equal(scope.MustParseSet(set.Strings()...)))
	require.Equal(t, set, scope.MustParseSet("users.view", "orders.*", "Users.view", "*"), "require.Equal and reflect.DeepEqual work")
}

func TestEqual(t *testing.T) {
	t.Parallel()
	differ := func(a, b string) {
		t.Helper()
		require.False(t, parse(t, a).Equal(parse(t, b)))
		require.NotEqual(t, parse(t, a).String(), parse(t, b).String())
	}
	differ("", "a")
	differ("a.b c", "a b.c")
	differ("a b", "a.b")
	differ("*", "* a")
	differ("a", "A")
}

func TestSetType(t *testing.T) {
	t.Parallel()
	typ := reflect.TypeFor[scope.Set]()
	require.False(t, typ.Comparable(), "== would compare pointers")
	require.Equal(t, reflect.TypeFor[*int]().Size(), typ.Size())
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	set, other := scope.MustParseSet("users.*", "*.view", "a.b"), scope.MustParseSet("users.view")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				_ = set.Allows("orders.view") && set.Covers(other) && set.Intersect(other).Equal(other)
				_ = append(set.Strings(), set.Missing("x")...)
			}
		})
	}
	wg.Wait()
}

func TestNoAllocations(t *testing.T) { // not parallel: AllocsPerRun must not be
	long := strings.Repeat("x", 20)
	set := scope.MustParseSet("a.b", "users.*", "*.view", "a.*.c", long+".*", "b.*."+long)
	exact := scope.MustParseSet("a.b", "users.view")
	none := func(what string, f func()) {
		t.Helper()
		require.Zero(t, testing.AllocsPerRun(100, f), what)
	}
	none("Allows", func() {
		for _, name := range []string{"a.b", "users.x.y", "b.view", "a.b.c", "nope", "*", "", long + ".x", "b.b." + long} {
			set.Allows(name)
			exact.Allows(name)
		}
	})
	none("Missing", func() { set.Missing("a.b", "users.view") })
	none("Covers", func() { set.Covers(exact) })
	none("Excess", func() { set.Excess(exact) })
	none("ValidPermission", func() { _ = scope.ValidPermission("users.view") })
}

func parse(t testing.TB, text string) scope.Set {
	t.Helper()
	set, err := scope.ParseSet(strings.Fields(text)...)
	require.NoError(t, err)
	return set
}
