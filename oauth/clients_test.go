package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/oauth"
)

// A register is a Clients on a registry and a store that can fail.
type register struct {
	*oauth.Clients

	registry *oauth.MemoryClients
	house    *house
	tap      *tap
}

func newRegister(t testing.TB, change ...func(*oauth.ClientsConfig)) *register {
	t.Helper()
	h := newHouse(t)
	r := &register{registry: oauth.NewMemoryClients(), house: h, tap: h.tap}
	cfg := oauth.ClientsConfig{Scopes: catalog("profile", "invoices"), Now: h.clock.now}
	for _, c := range change {
		c(&cfg)
	}
	var err error
	r.Clients, err = oauth.NewClients(tapped{r.registry, h.tap}, spy{h.memory, h.tap}, cfg)
	require.NoError(t, err)
	// The house asks the register from now on.
	h.server, err = oauth.New(spy{h.memory, h.tap}, r.Clients, oauth.Config{
		Issuer: issuer, Prefix: "paym", Now: h.clock.now, Users: &h.people, Passwords: hasher{h.tap, cheap()}, LegacyPasswordGrant: true,
	})
	require.NoError(t, err)
	return r
}

// create registers a client and lets the house authenticate as it.
func (r *register) create(t testing.TB, change ...func(*oauth.ClientSpec)) oauth.IssuedClient {
	t.Helper()
	spec := machineSpec()
	for _, c := range change {
		c(&spec)
	}
	issued, err := r.Create(t.Context(), spec)
	require.NoError(t, err)
	r.house.secrets[issued.Client.ID] = issued.Secret.Reveal()
	return issued
}

func machineSpec() oauth.ClientSpec {
	return oauth.ClientSpec{Name: "Sync", Grants: []oauth.GrantType{oauth.GrantClientCredentials}, Scopes: set("profile")}
}

func appSpec() oauth.ClientSpec {
	return oauth.ClientSpec{
		Name: "App", Grants: []oauth.GrantType{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken},
		Scopes: set("profile", "invoices"), DefaultScopes: set("profile"), RedirectURIs: []string{callback},
	}
}

type tapped struct {
	oauth.ClientRegistry

	tap *tap
}

func (t tapped) Client(ctx context.Context, id string) (oauth.Client, error) {
	if err := t.tap.pass("Registry.Client", id); err != nil {
		return oauth.Client{}, err
	}
	return t.ClientRegistry.Client(ctx, id)
}

func (t tapped) CreateClient(ctx context.Context, c oauth.Client) error {
	if err := t.tap.pass("Registry.Create", c); err != nil {
		return err
	}
	return t.ClientRegistry.CreateClient(ctx, c)
}

func (t tapped) UpdateClient(ctx context.Context, c oauth.Client) error {
	if err := t.tap.pass("Registry.Update", c); err != nil {
		return err
	}
	return t.ClientRegistry.UpdateClient(ctx, c)
}

func (t tapped) DeleteClient(ctx context.Context, id string) error {
	if err := t.tap.pass("Registry.Delete", id); err != nil {
		return err
	}
	return t.ClientRegistry.DeleteClient(ctx, id)
}

func TestCreateAClient(t *testing.T) {
	t.Parallel()
	r := newRegister(t)
	issued := r.create(t)
	require.Regexp(t, `^[0-9a-f]{32}$`, issued.Client.ID) // 035
	require.Regexp(t, `^[0-9A-Za-z]{43}$`, issued.Secret.Reveal())
	require.Len(t, issued.Client.Secrets, 1)
	require.Equal(t, int64(1), issued.Client.Version)
	require.Equal(t, issued.Client.CreatedAt, issued.Client.UpdatedAt)
	requireTokens(t, r.house.as(issued.Client.ID, byClient))
	stored, err := r.Client(t.Context(), issued.Client.ID)
	require.NoError(t, err)
	require.Equal(t, issued.Client, stored)
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", issued, stored, stored), issued.Secret.Reveal())
	for _, given := range r.tap.given {
		require.NotContains(t, given, issued.Secret.Reveal(), "a registry gets hashes")
	}
	spec := appSpec()
	spec.Public = true
	public, err := r.Create(t.Context(), spec)
	require.NoError(t, err)
	require.Empty(t, public.Secret.Reveal())
	require.Empty(t, public.Client.Secrets)
	require.True(t, public.Client.Public)
	require.Greater(t, public.Client.ID, issued.Client.ID, "later ones have greater IDs")
}

