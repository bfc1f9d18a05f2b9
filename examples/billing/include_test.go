package main

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// included is what can be asked for: by resource and include, the resource
// that it leads to.
func included() map[string]map[string]string {
	return map[string]map[string]string{
		"users":    {"orders": "orders", "services": "services", "invoices": "invoices", "tickets": "tickets"},
		"orders":   {"user": "users", "services": "services"},
		"services": {"user": "users", "order": "orders", "product": "products"},
		"invoices": {"user": "users"},
		"tickets":  {"user": "users"},
		"products": {"services": "services"},
	}
}

// answering are the requests that answer with a record.
func answering(name string) []struct {
	method, path, action string
	body                 any
} {
	type request = struct {
		method, path, action string
		body                 any
	}
	reads := []request{{"GET", name, "view", nil}, {"GET", name + "/1", "view", nil}}
	if name == "products" {
		return reads
	}
	c := writable()[name]
	return append(reads,
		request{"POST", name, "create", c.create},
		request{"PUT", name + "/1", "update", c.change},
		request{"PATCH", name + "/1", "update", c.change},
	)
}

func TestIncludes(t *testing.T) {
	for name, relations := range included() {
		t.Run(name, func(t *testing.T) {
			h := start(t)
			for include, related := range relations {
				for _, request := range answering(name) {
					own := name + "." + request.action
					if request.method == "POST" && name == "users" {
						request.body.(values)["email"] = include + "@example.com"
					}
					a := h.as(h.keyWith(own, related+".view"), request.method, request.path+"?include="+include, request.body)
					require.Less(t, a.status, 300, a.raw)
					if request.method != "POST" || related == "users" || name == "services" {
						require.Contains(t, a.included(t), related+"/1")
					} else {
						require.Empty(t, a.included(t), "it is new")
					}

					// With the permission for everything but this, nothing is
					// shown and nothing is changed.
					lacking := []string{own}
					for _, res := range resources() {
						if res.name != related && res.name != name {
							lacking = append(lacking, res.name+".*")
						}
					}
					before := h.admin("GET", name+"?per_page=100", nil).raw
					a = h.as(h.keyWith(lacking...), request.method, request.path+"?include="+include, request.body)
					a.refused(t, http.StatusForbidden, "insufficient_scope")
					require.Equal(t, []any{related + ".view"}, a.body["required"])
					require.Equal(t, before, h.admin("GET", name+"?per_page=100", nil).raw)

					for _, bad := range []string{"nonsense", include + ".user", include + ",nonsense", strings.ToUpper(include), include + "Count", name, "*", "%20" + include, include + ","} {
						h.admin(request.method, request.path+"?include="+bad, request.body).refused(t, http.StatusBadRequest, "invalid_request")
					}
				}
				if name != "products" {
					h.as(h.keyWith(name+".delete"), "DELETE", name+"/1?include="+include, nil).refused(t, http.StatusForbidden, "insufficient_scope")
					h.admin("DELETE", name+"/1?include=nonsense", nil).refused(t, http.StatusBadRequest, "invalid_request")
				}
			}
			all := strings.Join(slices.Sorted(maps.Keys(relations)), ",")
			for _, path := range []string{name, name + "/1"} {
				a := h.admin("GET", path+"?include="+all+","+all+"&include="+all, nil)
				names := a.included(t)
				require.Len(t, slices.Compact(slices.Sorted(slices.Values(names))), len(names), "each record once")
				for _, related := range relations {
					require.Contains(t, names, related+"/1")
				}
				require.NotContains(t, h.admin("GET", path, nil).body, "included")
				require.NotContains(t, h.admin("GET", path+"?include=", nil).body, "included")
				require.Equal(t, http.StatusOK, h.admin("HEAD", path+"?include="+all, nil).status)
			}
		})
	}
}

func TestIncludedRecordsAreTheRightOnes(t *testing.T) {
	h := start(t)
	order := h.admin("POST", "orders?include=user", values{"user_id": "2"})
	require.Equal(t, []string{"users/2"}, order.included(t))
	a := h.admin("GET", "users/2?include=orders,services,invoices,tickets", nil)
	require.Equal(t, []string{"orders/2"}, a.included(t))
	a = h.admin("GET", "users/1?include=orders,tickets", nil)
	require.ElementsMatch(t, []string{"orders/1", "tickets/1"}, a.included(t))
	a = h.admin("GET", "orders/2?include=services", nil)
	require.Empty(t, a.included(t))
	require.Contains(t, a.raw, `"included":[]`)

	// A list includes for its own page only.
	a = h.admin("GET", "orders?include=user&per_page=1&page=2", nil)
	require.Equal(t, []string{"users/2"}, a.included(t))
	a = h.admin("GET", "orders?include=user&page=9", nil)
	require.Empty(t, a.included(t))
	a = h.admin("PATCH", "orders/1?include=user", values{"user_id": "2"})
	require.Equal(t, []string{"users/2"}, a.included(t))
}

func TestDemoData(t *testing.T) {
	db, err := openDatabase(t.Context(), "memory:")
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	require.NoError(t, db.demoRecords(t.Context()))
	expected, there := 0, 0
	for _, res := range resources() {
		expected += len(res.demo)
		require.NotEmpty(t, res.demo)
		found, err := db.find(t.Context(), res.name, all)
		require.NoError(t, err)
		there += len(found)
	}
	require.Equal(t, expected, there, "none was refused")
}

func TestCatalogue(t *testing.T) {
	catalogue, err := catalogue()
	require.NoError(t, err)
	var names []string
	for _, group := range catalogue.Groups() {
		require.NotEmpty(t, group.Name)
		for _, permission := range group.Permissions {
			require.NotEmpty(t, permission.Label)
			require.Equal(t, group.Name, permission.Group)
			names = append(names, permission.Name)
		}
	}
	expected := []string{"products.view"}
	for name := range writable() {
		expected = append(expected, name+".view", name+".create", name+".update", name+".delete")
	}
	require.Len(t, expected, 21)
	for _, action := range []string{"view", "create", "update", "rotate", "delete", "revoke_any"} {
		expected = append(expected, "api_keys."+action)
	}
	require.ElementsMatch(t, expected, names)
}
