package main

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLifeOfARecord(t *testing.T) {
	h := start(t)
	for name, c := range writable() {
		t.Run(name, func(t *testing.T) {
			a := h.admin("POST", name, c.create)
			created := a.ok(t, http.StatusCreated)
			id := created["id"].(string)
			require.Equal(t, name, created["type"])
			require.Equal(t, adminPath+name+"/"+id, a.header.Get("Location"))
			require.NotContains(t, a.body, "included")
			require.NotContains(t, a.body, "meta")
			attributes := created["attributes"].(map[string]any)
			for field, value := range c.create {
				require.Equal(t, value, attributes[field], field)
			}
			instant := func(attributes values, field string) time.Time {
				at, err := time.Parse(time.RFC3339, attributes[field].(string))
				require.NoError(t, err)
				return at
			}
			require.Equal(t, instant(attributes, "created_at"), instant(attributes, "updated_at"))
			require.Equal(t, created, h.admin("GET", name+"/"+id, nil).ok(t, http.StatusOK))
			require.Equal(t, http.StatusOK, h.admin("HEAD", name+"/"+id, nil).status)

			// What comes back from a GET can be sent back: what nobody may
			// change is ignored, like what nobody knows.
			changed := values{"id": "77", "created_at": "2001-01-01T00:00:00Z", "nonsense": values{"a": 1}}
			for _, method := range []string{"PUT", "PATCH"} {
				maps.Copy(changed, c.change)
				after := h.admin(method, name+"/"+id, changed).ok(t, http.StatusOK)
				require.Equal(t, id, after["id"])
				for field, value := range attributes {
					if now, isChanged := c.change[field]; isChanged {
						value = now
					}
					if field != "updated_at" {
						require.Equal(t, value, after["attributes"].(map[string]any)[field], field)
					}
				}
				require.Greater(t, instant(after["attributes"].(map[string]any), "updated_at"), instant(attributes, "updated_at"))
				h.admin(method, name+"/"+id, after["attributes"]).ok(t, http.StatusOK)
				for _, useless := range []values{{}, {"id": id}, {"nonsense": 1, "created_at": nil}} {
					h.admin(method, name+"/"+id, useless).refused(t, http.StatusUnprocessableEntity, "validation_failed")
				}
			}

			require.Equal(t, http.StatusNoContent, h.admin("DELETE", name+"/"+id, nil).status)
			for _, method := range []string{"GET", "DELETE"} {
				h.admin(method, name+"/"+id, nil).refused(t, http.StatusNotFound, "not_found")
			}
			h.admin("PATCH", name+"/"+id, c.change).refused(t, http.StatusNotFound, "not_found")
			require.NotEqual(t, id, h.admin("POST", name, c.create).ok(t, http.StatusCreated)["id"], "ids are not used again")
		})
	}
}

func TestDefaults(t *testing.T) {
	h := start(t)
	expected := map[string]values{
		"orders":   {"user_id": "1", "currency_code": "USD"},
		"services": {"user_id": "1", "order_id": "1", "product_id": "1", "quantity": 1.0, "price": "0.00", "status": "pending"},
		"invoices": {"user_id": "1", "currency_code": "USD", "status": "pending", "due_at": nil},
		"tickets":  {"user_id": "1", "subject": "Help", "status": "open", "priority": "medium", "department": nil},
	}
	for name, attributes := range expected {
		created := h.admin("POST", name, writable()[name].create).attributes(t, http.StatusCreated)
		delete(created, "created_at")
		delete(created, "updated_at")
		require.Equal(t, attributes, created)
	}
}

