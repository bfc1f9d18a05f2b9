package oauth

import (
	"context"
	"slices"
	"strings"
	"sync"
)

// A ClientRegistry is a ClientStore that can change: where Clients keeps the
// clients it manages. It never sees a secret, only hashes, and it judges
// nothing: a disabled client is found like any other.
//
// Every method is safe for concurrent use, returns an error that matches
// ctx.Err() when the context is done and then has changed nothing, and copies
// what it takes and gives. Times come in UTC and whole microseconds, lifetimes
// in whole nanoseconds. What cannot be read back whole is an error, never a
// client with less on it. IDs are compared byte for byte, and any text at all
// may be asked for. An error that matches none of this package's means the
// registry itself is in trouble.
//
// The suite in the package oauthtest checks all of this.
type ClientRegistry interface {
	// Client is the hot path: one round trip.
	ClientStore

	// CreateClient adds a client. ErrExists: the ID is taken.
	CreateClient(ctx context.Context, c Client) error

	// UpdateClient replaces the whole client with the ID c.ID, secrets
	// included, if the stored version is c.Version-1. ErrConflict: it is
	// another one. ErrNotFound: there is no such client. In both cases nothing
	// is stored.
	UpdateClient(ctx context.Context, c Client) error

	// DeleteClient deletes a client, or returns ErrNotFound. No update that is
	// under way brings it back.
	DeleteClient(ctx context.Context, id string) error

	// Clients returns the clients with the greatest IDs first, at most
	// page.Limit of them. None is an empty list.
	Clients(ctx context.Context, page Page) ([]Client, error)
}

// MemoryClients is a ClientRegistry in memory, for tests and for services that
// register their clients anew at every start. It is safe for concurrent use.
// The zero value is empty and ready.
type MemoryClients struct {
	mu   sync.RWMutex
	byID map[string]Client
}

// NewMemoryClients returns an empty registry.
func NewMemoryClients() *MemoryClients { return new(MemoryClients) }

// Client implements ClientStore.
func (m *MemoryClients) Client(ctx context.Context, id string) (Client, error) {
	if err := ctx.Err(); err != nil {
		return Client{}, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	c, found := m.byID[id]
	if !found {
		return Client{}, ErrNotFound
	}
	return c.Clone(), nil
}

// CreateClient implements ClientRegistry.
func (m *MemoryClients) CreateClient(ctx context.Context, c Client) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, taken := m.byID[c.ID]; taken {
		return ErrExists
	}
	if m.byID == nil {
		m.byID = map[string]Client{}
	}
	m.byID[c.ID] = c.Clone()
	return nil
}

// UpdateClient implements ClientRegistry.
func (m *MemoryClients) UpdateClient(ctx context.Context, c Client) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch before, found := m.byID[c.ID]; {
	case !found:
		return ErrNotFound
	case before.Version != c.Version-1:
		return ErrConflict
	}
	m.byID[c.ID] = c.Clone()
	return nil
}

// DeleteClient implements ClientRegistry.
func (m *MemoryClients) DeleteClient(ctx context.Context, id string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, found := m.byID[id]; !found {
		return ErrNotFound
	}
	delete(m.byID, id)
	return nil
}

// Clients implements ClientRegistry.
func (m *MemoryClients) Clients(ctx context.Context, page Page) ([]Client, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	clients := []Client{}
	for id, c := range m.byID {
		if page.Before == "" || id < page.Before {
			clients = append(clients, c)
		}
	}
	slices.SortFunc(clients, func(a, b Client) int { return strings.Compare(b.ID, a.ID) })
	clients = clients[:min(len(clients), max(page.Limit, 0))]
	for i := range clients {
		clients[i] = clients[i].Clone()
	}
	return clients, nil
}
