package apikey_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/ipfilter"
	"github.com/latchwork/latchwork/scope"
)

func catalog(t testing.TB) *scope.Catalog {
	t.Helper()
	c, err := scope.NewCatalog(
		scope.Permission{Name: "users.view"}, scope.Permission{Name: "users.update"}, scope.Permission{Name: "orders.view"},
	)
	require.NoError(t, err)
	return c
}

// wide returns a set of more grants than a set may be made of: the meet of two
// that have their stars in different places.
func wide(t testing.TB) scope.Set {
	t.Helper()
	var heads, tails []string
	for i := range 17 {
		heads, tails = append(heads, fmt.Sprintf("h%d.*", i)), append(tails, fmt.Sprintf("*.t%d", i))
	}
	both := set(heads...).Intersect(set(tails...))
	require.Greater(t, both.Len(), 256)
	return both
}

// long returns a list of n addresses that do not touch.
func long(t testing.TB, n int) *ipfilter.List {
	t.Helper()
	entries := make([]string, n)
	for i := range entries {
		entries[i] = fmt.Sprintf("10.0.%d.%d", i/100, 2*(i%100))
	}
	l, err := ipfilter.ParseList(entries, n)
	require.NoError(t, err)
	return &l
}

func TestCreateRefuses(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *apikey.Config) { c.Catalog = catalog(t) })
	for name, c := range map[string]struct {
		edit          func(*apikey.Spec)
		field, reason string
	}{
		"no name":                   {func(s *apikey.Spec) { s.Name = "" }, "name", "empty"},
		"a name of spaces":          {func(s *apikey.Spec) { s.Name = " \u00a0\u2003" }, "name", "empty"},
		"a name nobody sees":        {func(s *apikey.Spec) { s.Name = "\u200b\u2060\ufeff\u2028" }, "name", "empty"},
		"a name of 256":             {func(s *apikey.Spec) { s.Name = strings.Repeat("ä", 256) }, "name", "255"},
		"a name of 10 kB":           {func(s *apikey.Spec) { s.Name = strings.Repeat("x", 10_000) }, "name", "255"},
		"a name on two lines":       {func(s *apikey.Spec) { s.Name = "a\nb" }, "name", "control"},
		"a name with NUL":           {func(s *apikey.Spec) { s.Name = "a\x00b" }, "name", "control"},
		"a name with an escape":     {func(s *apikey.Spec) { s.Name = "\x1b[31mred" }, "name", "control"},
		"a name that is no text":    {func(s *apikey.Spec) { s.Name = "a\xff" }, "name", "UTF-8"},
		"no type":                   {func(s *apikey.Spec) { s.Type = "" }, "type", "admin, reseller"},
		"an unknown type":           {func(s *apikey.Spec) { s.Type = "root" }, "type", "admin, reseller"},
		"a type in capitals":        {func(s *apikey.Spec) { s.Type = "Admin" }, "type", "admin"},
		"an owner of 256":           {func(s *apikey.Spec) { s.Owner = strings.Repeat("o", 256) }, "owner", "255"},
		"an owner that is no text":  {func(s *apikey.Spec) { s.Owner = "\xff" }, "owner", "text"},
		"an owner with NUL":         {func(s *apikey.Spec) { s.Owner = "a\x00" }, "owner", "text"},
		"an empty list":             {func(s *apikey.Spec) { s.AllowedIPs = new(ipfilter.List) }, "allowed_ips", "empty"},
		"a list of 257":             {func(s *apikey.Spec) { s.AllowedIPs = long(t, 257) }, "allowed_ips", "256"},
		"an unknown permission":     {func(s *apikey.Spec) { s.Permissions = set("user.view") }, "permissions", `did you mean "users.view"?`},
		"a grant over nothing":      {func(s *apikey.Spec) { s.Permissions = set("ghosts.*") }, "permissions", `"ghosts.*"`},
		"more than 256 grants":      {func(s *apikey.Spec) { s.Permissions = wide(t) }, "permissions", "256 grants"},
		"an expiry long ago":        {func(s *apikey.Spec) { s.ExpiresAt = h.in(-time.Hour) }, "expires_at", "future"},
		"an expiry now":             {func(s *apikey.Spec) { s.ExpiresAt = h.in(0) }, "expires_at", "future"},
		"an expiry within the tick": {func(s *apikey.Spec) { s.ExpiresAt = h.in(999 * time.Nanosecond) }, "expires_at", "future"},
		"an expiry in 10000": {
			func(s *apikey.Spec) { s.ExpiresAt = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, "expires_at", "9999",
		},
		"an expiry in 10000 somewhere": {
			func(s *apikey.Spec) { s.ExpiresAt = time.Date(9999, 12, 31, 23, 0, 0, 0, time.FixedZone("", -2*60*60)) }, "expires_at", "9999",
		},
	} {
		issued, err := h.Create(t.Context(), spec(c.edit))
		require.Equal(t, apikey.Issued{}.Key, issued.Key, name)
		require.Empty(t, issued.Secret.Reveal(), name)
		require.Contains(t, faults(t, err, c.field)[c.field], c.reason, name)
		_, err = h.Import(t.Context(), spec(c.edit), apikey.Hash{1})
		faults(t, err, c.field)
	}
	require.Zero(t, h.spy.Calls("Create"))
	require.Empty(t, h.heard.kinds())
}