func TestFields(t *testing.T) {
	h := start(t)
	long := strings.Repeat("ä", 255)
	for _, c := range []struct {
		path, field string
		sent        any // nil: null
		stored      any // nil: refused
	}{
		{"users/1", "first_name", "Ada", "Ada"},
		{"users/1", "first_name", long, long},
		{"users/1", "first_name", "日本 <b>", "日本 <b>"},
		{"users/1", "first_name", long + "a", nil},
		{"users/1", "first_name", "", nil},
		{"users/1", "first_name", " \t ", nil},
		{"users/1", "first_name", nil, nil},
		{"users/1", "first_name", 5, nil},
		{"users/1", "first_name", true, nil},
		{"users/1", "first_name", []string{"Ada"}, nil},
		{"users/1", "first_name", values{}, nil},
		{"users/1", "first_name", "A\x00da", nil},
		{"users/1", "email", "ada@example.com", "ada@example.com"}, // its own
		{"users/1", "email", "ADA@example.com", "ADA@example.com"},
		{"users/1", "email", "ada+tag@sub.example.com", "ada+tag@sub.example.com"},
		{"users/1", "email", "grace@example.com", nil},
		{"users/1", "email", "GRACE@Example.COM", nil},
		{"users/1", "email", "ada", nil},
		{"users/1", "email", "Ada <ada@example.com>", nil},
		{"users/1", "email", "a@b@c", nil},
		{"users/1", "email", "@example.com", nil},
		{"users/1", "email", "ada@", nil},
		{"users/1", "email", strings.Repeat("a", 250) + "@example.com", nil},
		{"users/1", "email", nil, nil},
		{"orders/1", "user_id", "2", "2"},
		{"orders/1", "user_id", 2, "2"},
		{"orders/1", "user_id", "999", nil},
		{"orders/1", "user_id", 999, nil},
		{"orders/1", "user_id", 1.5, nil},
		{"orders/1", "user_id", -1, nil},
		{"orders/1", "user_id", "", nil},
		{"orders/1", "user_id", nil, nil},
		{"orders/1", "user_id", true, nil},
		{"orders/1", "user_id", []int{1}, nil},
		{"orders/1", "currency_code", "EUR", "EUR"},
		{"orders/1", "currency_code", "eur", nil},
		{"orders/1", "currency_code", "EU", nil},
		{"orders/1", "currency_code", "EURO", nil},
		{"orders/1", "currency_code", "ÄÖ", nil},
		{"orders/1", "currency_code", "EUR\n", nil},
		{"orders/1", "currency_code", nil, nil},
		{"services/1", "order_id", 1, "1"},
		{"services/1", "order_id", "2", nil},
		{"services/1", "product_id", "2", nil},
		{"services/1", "quantity", 3, 3.0},
		{"services/1", "quantity", 0, nil},
		{"services/1", "quantity", -1, nil},
		{"services/1", "quantity", 1.5, nil},
		{"services/1", "quantity", "3", nil},
		{"services/1", "quantity", 1e10, nil},
		{"services/1", "quantity", nil, nil},
		{"services/1", "price", "9.99", "9.99"},
		{"services/1", "price", 9.99, "9.99"},
		{"services/1", "price", "10", "10.00"},
		{"services/1", "price", 10, "10.00"},
		{"services/1", "price", 9.5, "9.50"},
		{"services/1", "price", 0, "0.00"},
		{"services/1", "price", 4294967295.99, "4294967295.99"},
		{"services/1", "price", -1, nil},
		{"services/1", "price", "-1", nil},
		{"services/1", "price", "+1", nil},
		{"services/1", "price", "9.999", nil},
		{"services/1", "price", "9,99", nil},
		{"services/1", "price", "1e2", nil},
		{"services/1", "price", "0x10", nil},
		{"services/1", "price", ".5", nil},
		{"services/1", "price", "1.-5", nil},
		{"services/1", "price", "1.+5", nil},
		{"services/1", "price", "NaN", nil},
		{"services/1", "price", "1_000", nil},
		{"services/1", "price", " 1", nil},
		{"services/1", "price", 1e300, nil},
		{"services/1", "price", nil, nil},
		{"services/1", "status", "suspended", "suspended"},
		{"services/1", "status", "Active", nil},
		{"services/1", "status", "pending, active", nil},
		{"services/1", "status", "", nil},
		{"services/1", "status", 1, nil},
		{"invoices/1", "status", "paid", "paid"},
		{"invoices/1", "status", "active", nil},
		{"invoices/1", "due_at", "2031-02-03T04:05:06Z", "2031-02-03T04:05:06Z"},
		{"invoices/1", "due_at", "2031-02-03T04:05:06.5+02:00", "2031-02-03T04:05:06.5+02:00"},
		{"invoices/1", "due_at", "2031-02-30T00:00:00Z", nil},
		{"invoices/1", "due_at", "2031-02-03", nil},
		{"invoices/1", "due_at", "2031-02-03T4:05:06Z", nil},
		{"invoices/1", "due_at", "2031-02-03T04:05:06,5Z", nil},
		{"invoices/1", "due_at", "2031-02-03 04:05:06Z", nil},
		{"invoices/1", "due_at", "tomorrow", nil},
		{"invoices/1", "due_at", "", nil},
		{"invoices/1", "due_at", 1925000000, nil},
		{"tickets/1", "priority", "low", "low"},
		{"tickets/1", "priority", "urgent", nil},
		{"tickets/1", "status", "replied", "replied"},
		{"tickets/1", "department", "Sales", "Sales"},
		{"tickets/1", "department", "", nil},
		{"tickets/1", "department", "a\nb", nil},
		{"tickets/1", "department", "a\x7f", nil},
		{"tickets/1", "department", "\u009bA", nil},
		{"tickets/1", "department", "\u202e<b>", "\u202e<b>"},
		{"users/1", "email", "a\r@example.com", nil},
		{"tickets/1", "department", 1, nil},
	} {
		a := h.admin("PATCH", c.path, values{c.field: c.sent})
		if c.stored == nil {
			a.refused(t, http.StatusUnprocessableEntity, "validation_failed")
			require.Len(t, a.body["errors"], 1, a.raw)
			require.Len(t, a.body["errors"].(map[string]any)[c.field], 1, a.raw)
			continue
		}
		require.Equal(t, c.stored, a.attributes(t, http.StatusOK)[c.field])
	}
	for path, field := range map[string]string{"invoices/1": "due_at", "tickets/1": "department"} {
		attributes := h.admin("PATCH", path, values{field: nil}).attributes(t, http.StatusOK)
		require.Contains(t, attributes, field)
		require.Nil(t, attributes[field])
	}
}

