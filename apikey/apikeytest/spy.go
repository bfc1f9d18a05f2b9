package apikeytest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/latchwork/latchwork/apikey"
)

// methods are those of apikey.Store.
func methods() []string {
	return []string{"Create", "Find", "Get", "List", "Update", "Rehash"}
}

// A Spy is a store in front of another one: it counts calls, and fails and
// hangs on demand. It is safe for concurrent use. Make it with NewSpy.
//
// Its methods take the names of the store's methods, such as "Find"; without
// a name they mean all of them. A name that apikey.Store does not have is a
// mistake in the test and panics.
type Spy struct {
	inner apikey.Store

	mu    sync.Mutex
	sight int
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
func NewSpy(inner apikey.Store) *Spy {
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

// Sight makes List look at n keys at a time for those that match, as stores do
// that have very many of them, so that its pages become short. Zero: at all.
func (s *Spy) Sight(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sight = n
}

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
			panic(fmt.Sprintf("apikeytest: a store has no method %q, only %s", name, strings.Join(methods(), ", ")))
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

// Create implements apikey.Store.
func (s *Spy) Create(ctx context.Context, r apikey.Record, e apikey.Event) error {
	return s.through(ctx, "Create", func() error { return s.inner.Create(ctx, r, e) })
}

// Find implements apikey.Store.
func (s *Spy) Find(ctx context.Context, hashes []apikey.Hash) (apikey.Record, error) {
	return ask(ctx, s, "Find", func() (apikey.Record, error) { return s.inner.Find(ctx, hashes) })
}

// Get implements apikey.Store.
func (s *Spy) Get(ctx context.Context, id string) (apikey.Record, error) {
	return ask(ctx, s, "Get", func() (apikey.Record, error) { return s.inner.Get(ctx, id) })
}

// List implements apikey.Store.
func (s *Spy) List(ctx context.Context, q apikey.Query) (apikey.Listing, error) {
	return ask(ctx, s, "List", func() (apikey.Listing, error) { return s.list(ctx, q) })
}

func (s *Spy) list(ctx context.Context, q apikey.Query) (apikey.Listing, error) {
	s.mu.Lock()
	sight := s.sight
	s.mu.Unlock()
	page, err := s.inner.List(ctx, q)
	if err != nil || sight == 0 {
		return page, err
	}
	seen, err := s.inner.List(ctx, apikey.Query{Before: q.Before, Limit: sight})
	if page.Next < seen.Next { // it went on beyond what is seen
		page.Next = seen.Next
		page.Keys = slices.DeleteFunc(page.Keys, func(k apikey.Key) bool { return k.ID < seen.Next })
	}
	return page, err
}

// Update implements apikey.Store.
func (s *Spy) Update(ctx context.Context, r apikey.Record, e apikey.Event) error {
	return s.through(ctx, "Update", func() error { return s.inner.Update(ctx, r, e) })
}

// Rehash implements apikey.Store.
func (s *Spy) Rehash(ctx context.Context, id string, old apikey.Hash, secret apikey.SecretHash) error {
	return s.through(ctx, "Rehash", func() error { return s.inner.Rehash(ctx, id, old, secret) })
}
