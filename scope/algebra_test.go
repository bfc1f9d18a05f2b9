package scope_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/scope"
)

func TestCovers(t *testing.T) {
	t.Parallel()
	yes := func(s, other string) {
		t.Helper()
		require.True(t, parse(t, s).Covers(parse(t, other)), "%q must cover %q", s, other)
		require.Nil(t, parse(t, s).Excess(parse(t, other)))
	}
	no := func(s, other string, excess ...string) {
		t.Helper()
		require.False(t, parse(t, s).Covers(parse(t, other)), "%q must not cover %q", s, other)
		require.Equal(t, excess, parse(t, s).Excess(parse(t, other)))
	}
	yes("", "")
	yes("a", "")
	no("", "a", "a")
	no("", "b * a", "*", "a", "b")

	yes("a b", "a")
	yes("a b", "b a")
	no("a", "c a b", "b", "c")
	no("a.b", "a", "a")
	no("a", "a.b", "a.b")
	no("users.view", "users.viewAny", "users.viewAny")

	yes("*", "*")
	yes("*", "a.*.c *.b a *.*")
	yes("a.*", "a.b a.* a.*.c a.*.* a.b.*")
	no("a.*", "a *.b *", "*", "*.b", "a")
	yes("*.b", "a.b *.b")
	no("*.b", "*.* a.* a.c.b", "*.*", "a.*", "a.c.b")
	yes("a.*.c", "a.b.c a.*.c")
	no("a.*.c", "a.* a.*.* a.c", "a.*", "a.*.*", "a.c")
	yes("*.*", "a.* a.b.* *.b *.*.*")
	no("*.*", "* a", "*", "a")
	no("a.b.*", "a.*", "a.*")
	no("users.*", "api_keys.create users.delete", "api_keys.create")

	// One grant covers another alone: that two do it together is not found out.
	no("a *.*", "*", "*")
}

// Each pair of small grants: Covers must be the inclusion of what they allow,
// and Intersect must allow what both allow.
func TestEveryPairOfGrants(t *testing.T) {
	t.Parallel()
	names := everyName()
	grants := combine([]string{words[0], words[2], "*"}, 3)
	sets, allows := make([]scope.Set, len(grants)), make([][]string, len(grants))
	for i, g := range grants {
		sets[i] = scope.MustParseSet(g)
		allows[i] = allowed(sets[i], names)
	}
	for i, g := range grants {
		for j, h := range grants {
			both := sets[i].Intersect(sets[j])
			require.LessOrEqual(t, both.Len(), 1)
			require.Equal(t, shared(allows[i], allows[j]), allowed(both, names), "%s and %s: %s", g, h, both)
			require.Equal(t, len(shared(allows[i], allows[j])) == len(allows[j]), sets[i].Covers(sets[j]), "%s covers %s", g, h)
		}
	}
}

// shared returns the elements of a that are in b.
func shared(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(n string) bool { return !slices.Contains(b, n) })
}

func TestIntersect(t *testing.T) {
	t.Parallel()
	both := func(s, other, want string) {
		t.Helper()
		a, b := parse(t, s), parse(t, other)
		require.Equal(t, want, a.Intersect(b).String())
		require.Equal(t, want, b.Intersect(a).String())
	}
	both("", "", "")
	both("", "*", "")
	both("a", "b", "")
	both("a", "a.b", "")
	both("a b c", "b c d", "b c")
	both("*", "a.b x.* *.y", "*.y a.b x.*")
	both("*", "*", "*")
	both("users.*", "users.view orders.view users", "users.view")
	both("users.*", "*.view", "users.view")
	both("users.*", "*.*.view", "users.*.view")
	both("users.*", "*.*", "users.*")
	both("users.*.*", "users.*", "users.*.*")
	both("a.*", "a.b.*", "a.b.*")
	both("a.*.c", "*.b.*", "a.b.c")
	both("a.*.c", "*.b", "")
	both("a.*.*", "*.b", "")
	both("a.*.c.*", "*.b.*", "a.b.c.*")
	both("a.* b.*", "*.x *.y", "a.x a.y b.x b.y")
	both("* a.b", "* a.b", "* a.b")
	both("a.*.x a.*", "a.b.* *.x", "a.b.* a.b.x a.x")
}

func TestIntersectTooLong(t *testing.T) {
	t.Parallel()
	word := strings.Repeat("x", 64)
	a := scope.MustParseSet(word + "." + word + ".*.*")
	b := scope.MustParseSet("*.*." + word + "." + word)
	require.True(t, a.Intersect(b).IsEmpty(), "259 bytes: no permission is that long")
	b = scope.MustParseSet("*.*." + word + "." + word[:60])
	require.Equal(t, []string{word + "." + word + "." + word + "." + word[:60]}, a.Intersect(b).Strings())
}

func TestLargeSets(t *testing.T) {
	t.Parallel()
	var left, right []string
	for i := range 256 {
		left = append(left, fmt.Sprintf("l%d.*.x", i))
		right = append(right, fmt.Sprintf("*.r%d.*", i))
	}
	a, b := scope.MustParseSet(left...), scope.MustParseSet(right...)
	for i := range 256 {
		require.True(t, a.Allows(fmt.Sprintf("l%d.y.x", i)))
		require.False(t, a.Allows(fmt.Sprintf("l%d.y.y", i)))
		require.False(t, a.Allows(fmt.Sprintf("l%d.x", i)))
	}
	require.True(t, a.Covers(a))
	require.Len(t, a.Excess(b), 256)

	both := a.Intersect(b)
	require.Equal(t, 256*256, both.Len())
	require.True(t, both.Allows("l0.r0.x"))
	require.True(t, both.Allows("l255.r255.x"))
	require.False(t, both.Allows("l255.r256.x"))
	require.True(t, a.Covers(both))
	require.True(t, b.Covers(both))

	// Exact grants beside so many stars that they have a map of their own.
	many := scope.MustParseSet(append(left[:100], "l0.y.z", "users.view")...)
	require.True(t, many.Allows("l0.y.z"))
	require.True(t, many.Allows("l99.y.x"))
	require.False(t, many.Allows("l100.y.x"))
	require.False(t, many.Allows("l0.é.x"))
	require.True(t, scope.MustParseSet(append(left[:100], "zzz.*")...).Allows("zzz.y"))
	require.False(t, scope.MustParseSet(append(left[:100], "*")...).Allows("zzz..y"))
}

// A matcher that tried one star after the other would not come back from this.
func TestStarsDoNotMultiplyWork(t *testing.T) {
	t.Parallel()
	set := hostileSet()
	require.Equal(t, 256, set.Len())
	require.False(t, set.Allows(strings.Repeat("a.", 127)+"a"))
	require.False(t, set.Allows(strings.Repeat("a.", 127)+"b"))
	require.True(t, set.Covers(set))
}

// hostileSet returns grants that all agree with "a.a.a..." to the end.
func hostileSet() scope.Set {
	var grants []string
	for i := range 256 {
		segments := strings.Split(strings.Repeat("a.", 127)+"z", ".")
		for bit := range 8 {
			if i>>bit&1 != 0 {
				segments[bit*15] = "*"
			}
		}
		segments[126] = "*"
		grants = append(grants, strings.Join(segments, "."))
	}
	return scope.MustParseSet(grants...)
}
