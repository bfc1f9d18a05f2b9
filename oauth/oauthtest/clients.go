package oauthtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latchwork/latchwork/oauth"
	"github.com/latchwork/latchwork/scope"
)

// A ClientBackend is what the suite for client registries tests.
type ClientBackend struct {
	// Registry is the registry, fresh and empty.
	Registry oauth.ClientRegistry

	// Second is another handle on the same data; races are run over both.
	// Nil: Registry itself.
	Second oauth.ClientRegistry
}

// TestClients runs the suite for client registries, as TestStore does for
// stores.
func TestClients(t *testing.T, open func(t *testing.T) ClientBackend) {
	t.Helper()
	testAll(t, clientChecks(), func(t *testing.T) (*clientTrial, error) { return open(t).trial() })
}

// CheckClients runs the suite for client registries without a testing.T, as
// CheckStore does for stores.
func CheckClients(ctx context.Context, open func() (ClientBackend, error)) error {
	return checkAll(ctx, clientChecks(), opening(open, ClientBackend.trial), checkTimeout)
}

func (b ClientBackend) trial() (*clientTrial, error) {
	if b.Registry == nil {
		return nil, errors.New("the ClientBackend has no Registry")
	}
	if b.Second == nil {
		b.Second = b.Registry
	}
	return &clientTrial{ClientBackend: b}, nil
}

// A clientTrial is one run of a check on a registry.
type clientTrial struct {
	ClientBackend

	clients atomic.Int64
}

// client returns a new client that has something in each of its fields. Later
// ones have greater IDs.
func (t *clientTrial) client(edits ...func(*oauth.Client)) oauth.Client {
	n := t.clients.Add(1)
	at := start().Add(time.Duration(n) * time.Second)
	c := oauth.Client{
		ID: fmt.Sprintf("019b00000000abc%06x", 0xabc000+n), Name: "Ada's application",
		Secrets: []oauth.ClientSecret{
			{Hash: oauth.Hash{31: byte(n)}}, {Hash: oauth.Hash{0: 0xff, 31: 1}, Deadline: at.Add(time.Hour)},
		},
		AuthMethod: oauth.AuthPost, Grants: []oauth.GrantType{oauth.GrantRefreshToken, oauth.GrantPassword},
		Scopes: scope.MustParseSet("invoices", "profile"), DefaultScopes: scope.MustParseSet("profile"),
		RedirectURIs: []string{"https://app.example/callback?a=b", "com.example.app:/callback"},
		FirstParty:   true, ResourceServer: true, Disabled: true,
		AccessLifetime: time.Minute, RefreshIdle: time.Hour, RefreshAbsolute: 24*time.Hour + time.Nanosecond,
		CreatedAt: at, UpdatedAt: at, Version: 1,
	}
	for _, edit := range edits {
		edit(&c)
	}
	return c
}

// created returns a new client that is in the registry.
func (t *clientTrial) created(ctx context.Context, edits ...func(*oauth.Client)) (oauth.Client, error) {
	c := t.client(edits...)
	return c, wrap("CreateClient", t.Registry.CreateClient(ctx, c))
}

// changed returns a client as it is to be after a change.
func changed(c oauth.Client, edits ...func(*oauth.Client)) oauth.Client {
	c = c.Clone()
	c.Version++
	c.UpdatedAt = c.UpdatedAt.Add(time.Minute)
	for _, edit := range edits {
		edit(&c)
	}
	return c
}

// has checks that the registry has exactly this client under its ID.
func (t *clientTrial) has(ctx context.Context, want oauth.Client) error {
	for _, r := range []oauth.ClientRegistry{t.Registry, t.Second} {
		got, err := r.Client(ctx, want.ID)
		if err == nil {
			err = sameClient(got, want)
		}
		if err != nil {
			return wrap("Client", err)
		}
	}
	clients, err := t.Registry.Clients(ctx, oauth.Page{Limit: 1000})
	if err != nil {
		return wrap("Clients", err)
	}
	i := slices.IndexFunc(clients, func(c oauth.Client) bool { return c.ID == want.ID })
	if i < 0 {
		return wrap("Clients", fmt.Errorf("%.60q is not among them", want.ID))
	}
	return wrap("Clients", sameClient(clients[i], want))
}

