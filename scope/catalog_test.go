package scope_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/scope"
)

func catalog(t testing.TB, names ...string) *scope.Catalog {
	t.Helper()
	var entries []scope.Permission
	for _, name := range names {
		entries = append(entries, scope.Permission{Name: name})
	}
	c, err := scope.NewCatalog(entries...)
	require.NoError(t, err)
	return c
}

func TestNewCatalogRefuses(t *testing.T) {
	t.Parallel()
	c, err := scope.NewCatalog(
		scope.Permission{Name: "users.view"}, scope.Permission{Name: "users.*"}, scope.Permission{Name: "a..b"},
		scope.Permission{Name: "users.view", Label: "Again"}, scope.Permission{Label: "No name"}, scope.Permission{Name: "users.v*"})
	require.Nil(t, c)
	require.EqualError(t, err, strings.Join([]string{
		`scope: catalog entry 1 ("users.*"): a permission cannot have a '*'`,
		`scope: catalog entry 2 ("a..b"): a dot must stand between two segments`,
		`scope: catalog entry 3 ("users.view"): listed twice`,
		`scope: catalog entry 4 (""): empty`,
		`scope: catalog entry 5 ("users.v*"): a '*' must be a whole segment`,
	}, "\n"))
}

func TestCatalogHas(t *testing.T) {
	t.Parallel()
	c := catalog(t, "users.view", "users.viewAny")
	require.True(t, c.Has("users.view"))
	for _, name := range []string{"", "users", "users.*", "*", "Users.view", "users.vie"} {
		require.False(t, c.Has(name), "%q", name)
	}
}

func TestCatalogValidate(t *testing.T) {
	t.Parallel()
	c := catalog(t, "users.view", "users.viewAny", "users.notes.view", "orders.view", "profile")
	accept := func(grants string) {
		t.Helper()
		require.NoError(t, c.Validate(parse(t, grants)))
	}
	refuse := func(grant, suggestion, want string) {
		t.Helper()
		err := c.Validate(scope.MustParseSet("users.view", grant))
		require.EqualError(t, err, want)
		var unknown *scope.UnknownError
		require.ErrorAs(t, err, &unknown)
		require.Equal(t, scope.UnknownError{Grant: grant, Suggestion: suggestion}, *unknown)
	}
	accept("")
	accept("users.view profile")
	accept("* users.* *.view users.notes.* *.notes.view *.*.* users.*.view")
	refuse("user.view", "users.view", `scope: unknown permission "user.view": did you mean "users.view"?`)
	refuse("Users.View", "users.view", `scope: unknown permission "Users.View": did you mean "users.view"?`)
	refuse("ghosts.view", "", `scope: unknown permission "ghosts.view"`)
	refuse("users", "", `scope: unknown permission "users"`)
	refuse("ghosts.*", "", `scope: no known permission is covered by "ghosts.*"`)
	refuse("profile.*", "", `scope: no known permission is covered by "profile.*"`)
	refuse("user.*", "users.*", `scope: no known permission is covered by "user.*": did you mean "users.*"?`)
	refuse("*.veiw", "*.view", `scope: no known permission is covered by "*.veiw": did you mean "*.view"?`)
	refuse("*.note.*", "*.notes.*", `scope: no known permission is covered by "*.note.*": did you mean "*.notes.*"?`)
	refuse("*.*.*.*", "", `scope: no known permission is covered by "*.*.*.*"`)

	err := c.Validate(scope.MustParseSet("b", "a", "users.view"))
	require.EqualError(t, err, `scope: unknown permission "a"`+"\n"+`scope: unknown permission "b"`)
}

func TestEmptyCatalogs(t *testing.T) {
	t.Parallel()
	for _, c := range []*scope.Catalog{nil, catalog(t)} {
		require.False(t, c.Has("a"))
		require.Empty(t, c.Groups())
		require.NoError(t, c.Validate(scope.Set{}))
		for _, grant := range []string{"a", "*", "a.*"} {
			var unknown *scope.UnknownError
			require.ErrorAs(t, c.Validate(scope.MustParseSet(grant)), &unknown)
			require.Equal(t, scope.UnknownError{Grant: grant}, *unknown)
		}
		_, ok := c.Suggest("a")
		require.False(t, ok)
	}
}

