package main

import (
	"slices"
	"strings"

	"github.com/latchwork/latchwork/internal/bench/fixture"
	"github.com/latchwork/latchwork/internal/bench/ratio"
	"github.com/latchwork/latchwork/scope"
)

// scopeCases measures Set.Allows against a hit in a map of 24 names: the
// grants of the set where those are exact, and the names asked for where not.
func scopeCases() []ratio.Case {
	var (
		unknown = permissions("users orders services invoices tickets api_keys", "list export restore purge")
		tail    = slices.Concat(
			permissions("admin", "tickets products", "view create delete"),
			permissions("admin", "ticket_messages", "view create"),
			permissions("reports billing audit webhooks", "revenue tax", "view export"))
		inner = slices.Concat(
			permissions("admin", "users orders invoices coupons payouts refunds", "export"),
			permissions("shop theme mail admin client dns", "settings", "view"),
			permissions("partners", "acme globex initech umbrella hooli vehement", "view list"))
		none = slices.Concat(
			permissions("admin", "users orders services invoices", "delete restore"),
			permissions("partners client", "acme globex users orders", "update"),
			permissions("shop theme mail admin", "settings support", "update"))
	)
	exact, mixed := scope.MustParseSet(fixture.ExactGrants...), scope.MustParseSet(fixture.MixedGrants...)
	return []ratio.Case{
		scopeCase("scope/24 exact grants, hit", 1.5, exact, true, fixture.ExactGrants, fixture.ExactGrants),
		scopeCase("scope/24 exact grants, miss", 1.5, exact, false, fixture.ExactGrants, unknown),
		scopeCase("scope/24 mixed grants, exact hit", 3, mixed, true, fixture.MixedGrants, fixture.MixedGrants[:12]),
		scopeCase("scope/24 mixed grants, trailing star hit", 3, mixed, true, tail, tail),
		scopeCase("scope/24 mixed grants, inner star hit", 3, mixed, true, inner, inner),
		scopeCase("scope/24 mixed grants, miss", 3, mixed, false, none, none),
	}
}

// permissions returns all permissions that have one word of each list, in order.
func permissions(lists ...string) []string {
	all := strings.Fields(lists[0])
	for _, list := range lists[1:] {
		var longer []string
		for _, name := range all {
			for word := range strings.FieldsSeq(list) {
				longer = append(longer, name+"."+word)
			}
		}
		all = longer
	}
	return all
}

// scopeCase measures set.Allows, which has to answer want, against a hit in a map
// that holds known. Both are asked for the same names in turn, except that the
// map gets one that it has where it has not the name asked for.
func scopeCase(name string, limit float64, set scope.Set, want bool, known, asked []string) ratio.Case {
	// Request handlers do not hold the very strings that a set was parsed from,
	// and comparing a string with itself is cheap: the map gets copies, too.
	reference := make(map[string]struct{})
	for _, n := range known {
		reference[strings.Clone(n)] = struct{}{}
	}
	// Rings, because finding the next name must cost next to nothing.
	var ring, hits [1024]string
	for i := range ring {
		ring[i] = strings.Clone(asked[i%len(asked)])
		hits[i] = ring[i]
		if _, ok := reference[ring[i]]; !ok {
			hits[i] = strings.Clone(known[i%len(known)])
		}
		if set.Allows(ring[i]) != want {
			panic(name + ": " + ring[i])
		}
	}
	return ratio.Case{
		Name: name, Limit: limit,
		Subject: func(n int) {
			for i := range n {
				allowed = set.Allows(ring[i%len(ring)])
			}
		},
		Reference: func(n int) {
			for i := range n {
				_, allowed = reference[hits[i%len(hits)]]
			}
		},
	}
}

// allowed keeps the compiler from leaving out what nobody reads.
var allowed bool
