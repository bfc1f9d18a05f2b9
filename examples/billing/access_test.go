package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// writable are the resources that can be changed, each with a minimal record,
// and a change of one field.
func writable() map[string]struct{ create, change values } {
	return map[string]struct{ create, change values }{
		"users":    {values{"first_name": "Jo", "last_name": "Doe", "email": "jo@example.com"}, values{"last_name": "Dough"}},
		"orders":   {values{"user_id": "1"}, values{"currency_code": "EUR"}},
		"services": {values{"user_id": "1", "order_id": "1", "product_id": "1"}, values{"price": "12.50"}},
		"invoices": {values{"user_id": "1"}, values{"status": "paid"}},
		"tickets":  {values{"user_id": "1", "subject": "Help"}, values{"priority": "high"}},
	}
}

func TestNobodyGetsInWithoutKey(t *testing.T) {
	h := start(t, "-failure-burst", "0")
	stale, id := h.newKey(values{"permissions": []string{"*"}})
	h.admin(http.MethodPost, "api-keys/"+id+"/rotate", values{}).token(t, http.StatusOK)
	paths := []string{"products", "products/1", "products/999", "api-keys", "api-keys/" + id, "api-keys/nobody"}
	for name := range writable() {
		paths = append(paths, name, name+"/1", name+"/999", name+"?include=nonsense", name+"?page=0")
	}
	for _, path := range paths {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"} {
			a := h.as("", method, path, nil)
			require.Equal(t, http.StatusUnauthorized, a.status, method+" "+path)
			require.Equal(t, `Bearer realm="api"`, a.header.Get("WWW-Authenticate"))
		}
		h.as("", "GET", path, nil).refused(t, http.StatusUnauthorized, "missing_token")
		for _, wrong := range []string{"paym_nonsense", "x", h.key[:len(h.key)-1], strings.ToUpper(h.key), stale} {
			a := h.as(wrong, "GET", path, nil).refused(t, http.StatusUnauthorized, "invalid_token")
			require.Contains(t, a.header.Get("WWW-Authenticate"), `error="invalid_token"`)
		}
	}

	r := h.request("GET", "users", h.key, nil)
	r.Header["Authorization"] = append(r.Header["Authorization"], "Bearer "+h.key)
	h.send(r).refused(t, http.StatusBadRequest, "invalid_request")
	r = h.request("GET", "users?api_key="+h.key, "", nil)
	r.AddCookie(&http.Cookie{Name: "api_key", Value: h.key})
	h.send(r).refused(t, http.StatusUnauthorized, "missing_token")
}

func TestKeyFromAnotherAddress(t *testing.T) {
	h := start(t)
	elsewhere, _ := h.newKey(values{"permissions": []string{"*"}, "allowed_ips": []string{"192.0.2.1"}})
	here, _ := h.newKey(values{"permissions": []string{"users.view"}, "allowed_ips": []string{"192.0.2.1", "127.0.0.0/8"}})
	for _, path := range []string{"users", "users/1", "users/999", "products", "api-keys"} {
		a := h.as(elsewhere, "GET", path, nil).refused(t, http.StatusForbidden, "ip_not_allowed")
		require.Equal(t, "127.0.0.1", a.body["client_ip"])
		require.NotContains(t, a.raw, "192.0.2.1")
	}
	r := h.request("GET", "users", elsewhere, nil)
	for _, header := range []string{"X-Forwarded-For", "X-Real-IP", "Forwarded"} {
		r.Header.Set(header, "192.0.2.1")
	}
	h.send(r).refused(t, http.StatusForbidden, "ip_not_allowed")
	h.as(here, "GET", "users", nil).list(t)
	h.as(here, "GET", "orders", nil).refused(t, http.StatusForbidden, "insufficient_scope")
}