// What a caller does with its slices afterwards is its own affair.
func TestClientsCopy(t *testing.T) {
	t.Parallel()
	r := newRegister(t)
	spec := appSpec()
	issued, err := r.Create(t.Context(), spec)
	require.NoError(t, err)
	spec.RedirectURIs[0], spec.Grants[0], issued.Client.RedirectURIs[0] = "x", "x", "y"
	got, err := r.Client(t.Context(), issued.Client.ID)
	require.NoError(t, err)
	require.Equal(t, []string{callback}, got.RedirectURIs)
	require.Equal(t, oauth.GrantAuthorizationCode, got.Grants[0])
}

// RFC 6749 section 2.1, 9700 section 2.4; RFC 8252 sections 7.1 and 7.3.
func TestSpecsAreChecked(t *testing.T) {
	t.Parallel()
	const code, password, machine = oauth.GrantAuthorizationCode, oauth.GrantPassword, oauth.GrantClientCredentials
	r := newRegister(t)
	for name, c := range map[string]struct {
		change func(*oauth.ClientSpec)
		fields []string
	}{
		"everything is missing":    {func(s *oauth.ClientSpec) { *s = oauth.ClientSpec{} }, []string{"name"}},
		"no name":                  {func(s *oauth.ClientSpec) { s.Name = "" }, []string{"name"}},
		"a name of space":          {func(s *oauth.ClientSpec) { s.Name = "  " }, []string{"name"}},
		"a name that is not seen":  {func(s *oauth.ClientSpec) { s.Name = "\u200b" }, []string{"name"}},
		"a name that turns around": {func(s *oauth.ClientSpec) { s.Name = "a\u202eb" }, []string{"name"}},
		"a name of two lines":      {func(s *oauth.ClientSpec) { s.Name = "a\nb" }, []string{"name"}},
		"a name that is no text":   {func(s *oauth.ClientSpec) { s.Name = "a\xff" }, []string{"name"}},
		"a name that is too long":  {func(s *oauth.ClientSpec) { s.Name = strings.Repeat("ä", 256) }, []string{"name"}},
		"an unknown method":        {func(s *oauth.ClientSpec) { s.AuthMethod = "private_key_jwt" }, []string{"auth_method"}},
		"none is no method":        {func(s *oauth.ClientSpec) { s.AuthMethod = "none" }, []string{"auth_method"}},
		"public with a method":     {func(s *oauth.ClientSpec) { s.Public, s.AuthMethod = true, oauth.AuthBasic }, []string{"auth_method"}},
		"a public resource server": {func(s *oauth.ClientSpec) { s.Public, s.ResourceServer = true, true }, []string{"resource_server"}},
		"an unknown grant type":    {func(s *oauth.ClientSpec) { s.Grants = append(s.Grants, "implicit") }, []string{"grants"}},
		"a grant type twice":       {func(s *oauth.ClientSpec) { s.Grants = append(s.Grants, code) }, []string{"grants"}},
		"password of a third":      {func(s *oauth.ClientSpec) { s.Grants = append(s.Grants, password) }, []string{"grants"}},
		"a public machine":         {func(s *oauth.ClientSpec) { s.Public, s.Grants = true, append(s.Grants, machine) }, []string{"grants"}},
		"an unknown scope":         {func(s *oauth.ClientSpec) { s.Scopes = set("profile", "invoice") }, []string{"scopes"}},
		"a scope with a star":      {func(s *oauth.ClientSpec) { s.Scopes = set("*") }, []string{"scopes"}},
		"defaults beyond":          {func(s *oauth.ClientSpec) { s.DefaultScopes = set("root") }, []string{"default_scopes"}},
		"no redirect URI":          {func(s *oauth.ClientSpec) { s.RedirectURIs = nil }, []string{"redirect_uris"}},
		"a redirect URI twice":     {func(s *oauth.ClientSpec) { s.RedirectURIs = []string{callback, callback} }, []string{"redirect_uris"}},
		"redirect URIs for nothing": {
			func(s *oauth.ClientSpec) { s.Grants = []oauth.GrantType{machine} }, []string{"redirect_uris"},
		},
		"112 javascript":            {func(s *oauth.ClientSpec) { s.RedirectURIs = []string{"javascript:alert(1)"} }, []string{"redirect_uris"}},
		"112 plain http":            {func(s *oauth.ClientSpec) { s.RedirectURIs = []string{callback, "http://app.example/"} }, []string{"redirect_uris"}},
		"112 a fragment":            {func(s *oauth.ClientSpec) { s.RedirectURIs = []string{callback + "#x"} }, []string{"redirect_uris"}},
		"110 a scheme with no dot":  {func(s *oauth.ClientSpec) { s.RedirectURIs = []string{"app:/cb"} }, []string{"redirect_uris"}},
		"a lifetime of no second":   {func(s *oauth.ClientSpec) { s.AccessLifetime = time.Millisecond }, []string{"access_lifetime"}},
		"a negative lifetime":       {func(s *oauth.ClientSpec) { s.RefreshIdle = -time.Hour }, []string{"refresh_idle"}},
		"more lifetimes, and names": {func(s *oauth.ClientSpec) { s.Name, s.RefreshAbsolute = "", -1 }, []string{"name", "refresh_absolute"}},
	} {
		t.Run(name, func(t *testing.T) {
			spec := appSpec()
			c.change(&spec)
			requireFields(t, second(r.Create(t.Context(), spec)), c.fields...)
			issued, err := r.Create(t.Context(), appSpec())
			require.NoError(t, err)
			_, err = r.Update(t.Context(), issued.Client.ID, 0, func(s *oauth.ClientSpec) { c.change(s) })
			fields := c.fields
			if name == "everything is missing" || strings.Contains(name, "public") {
				return // and public cannot be changed at all
			}
			requireFields(t, err, fields...)
			got, err := r.Client(t.Context(), issued.Client.ID)
			require.NoError(t, err)
			require.Equal(t, issued.Client, got)
		})
	}
	many := appSpec()
	for i := range 40 {
		many.RedirectURIs = append(many.RedirectURIs, fmt.Sprint("https://app.example/", i))
	}
	requireFields(t, second(r.Create(t.Context(), many)), "redirect_uris")
	_, err := r.Create(t.Context(), oauth.ClientSpec{Name: "x", Scopes: set("invoice")})
	require.ErrorContains(t, err, `did you mean "invoices"?`)
	require.True(t, strings.HasPrefix(err.Error(), "oauth: scopes "))
	for _, good := range []func(*oauth.ClientSpec){
		func(s *oauth.ClientSpec) { s.FirstParty, s.Grants = true, append(s.Grants, password, machine) },
		func(s *oauth.ClientSpec) { s.Public = true },
		func(s *oauth.ClientSpec) { s.AuthMethod, s.ResourceServer = oauth.AuthPost, true },
		func(s *oauth.ClientSpec) { s.RedirectURIs = []string{"http://127.0.0.1/cb", "com.example.app:/cb"} },
		func(s *oauth.ClientSpec) {
			*s = oauth.ClientSpec{Name: strings.Repeat("ä", 255), AccessLifetime: time.Second}
		},
	} {
		spec := appSpec()
		good(&spec)
		issued, err := r.Create(t.Context(), spec)
		require.NoError(t, err)
		require.Equal(t, spec, issued.Client.Spec())
	}
}

