package apikeytest

import (
	"context"
	"slices"
	"time"
)

// CheckNames returns the names of all checks.
func CheckNames() []string {
	var names []string
	for _, c := range checks() {
		names = append(names, c.name)
	}
	return names
}

// CheckStoreWithin is CheckStore with another bound on each check.
func CheckStoreWithin(ctx context.Context, open func() (Backend, error), timeout time.Duration) error {
	return checkStore(ctx, checks(), open, timeout)
}

// CheckStoreOnly is CheckStore with one check.
func CheckStoreOnly(ctx context.Context, name string, open func() (Backend, error)) error {
	only := slices.DeleteFunc(checks(), func(c check) bool { return c.name != name })
	return checkStore(ctx, only, open, checkTimeout)
}
