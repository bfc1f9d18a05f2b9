package oauth

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/latchwork/latchwork/scope"
)

const (
	// maxOverlap is how long an old client secret may go on working.
	maxOverlap = 7 * 24 * time.Hour

	// maxTries is how often a change is made anew because others were faster.
	maxTries = 100

	// lookAgain is how long finding out what became of a rotation may take.
	lookAgain = 2 * time.Second
)

// ClientsConfig is what Clients may be told. NewClients copies it.
type ClientsConfig struct {
	// Scopes knows the scopes there are: no client gets others. Nil: any.
	Scopes *scope.Catalog

	// Now says when something was changed. Nil: time.Now.
	Now func() time.Time
}

// Clients registers clients and changes them. It is a ClientStore, and safe for
// concurrent use. Make it with NewClients.
type Clients struct {
	registry ClientRegistry
	grants   Store
	cfg      ClientsConfig

	mu     sync.Mutex
	caches map[*tokenCache]struct{} // of the Servers that hear what is revoked
}

// NewClients returns Clients that keeps them in a registry, and revokes in a
// Store what was granted to those that are disabled or deleted.
func NewClients(registry ClientRegistry, grants Store, cfg ClientsConfig) (*Clients, error) {
	var faults []error
	if isNil(registry) {
		faults = append(faults, errors.New("oauth: the client registry is nil"))
	}
	if isNil(grants) {
		faults = append(faults, errors.New("oauth: the store is nil"))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Clients{registry: registry, grants: grants, cfg: cfg, caches: map[*tokenCache]struct{}{}}, nil
}

// now is the present as a registry may see it.
func (m *Clients) now() time.Time { return m.cfg.Now().UTC().Truncate(time.Microsecond) }

// An IssuedClient is a client with its secret, which nobody can read again
// afterwards. That of a public client is empty.
type IssuedClient struct {
	Client Client
	Secret Secret
}

// Create registers a client under a new ID, which is never that of another one.
// *SpecError: with everything that is wrong.
func (m *Clients) Create(ctx context.Context, spec ClientSpec) (IssuedClient, error) {
	if err := spec.validate(m.cfg.Scopes, nil); err != nil {
		return IssuedClient{}, err
	}
	id := uuid.Must(uuid.NewV7()) // fails only if crypto/rand does, which never fails
	c := Client{ID: hex.EncodeToString(id[:]), Public: spec.Public, CreatedAt: m.now(), Version: 1}
	c.UpdatedAt = c.CreatedAt
	c.apply(spec)
	issued := IssuedClient{}
	if !c.Public {
		secret, stored := NewClientSecret()
		issued.Secret, c.Secrets = secret, []ClientSecret{stored}
	}
	if err := m.registry.CreateClient(ctx, c); err != nil {
		return IssuedClient{}, fmt.Errorf("oauth: create client: %w", err)
	}
	issued.Client = c.Clone()
	return issued, nil
}

// Client returns the client with this ID, or ErrNotFound.
func (m *Clients) Client(ctx context.Context, id string) (Client, error) {
	c, err := m.registry.Client(ctx, id)
	if err == nil && c.ID != id {
		err = ErrNotFound
	}
	if err != nil {
		return Client{}, err
	}
	return c, nil
}

// List returns the clients that were registered last first, at most page.Limit
// of them: 100 if that is zero, and never more than 1,000.
func (m *Clients) List(ctx context.Context, page Page) ([]Client, error) {
	if page.Limit <= 0 {
		page.Limit = 100
	}
	page.Limit = min(page.Limit, maxPage)
	return m.registry.Clients(ctx, page)
}

// Update changes a client: edit gets what the client is made of and puts in what
// it should become. With a version, the client must be at that one, or
// ErrConflict. With version 0 the edit applies to the newest version: it is
// called again whenever somebody else was faster. A scope or a grant type that
// is taken away is missing from the next token on; tokens that were issued keep
// what they have until they expire. Errors: ErrNotFound, ErrConflict, *SpecError.
func (m *Clients) Update(ctx context.Context, id string, version int64, edit func(*ClientSpec)) (Client, error) {
	return m.change(ctx, id, version, func(c *Client) error {
		before, spec := c.Spec(), c.Clone().Spec()
		edit(&spec)
		if spec.Public != c.Public {
			return &SpecError{Fields: []FieldError{{"public", "cannot be changed"}}}
		}
		if err := spec.validate(m.cfg.Scopes, &before); err != nil {
			return err
		}
		c.apply(spec)
		return nil
	}, m.registry.UpdateClient)
}

// RotateSecret gives a client a new secret. The old one works for the overlap, at
// most seven days; with an overlap of 0 it is of no use at once. One that still
// overlaps from an earlier rotation is dropped: a client has at most two. The
// version is used as by Update. One call rotates once at most: a rotation whose
// answer the registry lost is looked up before anything else is done. ErrNotFound,
// ErrConflict; *SpecError, for a public client too.
func (m *Clients) RotateSecret(ctx context.Context, id string, version int64, overlap time.Duration) (IssuedClient, error) {
	if overlap < 0 || overlap > maxOverlap {
		return IssuedClient{}, &SpecError{Fields: []FieldError{{"overlap", "must be between 0 and 7 days"}}}
	}
	var secret Secret
	c, err := m.change(ctx, id, version, func(c *Client) error {
		if c.Public {
			return &SpecError{Fields: []FieldError{{"public", "clients have no secret"}}}
		}
		fresh, stored := NewClientSecret()
		secret = fresh
		secrets := []ClientSecret{stored}
		for _, old := range c.Secrets {
			if overlap > 0 && old.Deadline.IsZero() && len(secrets) == 1 {
				old.Deadline = after(m.now(), overlap)
				secrets = append(secrets, old)
			}
		}
		c.Secrets = secrets
		return nil
	}, m.storeRotated)
	if err != nil {
		return IssuedClient{}, err
	}
	return IssuedClient{Client: c, Secret: secret}, nil
}

// storeRotated stores a client with a fresh secret, and looks whether it is stored
// although the registry did not say so: nobody else can have stored that secret.
// Without that a lost answer would mean a lost secret, or a second rotation by
// which the old secret is lost that was to overlap.
func (m *Clients) storeRotated(ctx context.Context, c Client) error {
	err := m.registry.UpdateClient(ctx, c)
	if err == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookAgain)
	defer cancel()
	ours := func(s ClientSecret) bool { return s.Hash == c.Secrets[0].Hash }
	if now, failed := m.Client(ctx, c.ID); failed == nil && slices.ContainsFunc(now.Secrets, ours) {
		return nil
	}
	return err
}

