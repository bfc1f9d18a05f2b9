package oauthtest

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"github.com/latchwork/latchwork/oauth"
)

// A Backend is what the suite tests.
type Backend struct {
	// Store is the store, fresh and empty.
	Store oauth.Store

	// Second is another handle on the same data, for example on a connection
	// of its own; races are run over both. Nil: Store itself.
	Second oauth.Store
}

// checkTimeout bounds one check, so that a store that hangs fails.
const checkTimeout = time.Minute

// TestStore runs the suite, each check as a subtest on a backend of its own.
// open returns a fresh, empty one and may use t for cleaning up.
func TestStore(t *testing.T, open func(t *testing.T) Backend) {
	t.Helper()
	testAll(t, checks(), func(t *testing.T) (*trial, error) { return open(t).trial() })
}

// CheckStore runs the suite without a testing.T and returns everything that is
// wrong, joined: one error for each check that failed, which begins with
// "oauthtest: " and the check's name. Each check opens a backend of its own.
// When ctx is done, what has not been checked by then fails.
func CheckStore(ctx context.Context, open func() (Backend, error)) error {
	return checkAll(ctx, checks(), opening(open, Backend.trial), checkTimeout)
}

// opening makes a trial of each backend that open returns.
func opening[B, T any](open func() (B, error), trial func(B) (T, error)) func() (T, error) {
	return func() (T, error) {
		b, err := open()
		if err != nil {
			var none T
			return none, fmt.Errorf("open: %w", err)
		}
		return trial(b)
	}
}

// trial returns a trial of the backend.
func (b Backend) trial() (*trial, error) {
	if b.Store == nil {
		return nil, errors.New("the Backend has no Store")
	}
	if b.Second == nil {
		b.Second = b.Store
	}
	return &trial{Backend: b}, nil
}

func testAll[T any](t *testing.T, checks []checkOf[T], open func(t *testing.T) (T, error)) {
	t.Helper()
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			if err := c.check(t.Context(), func() (T, error) { return open(t) }, checkTimeout); err != nil {
				t.Error(err)
			}
		})
	}
}

func checkAll[T any](ctx context.Context, checks []checkOf[T], open func() (T, error), timeout time.Duration) error {
	var faults []error
	for _, c := range checks {
		faults = append(faults, c.check(ctx, open, timeout))
	}
	return errors.Join(faults...)
}

// A checkOf is one part of a contract, tried on a T.
type checkOf[T any] struct {
	name string
	why  string // what the contract says, for whoever reads a failure
	run  func(context.Context, T) error
}

// A check is one part of the contract of an oauth.Store.
type check = checkOf[*trial]

// checks returns the whole contract.
func checks() []check {
	return slices.Concat(
		createChecks(), valueChecks(), textChecks(), spendChecks(), refusalChecks(),
		revokeChecks(), listChecks(), deleteChecks(), raceChecks(), raceRevokeChecks(),
		copyChecks(), contextChecks(),
	)
}

func (c checkOf[T]) fault(err error) error {
	return fmt.Errorf("oauthtest: %s: %w\n\tthe contract: %s", c.name, err, c.why)
}

// check runs the check in a goroutine of its own, which it leaves behind if the
// store neither answers nor heeds its context.
func (c checkOf[T]) check(ctx context.Context, open func() (T, error), timeout time.Duration) error {
	t, err := open()
	if err != nil {
		return c.fault(err)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- protect(func() error { return c.run(ctx, t) }) }()
	select {
	case err = <-done:
	case <-ctx.Done():
		// A store that heeds its context comes back now and says more.
		select {
		case err = <-done:
		case <-time.After(time.Second):
			err = errors.New("the store hangs, and does not heed its context")
		}
	}
	if err != nil {
		return c.fault(err)
	}
	return nil
}

// protect turns a panic into an error.
func protect(run func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return run()
}
