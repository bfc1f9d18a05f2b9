package apikeytest_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/apikey/apikeytest"
)

// A service is tested with a store in trouble: nothing is known about the key
// then, which is no reason to call it invalid.
func ExampleSpy() {
	ctx := context.Background()
	spy := apikeytest.NewSpy(apikey.NewMemoryStore())
	m, err := apikey.New(spy, apikey.Config{Prefix: "paym"})
	if err != nil {
		fmt.Println(err)
		return
	}
	issued, err := m.Create(ctx, apikey.Spec{Name: "CI", Type: "admin"})
	if err != nil {
		fmt.Println(err)
		return
	}
	spy.Fail(errors.New("connection refused"), "Find")
	_, err = m.Verify(ctx, issued.Secret.Reveal())
	fmt.Println(err, errors.Is(err, apikey.ErrInvalid))

	_, err = m.Verify(ctx, "paym_no-key-at-all")
	fmt.Println(err, spy.Calls("Find"))
	// Output:
	// apikey: find: connection refused false
	// apikey: invalid 1
}

// Expiry is tested without waiting.
func ExampleClock() {
	ctx := context.Background()
	var clock apikeytest.Clock
	m, err := apikey.New(apikey.NewMemoryStore(), apikey.Config{Prefix: "paym", Now: clock.Now})
	if err != nil {
		fmt.Println(err)
		return
	}
	issued, err := m.Create(ctx, apikey.Spec{Name: "CI", Type: "admin", ExpiresAt: clock.Now().Add(time.Hour)})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = m.Verify(ctx, issued.Secret.Reveal())
	fmt.Println(err)
	clock.Advance(time.Hour)
	_, err = m.Verify(ctx, issued.Secret.Reveal())
	fmt.Println(err)
	// Output:
	// <nil>
	// apikey: expired
}
