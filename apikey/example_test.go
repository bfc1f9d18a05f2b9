package apikey_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/netip"
	"strings"
	"time"

	"github.com/latchwork/latchwork/apikey"
	"github.com/latchwork/latchwork/ipfilter"
	"github.com/latchwork/latchwork/scope"
)

// The life of a key: it is issued, used, rotated and revoked.
func Example() {
	ctx := context.Background()
	catalog, err := scope.NewCatalog(scope.Permission{Name: "users.view"}, scope.Permission{Name: "users.update"})
	if err != nil {
		log.Fatal(err)
	}
	keys, err := apikey.New(apikey.NewMemoryStore(), apikey.Config{Prefix: "paym", Catalog: catalog})
	if err != nil {
		log.Fatal(err)
	}
	office := ipfilter.MustParseList("192.0.2.0/24")
	issued, err := keys.Create(ctx, apikey.Spec{
		Name: "CI", Type: "admin", Permissions: scope.MustParseSet("users.view"), AllowedIPs: &office,
	})
	if err != nil {
		log.Fatal(err)
	}
	secret := issued.Secret.Reveal() // the only time it can be read
	fmt.Println("printed by accident:", issued.Secret)

	v, err := keys.Verify(ctx, secret)
	fmt.Println("verified:", v.Key().Name, err)
	fmt.Println("may view users:", v.Key().Permissions.Allows("users.view"))
	fmt.Println("may update users:", v.Key().Permissions.Allows("users.update"))
	fmt.Println("from the office:", v.AllowsFrom(netip.MustParseAddr("192.0.2.17")))
	fmt.Println("from elsewhere:", v.AllowsFrom(netip.MustParseAddr("198.51.100.1")))

	rotated, err := keys.Rotate(ctx, issued.Key.ID, 0, time.Hour)
	if err != nil {
		log.Fatal(err)
	}
	_, err = keys.Verify(ctx, secret)
	fmt.Println("the old secret, for an hour:", err)
	_, err = keys.Verify(ctx, rotated.Secret.Reveal())
	fmt.Println("the new secret:", err)

	if err := keys.Revoke(ctx, issued.Key.ID, apikey.RevokeOptions{Reason: "the laptop was lost"}); err != nil {
		log.Fatal(err)
	}
	_, err = keys.Verify(ctx, secret)
	fmt.Println("afterwards:", err)

	// Output:
	// printed by accident: [redacted]
	// verified: CI <nil>
	// may view users: true
	// may update users: false
	// from the office: <nil>
	// from elsewhere: apikey: address not allowed
	// the old secret, for an hour: <nil>
	// the new secret: <nil>
	// afterwards: apikey: revoked
}

// Nobody gives away more than they have.
func ExampleManager_As() {
	ctx := context.Background()
	keys, err := apikey.New(apikey.NewMemoryStore(), apikey.Config{Prefix: "paym"})
	if err != nil {
		log.Fatal(err)
	}
	delegate := keys.As(apikey.Actor{
		ID:      "user:42",
		Ceiling: apikey.Ceiling{Permissions: scope.MustParseSet("users.*"), Types: []string{"admin"}, Owner: "account 7"},
	})
	issued, err := delegate.Create(ctx, apikey.Spec{Name: "CI", Type: "admin", Permissions: scope.MustParseSet("users.view")})
	fmt.Println(issued.Key.Owner, issued.Key.CreatedBy, err)

	_, err = delegate.Create(ctx, apikey.Spec{Name: "CI", Type: "admin", Permissions: scope.MustParseSet("orders.view")})
	var exceeds *apikey.ExceedsError
	if errors.As(err, &exceeds) {
		fmt.Println(exceeds.Exceeded)
	}
	// Output:
	// account 7 user:42 <nil>
	// [{permissions [orders.view]}]
}

// A SpecError has everything that is wrong, field by field.
func ExampleSpecError() {
	keys, err := apikey.New(apikey.NewMemoryStore(), apikey.Config{Prefix: "paym"})
	if err != nil {
		log.Fatal(err)
	}
	_, err = keys.Create(context.Background(), apikey.Spec{Type: "root", AllowedIPs: new(ipfilter.List)})
	var spec *apikey.SpecError
	if errors.As(err, &spec) {
		for _, f := range spec.Fields {
			fmt.Println(f.Field, f.Reason)
		}
	}
	// Output:
	// name must not be empty
	// type must be one of admin
	// allowed_ips must not be empty: without a list the key works from anywhere
}