// misses checks that the registry has no client with this ID.
func (t *clientTrial) misses(ctx context.Context, id string) error {
	got, err := t.Registry.Client(ctx, id)
	if err == nil && got.ID == id {
		return wrap("Client", fmt.Errorf("%.60q is there, want ErrNotFound", id))
	}
	return fails(fmt.Sprintf("Client with the ID %.60q", id), err, oauth.ErrNotFound)
}

// lists checks that a page has exactly these clients, the greatest IDs first.
func (t *clientTrial) lists(ctx context.Context, page oauth.Page, want ...oauth.Client) error {
	got, err := t.Registry.Clients(ctx, page)
	if err != nil {
		return wrap("Clients", err)
	}
	want = slices.SortedFunc(slices.Values(want), func(a, b oauth.Client) int { return strings.Compare(b.ID, a.ID) })
	if !slices.EqualFunc(got, want, func(a, b oauth.Client) bool { return a.ID == b.ID }) {
		return wrap("Clients", fmt.Errorf("before %q, limit %d: %.500q, want %.500q", page.Before, page.Limit, clientIDs(got), clientIDs(want)))
	}
	for i := range got {
		if err := sameClient(got[i], want[i]); err != nil {
			return wrap(fmt.Sprint("Clients: client ", i+1), err)
		}
	}
	return nil
}

// order checks which IDs a page begins with.
func (t *clientTrial) order(ctx context.Context, want ...string) error {
	got, err := t.Registry.Clients(ctx, oauth.Page{Limit: len(want)})
	if err != nil || !slices.Equal(clientIDs(got), want) {
		return wrap("Clients", fmt.Errorf("%.500q, %w, want %.500q", clientIDs(got), orNone(err), want))
	}
	return nil
}

func clientIDs(clients []oauth.Client) []string {
	texts := make([]string, len(clients))
	for i, c := range clients {
		texts[i] = c.ID
	}
	return texts
}

// sameClient says in what two clients differ.
func sameClient(got, want oauth.Client) error {
	faults := []error{
		same("id", got.ID, want.ID), same("name", got.Name, want.Name), same("public", got.Public, want.Public),
		same("auth method", got.AuthMethod, want.AuthMethod), sameScope(got.Scopes, want.Scopes),
		wrap("default", sameScope(got.DefaultScopes, want.DefaultScopes)),
		same("first party", got.FirstParty, want.FirstParty), same("resource server", got.ResourceServer, want.ResourceServer),
		same("disabled", got.Disabled, want.Disabled), same("access lifetime", got.AccessLifetime, want.AccessLifetime),
		same("refresh idle", got.RefreshIdle, want.RefreshIdle), same("refresh absolute", got.RefreshAbsolute, want.RefreshAbsolute),
		sameTime("created at", got.CreatedAt, want.CreatedAt), sameTime("updated at", got.UpdatedAt, want.UpdatedAt),
		same("version", got.Version, want.Version),
	}
	if !slices.Equal(got.Grants, want.Grants) {
		faults = append(faults, fmt.Errorf("grants are %q, want %q", got.Grants, want.Grants))
	}
	if !slices.Equal(got.RedirectURIs, want.RedirectURIs) {
		faults = append(faults, fmt.Errorf("redirect uris are %.200q, want %.200q", got.RedirectURIs, want.RedirectURIs))
	}
	if len(got.Secrets) != len(want.Secrets) {
		return errors.Join(append(faults, fmt.Errorf("there are %d secrets, want %d", len(got.Secrets), len(want.Secrets)))...)
	}
	for i, s := range got.Secrets {
		faults = append(faults, sameBytes("secret", s.Hash[:], want.Secrets[i].Hash[:]),
			sameTime("deadline", s.Deadline, want.Secrets[i].Deadline))
	}
	return errors.Join(faults...)
}