func TestEveryFaultIsNamedAtOnce(t *testing.T) {
	h := start(t)
	for name, c := range writable() {
		a := h.admin("POST", name, values{}).refused(t, http.StatusUnprocessableEntity, "validation_failed")
		require.Len(t, a.body["errors"], len(c.create), name)
		for field := range c.create {
			require.Contains(t, a.body["errors"], field)
		}
	}
	a := h.admin("POST", "services", values{"user_id": 0, "quantity": "x", "price": []int{}, "status": false, "nonsense": 1})
	a.refused(t, http.StatusUnprocessableEntity, "validation_failed")
	for _, field := range []string{"user_id", "order_id", "product_id", "quantity", "price", "status"} {
		require.Contains(t, a.body["errors"], field)
	}
	require.Len(t, a.body["errors"], 6)

	// Nothing of a refused change is stored.
	before := h.admin("GET", "users/1", nil).raw
	h.admin("PATCH", "users/1", values{"first_name": "Eve", "email": "no"}).refused(t, http.StatusUnprocessableEntity, "validation_failed")
	require.Equal(t, before, h.admin("GET", "users/1", nil).raw)
}

func TestBodiesThatCannotBeRead(t *testing.T) {
	h := start(t)
	send := func(method, path, contentType, body string) reply {
		r := h.request(method, path, h.key, body)
		r.Header.Del("Content-Type")
		if contentType != "" {
			r.Header.Set("Content-Type", contentType)
		}
		return h.send(r)
	}
	for method, path := range map[string]string{"POST": "tickets", "PUT": "tickets/1", "PATCH": "tickets/1"} {
		for _, contentType := range []string{"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonp", "json", ";"} {
			send(method, path, contentType, `{"subject":"x"}`).refused(t, http.StatusUnsupportedMediaType, "unsupported_media_type")
		}
		for _, contentType := range []string{"application/json", "Application/JSON; charset=utf-8", "application/json;charset=UTF-8"} {
			require.Contains(t, []int{200, 201}, send(method, path, contentType, `{"subject":"x","user_id":1}`).status)
		}
		for _, body := range []string{
			"", " ", "null", "[]", `[{"subject":"x"}]`, `"x"`, "1", "true", "{", "{}}", "{}{}", "{} x", `{"subject":}`, `{"subject":"x",}`,
			`{'subject':'x'}`, "\ufeff{}", `{"subject":"x"} {"subject":"y"}`, `{"subject":"x"}]`, "{\"subject\":\"\n\"}", `{"subject":"\x"}`,
			`{"subject":01}`, `{"subject":NaN}`, "{\"subject\":\"x\"}\x00",
			`{"subject":"x","user_id":1,"subject":"y"}`, `{"subject":"x","user_id":1,"s\u0075bject":"x"}`, `{"subject":"x","user_id":1,"a":[{},{"b":1e400}],"a":0}`,
		} {
			send(method, path, "application/json", body).refused(t, http.StatusBadRequest, "invalid_request")
		}
		const frame = `{"user_id":1,"subject":"x","nonsense":""}`
		padding := strings.Repeat("a", 64<<10-len(frame))
		fits := strings.Replace(frame, `""`, `"`+padding+`"`, 1)
		require.Contains(t, []int{200, 201}, send(method, path, "application/json", fits).status)
		for _, body := range []string{fits + " ", strings.Repeat("a", 64<<10+1), strings.Repeat(" ", 1<<20)} {
			send(method, path, "application/json", body).refused(t, http.StatusRequestEntityTooLarge, "payload_too_large")
		}
	}
}