func TestEveryMethodNeedsItsPermission(t *testing.T) {
	h := start(t)
	nothing := h.keyWith()
	needed := map[string]string{
		"GET": "view", "HEAD": "view", "POST": "create", "PUT": "update", "PATCH": "update", "DELETE": "delete",
	}
	for name := range writable() {
		for method, action := range needed {
			for _, path := range []string{name, name + "/1", name + "/999"} {
				// Whatever the request carries, the permission comes first.
				r := h.request(method, path, nothing, strings.Repeat("{", 100_000))
				r.Header.Set("Content-Type", "text/plain")
				a := h.send(r)
				require.Equal(t, http.StatusForbidden, a.status)
				if method != "HEAD" {
					a.refused(t, http.StatusForbidden, "insufficient_scope")
					require.Equal(t, []any{name + "." + action}, a.body["required"], path)
				}
			}
		}
		others := h.keyWith(name+".view", "products.view", "api_keys.*")
		h.as(others, "GET", name, nil).list(t)
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
			h.as(others, method, name+"/1", values{}).refused(t, http.StatusForbidden, "insufficient_scope")
		}
	}
	for _, method := range []string{"GET", "POST", "DELETE"} {
		a := h.as(nothing, method, "products", nil).refused(t, http.StatusForbidden, "insufficient_scope")
		require.Equal(t, []any{"products.view"}, a.body["required"])
	}
	a := h.as(nothing, "GET", "api-keys", nil).refused(t, http.StatusForbidden, "insufficient_scope")
	require.Equal(t, []any{"api_keys.view"}, a.body["required"])
}

func TestProductsAreReadOnly(t *testing.T) {
	h := start(t)
	require.NotEmpty(t, h.admin("GET", "products", nil).list(t))
	product := h.admin("GET", "products/1", nil).attributes(t, http.StatusOK)
	for _, field := range []string{"name", "slug", "price", "stock", "created_at", "updated_at"} {
		require.Contains(t, product, field)
	}
	h.admin("GET", "products/999", nil).refused(t, http.StatusNotFound, "not_found")
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"} {
		for _, path := range []string{"products", "products/1"} {
			a := h.admin(method, path, nil).refused(t, http.StatusMethodNotAllowed, "method_not_allowed")
			require.Equal(t, "GET, HEAD", a.header.Get("Allow"))
		}
	}
}

func TestMethodsOfTheOtherLevel(t *testing.T) {
	h := start(t)
	for name := range writable() {
		for _, method := range []string{"PUT", "PATCH", "DELETE"} {
			a := h.admin(method, name, values{}).refused(t, http.StatusMethodNotAllowed, "method_not_allowed")
			require.Equal(t, "GET, HEAD, POST", a.header.Get("Allow"))
		}
		a := h.admin("POST", name+"/1", values{}).refused(t, http.StatusMethodNotAllowed, "method_not_allowed")
		require.Equal(t, "DELETE, GET, HEAD, PATCH, PUT", a.header.Get("Allow"))
		a = h.admin("OPTIONS", name, nil).refused(t, http.StatusMethodNotAllowed, "method_not_allowed")
		require.Contains(t, a.header.Get("Allow"), "GET")

		// No header makes another method of what was sent.
		r := h.request("POST", name+"/1", h.key, values{})
		r.Header.Set("X-HTTP-Method-Override", "DELETE")
		h.send(r).refused(t, http.StatusMethodNotAllowed, "method_not_allowed")
		require.Len(t, h.admin("GET", name+"/1", nil).ok(t, http.StatusOK), 3)
	}
}

func TestUnknownPaths(t *testing.T) {
	h := start(t)
	for _, path := range []string{
		"/", "/favicon.ico", "/api", "/api/", "/api/v1/admin", "/api/v1/admin/", "/api/v1/admin/nothing", "/api/v2/admin/users",
		"/api/v1/admin/users/", "/api/v1/admin/users/1/", "/api/v1/admin/users/1/orders", "/api/v1/admin/Users",
		"/api/v1/admin/users%2F1", "/api/v1/admin/users/1%2F", "/api/v1/admin/users/..%2Forders",
	} {
		h.admin("GET", path, nil).refused(t, http.StatusNotFound, "not_found")
		h.admin("DELETE", path, nil).refused(t, http.StatusNotFound, "not_found")
	}
	for _, id := range []string{"0", "01", "-1", "999", "1.0", "abc", "%00", "%ff", "1%20", strings.Repeat("9", 1000)} {
		for name := range writable() {
			h.admin("GET", name+"/"+id, nil).refused(t, http.StatusNotFound, "not_found")
			h.admin("PATCH", name+"/"+id, values{"user_id": "1"}).refused(t, http.StatusNotFound, "not_found")
			h.admin("DELETE", name+"/"+id, nil).refused(t, http.StatusNotFound, "not_found")
		}
	}
}
