package oauthtest_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/oauth"
	"github.com/latchwork/latchwork/oauth/oauthtest"
	"github.com/latchwork/latchwork/scope"
)

func openClients() (oauthtest.ClientBackend, error) {
	return oauthtest.ClientBackend{Registry: oauth.NewMemoryClients()}, nil
}

func TestMemoryClients(t *testing.T) {
	t.Parallel()
	oauthtest.TestClients(t, func(*testing.T) oauthtest.ClientBackend {
		b, _ := openClients()
		return b
	})
	for range 20 {
		require.NoError(t, oauthtest.CheckClients(t.Context(), openClients))
	}
	require.NoError(t, oauthtest.CheckClients(t.Context(), func() (oauthtest.ClientBackend, error) {
		r := newRoster()
		return oauthtest.ClientBackend{Registry: r, Second: r.MemoryClients}, nil
	}), "what the mutants are made from")
}

// A roster is a right registry, of which every method can be replaced by a
// wrong one.
type roster struct {
	*oauth.MemoryClients

	client func(context.Context, string) (oauth.Client, error)
	create func(context.Context, oauth.Client) error
	update func(context.Context, oauth.Client) error
	remove func(context.Context, string) error
	list   func(context.Context, oauth.Page) ([]oauth.Client, error)
}

func newRoster() *roster {
	m := oauth.NewMemoryClients()
	return &roster{m, m.Client, m.CreateClient, m.UpdateClient, m.DeleteClient, m.Clients}
}

func (r *roster) Client(ctx context.Context, id string) (oauth.Client, error) {
	return r.client(ctx, id)
}

func (r *roster) CreateClient(ctx context.Context, c oauth.Client) error { return r.create(ctx, c) }

func (r *roster) UpdateClient(ctx context.Context, c oauth.Client) error { return r.update(ctx, c) }

func (r *roster) DeleteClient(ctx context.Context, id string) error { return r.remove(ctx, id) }

func (r *roster) Clients(ctx context.Context, page oauth.Page) ([]oauth.Client, error) {
	return r.list(ctx, page)
}

// loses changes every client that goes into the registry.
func loses(edit func(*oauth.Client)) func(*roster) {
	return func(r *roster) {
		r.create = func(ctx context.Context, c oauth.Client) error {
			c = c.Clone()
			edit(&c)
			return r.MemoryClients.CreateClient(ctx, c)
		}
		r.update = func(ctx context.Context, c oauth.Client) error {
			c = c.Clone()
			edit(&c)
			return r.MemoryClients.UpdateClient(ctx, c)
		}
	}
}

// updates loses something in updates alone.
func updates(edit func(before oauth.Client, c *oauth.Client)) func(*roster) {
	return func(r *roster) {
		r.update = func(ctx context.Context, c oauth.Client) error {
			before, err := r.MemoryClients.Client(ctx, c.ID)
			if err != nil {
				return err
			}
			c = c.Clone()
			edit(before, &c)
			return r.MemoryClients.UpdateClient(ctx, c)
		}
	}
}

type rosterMutant struct {
	mistake, check string
	make           func(*roster)
}

