package oauthtest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/latchwork/latchwork/oauth"
	"github.com/latchwork/latchwork/scope"
)

// sameGrant says in what two grants differ.
func sameGrant(got, want oauth.Grant) error {
	return errors.Join(
		same("id", got.ID, want.ID),
		same("subject kind", got.Subject.Kind, want.Subject.Kind),
		same("subject id", got.Subject.ID, want.Subject.ID),
		same("client id", got.ClientID, want.ClientID),
		sameScope(got.Scope, want.Scope),
		sameResources(got.Resources, want.Resources),
		sameTime("created at", got.CreatedAt, want.CreatedAt),
		sameTime("expires at", got.ExpiresAt, want.ExpiresAt),
		sameTime("revoked at", got.RevokedAt, want.RevokedAt),
	)
}

// sameCredential says in what two credentials differ.
func sameCredential(got, want oauth.Credential) error {
	return errors.Join(
		same("id", got.ID, want.ID),
		sameBytes("hash", got.Hash[:], want.Hash[:]),
		same("kind", got.Kind, want.Kind),
		same("grant id", got.GrantID, want.GrantID),
		same("client id", got.ClientID, want.ClientID),
		sameScope(got.Scope, want.Scope),
		sameResources(got.Resources, want.Resources),
		sameTime("created at", got.CreatedAt, want.CreatedAt),
		sameTime("expires at", got.ExpiresAt, want.ExpiresAt),
		sameTime("spent at", got.SpentAt, want.SpentAt),
		sameBytes("attempt", got.Attempt[:], want.Attempt[:]),
		same("challenge", got.Challenge, want.Challenge),
		same("redirect uri", got.RedirectURI, want.RedirectURI),
	)
}

// sameSpent says in what two answers to a Spend differ.
func sameSpent(got, want oauth.Spent) error {
	return errors.Join(
		same("First", got.First, want.First),
		sameBytes("Attempt", got.Attempt[:], want.Attempt[:]),
		sameTime("At", got.At, want.At),
	)
}

func same[T comparable](field string, got, want T) error {
	if got != want {
		return fmt.Errorf("%s is %.80q, want %.80q", field, fmt.Sprint(got), fmt.Sprint(want))
	}
	return nil
}

func sameBytes(field string, got, want []byte) error {
	if !slices.Equal(got, want) {
		return fmt.Errorf("%s is %x, want %x", field, got, want)
	}
	return nil
}

func sameTime(field string, got, want time.Time) error {
	if !got.Equal(want) {
		return fmt.Errorf("%s is %s, want %s", field, instant(got), instant(want))
	}
	return nil
}

func instant(t time.Time) string {
	if t.IsZero() {
		return "zero"
	}
	return t.Format(time.RFC3339Nano)
}

func sameScope(got, want scope.Set) error {
	if !got.Equal(want) {
		return fmt.Errorf("scope is %.200q, want %.200q", got, want)
	}
	return nil
}

// sameResources makes no difference between nil and empty.
func sameResources(got, want []string) error {
	if !slices.Equal(got, want) {
		return fmt.Errorf("resources are %.200q, want %.200q", got, want)
	}
	return nil
}

// sameGrants says whether these are exactly the same grants, in this order.
func sameGrants(got, want []oauth.Grant) error {
	equal := slices.EqualFunc(got, want, func(a, b oauth.Grant) bool { return a.ID == b.ID })
	if !equal {
		return fmt.Errorf("returned the grants %.500q, want %.500q", ids(got), ids(want))
	}
	for i := range got {
		if err := sameGrant(got[i], want[i]); err != nil {
			return fmt.Errorf("grant %d: %w", i+1, err)
		}
	}
	return nil
}

func ids(grants []oauth.Grant) []string {
	texts := make([]string, len(grants))
	for i, g := range grants {
		texts[i] = g.ID
	}
	return texts
}