func second[T any](_ T, err error) error { return err }

func requireFields(t testing.TB, err error, fields ...string) {
	t.Helper()
	var spec *oauth.SpecError
	require.ErrorAs(t, err, &spec)
	found := []string{}
	for _, f := range spec.Fields {
		found = append(found, f.Field)
		require.NotEmpty(t, f.Reason)
	}
	require.Equal(t, fields, found, "%v", err)
}

func TestUpdateAClient(t *testing.T) {
	t.Parallel()
	r := newRegister(t)
	ctx, issued := t.Context(), r.create(t)
	id := issued.Client.ID
	r.house.clock.advance(time.Minute)
	got, err := r.Update(ctx, id, 1, func(s *oauth.ClientSpec) { s.Name, s.Scopes = "Sync 2", set("profile", "invoices") })
	require.NoError(t, err)
	require.Equal(t, "Sync 2", got.Name)
	require.Equal(t, int64(2), got.Version)
	require.Equal(t, time.Minute, got.UpdatedAt.Sub(got.CreatedAt))
	require.Equal(t, issued.Client.Secrets, got.Secrets)
	requireTokens(t, r.house.as(id, byClient+"&scope=invoices"))
	_, err = r.Update(ctx, id, 1, func(s *oauth.ClientSpec) { s.Name = "stale" })
	require.ErrorIs(t, err, oauth.ErrConflict)
	requireFields(t, second(r.Update(ctx, id, 0, func(s *oauth.ClientSpec) { s.Public = true })), "public")
	_, err = r.Update(ctx, "nobody", 0, func(*oauth.ClientSpec) {})
	require.ErrorIs(t, err, oauth.ErrNotFound)
	// Everybody's edit arrives, whoever is faster.
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			_, err := r.Update(context.Background(), id, 0, func(s *oauth.ClientSpec) { s.AccessLifetime += time.Hour })
			if err != nil {
				t.Error(i, err)
			}
		})
	}
	all.Wait()
	got, err = r.Client(ctx, id)
	require.NoError(t, err)
	require.Equal(t, 16*time.Hour, got.AccessLifetime)
}