func rosterMutants() []rosterMutant {
	return []rosterMutant{
		{"the name is lost", "client", loses(func(c *oauth.Client) { c.Name = "" })},
		{"public is lost", "client values", loses(func(c *oauth.Client) { c.Public = false })},
		{"first party is everybody", "client values", loses(func(c *oauth.Client) { c.FirstParty = true })},
		{"resource server is everybody", "client values", loses(func(c *oauth.Client) { c.ResourceServer = true })},
		{"disabled is lost", "client values", loses(func(c *oauth.Client) { c.Disabled = false })},
		{"an update leaves disabled as it was", "client values", updates(func(b oauth.Client, c *oauth.Client) { c.Disabled = b.Disabled })},
		{"an update leaves the secrets as they were", "client values", updates(func(b oauth.Client, c *oauth.Client) { c.Secrets = b.Secrets })},
		{"one secret only", "client values", loses(func(c *oauth.Client) { c.Secrets = c.Secrets[:min(1, len(c.Secrets))] })},
		{"a deadline is lost", "client values", loses(func(c *oauth.Client) {
			for i := range c.Secrets {
				c.Secrets[i].Deadline = time.Time{}
			}
		})},
		{"the method is lost", "client values", loses(func(c *oauth.Client) { c.AuthMethod = "" })},
		{"grants are sorted", "client values", loses(func(c *oauth.Client) { slices.Sort(c.Grants) })},
		{"redirect URIs are sorted", "client values", loses(func(c *oauth.Client) { slices.Sort(c.RedirectURIs) })},
		{"no scopes are the default ones", "client values", loses(func(c *oauth.Client) {
			if c.DefaultScopes.Len() == 0 {
				c.DefaultScopes = c.Scopes
			}
		})},
		{"scopes are cut", "client values", loses(func(c *oauth.Client) { c.Scopes = less(c.Scopes, 255) })},
		{"scopes are lost", "client values", loses(func(c *oauth.Client) { c.Scopes = scope.Set{} })},
		{"lifetimes are whole seconds", "client values", loses(func(c *oauth.Client) { c.RefreshIdle = c.RefreshIdle.Truncate(time.Second) })},
		{"lifetimes end in a century", "client values", loses(func(c *oauth.Client) {
			c.AccessLifetime = min(c.AccessLifetime, 100*365*24*time.Hour)
			c.RefreshAbsolute = min(c.RefreshAbsolute, 100*365*24*time.Hour)
		})},
		{"times are whole seconds", "client values", loses(func(c *oauth.Client) { c.CreatedAt = c.CreatedAt.Truncate(time.Second) })},
		{"an update sets its own time", "client values", updates(func(_ oauth.Client, c *oauth.Client) { c.UpdatedAt = time.Now().UTC() })},
		{"names are trimmed", "client text", loses(func(c *oauth.Client) { c.Name = strings.TrimSpace(c.Name) })},
		{"redirect URIs are separated by spaces", "client text", loses(func(c *oauth.Client) {
			c.RedirectURIs = strings.Fields(strings.Join(c.RedirectURIs, " "))
		})},
		{"a second one replaces the first", "client taken", func(r *roster) {
			r.create = func(ctx context.Context, c oauth.Client) error {
				_ = r.DeleteClient(ctx, c.ID)
				return r.MemoryClients.CreateClient(ctx, c)
			}
		}},
		{"one taken is ignored", "client taken", func(r *roster) {
			r.create = func(ctx context.Context, c oauth.Client) error {
				if err := r.MemoryClients.CreateClient(ctx, c); !errors.Is(err, oauth.ErrExists) {
					return err
				}
				return nil
			}
		}},
		{"IDs are folded", "client ids byte for byte", func(r *roster) {
			r.client = func(ctx context.Context, id string) (oauth.Client, error) {
				return r.MemoryClients.Client(ctx, strings.ToLower(id))
			}
		}},
		{"NUL is an error", "client ids byte for byte", func(r *roster) {
			r.client = func(ctx context.Context, id string) (oauth.Client, error) {
				if strings.Contains(id, "\x00") {
					return oauth.Client{}, errors.New("invalid byte sequence")
				}
				return r.MemoryClients.Client(ctx, id)
			}
		}},
		{"nobody is no error", "client", func(r *roster) {
			r.client = func(ctx context.Context, id string) (oauth.Client, error) {
				c, err := r.MemoryClients.Client(ctx, id)
				if errors.Is(err, oauth.ErrNotFound) {
					err = nil
				}
				return c, err
			}
		}},
		{"the version does not matter", "client update", func(r *roster) {
			r.update = func(ctx context.Context, c oauth.Client) error {
				for {
					if err := r.MemoryClients.UpdateClient(ctx, c); !errors.Is(err, oauth.ErrConflict) {
						return err
					}
					c.Version++
				}
			}
		}},
		{"an update makes what is not there", "client update", func(r *roster) {
			r.update = func(ctx context.Context, c oauth.Client) error {
				err := r.MemoryClients.UpdateClient(ctx, c)
				if errors.Is(err, oauth.ErrNotFound) {
					return r.MemoryClients.CreateClient(ctx, c)
				}
				return err
			}
		}},
		{"the version is read first and written later", "client one update wins", func(r *roster) {
			r.update = func(ctx context.Context, c oauth.Client) error {
				before, err := r.MemoryClients.Client(ctx, c.ID)
				if err != nil {
					return err
				}
				if before.Version != c.Version-1 {
					return oauth.ErrConflict
				}
				time.Sleep(window)
				_ = r.MemoryClients.DeleteClient(ctx, c.ID)
				_ = r.MemoryClients.CreateClient(ctx, c)
				return nil
			}
		}},
		{"an update puts back what was deleted", "client delete", func(r *roster) {
			r.update = func(ctx context.Context, c oauth.Client) error {
				err := r.MemoryClients.UpdateClient(ctx, c)
				if errors.Is(err, oauth.ErrNotFound) {
					return r.MemoryClients.CreateClient(ctx, c)
				}
				return err
			}
		}},
		{"deleting nobody is no error", "client delete", func(r *roster) {
			r.remove = func(ctx context.Context, id string) error {
				_ = r.MemoryClients.DeleteClient(ctx, id)
				return ctx.Err()
			}
		}},
		{"deleted is disabled", "client delete", func(r *roster) {
			r.remove = func(ctx context.Context, id string) error {
				c, err := r.MemoryClients.Client(ctx, id)
				if err != nil {
					return err
				}
				c.Disabled, c.Version = true, c.Version+1
				return r.MemoryClients.UpdateClient(ctx, c)
			}
		}},
		{"the oldest first", "client list", func(r *roster) {
			r.list = func(ctx context.Context, page oauth.Page) ([]oauth.Client, error) {
				clients, err := r.MemoryClients.Clients(ctx, page)
				slices.Reverse(clients)
				return clients, err
			}
		}},
		{"a page begins with the last of the one before", "client list", func(r *roster) {
			r.list = func(ctx context.Context, page oauth.Page) ([]oauth.Client, error) {
				if page.Before != "" {
					page.Before += "\x00"
				}
				return r.MemoryClients.Clients(ctx, page)
			}
		}},
		{"the order of a dictionary", "client list", func(r *roster) {
			r.list = func(ctx context.Context, page oauth.Page) ([]oauth.Client, error) {
				all, err := r.MemoryClients.Clients(ctx, oauth.Page{Limit: 1000})
				slices.SortFunc(all, func(a, b oauth.Client) int {
					return strings.Compare(strings.ToLower(b.ID), strings.ToLower(a.ID))
				})
				all = slices.DeleteFunc(all, func(c oauth.Client) bool {
					return page.Before != "" && strings.ToLower(c.ID) >= strings.ToLower(page.Before)
				})
				return all[:min(page.Limit, len(all))], err
			}
		}},
		{"a cursor that is no text is an error", "client list", func(r *roster) {
			r.list = func(ctx context.Context, page oauth.Page) ([]oauth.Client, error) {
				if !utf8.ValidString(page.Before) {
					return nil, errors.New("invalid byte sequence")
				}
				return r.MemoryClients.Clients(ctx, page)
			}
		}},
		{"secrets are shared", "client copies", func(r *roster) {
			var mine []oauth.ClientSecret
			r.create = func(ctx context.Context, c oauth.Client) error {
				mine = c.Secrets
				return r.MemoryClients.CreateClient(ctx, c)
			}
			r.client = func(ctx context.Context, id string) (oauth.Client, error) {
				c, err := r.MemoryClients.Client(ctx, id)
				c.Secrets = mine
				return c, err
			}
		}},
		{"a list lends what it has", "client copies", func(r *roster) {
			held := map[int64]*oauth.Client{}
			r.list = func(ctx context.Context, page oauth.Page) ([]oauth.Client, error) {
				clients, err := r.MemoryClients.Clients(ctx, page)
				for i, c := range clients {
					if held[c.Version] == nil {
						held[c.Version] = &clients[i]
					}
					clients[i] = *held[c.Version]
				}
				return clients, err
			}
		}},
		{"writing heeds no context", "client done context", func(r *roster) {
			r.create = func(ctx context.Context, c oauth.Client) error {
				return r.MemoryClients.CreateClient(context.WithoutCancel(ctx), c)
			}
		}},
		{"a deletion is done before the context is looked at", "client done context", func(r *roster) {
			r.remove = func(ctx context.Context, id string) error {
				_ = r.MemoryClients.DeleteClient(context.WithoutCancel(ctx), id)
				return ctx.Err()
			}
		}},
		{"reading heeds no context", "client done context", func(r *roster) {
			r.client = func(ctx context.Context, id string) (oauth.Client, error) {
				return r.MemoryClients.Client(context.WithoutCancel(ctx), id)
			}
		}},
	}
}

