package oauthtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/latchwork/latchwork/oauth"
	"github.com/latchwork/latchwork/scope"
)

// clientChecks returns the whole contract of an oauth.ClientRegistry.
func clientChecks() []checkOf[*clientTrial] {
	return []checkOf[*clientTrial]{
		{
			"client", "A client comes back as it went in, field by field; an unknown ID is ErrNotFound.",
			checkClient,
		},
		{
			"client values", "What cannot be read back whole is an error, never a client with less on it.",
			checkClientValues,
		},
		{
			"client text", "Texts come back as they went in, whatever characters they have.",
			checkClientText,
		},
		{
			"client taken", "CreateClient returns ErrExists when the ID is taken, and has changed nothing.",
			checkClientTaken,
		},
		{
			"client ids byte for byte", "The IDs of clients are compared byte for byte, and any text may be asked for.",
			checkClientIDs,
		},
		{
			"client update", "UpdateClient replaces the whole client if its version is the one before, or returns ErrConflict or ErrNotFound.",
			checkClientUpdate,
		},
		{
			"client one update wins", "Of updates of the same version exactly one is stored; the others return ErrConflict.",
			checkClientRace,
		},
		{
			"client delete", "A client that was deleted is not there, and no update brings it back.",
			checkClientDelete,
		},
		{
			"client list", "Clients returns those with the greatest IDs first, at most Limit of them, and pages that follow each other have each once.",
			checkClientList,
		},
		{
			"client copies", "A registry copies what it takes and gives, so that nobody's later change shows through.",
			checkClientCopies,
		},
		{
			"client done context", "When the context is done, every method returns an error that matches ctx.Err() and has changed nothing.",
			checkClientContext,
		},
	}
}

func checkClient(ctx context.Context, t *clientTrial) error {
	if err := t.misses(ctx, "nobody"); err != nil {
		return err
	}
	one, err := t.created(ctx)
	if err != nil {
		return err
	}
	two, err := t.created(ctx, func(c *oauth.Client) {
		id := c.ID
		*c = oauth.Client{ID: id, Public: true, Version: 1}
	})
	if err != nil {
		return err
	}
	return errors.Join(t.has(ctx, one), t.has(ctx, two), t.misses(ctx, "nobody"), t.misses(ctx, ""))
}

func checkClientValues(ctx context.Context, t *clientTrial) error {
	all, err := many("group.do_it-")
	if err != nil {
		return err
	}
	uris := make([]string, 32)
	for i := range uris {
		uris[i] = fmt.Sprintf("https://app.example/%02d/%s?x=%%20&y", i, strings.Repeat("u", 1900))
	}
	var edits []func(*oauth.Client)
	for _, flags := range []int{0, 1, 2, 4, 8, 15} {
		edits = append(edits, func(c *oauth.Client) {
			c.Public, c.FirstParty, c.ResourceServer, c.Disabled = flags&1 > 0, flags&2 > 0, flags&4 > 0, flags&8 > 0
		})
	}
	for _, at := range instants() {
		edits = append(edits,
			func(c *oauth.Client) { c.CreatedAt, c.Secrets[1].Deadline = at, at },
			func(c *oauth.Client) { c.UpdatedAt, c.Secrets[0].Deadline = at, at })
	}
	edits = append(edits,
		func(c *oauth.Client) { c.Secrets = nil },
		func(c *oauth.Client) { c.Secrets = c.Secrets[:1] },
		func(c *oauth.Client) { slices.Reverse(c.Secrets) },
		func(c *oauth.Client) { c.Grants, c.RedirectURIs = nil, nil },
		func(c *oauth.Client) { c.Grants = []oauth.GrantType{oauth.GrantClientCredentials} },
		func(c *oauth.Client) { c.Scopes, c.DefaultScopes = scope.Set{}, scope.Set{} },
		func(c *oauth.Client) { c.Scopes, c.DefaultScopes = all, all },
		func(c *oauth.Client) { c.DefaultScopes = scope.Set{} },
		func(c *oauth.Client) { c.RedirectURIs = uris },
		func(c *oauth.Client) { c.RedirectURIs = []string{"https://b.example/", "https://a.example/"} },
		func(c *oauth.Client) { c.AuthMethod = "" },
		func(c *oauth.Client) { c.AuthMethod = oauth.AuthBasic },
		func(c *oauth.Client) { c.AccessLifetime, c.RefreshIdle, c.RefreshAbsolute = 0, 1, 1<<62 },
		func(c *oauth.Client) { c.AccessLifetime, c.RefreshIdle, c.RefreshAbsolute = 1<<62, 0, 1 },
	)
	for i, edit := range edits {
		c, err := t.created(ctx, edit)
		if err == nil {
			err = t.has(ctx, c)
		}
		if err != nil {
			return fmt.Errorf("values %d: %w", i+1, err)
		}
		// And the same in an update of one that was different.
		other, err := t.created(ctx)
		if err != nil {
			return err
		}
		other = changed(other, edit)
		if err := wrap("UpdateClient", t.Registry.UpdateClient(ctx, other)); err != nil {
			return err
		}
		if err := t.has(ctx, other); err != nil {
			return fmt.Errorf("values %d in an update: %w", i+1, err)
		}
	}
	return nil
}