func TestNastyBodies(t *testing.T) {
	h := start(t)
	deep := func(open, end string, n int) string { return strings.Repeat(open, n) + strings.Repeat(end, n) }
	nasty := []string{
		deep("[", "]", 9_000), deep("[", "]", 20_000), deep(`{"a":`, "}", 1_000), strings.Repeat("[", 60_000),
		"1e400", "-1e400", "1e-400", "1e99999999999", strings.Repeat("9", 60_000), "-0", "-0.0", "1E5", "9223372036854775808",
		"0.1e1", "18446744073709551616", "123456789012345678901234567890.12",
		`"\u0000"`, `"a\u0000b"`, `"\ud800"`, `"\udc00\ud800"`, `"\ufffe"`, `"\u202e"`, `"\u001b[2J"`, "\"\xff\xfe\"", "\"\xc0\xaf\"", "\"a\xed\xa0\x80\"",
		`"` + strings.Repeat("x", 60_000) + `"`, `"' OR 1=1 --"`, `"%s%n"`, `"<script>"`, `"../../etc/passwd"`,
		"null", "true", "false", "[]", "{}", `[null]`, `{"$ne":null}`, `[1,[2,[3]]]`, `""`, `" "`, `"\n"`,
	}
	fields := map[string][]string{}
	for _, res := range resources() {
		for _, f := range res.fields {
			fields[res.name] = append(fields[res.name], f.name)
		}
	}
	for name := range writable() {
		for _, value := range nasty {
			for _, field := range append(fields[name], "id", "created_at", "nonsense", `\u0000`, "") {
				body := `{"` + field + `":` + value + `}`
				if len(body) > 64<<10 {
					continue
				}
				a := h.admin("PATCH", name+"/1", body)
				require.Contains(t, []int{200, 400, 422}, a.status, body)
				if a.status == 422 && !strings.Contains(a.raw, `"body"`) {
					require.Contains(t, a.body["errors"], field)
				}
			}
		}
	}

	// Invalid UTF-8 is not stored, whatever encoding/json makes of it.
	for _, bad := range []string{"\xff", "\xc3", "\xed\xa0\x80", `\ud800`} {
		for _, field := range []string{"first_name", "last_name", "email"} {
			a := h.admin("PATCH", "users/1", `{"`+field+`":"a`+bad+`@example.com"}`)
			a.refused(t, http.StatusUnprocessableEntity, "validation_failed")
			require.Contains(t, a.body["errors"], field)
		}
	}
	// Names are case-sensitive.
	h.admin("PATCH", "users/2", `{"First_Name":"Eve"}`).refused(t, http.StatusUnprocessableEntity, "validation_failed")
}