func TestEveryMistakeOfARegistryIsCaught(t *testing.T) {
	t.Parallel()
	unproved := oauthtest.ClientCheckNames()
	for _, m := range rosterMutants() {
		unproved = slices.DeleteFunc(unproved, func(name string) bool { return name == m.check })
		t.Run(m.mistake, func(t *testing.T) {
			t.Parallel()
			err := oauthtest.CheckOnlyClients(t.Context(), m.check, func() (oauthtest.ClientBackend, error) {
				r := newRoster()
				m.make(r)
				return oauthtest.ClientBackend{Registry: r}, nil
			})
			require.ErrorContains(t, err, "oauthtest: "+m.check+": ")
			require.NotContains(t, err.Error(), "panic")
		})
	}
	require.Empty(t, unproved, "a check that no mistake is made for")
}

func TestNoRegistry(t *testing.T) {
	t.Parallel()
	err := oauthtest.CheckClients(t.Context(), func() (oauthtest.ClientBackend, error) { return oauthtest.ClientBackend{}, nil })
	require.Equal(t, len(oauthtest.ClientCheckNames()), strings.Count(err.Error(), "the ClientBackend has no Registry"))
	boom := errors.New("boom")
	err = oauthtest.CheckClients(t.Context(), func() (oauthtest.ClientBackend, error) { return oauthtest.ClientBackend{}, boom })
	require.ErrorIs(t, err, boom)
}

