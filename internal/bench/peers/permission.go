package main

import (
	"fmt"
	"strings"

	"github.com/casbin/casbin/v2"
	"github.com/casbin/casbin/v2/model"
	"github.com/cedar-policy/cedar-go"
	"github.com/ory/fosite"

	"github.com/latchwork/latchwork/internal/bench/fixture"
	"github.com/latchwork/latchwork/scope"
)

// permissionTable asks for 24 permissions that are all granted.
func permissionTable() table {
	set := scope.MustParseSet(fixture.ExactGrants...)
	grants := set.Strings()
	known := make(map[string]struct{})
	for _, grant := range grants {
		known[grant] = struct{}{}
	}
	asked := make([]string, 0, len(grants)) // no request has the very strings of the grants
	for _, grant := range grants {
		asked = append(asked, strings.Clone(grant))
	}
	strategy := func(allows fosite.ScopeStrategy) func(n int) {
		return granting(asked, func(s string) bool { return allows(grants, s) })
	}
	enforcer, cached := newCasbin(grants)
	return table{job: "Is this one of the 24 permissions granted?", brief: "a permission against 24 grants", rows: []row{
		{who: "Latchwork `scope.Set.Allows`", work: granting(asked, set.Allows)},
		{who: "by hand: a map", lacks: "wildcards", yardstick: true, work: granting(asked, func(s string) bool {
			_, ok := known[s]
			return ok
		})},
		{who: "fosite WildcardScopeStrategy", brief: "fosite wildcard scopes", work: strategy(fosite.WildcardScopeStrategy)},
		{who: "fosite HierarchicScopeStrategy", lacks: "wildcards", work: strategy(fosite.HierarchicScopeStrategy)},
		{who: "fosite ExactScopeStrategy", lacks: "wildcards", work: strategy(fosite.ExactScopeStrategy)},
		{who: "casbin v2, RBAC", brief: "casbin", work: granting(asked, func(s string) bool { return fixture.Must(enforcer.Enforce("key", s)) })},
		{who: "casbin v2, RBAC, cached answers", brief: "casbin cached", work: granting(asked, func(s string) bool { return fixture.Must(cached.Enforce("key", s)) })},
		{who: "cedar-go, one policy", brief: "cedar", work: cedarWork(asked)},
	}}
}

// newCasbin knows a hundred roles with ten policies each, and one more with
// the grants, which the key has.
func newCasbin(grants []string) (*casbin.Enforcer, *casbin.CachedEnforcer) {
	const text = `
[request_definition]
r = sub, obj
[policy_definition]
p = sub, obj
[role_definition]
g = _, _
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = g(r.sub, p.sub) && r.obj == p.obj`
	enforcer := fixture.Must(casbin.NewEnforcer(fixture.Must(model.NewModelFromString(text))))
	cached := fixture.Must(casbin.NewCachedEnforcer(fixture.Must(model.NewModelFromString(text))))
	var policies [][]string
	for i := range 1000 {
		policies = append(policies, []string{fmt.Sprintf("role%d", i/10), fmt.Sprintf("resource%d.view", i)})
	}
	for _, grant := range grants {
		policies = append(policies, []string{"admin", grant})
	}
	for _, e := range []interface {
		AddPolicies(rules [][]string) (bool, error)
		AddGroupingPolicy(params ...any) (bool, error)
	}{enforcer, cached} {
		fixture.Must(e.AddPolicies(policies))
		fixture.Must(e.AddGroupingPolicy("key", "admin"))
	}
	return enforcer, cached
}

func cedarWork(asked []string) func(n int) {
	actions := make([]string, len(asked))
	requests := make([]cedar.Request, len(asked))
	for i, permission := range asked {
		actions[i] = fmt.Sprintf("Action::%q", permission)
		requests[i] = cedar.Request{
			Principal: cedar.NewEntityUID("Key", "key"),
			Action:    cedar.NewEntityUID("Action", cedar.String(permission)),
			Resource:  cedar.NewEntityUID("API", "api"),
		}
	}
	policies := fixture.Must(cedar.NewPolicySetFromBytes("policy", fmt.Appendf(nil,
		"permit (principal == Key::\"key\", action in [%s], resource);", strings.Join(actions, ", "))))
	entities := cedar.EntityMap{}
	return func(n int) {
		for i := range n {
			if decision, _ := cedar.Authorize(policies, entities, requests[i%len(requests)]); decision != cedar.Allow {
				panic(asked[i%len(requests)])
			}
		}
	}
}
