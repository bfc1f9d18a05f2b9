package oauthtest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/latchwork/latchwork/oauth"
)

// methods are those of oauth.Store.
func methods() []string {
	return []string{"CreateGrant", "Lookup", "Spend", "RevokeGrants", "Grants", "DeleteExpired"}
}

// A Spy is a store in front of another one: it counts calls, and fails and
// hangs on demand. It is safe for concurrent use. Make it with NewSpy.
//
// Its methods take the names of the store's methods, such as "Lookup"; without
// a name they mean all of them. A name that oauth.Store does not have is a
// mistake in the test and panics.
type Spy struct {
	inner oauth.Store

	mu    sync.Mutex
	calls map[string]int
	fails map[string]error
	gates map[string][]gate
}

// A gate holds calls until it is opened.
type gate struct {
	opened chan struct{}
	answer bool // it holds the answer, and not the question
}

// NewSpy returns a Spy that so far only counts what it passes on to inner.
func NewSpy(inner oauth.Store) *Spy {
	return &Spy{inner: inner, calls: map[string]int{}, fails: map[string]error{}, gates: map[string][]gate{}}
}

// Calls returns how often these methods were called, failed and held calls
// included. A held call counts from the moment it arrives.
func (s *Spy) Calls(names ...string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := 0
	for _, name := range known(names) {
		sum += s.calls[name]
	}
	return sum
}

// Fail makes these methods return err without asking the inner store, from now
// on. Nil mends them.
func (s *Spy) Fail(err error, names ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range known(names) {
		s.fails[name] = err
	}
}

// Hold keeps calls of these methods waiting before they reach the inner store,
// until release is called or their context is done, when they return its error.
// Calling release again does nothing.
func (s *Spy) Hold(names ...string) (release func()) { return s.hold(false, names) }

// HoldAnswers is Hold for calls that the inner store has already answered: what
// they return in the end may be out of date by then, and a change was made even
// if its call returns the error of its context.
func (s *Spy) HoldAnswers(names ...string) (release func()) { return s.hold(true, names) }

func (s *Spy) hold(answer bool, names []string) func() {
	g := gate{opened: make(chan struct{}), answer: answer}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range known(names) {
		s.gates[name] = append(s.gates[name], g)
	}
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for name, gates := range s.gates {
			s.gates[name] = slices.DeleteFunc(gates, func(other gate) bool { return other == g })
		}
		close(g.opened)
	})
}

func known(names []string) []string {
	for _, name := range names {
		if !slices.Contains(methods(), name) {
			panic(fmt.Sprintf("oauthtest: a store has no method %q, only %s", name, strings.Join(methods(), ", ")))
		}
	}
	if len(names) == 0 {
		return methods()
	}
	return names
}

// through takes a call past the counter and the gates.
func (s *Spy) through(ctx context.Context, name string, call func() error) error {
	s.mu.Lock()
	s.calls[name]++
	gates := slices.Clone(s.gates[name])
	s.mu.Unlock()

	if err := wait(ctx, gates, false); err != nil {
		return err
	}
	s.mu.Lock()
	err := s.fails[name]
	s.mu.Unlock()
	if err != nil {
		return err
	}
	if err := call(); err != nil {
		return err
	}
	return wait(ctx, gates, true)
}

func wait(ctx context.Context, gates []gate, answer bool) error {
	for _, g := range gates {
		if g.answer != answer {
			continue
		}
		select {
		case <-g.opened:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// ask is through for calls that return something.
func ask[T any](ctx context.Context, s *Spy, name string, call func() (T, error)) (T, error) {
	var answer T
	err := s.through(ctx, name, func() (err error) {
		answer, err = call()
		return err
	})
	if err != nil {
		var none T
		return none, err
	}
	return answer, nil
}

// CreateGrant implements oauth.Store.
func (s *Spy) CreateGrant(ctx context.Context, g oauth.Grant, first ...oauth.Credential) error {
	return s.through(ctx, "CreateGrant", func() error { return s.inner.CreateGrant(ctx, g, first...) })
}

// Lookup implements oauth.Store.
func (s *Spy) Lookup(ctx context.Context, h oauth.Hash) (oauth.Credential, oauth.Grant, error) {
	var g oauth.Grant
	c, err := ask(ctx, s, "Lookup", func() (c oauth.Credential, err error) {
		c, g, err = s.inner.Lookup(ctx, h)
		return c, err
	})
	if err != nil {
		return oauth.Credential{}, oauth.Grant{}, err
	}
	return c, g, nil
}

// Spend implements oauth.Store.
func (s *Spy) Spend(ctx context.Context, spend oauth.Spend, issue ...oauth.Credential) (oauth.Spent, error) {
	return ask(ctx, s, "Spend", func() (oauth.Spent, error) { return s.inner.Spend(ctx, spend, issue...) })
}

// RevokeGrants implements oauth.Store.
func (s *Spy) RevokeGrants(ctx context.Context, f oauth.Filter, at time.Time) (int, error) {
	return ask(ctx, s, "RevokeGrants", func() (int, error) { return s.inner.RevokeGrants(ctx, f, at) })
}

// Grants implements oauth.Store.
func (s *Spy) Grants(ctx context.Context, f oauth.Filter, page oauth.Page) ([]oauth.Grant, error) {
	return ask(ctx, s, "Grants", func() ([]oauth.Grant, error) { return s.inner.Grants(ctx, f, page) })
}

// DeleteExpired implements oauth.Store.
func (s *Spy) DeleteExpired(ctx context.Context, before time.Time, limit int) (int, error) {
	return ask(ctx, s, "DeleteExpired", func() (int, error) { return s.inner.DeleteExpired(ctx, before, limit) })
}