// A client that was made under other rules can still be renamed, but not made
// worse.
func TestUpdateUnderNewRules(t *testing.T) {
	t.Parallel()
	r := newRegister(t)
	old := oauth.Client{ID: "old", Name: "Old", Scopes: set("gone"), Grants: []oauth.GrantType{"implicit"}, Version: 1}
	require.NoError(t, r.registry.CreateClient(t.Context(), old))
	got, err := r.Update(t.Context(), "old", 0, func(s *oauth.ClientSpec) { s.Name = "New" })
	require.NoError(t, err)
	require.Equal(t, "New", got.Name)
	requireFields(t, second(r.Update(t.Context(), "old", 0, func(s *oauth.ClientSpec) { s.Scopes = set("gone", "worse") })), "scopes")
	requireFields(t, second(r.Update(t.Context(), "old", 0, func(s *oauth.ClientSpec) { s.Name = "" })), "name")
}

func TestReq049_RotateASecret(t *testing.T) {
	t.Parallel()
	r := newRegister(t)
	ctx, h := t.Context(), r.house
	issued := r.create(t)
	id, one := issued.Client.ID, issued.Secret.Reveal()
	rotated, err := r.RotateSecret(ctx, id, 0, time.Hour)
	require.NoError(t, err)
	two := rotated.Secret.Reveal()
	require.NotEqual(t, one, two)
	require.Len(t, rotated.Client.Secrets, 2)
	for _, secret := range []string{one, two} {
		requireTokens(t, h.post(byClient, basic(id, secret)))
	}
	h.clock.advance(time.Hour)
	requireError(t, h.post(byClient, basic(id, one)), 401, "invalid_client")
	requireTokens(t, h.post(byClient, basic(id, two)))
	// Twice within an overlap: two live secrets, never three.
	rotated, err = r.RotateSecret(ctx, id, 0, time.Hour)
	require.NoError(t, err)
	three := rotated.Secret.Reveal()
	rotated, err = r.RotateSecret(ctx, id, rotated.Client.Version, time.Hour)
	require.NoError(t, err)
	require.Len(t, rotated.Client.Secrets, 2)
	requireError(t, h.post(byClient, basic(id, two)), 401, "invalid_client")
	requireTokens(t, h.post(byClient, basic(id, three)))
	// Without an overlap the old one is dead at once.
	rotated, err = r.RotateSecret(ctx, id, 0, 0)
	require.NoError(t, err)
	require.Len(t, rotated.Client.Secrets, 1)
	requireError(t, h.post(byClient, basic(id, three)), 401, "invalid_client")
	requireTokens(t, h.post(byClient, basic(id, rotated.Secret.Reveal())))

	_, err = r.RotateSecret(ctx, id, 1, 0)
	require.ErrorIs(t, err, oauth.ErrConflict)
	_, err = r.RotateSecret(ctx, "nobody", 0, 0)
	require.ErrorIs(t, err, oauth.ErrNotFound)
	for _, bad := range []time.Duration{-1, 7*24*time.Hour + 1} {
		requireFields(t, second(r.RotateSecret(ctx, id, 0, bad)), "overlap")
	}
	spec := appSpec()
	spec.Public = true
	public, err := r.Create(ctx, spec)
	require.NoError(t, err)
	requireFields(t, second(r.RotateSecret(ctx, public.Client.ID, 0, 0)), "public")
}

