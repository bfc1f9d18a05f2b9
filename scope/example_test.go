package scope_test

import (
	"encoding/json"
	"fmt"

	"github.com/latchwork/latchwork/scope"
)

func ExampleParseSet() {
	set, err := scope.ParseSet("users.*", "invoices.view", "users.*")
	fmt.Println(set, err)

	_, err = scope.ParseSet("users.v*", "invoices..view")
	fmt.Println(err)
	// Output:
	// invoices.view users.* <nil>
	// scope: grant 0 ("users.v*"): a '*' must be a whole segment
	// scope: grant 1 ("invoices..view"): a dot must stand between two segments
}

func ExampleParseScope() {
	set, err := scope.ParseScope("profile invoices")
	fmt.Println(set.Strings(), err)

	_, err = scope.ParseScope("profile *")
	fmt.Println(err)
	// Output:
	// [invoices profile] <nil>
	// scope: grant 1 ("*"): a scope cannot have a '*'
}

func ExampleSet_Allows() {
	set := scope.MustParseSet("users.*", "*.view", "invoices.create")
	for _, permission := range []string{"users.delete", "users.notes.edit", "users", "tickets.view", "tickets.delete", "invoices.createAny"} {
		fmt.Println(permission, set.Allows(permission))
	}
	// Output:
	// users.delete true
	// users.notes.edit true
	// users false
	// tickets.view true
	// tickets.delete false
	// invoices.createAny false
}

func ExampleSet_Missing() {
	set := scope.MustParseSet("users.view", "orders.view")
	fmt.Println(set.Missing("orders.view", "users.view", "services.view"))
	// Output: [services.view]
}

func ExampleSet_Covers() {
	admin := scope.MustParseSet("users.*", "api_keys.create")
	wanted := scope.MustParseSet("users.view", "invoices.delete")
	if !admin.Covers(wanted) {
		fmt.Println("you cannot hand on", admin.Excess(wanted))
	}
	// Output: you cannot hand on [invoices.delete]
}

func ExampleSet_Intersect() {
	key := scope.MustParseSet("users.*", "invoices.*")
	owner := scope.MustParseSet("*.view", "users.notes.edit")
	fmt.Println(key.Intersect(owner))
	// Output: invoices.view users.notes.edit users.view
}

func ExampleSet_UnmarshalJSON() {
	var key struct {
		Permissions scope.Set `json:"permissions"`
	}
	err := json.Unmarshal([]byte(`{"permissions": ["users.view", "*.export"]}`), &key)
	fmt.Println(key.Permissions, err)

	err = json.Unmarshal([]byte(`{"permissions": ["users.view", null]}`), &key)
	fmt.Println(err)
	// Output:
	// *.export users.view <nil>
	// scope: grant 1 ("null"): not a string
}

func ExampleCatalog_Validate() {
	catalog, err := scope.NewCatalog(
		scope.Permission{Name: "users.view"},
		scope.Permission{Name: "users.delete", Label: "Delete users for good"},
		scope.Permission{Name: "invoices.view"},
	)
	if err != nil {
		panic(err)
	}
	fmt.Println(catalog.Validate(scope.MustParseSet("users.*", "invoices.view")))
	fmt.Println(catalog.Validate(scope.MustParseSet("user.view", "ghosts.*")))
	// Output:
	// <nil>
	// scope: no known permission is covered by "ghosts.*"
	// scope: unknown permission "user.view": did you mean "users.view"?
}

func ExampleCatalog_Groups() {
	catalog, err := scope.NewCatalog(
		scope.Permission{Name: "users.view"},
		scope.Permission{Name: "users.delete", Label: "Delete users for good"},
		scope.Permission{Name: "ticket_messages.view", Group: "support"},
	)
	if err != nil {
		panic(err)
	}
	for _, group := range catalog.Groups() {
		fmt.Println(group.Name)
		for _, p := range group.Permissions {
			fmt.Printf("  %-22s %s\n", p.Name, p.Label)
		}
	}
	// Output:
	// users
	//   users.view             View users
	//   users.delete           Delete users for good
	// support
	//   ticket_messages.view   View ticket messages
}