func TestCreateNamesEveryFault(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *apikey.Config) { c.Catalog = catalog(t) })
	_, err := h.Create(t.Context(), apikey.Spec{
		Name: "", Type: "root", Owner: "\xff", Permissions: set("users.vew", "ghosts.*", "orders.view"),
		AllowedIPs: new(ipfilter.List), ExpiresAt: h.in(-1),
	})
	reasons := faults(t, err, "name", "type", "owner", "permissions", "allowed_ips", "expires_at")
	require.Contains(t, reasons["permissions"], "users.view")
	require.Contains(t, reasons["permissions"], "ghosts")
	require.NotContains(t, reasons["permissions"], "orders", "it is known")
	require.NotContains(t, reasons["permissions"], "scope:", "reasons are for whoever sent the value")
	require.ErrorContains(t, err, "apikey: name must not be empty; type must be one of admin, reseller; permissions ")
}

func TestUpdateNamesEveryFault(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *apikey.Config) { c.Catalog = catalog(t) })
	id := h.issue(t).Key.ID
	metadata, err := apikey.NewMetadata(map[string]string{"a": "b"})
	require.NoError(t, err)
	_, err = h.Update(t.Context(), id, 0, func(s *apikey.Spec) {
		*s = apikey.Spec{
			Name: "\x00", Type: "root", Owner: "other", Permissions: set("ghosts.*"),
			AllowedIPs: new(ipfilter.List), ExpiresAt: h.in(-1), Metadata: metadata,
		}
	})
	faults(t, err, "name", "type", "owner", "permissions", "allowed_ips", "expires_at", "metadata")
	require.Equal(t, int64(1), h.key(t, id).Version)
}

func TestCreateAccepts(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *apikey.Config) { c.Catalog = catalog(t) })
	metadata, err := apikey.NewMetadata(map[string]string{"plan": "gold"})
	require.NoError(t, err)
	last := time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC)
	berlin := time.FixedZone("", 60*60)
	for name, edit := range map[string]func(*apikey.Spec){
		"the least":           func(s *apikey.Spec) { *s = apikey.Spec{Name: "x", Type: "admin"} },
		"markup":              func(s *apikey.Spec) { s.Name = `<script>"&' ` + "\u202eRTL" },
		"a name of 255":       func(s *apikey.Spec) { s.Name = strings.Repeat("\U0001F511", 255) },
		"an owner of 255":     func(s *apikey.Spec) { s.Owner = strings.Repeat("o", 255) },
		"everything":          func(s *apikey.Spec) { s.Permissions = set("*") },
		"a wildcard":          func(s *apikey.Spec) { s.Permissions = set("users.*", "*.view") },
		"a list":              func(s *apikey.Spec) { s.AllowedIPs = list("192.0.2.0/24", "2001:db8::/32") },
		"a list of 256":       func(s *apikey.Spec) { s.AllowedIPs = long(t, 256) },
		"metadata":            func(s *apikey.Spec) { s.Metadata = metadata },
		"disabled":            func(s *apikey.Spec) { s.Disabled = true },
		"the next tick":       func(s *apikey.Spec) { s.ExpiresAt = h.in(time.Microsecond) },
		"the last expiry":     func(s *apikey.Spec) { s.ExpiresAt = last },
		"an expiry elsewhere": func(s *apikey.Spec) { s.ExpiresAt = h.in(time.Hour).In(berlin) },
	} {
		want := spec(edit)
		issued, err := h.Create(t.Context(), want)
		require.NoError(t, err, name)
		k := h.key(t, issued.Key.ID)
		require.Equal(t, issued.Key, k, name)
		require.Equal(t, want.Name, k.Name)
		require.Equal(t, want.Type, k.Type)
		require.Equal(t, want.Owner, k.Owner)
		require.True(t, k.Permissions.Equal(want.Permissions))
		require.Equal(t, want.AllowedIPs, k.AllowedIPs)
		require.True(t, k.Metadata.Equal(want.Metadata))
		require.Equal(t, want.Disabled, !k.Enabled)
		require.WithinDuration(t, want.ExpiresAt, k.ExpiresAt, time.Microsecond-1)
		require.Zero(t, k.ExpiresAt.Nanosecond()%1000, "cut to microseconds")
		require.False(t, k.ExpiresAt.After(want.ExpiresAt), "cut, not rounded up")
		require.Equal(t, time.UTC, k.ExpiresAt.Location())
		require.Equal(t, h.clock.Now(), k.CreatedAt)
		require.Equal(t, h.clock.Now(), k.UpdatedAt)
		require.Equal(t, "operator", k.CreatedBy)
		require.Equal(t, int64(1), k.Version)
		require.True(t, k.RevokedAt.IsZero())
	}
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	many := map[string]string{}
	for i := range 17 {
		many[fmt.Sprint(i)] = ""
	}
	for name, bad := range map[string]map[string]string{
		"17 entries": many, "a nameless one": {"": "x"}, "a bad name": {"\xff": "x"}, "a bad value": {"x": "\xff"},
		"4097 bytes": {"x": strings.Repeat("v", 4096)},
	} {
		_, err := apikey.NewMetadata(bad)
		require.ErrorContains(t, err, "apikey: metadata: ", name)
	}
	delete(many, "16")
	many["0"] = strings.Repeat("v", 4096-22)
	m, err := apikey.NewMetadata(many)
	require.NoError(t, err, "16 entries, 4096 bytes")
	require.Equal(t, 16, m.Len())

	many["1"] = "changed"
	value, ok := m.Get("1")
	require.True(t, ok)
	require.Empty(t, value, "copied")
	_, ok = m.Get("one")
	require.False(t, ok)
	var names []string
	for name := range m.All() {
		if names = append(names, name); len(names) == 3 {
			break
		}
	}
	require.Equal(t, []string{"0", "1", "10"}, names, "in order")

	data, err := m.MarshalJSON()
	require.NoError(t, err)
	var read apikey.Metadata
	require.NoError(t, read.UnmarshalJSON(data))
	require.True(t, read.Equal(m))
	data, err = apikey.Metadata{}.MarshalJSON()
	require.NoError(t, err)
	require.Equal(t, "{}", string(data))
	require.NoError(t, read.UnmarshalJSON(data))
	require.True(t, read.Equal(apikey.Metadata{}))
	for _, bad := range []string{"null", "[]", `{"a":1}`, `{"":"x"}`, "", `"x"`} {
		require.Error(t, m.UnmarshalJSON([]byte(bad)), bad)
		require.Equal(t, 16, m.Len(), "unchanged")
	}
}

func TestValidateStoresNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	issued, err := h.Create(t.Context(), spec())
	require.NoError(t, err)
	bad := spec()
	bad.Name, bad.Type = "", "ghost"
	var faults *apikey.SpecError

	require.NoError(t, h.Validate(spec(), nil))
	require.ErrorAs(t, h.Validate(bad, nil), &faults)
	require.Len(t, faults.Fields, 2)

	changed := issued.Key.Spec()
	changed.Owner = "somebody else"
	require.NoError(t, h.Validate(issued.Key.Spec(), &issued.Key))
	require.ErrorAs(t, h.Validate(changed, &issued.Key), &faults)
	require.Equal(t, "owner", faults.Fields[0].Field)

	var exceeds *apikey.ExceedsError
	nobody := h.As(apikey.Actor{ID: "user:1"})
	require.ErrorAs(t, nobody.Validate(spec(), nil), &exceeds)
	require.ErrorAs(t, nobody.Validate(issued.Key.Spec(), &issued.Key), &exceeds)
	require.ErrorIs(t, apikey.Delegate{}.Validate(spec(), nil), apikey.ErrNoActor)

	require.NoError(t, h.Revoke(t.Context(), issued.Key.ID, apikey.RevokeOptions{}))
	revoked, err := h.Get(t.Context(), issued.Key.ID)
	require.NoError(t, err)
	require.ErrorIs(t, h.Validate(revoked.Spec(), &revoked), apikey.ErrRevoked)
	require.Equal(t, apikey.StateRevoked, h.State(revoked))
	require.Empty(t, apikey.Delegate{}.State(revoked))
}

// No instant may turn into never, however near to none it is.
func TestAnExpiryNearTheZeroTimeIsNotNever(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	s := spec()
	s.ExpiresAt = time.Time{}.Add(500 * time.Nanosecond)
	var faults *apikey.SpecError
	_, err := h.Create(t.Context(), s)
	require.ErrorAs(t, err, &faults)
	require.Equal(t, "expires_at", faults.Fields[0].Field)
}

// A set of 256 grants can be stored, and what a key has from older rules does
// not keep it from being renamed.
func TestEdgesOfASpec(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	grants := make([]string, 256)
	for i := range grants {
		grants[i] = fmt.Sprint("a.b", i)
	}
	k := h.issue(t, func(s *apikey.Spec) { s.Permissions = set(grants...) }).Key
	h.plant(t, k.ID, func(r *apikey.Record) { r.Key.Owner = strings.Repeat("o", 300) })
	renamed, err := h.Update(t.Context(), k.ID, 0, func(s *apikey.Spec) { s.Name = "renamed" })
	require.NoError(t, err)
	require.Equal(t, "renamed", renamed.Name)
	require.Equal(t, 256, renamed.Permissions.Len())
}