// A rotation whose answer is lost is made once, so that the secret that was to
// overlap still does.
func TestRotateASecretWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	for _, answer := range []error{errBoom, oauth.ErrConflict} {
		r := newRegister(t)
		issued := r.create(t)
		id := issued.Client.ID
		clients, err := oauth.NewClients(&silentRegistry{ClientRegistry: r.registry, answer: answer, times: 1}, r.house.memory, oauth.ClientsConfig{Now: r.house.clock.now})
		require.NoError(t, err)
		rotated, err := clients.RotateSecret(t.Context(), id, 0, time.Hour)
		require.NoError(t, err)
		require.Equal(t, issued.Client.Version+1, rotated.Client.Version)
		for _, secret := range []oauth.Secret{issued.Secret, rotated.Secret} {
			requireTokens(t, r.house.post(byClient, basic(id, secret.Reveal())))
		}
	}
}

// A silentRegistry stores a few times and answers something else.
type silentRegistry struct {
	oauth.ClientRegistry

	answer error
	times  int
}

func (s *silentRegistry) UpdateClient(ctx context.Context, c oauth.Client) error {
	err := s.ClientRegistry.UpdateClient(ctx, c)
	if s.times--; s.times >= 0 {
		return errors.Join(err, s.answer)
	}
	return err
}

func TestReq048_DisableAndDelete(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(r *register, id string) error{
		"disable": func(r *register, id string) error { return second(r.Disable(r.house.t.Context(), id)) },
		"delete":  func(r *register, id string) error { return r.Delete(r.house.t.Context(), id) },
	} {
		r := newRegister(t)
		h := r.house
		firstParty := func(s *oauth.ClientSpec) {
			s.FirstParty, s.Grants, s.DefaultScopes = true, []oauth.GrantType{oauth.GrantPassword, oauth.GrantRefreshToken}, set("profile")
		}
		id, other := r.create(t, firstParty).Client.ID, r.create(t, firstParty).Client.ID
		h.clients.put(oauth.Client{ID: id}) // for h.as, which looks whether it is public
		a, b := requireTokens(t, h.as(id, byLogin)), requireTokens(t, h.as(other, byLogin))
		require.NoError(t, end(r, id))
		require.False(t, h.lives(a.access()), "%s: what it had is revoked at once", name)
		require.True(t, h.lives(b.access()))
		requireSame(t, h.post(byLogin, basic("nobody", "x")), h.as(id, byLogin))
		if name == "delete" {
			require.ErrorIs(t, end(r, id), oauth.ErrNotFound)
			_, err := r.Enable(t.Context(), id)
			require.ErrorIs(t, err, oauth.ErrNotFound)
			continue
		}
		require.NoError(t, end(r, id))
		_, err := r.Enable(t.Context(), id)
		require.NoError(t, err)
		require.False(t, h.lives(a.access()))
		requireError(t, h.as(id, byToken+a.refresh()), 400, "invalid_grant")
		requireTokens(t, h.as(id, byLogin))
	}
	r := newRegister(t)
	require.ErrorIs(t, second(r.Disable(t.Context(), "nobody")), oauth.ErrNotFound)
	require.ErrorIs(t, r.Delete(t.Context(), ""), oauth.ErrNotFound)
}