// Enable lets a disabled client in again, with nothing of what it had.
// ErrNotFound.
func (m *Clients) Enable(ctx context.Context, id string) (Client, error) {
	return m.change(ctx, id, 0, func(c *Client) error {
		c.Disabled = false
		return nil
	}, m.registry.UpdateClient)
}

// Disable keeps a client out and revokes everything that was granted to it. If
// that fails half-way, do it again. A token that is being issued at that very
// moment can live until it expires, but cannot be refreshed. ErrNotFound.
func (m *Clients) Disable(ctx context.Context, id string) (Client, error) {
	c, err := m.change(ctx, id, 0, func(c *Client) error {
		c.Disabled = true
		return nil
	}, m.registry.UpdateClient)
	if err == nil {
		_, err = m.revoke(ctx, id)
	}
	return c, err
}

// Delete removes a client for good and revokes everything that was granted to
// it. If that fails half-way, do it again. What Disable says of tokens that are
// just being issued holds here, too. ErrNotFound.
func (m *Clients) Delete(ctx context.Context, id string) error {
	err := m.registry.DeleteClient(ctx, id)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("oauth: delete client: %w", err)
	}
	n, revoking := m.revoke(ctx, id)
	if revoking != nil || n > 0 { // not found, because half of it was done before
		return revoking
	}
	return err
}

// tell has a cache told what is revoked.
func (m *Clients) tell(c *tokenCache) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.caches[c] = struct{}{}
}

// forget ends that.
func (m *Clients) forget(c *tokenCache) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.caches, c)
}

func (m *Clients) revoke(ctx context.Context, id string) (int, error) {
	if id == "" {
		return 0, nil
	}
	now := m.now()
	n, err := m.grants.RevokeGrants(ctx, Filter{ClientID: id}, now)
	m.mu.Lock()
	defer m.mu.Unlock()
	for c := range m.caches {
		c.revoked(Filter{ClientID: id}, Subject{}, now, err)
	}
	if err != nil {
		return 0, fmt.Errorf("oauth: revoke: %w", err)
	}
	return n, nil
}

// change is every change of a client that exists: read it, apply,
// compare-and-swap.
func (m *Clients) change(
	ctx context.Context, id string, version int64, apply func(*Client) error, swap func(context.Context, Client) error,
) (Client, error) {
	for range maxTries {
		c, err := m.Client(ctx, id)
		if err != nil {
			return Client{}, err
		}
		if version != 0 && c.Version != version {
			return Client{}, ErrConflict
		}
		if err := apply(&c); err != nil {
			return Client{}, err
		}
		c.Version++
		c.UpdatedAt = m.now()
		err = swap(ctx, c)
		if errors.Is(err, ErrConflict) && version == 0 {
			continue
		}
		if err != nil {
			return Client{}, fmt.Errorf("oauth: update client: %w", err)
		}
		return c.Clone(), nil
	}
	return Client{}, ErrConflict
}