func TestSuggest(t *testing.T) {
	t.Parallel()
	c := catalog(t, "users.view", "users.create", "tickets.view", "ticket_messages.view", "api", "b1", "b2", "zone-a", "zone-b", "admin.notes.view")
	suggest := func(name, want string) {
		t.Helper()
		got, ok := c.Suggest(name)
		require.Equal(t, want, got)
		require.Equal(t, want != "", ok)
	}
	suggest("users.view", "users.view")
	suggest("user.view", "users.view")
	suggest("userss.view", "users.view")
	suggest("users.veiw", "users.view")
	suggest("users:view", "users.view")
	suggest("USERS.VIEW", "users.view")
	suggest("usersview", "users.view")
	suggest(" users.view", "users.view")
	suggest("users.crate", "users.create")
	suggest("userscreates", "users.create")
	suggest("tcket_mesages.veiw", "ticket_messages.view")
	suggest("tcket_mesages.veww.", "")
	suggest("users.list", "")
	suggest("API", "api")
	suggest("apis", "api")
	suggest("ap", "") // too short for a mistake
	suggest("zone-c", "zone-a")
	suggest("b3", "")
	suggest("", "")
	suggest("user.*", "users.*")
	suggest("users.*", "users.*")
	suggest("users.v*", "")
	suggest("suers.*", "users.*")
	suggest("*.veiw", "*.view")
	suggest("adminn.*", "admin.*")                 // a last star takes the rest
	suggest("adminn.*.view", "admin.*.view")       // one inside takes one segment
	suggest("adminn.*.*", "admin.*.*")             // whatever is there
	suggest("adminn.*.*.*", "")                    // and nothing that is not
	suggest("adminn.*.export", "")                 // too many mistakes
	suggest("admin.notes.vew", "admin.notes.view") // no star, no such freedom
	suggest(strings.Repeat("x", 1_000_000), "")

	// The order of the entries does not matter.
	name, ok := catalog(t, "zone-b", "zone-a", "zone-d").Suggest("zone-c")
	require.True(t, ok)
	require.Equal(t, "zone-a", name)
}

// Suggest against the textbook: the distance with neighbours swapped, filled in
// as a table.
func TestSuggestTwin(t *testing.T) {
	t.Parallel()
	distance := func(a, b string) int {
		d := make([][]int, len(a)+1)
		for i := range d {
			d[i] = make([]int, len(b)+1)
			d[i][0] = i
		}
		for j := range d[0] {
			d[0][j] = j
		}
		for i := 1; i <= len(a); i++ {
			for j := 1; j <= len(b); j++ {
				wrong := 1
				if a[i-1] == b[j-1] {
					wrong = 0
				}
				d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+wrong)
				if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
					d[i][j] = min(d[i][j], d[i-2][j-2]+1)
				}
			}
		}
		return d[len(a)][len(b)]
	}
	r := rand.New(rand.NewPCG(1, 2))
	word := func() string {
		letters := make([]byte, 1+r.IntN(14))
		for i := range letters {
			letters[i] = "abAB"[r.IntN(4)]
		}
		return string(letters)
	}
	garbled := func(s string) string {
		for range r.IntN(5) {
			i := r.IntN(len(s))
			switch r.IntN(4) {
			case 0:
				s = s[:i] + word()[:1] + s[i:]
			case 1:
				s = s[:i] + word()[:1] + s[i+1:]
			case 2:
				s = s[:i] + s[min(i+2, len(s)):] + s[i:min(i+1, len(s))]
			default:
				s = s[:i] + s[min(i+1, len(s)-1):]
			}
		}
		return s
	}
	found := 0
	for range 20_000 {
		one, two := word(), word()
		asked := garbled(one)
		if one == two {
			continue
		}
		want, best := "", min(3, len(asked)/4)
		for _, name := range []string{one, two} {
			n := distance(strings.ToLower(asked), strings.ToLower(name))
			if name == asked {
				n = -1
			}
			if n < best || (n == best && (want == "" || name < want)) {
				want, best = name, n
			}
		}
		got, ok := catalog(t, one, two).Suggest(asked)
		require.Equal(t, want, got, "%s of %s and %s", asked, one, two)
		require.Equal(t, want != "", ok)
		if ok {
			found++
		}
	}
	require.Greater(t, found, 5_000)
}

