package main

import (
	"context"
	"time"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/internal/bench/fixture"
	"github.com/latchwork/latchwork/internal/bench/floor"
	"github.com/latchwork/latchwork/internal/bench/ratio"
)

// verifyCases hold what a key costs that was verified before, against the
// floor with as many keys. A key that expires makes both look at the clock.
func verifyCases() []ratio.Case {
	return []ratio.Case{
		verifyCase("1,000 keys", 1000, time.Time{}),
		verifyCase("1,000 keys that expire", 1000, time.Now().Add(24*time.Hour)),
		verifyCase("1,000,000 keys", 1_000_000, time.Time{}),
	}
}

func verifyCase(name string, n int, expiresAt time.Time) ratio.Case {
	return ratio.Case{
		Name: "verify/" + name, Limit: 1.3,
		Prepare: func() (subject, reference func(n int)) {
			secrets := fixture.Secrets(n)
			manager := fixture.Manager(fixture.Store{ExpiresAt: expiresAt}, secrets)
			keys := floor.NewKeys(floor.Key{ExpiresAt: expiresAt}, fixture.Shuffled(secrets)...)
			// Every sample goes on where the one before ended: a million
			// keys are to be seen, not the first thousands again and again.
			ours, theirs := 0, 0
			subject = func(n int) {
				for range n {
					verified, errSink = manager.Verify(context.Background(), secrets[ours])
					if ours++; ours == len(secrets) {
						ours = 0
					}
				}
			}
			reference = func(n int) {
				for range n {
					keySink, allowed = keys.Verify(secrets[theirs])
					if theirs++; theirs == len(secrets) {
						theirs = 0
					}
				}
			}
			return subject, reference
		},
	}
}

var (
	verified apikey.Verified
	keySink  *floor.Key
)