func checkClientText(ctx context.Context, t *clientTrial) error {
	for _, text := range texts() {
		c, err := t.created(ctx, func(c *oauth.Client) { c.Name, c.RedirectURIs = text, []string{text, "", text} })
		if err == nil {
			err = t.has(ctx, c)
		}
		if err != nil {
			return fmt.Errorf("%.60q: %w", text, err)
		}
	}
	return nil
}

func checkClientTaken(ctx context.Context, t *clientTrial) error {
	c, err := t.created(ctx)
	if err != nil {
		return err
	}
	other := t.client(func(other *oauth.Client) { other.ID, other.Name = c.ID, "another" })
	return errors.Join(fails("CreateClient of one taken", t.Registry.CreateClient(ctx, other), oauth.ErrExists), t.has(ctx, c))
}

func checkClientIDs(ctx context.Context, t *clientTrial) error {
	const lower = "abcdef01-ab"
	c, err := t.created(ctx, func(c *oauth.Client) { c.ID = lower })
	if err != nil {
		return err
	}
	hostile := []string{"\x00", lower + "\x00", "\xff\xfe", "\xed\xa0\x80", strings.Repeat("9", 100_000)}
	for _, id := range slices.Concat(near(lower), hostile) {
		err := errors.Join(
			t.misses(ctx, id),
			fails("UpdateClient of nobody", t.Registry.UpdateClient(ctx, changed(c, func(c *oauth.Client) { c.ID = id })), oauth.ErrNotFound),
			fails("DeleteClient of nobody", t.Registry.DeleteClient(ctx, id), oauth.ErrNotFound),
			t.has(ctx, c))
		if err != nil {
			return err
		}
	}
	upper, err := t.created(ctx, func(c *oauth.Client) { c.ID = strings.ToUpper(lower) })
	if err != nil {
		return err
	}
	return errors.Join(t.has(ctx, upper), t.has(ctx, c))
}

func checkClientUpdate(ctx context.Context, t *clientTrial) error {
	other, err := t.created(ctx)
	if err != nil {
		return err
	}
	c, err := t.created(ctx)
	if err != nil {
		return err
	}
	next := changed(c, func(c *oauth.Client) {
		*c = oauth.Client{ID: c.ID, Name: "renamed", Public: true, Scopes: scope.MustParseSet("invoices"), UpdatedAt: c.UpdatedAt, Version: c.Version}
	})
	if err := errors.Join(wrap("UpdateClient", t.Registry.UpdateClient(ctx, next)), t.has(ctx, next)); err != nil {
		return err
	}
	for _, version := range []int64{0, 1, 2, 4, 1 << 40} {
		stale := changed(next, func(c *oauth.Client) { c.Name, c.Version = "stale", version })
		err := fails(fmt.Sprintf("UpdateClient to version %d of one at 2", version), t.Registry.UpdateClient(ctx, stale), oauth.ErrConflict)
		if err := errors.Join(err, t.has(ctx, next)); err != nil {
			return err
		}
	}
	ghost := changed(t.client())
	return errors.Join(
		fails("UpdateClient of nobody", t.Registry.UpdateClient(ctx, ghost), oauth.ErrNotFound),
		t.misses(ctx, ghost.ID), t.has(ctx, next), t.has(ctx, other))
}

func checkClientList(ctx context.Context, t *clientTrial) error {
	if err := t.lists(ctx, oauth.Page{Limit: 10}); err != nil {
		return err
	}
	var all []oauth.Client
	for range 7 {
		all = append(all, t.client())
	}
	for _, i := range []int{3, 0, 6, 1, 5, 2, 4} { // whatever the order they came in
		if err := wrap("CreateClient", t.Registry.CreateClient(ctx, all[i])); err != nil {
			return err
		}
	}
	if err := errors.Join(
		t.lists(ctx, oauth.Page{Limit: 10}, all...),
		t.lists(ctx, oauth.Page{Limit: 3}, all[4:]...),
		t.lists(ctx, oauth.Page{Limit: 3, Before: all[4].ID}, all[1:4]...),
		t.lists(ctx, oauth.Page{Limit: 3, Before: all[1].ID}, all[0]),
		t.lists(ctx, oauth.Page{Limit: 3, Before: all[0].ID}),
		t.lists(ctx, oauth.Page{Limit: 3, Before: all[5].ID[:len(all[5].ID)-1]}),
	); err != nil {
		return err
	}
	for _, id := range []string{"Z", "a"} { // which is the order of their bytes, and not that of a dictionary
		if _, err := t.created(ctx, func(c *oauth.Client) { c.ID = id }); err != nil {
			return err
		}
	}
	if err := t.order(ctx, "a", "Z", all[6].ID); err != nil {
		return err
	}
	for _, before := range []string{"\x00", "' OR 1=1 --", "\xff", strings.Repeat("9", 100_000)} { // cursors are never trusted
		if _, err := t.Registry.Clients(ctx, oauth.Page{Before: before, Limit: 3}); err != nil {
			return wrap("Clients", fmt.Errorf("before %.20q: %w", before, err))
		}
	}
	// A page begins after a client that is gone, and has what an update made.
	all[3] = changed(all[3], func(c *oauth.Client) { c.Name = "zzz" })
	return errors.Join(
		wrap("DeleteClient", t.Registry.DeleteClient(ctx, all[4].ID)),
		wrap("UpdateClient", t.Registry.UpdateClient(ctx, all[3])),
		t.lists(ctx, oauth.Page{Limit: 2, Before: all[4].ID}, all[2:4]...))
}
