package apikey

import (
	"context"
	"errors"
	"fmt"

	"github.com/latchwork/latchwork/internal/credential"
)

// ReasonLeaked is the reason with which RevokeLeaked revokes.
const ReasonLeaked = "leaked"

// A LeakStatus says what became of a secret that was found in the open. The zero
// LeakStatus says that this is not known.
type LeakStatus string

// The statuses.
const (
	LeakRevoked        LeakStatus = "revoked"         // its key was revoked by this call
	LeakRevokedEarlier LeakStatus = "revoked_earlier" // its key had been revoked already
	LeakNotOurs        LeakStatus = "not_ours"        // it belongs to no key, or no longer
)

// A Leak is what became of one secret that was found in the open.
type Leak struct {
	Status LeakStatus
	KeyID  string // of a secret that is ours, as far as that is known

	// Err is why the Status is not known: try this one again.
	Err error
}

// RevokeLeaked revokes the keys to which these secrets belong, for the reason
// ReasonLeaked: those that are disabled or expired, and those of secrets that
// were rotated out and are still known, too. It answers for each of the secrets,
// in their order. Keys that the leaked ones created are not revoked along: see
// RevokeOptions.Descendants.
//
// The answers are for the operator. Whoever reported the secrets must not learn
// from them, nor from how long it took, which ones are keys: answer all reports
// alike.
func (m *Manager) RevokeLeaked(ctx context.Context, secrets ...Secret) []Leak {
	answers := make([]Leak, len(secrets))
	known := map[Hash]Leak{}
	for i, s := range secrets {
		text := s.Reveal()
		sum := Hash(credential.Sum(text))
		answer, done := known[sum]
		if !done {
			answer = m.revokeLeaked(ctx, text, sum)
			known[sum] = answer
		}
		answers[i] = answer
	}
	return answers
}

func (m *Manager) revokeLeaked(ctx context.Context, text string, sum Hash) Leak {
	if err := m.ready(); err != nil {
		return Leak{Err: err}
	}
	if !m.format.Valid(text) && !m.recognizeForeign(text) {
		return Leak{Status: LeakNotOurs}
	}
	id, err := m.owner(ctx, sum)
	switch {
	case errors.Is(err, ErrNotFound):
		return Leak{Status: LeakNotOurs}
	case err != nil:
		return Leak{Err: fmt.Errorf("apikey: find: %w", err)}
	}
	_, err = m.change(ctx, id, 0, Revoked, m.revocation(ReasonLeaked))
	switch {
	case errors.Is(err, ErrRevoked):
		return Leak{Status: LeakRevokedEarlier, KeyID: id}
	case err != nil:
		return Leak{KeyID: id, Err: err}
	}
	return Leak{Status: LeakRevoked, KeyID: id}
}

// owner returns the ID of the key that has a secret, or ErrNotFound.
func (m *Manager) owner(ctx context.Context, sum Hash) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	candidates := m.hasher.candidates(sum)
	r, err := m.store.Find(ctx, hashes(candidates))
	if err != nil {
		return "", err
	}
	if _, _, ok := match(candidates, r.Secrets); !ok {
		return "", errors.New("the store returned another record")
	}
	return r.Key.ID, nil
}