// Keys of a Paymenter panel go on working: their rows hold the SHA-256.
func ExampleManager_Import() {
	ctx := context.Background()
	keys, err := apikey.New(apikey.NewMemoryStore(), apikey.Config{
		Prefix: "acme", ForeignFormats: []apikey.ForeignFormat{apikey.Paymenter()},
	})
	if err != nil {
		log.Fatal(err)
	}
	row, err := apikey.ParseHash("8ced54d0b20de13ae9b7ad8d08c8af3c9bcc66f7e7b8c3ce9cb9fd0d5c5e6a11")
	if err != nil {
		log.Fatal(err)
	}
	k, err := keys.Import(ctx, apikey.Spec{Name: "from the panel", Type: "admin"}, row)
	fmt.Println(k.Name, err)
	_, err = keys.Import(ctx, apikey.Spec{Name: "once more", Type: "admin"}, row)
	fmt.Println(err)
	fmt.Println(keys.Recognize("PAYM" + strings.Repeat("0f", 32)))
	// Output:
	// from the panel <nil>
	// apikey: exists already
	// true
}

// A database that has no pepper gets one, while its keys go on working.
func ExampleManager_PepperHashes() {
	ctx, store := context.Background(), apikey.NewMemoryStore()
	before, err := apikey.New(store, apikey.Config{Prefix: "paym"})
	if err != nil {
		log.Fatal(err)
	}
	issued, err := before.Create(ctx, apikey.Spec{Name: "CI", Type: "admin"})
	if err != nil {
		log.Fatal(err)
	}

	// The next release of the service accepts both forms.
	pepper := apikey.NewPepper("2026", []byte("32 bytes or more, from a safe place"))
	fmt.Println(pepper)
	between, err := apikey.New(store, apikey.Config{Prefix: "paym", Peppers: []apikey.Pepper{pepper}, InsecureUnpeppered: true})
	if err != nil {
		log.Fatal(err)
	}
	var batch apikey.Page
	for {
		done, err := between.PepperHashes(ctx, batch)
		fmt.Println(done.Peppered, done.Under, err)
		if done.Next == "" {
			break
		}
		batch.Before = done.Next
	}

	// The one after that has only the pepper.
	after, err := apikey.New(store, apikey.Config{Prefix: "paym", Peppers: []apikey.Pepper{pepper}})
	if err != nil {
		log.Fatal(err)
	}
	_, err = after.Verify(ctx, issued.Secret.Reveal())
	fmt.Println(err)
	// Output:
	// pepper 2026
	// 1 map[2026:1] <nil>
	// <nil>
}

// Whatever a secret scanner found is handed over as it is.
func ExampleManager_RevokeLeaked() {
	ctx := context.Background()
	keys, err := apikey.New(apikey.NewMemoryStore(), apikey.Config{Prefix: "paym"})
	if err != nil {
		log.Fatal(err)
	}
	issued, err := keys.Create(ctx, apikey.Spec{Name: "CI", Type: "admin"})
	if err != nil {
		log.Fatal(err)
	}
	for _, leak := range keys.RevokeLeaked(ctx, issued.Secret, apikey.NewSecret("paym_of_somebody_else")) {
		fmt.Println(leak.Status, leak.KeyID == issued.Key.ID, leak.Err)
	}
	_, err = keys.Verify(ctx, issued.Secret.Reveal())
	fmt.Println(err)
	// Output:
	// revoked true <nil>
	// not_ours false <nil>
	// apikey: revoked
}

// Of a bad configuration everything is named at once.
func ExampleNew() {
	_, err := apikey.New(nil, apikey.Config{Prefix: "pay-m", Types: []string{"Admin"}})
	fmt.Println(err)
	// Output:
	// apikey: the store is nil
	// apikey: prefix "pay-m": only letters, digits and underscores are allowed
	// apikey: type "Admin": want 1 to 32 of a-z, 0-9 and underscore
}
