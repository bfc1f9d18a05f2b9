package oauthtest

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

// CheckOnly is CheckStore with one check, and another bound on it.
func CheckOnly(ctx context.Context, name string, open func() (Backend, error), timeout time.Duration) error {
	only := slices.DeleteFunc(checks(), func(c check) bool { return c.name != name })
	return checkAll(ctx, only, opening(open, Backend.trial), timeout)
}

// ClientCheckNames returns the names of all checks of client registries.
func ClientCheckNames() []string {
	var names []string
	for _, c := range clientChecks() {
		names = append(names, c.name)
	}
	return names
}

// CheckOnlyClients is CheckClients with one check.
func CheckOnlyClients(ctx context.Context, name string, open func() (ClientBackend, error)) error {
	only := slices.DeleteFunc(clientChecks(), func(c checkOf[*clientTrial]) bool { return c.name != name })
	return checkAll(ctx, only, opening(open, ClientBackend.trial), checkTimeout)
}

// LimiterCheckNames returns the names of all checks of limiters.
func LimiterCheckNames() []string {
	var names []string
	for _, c := range limiterChecks() {
		names = append(names, c.name)
	}
	return names
}

// CheckOnlyLimiter is CheckLimiter with one check.
func CheckOnlyLimiter(ctx context.Context, name string, open func() (LimiterBackend, error)) error {
	only := slices.DeleteFunc(limiterChecks(), func(c checkOf[*limiterTrial]) bool { return c.name != name })
	return checkAll(ctx, only, opening(open, LimiterBackend.trial), checkTimeout)
}

// ProtocolNumbers returns the numbers of all requirements that are tried.
func ProtocolNumbers() []int {
	var numbers []int
	for _, c := range protocolChecks() {
		numbers = append(numbers, c.number)
	}
	return numbers
}