func TestPages(t *testing.T) {
	h := start(t)
	for i := range 18 {
		h.admin("POST", "users", values{"first_name": "U", "last_name": "V", "email": fmt.Sprintf("u%d@example.com", i)}).ok(t, http.StatusCreated)
	}
	for query, expected := range map[string]struct{ page, perPage, first, count int }{
		"":                                       {1, 15, 1, 15},
		"?page=2":                                {2, 15, 16, 5},
		"?page=3":                                {3, 15, 0, 0},
		"?per_page=100":                          {1, 100, 1, 20},
		"?per_page=1&page=20":                    {20, 1, 20, 1},
		"?per_page=7&page=3":                     {3, 7, 15, 6},
		"?page=9223372036854775807&per_page=100": {9223372036854775807, 100, 0, 0},
		"?page=1&filter[x]=y&sort=-id&fields[users]=": {1, 15, 1, 15},
	} {
		a := h.admin("GET", "users"+query, nil)
		list := a.list(t)
		require.Len(t, list, expected.count, query)
		meta := a.body["meta"].(map[string]any)
		require.Equal(t, values{"page": float64(expected.page), "per_page": float64(expected.perPage), "total": 20.0}, meta)
		if expected.count > 0 {
			require.Equal(t, fmt.Sprint(expected.first), list[0].(map[string]any)["id"], query)
		}
	}
	for _, bad := range []string{"0", "-1", "101", "abc", "1.5", "1e1", "99999999999999999999", "%20", "0x1", "1,2", "%00"} {
		a := h.admin("GET", "users?per_page="+bad, nil).refused(t, http.StatusUnprocessableEntity, "validation_failed")
		require.Contains(t, a.body["errors"], "per_page", bad)
		require.NotContains(t, a.body["errors"], "page", bad)
		if bad == "101" {
			continue
		}
		a = h.admin("GET", "orders?page="+bad, nil).refused(t, http.StatusUnprocessableEntity, "validation_failed")
		require.Contains(t, a.body["errors"], "page", bad)
	}
	for _, query := range []string{"page=x&per_page=y", "page=1&page=1&per_page=2&per_page=3", "page=&page=&per_page=&per_page="} {
		a := h.admin("GET", "products?"+query, nil).refused(t, http.StatusUnprocessableEntity, "validation_failed")
		require.Len(t, a.body["errors"], 2)
	}
	h.admin("GET", "users?page=%zz", nil).refused(t, http.StatusBadRequest, "invalid_request")
}

func TestDeletingTakesAlongWhatRefers(t *testing.T) {
	h := start(t)
	require.Equal(t, http.StatusNoContent, h.admin("DELETE", "orders/1", nil).status)
	h.admin("GET", "services/1", nil).refused(t, http.StatusNotFound, "not_found")
	h.admin("GET", "invoices/1", nil).ok(t, http.StatusOK)
	order := h.admin("POST", "orders", values{"user_id": "1"}).ok(t, http.StatusCreated)["id"]
	service := values{"user_id": "2", "order_id": order, "product_id": "1"} // reaches user 1 through the order only
	id := h.admin("POST", "services", service).ok(t, http.StatusCreated)["id"].(string)
	require.Equal(t, http.StatusNoContent, h.admin("DELETE", "users/1", nil).status)
	for _, name := range []string{"orders", "services", "invoices", "tickets"} {
		require.Empty(t, h.admin("GET", name, nil).list(t), name)
	}
	h.admin("GET", "services/"+id, nil).refused(t, http.StatusNotFound, "not_found")
	h.admin("GET", "users/2", nil).ok(t, http.StatusOK)
	h.admin("GET", "products/1", nil).ok(t, http.StatusOK)
}

func TestManyAtOnce(t *testing.T) {
	h := start(t)
	statuses := make([]int, 32)
	var group sync.WaitGroup
	for i := range statuses {
		group.Go(func() {
			a := h.admin("POST", "users?include=orders", values{"first_name": "S", "last_name": "S", "email": "same@example.com"})
			statuses[i] = a.status
			h.admin("GET", "users?include=orders,tickets", nil)
			h.admin("PATCH", "users/2", values{"first_name": fmt.Sprint(i)})
			h.admin("POST", "tickets?include=user", values{"user_id": "2", "subject": "x"})
			h.admin("DELETE", "users/1", nil)
			h.admin("DELETE", fmt.Sprintf("tickets/%d", i), nil)
		})
	}
	group.Wait()
	created := 0
	for _, status := range statuses {
		if status == http.StatusCreated {
			created++
		} else {
			require.Equal(t, http.StatusUnprocessableEntity, status)
		}
	}
	require.Equal(t, 1, created)
}