// A registry in trouble fails the suite, whichever of its answers is the bad
// one.
func TestNoErrorOfARegistryGoesUnnoticed(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	for _, check := range oauthtest.ClientCheckNames() {
		t.Run(check, func(t *testing.T) {
			t.Parallel()
			run := func(at int64) (made int64, err error) {
				var calls atomic.Int64
				r := newRoster()
				m := *r
				next := func(call func() error) error {
					if calls.Add(1) == at {
						return boom
					}
					return call()
				}
				r.client = func(ctx context.Context, id string) (c oauth.Client, err error) {
					err = next(func() error { c, err = m.client(ctx, id); return err })
					return c, err
				}
				r.create = func(ctx context.Context, c oauth.Client) error {
					return next(func() error { return m.create(ctx, c) })
				}
				r.update = func(ctx context.Context, c oauth.Client) error {
					return next(func() error { return m.update(ctx, c) })
				}
				r.remove = func(ctx context.Context, id string) error {
					return next(func() error { return m.remove(ctx, id) })
				}
				r.list = func(ctx context.Context, page oauth.Page) (clients []oauth.Client, err error) {
					err = next(func() error { clients, err = m.list(ctx, page); return err })
					return clients, err
				}
				err = oauthtest.CheckOnlyClients(t.Context(), check, func() (oauthtest.ClientBackend, error) {
					return oauthtest.ClientBackend{Registry: r}, nil
				})
				return calls.Load(), err
			}
			calls, err := run(0)
			require.NoError(t, err)
			for at := int64(1); at <= calls; at += 1 + at/8 {
				if made, err := run(at); made >= at {
					require.Error(t, err, "call %d of %d", at, made)
				}
			}
		})
	}
}
