package apikeytest

import (
	"testing"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/scope"
)

// NewManager returns a Manager with this configuration on a MemoryStore of its
// own. What cfg leaves empty is filled in: "test" for the Prefix, and the store
// for the Activity. A bad configuration ends the test.
func NewManager(t testing.TB, cfg apikey.Config) *apikey.Manager {
	t.Helper()
	store := apikey.NewMemoryStore()
	if cfg.Prefix == "" {
		cfg.Prefix = "test"
	}
	if cfg.Activity == nil {
		cfg.Activity = store
	}
	m, err := apikey.New(store, cfg)
	if err != nil {
		t.Fatalf("apikeytest: new manager: %v", err)
	}
	return m
}

// Key issues a key of type "admin" with these grants, for every address and
// without an end. A test that needs more of a key calls m.Create itself. A
// malformed grant ends the test.
func Key(t testing.TB, m *apikey.Manager, permissions ...string) apikey.Issued {
	t.Helper()
	set, err := scope.ParseSet(permissions...)
	if err != nil {
		t.Fatalf("apikeytest: key: %v", err)
	}
	issued, err := m.Create(t.Context(), apikey.Spec{Name: "key of a test", Type: "admin", Permissions: set})
	if err != nil {
		t.Fatalf("apikeytest: key: %v", err)
	}
	return issued
}