func TestGroupsAndLabels(t *testing.T) {
	t.Parallel()
	c, err := scope.NewCatalog(
		scope.Permission{Name: "users.view"},
		scope.Permission{Name: "profile", Label: "View your profile"},
		scope.Permission{Name: "users.viewAny", Label: "View every user"},
		scope.Permission{Name: "tickets.view", Group: "Support", Label: "Read tickets"},
		scope.Permission{Name: "ticket_messages.view", Group: "Support"},
	)
	require.NoError(t, err)
	want := []scope.Group{
		{Name: "users", Permissions: []scope.Permission{
			{Name: "users.view", Group: "users", Label: "View users"}, {Name: "users.viewAny", Group: "users", Label: "View every user"},
		}},
		{Name: "profile", Permissions: []scope.Permission{
			{Name: "profile", Group: "profile", Label: "View your profile"},
		}},
		{Name: "Support", Permissions: []scope.Permission{
			{Name: "tickets.view", Group: "Support", Label: "Read tickets"}, {Name: "ticket_messages.view", Group: "Support", Label: "View ticket messages"},
		}},
	}
	groups := c.Groups()
	require.Equal(t, want, groups)
	groups[0].Name, groups[0].Permissions[0].Name = "changed", "changed"
	require.Equal(t, want, c.Groups(), "copies")
}

func TestDefaultLabel(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"profile":                    "Profile",
		"users.view":                 "View users",
		"users.viewAny":              "View any users",
		"admin.ticket_messages.view": "View admin ticket messages",
		"api_keys.revoke-any":        "Revoke any api keys",
		"API.read2Write":             "Read2 write api",
		"users.viewZ":                "View z users",
		"_.-":                        "_.-",
	} {
		require.Equal(t, want, catalog(t, name).Groups()[0].Permissions[0].Label, name)
	}
}

func TestCatalogCopiesEntries(t *testing.T) {
	t.Parallel()
	entries := []scope.Permission{{Name: "users.view"}}
	c, err := scope.NewCatalog(entries...)
	require.NoError(t, err)
	require.Empty(t, entries[0].Label, "the caller's slice is left alone")
	entries[0].Name = "changed"
	require.True(t, c.Has("users.view"))
	require.Equal(t, "users.view", c.Groups()[0].Permissions[0].Name)
}

func TestCatalogConcurrentUse(t *testing.T) {
	t.Parallel()
	c := catalog(t, "users.view", "orders.view")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				_ = c.Validate(scope.MustParseSet("user.view", "*"))
				_ = append(c.Groups(), c.Groups()...)
			}
		})
	}
	wg.Wait()
}

func TestErrorTexts(t *testing.T) {
	t.Parallel()
	_, parse := scope.ParseSet("a..b", "c d")
	_, limit := scope.ParseSet(make([]string, 257)...)
	_, scopes := scope.ParseScope("*")
	_, entries := scope.NewCatalog(scope.Permission{})
	for _, err := range []error{
		parse, limit, scopes, entries, catalog(t).Validate(scope.MustParseSet("a", "b.*")),
		new(scope.Set).UnmarshalJSON(nil), new(scope.Set).UnmarshalText([]byte(" ")), fmt.Errorf("%w", new(scope.GrantError)), new(scope.UnknownError),
	} {
		for line := range strings.Lines(err.Error()) {
			require.True(t, strings.HasPrefix(line, "scope: "), "%q", line)
		}
	}
	require.NotErrorIs(t, parse, limit)

	// What is long is cut, and no sooner than it is.
	for n, want := range map[int]string{80: strings.Repeat("?", 80) + `"):`, 81: strings.Repeat("?", 80) + `"...):`} {
		_, err := scope.ParseSet(strings.Repeat("?", n))
		require.ErrorContains(t, err, `("`+want)
	}
}
