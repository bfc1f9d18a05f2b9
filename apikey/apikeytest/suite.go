package apikeytest

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"github.com/latchwork/latchwork/apikey"
)

// A Backend is what the suite tests.
type Backend struct {
	// Store is the store, fresh and empty.
	Store apikey.Store

	// Activity reads back the events of the Store, and keeps what was counted.
	// Nil only if the store keeps none: then its checks fail, and say so.
	Activity apikey.Activity

	// Feed tells of the changes of the Store. Nil only if the store has none:
	// then its checks are skipped.
	Feed apikey.Feed

	// Second is another handle on the same data, for example on a connection
	// of its own; races are run over both. Nil: Store itself.
	Second apikey.Store
}

// checkTimeout bounds one check, so that a store that hangs fails.
const checkTimeout = time.Minute

// TestStore runs the suite, each check as a subtest on a backend of its own.
// open returns a fresh, empty one and may use t for cleaning up.
func TestStore(t *testing.T, open func(t *testing.T) Backend) {
	t.Helper()
	for _, c := range checks() {
		t.Run(c.name, func(t *testing.T) {
			err := c.check(t.Context(), open(t), checkTimeout)
			switch {
			case errors.Is(err, errNoFeed):
				t.Skip(err)
			case err != nil:
				t.Error(err)
			}
		})
	}
}

// CheckStore runs the suite without a testing.T and returns everything that is
// wrong, joined: one error for each check that failed, which begins with
// "apikeytest: " and the check's name. Each check opens a backend of its own.
// When ctx is done, what has not been checked by then fails.
func CheckStore(ctx context.Context, open func() (Backend, error)) error {
	return checkStore(ctx, checks(), open, checkTimeout)
}

func checkStore(ctx context.Context, checks []check, open func() (Backend, error), timeout time.Duration) error {
	var faults []error
	for _, c := range checks {
		b, err := open()
		if err != nil {
			faults = append(faults, c.fault(fmt.Errorf("open: %w", err)))
			continue
		}
		if err := c.check(ctx, b, timeout); !errors.Is(err, errNoFeed) {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// A check is one part of the contract.
type check struct {
	name string
	why  string // what the contract says, for whoever reads a failure
	run  func(context.Context, *trial) error
}

// checks returns the whole contract.
func checks() []check {
	return slices.Concat(
		createChecks(), findChecks(), updateChecks(), rehashChecks(), raceChecks(), raceRehashChecks(),
		textChecks(), valueChecks(), copyChecks(), listChecks(), searchChecks(),
		eventChecks(), useChecks(), raceUseChecks(), purgeChecks(), feedChecks(), contextChecks(),
	)
}

func (c check) fault(err error) error {
	return fmt.Errorf("apikeytest: %s: %w\n\tthe contract: %s", c.name, err, c.why)
}

// check runs the check in a goroutine of its own, which it leaves behind if the
// store neither answers nor heeds its context.
func (c check) check(ctx context.Context, b Backend, timeout time.Duration) error {
	if b.Store == nil {
		return c.fault(errors.New("the Backend has no Store"))
	}
	if b.Second == nil {
		b.Second = b.Store
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- protect(func() error { return c.run(ctx, &trial{Backend: b}) }) }()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		// A store that heeds its context comes back now and says more.
		select {
		case err = <-done:
		case <-time.After(min(timeout, time.Second)):
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