func TestClientsWithAFailingRegistry(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := newRegister(t)
	issued := r.create(t)
	id := issued.Client.ID
	token := requireTokens(t, r.house.as(id, byClient)).access()
	for call, try := range map[string]func() error{
		"Registry.Create": func() error { return second(r.Create(ctx, machineSpec())) },
		"Registry.Client": func() error { return second(r.Update(ctx, id, 0, func(*oauth.ClientSpec) {})) },
		"Registry.Update": func() error { return second(r.RotateSecret(ctx, id, 0, 0)) },
		"Registry.Delete": func() error { return r.Delete(ctx, id) },
	} {
		r.tap.do(fail(call))
		require.ErrorIs(t, try(), errBoom, call)
		r.tap.do(nil)
		requireTokens(t, r.house.as(id, byClient))
		require.True(t, r.house.lives(token))
	}
	// Half of it was done: it is said, and can be done again.
	r.tap.do(fail("Store.Revoke"))
	require.ErrorIs(t, second(r.Disable(ctx, id)), errBoom)
	require.ErrorIs(t, r.Delete(ctx, id), errBoom)
	r.tap.do(nil)
	require.True(t, r.house.lives(token))
	require.NoError(t, r.Delete(ctx, id))
	require.False(t, r.house.lives(token))
	require.ErrorIs(t, r.Delete(ctx, id), oauth.ErrNotFound)
	// A registry that always has a newer version ends some time.
	r.tap.do(func(call string) error {
		if call == "Registry.Update" {
			return fmt.Errorf("busy: %w", oauth.ErrConflict)
		}
		return nil
	})
	other := r.create(t)
	_, err := r.Enable(ctx, other.Client.ID)
	require.ErrorIs(t, err, oauth.ErrConflict)

	_, err = oauth.NewClients((*oauth.MemoryClients)(nil), (*oauth.MemoryStore)(nil), oauth.ClientsConfig{})
	require.ErrorContains(t, err, "the client registry is nil\noauth: the store is nil")
	_, err = oauth.NewClients(nil, nil, oauth.ClientsConfig{})
	require.ErrorContains(t, err, "registry is nil")
	require.ErrorContains(t, err, "store is nil")
	liar := lyingRegistry{r.registry}
	clients, err := oauth.NewClients(liar, oauth.NewMemoryStore(), oauth.ClientsConfig{})
	require.NoError(t, err)
	_, err = clients.Client(ctx, "x")
	require.ErrorIs(t, err, oauth.ErrNotFound)
}

type lyingRegistry struct{ oauth.ClientRegistry }

func (lyingRegistry) Client(context.Context, string) (oauth.Client, error) {
	return oauth.Client{ID: "another"}, nil
}

func TestListClients(t *testing.T) {
	t.Parallel()
	r := newRegister(t)
	for range 120 {
		r.create(t)
	}
	page, err := r.List(t.Context(), oauth.Page{})
	require.NoError(t, err)
	require.Len(t, page, 100)
	rest, err := r.List(t.Context(), oauth.Page{Before: page[99].ID, Limit: 5000})
	require.NoError(t, err)
	require.Len(t, rest, 20)
	for i := range page[1:] {
		require.Greater(t, page[i].ID, page[i+1].ID)
	}
	require.Greater(t, page[99].ID, rest[0].ID)
}
