package main

import (
	"fmt"
	"math"
	"net/mail"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// A resource is one sort of records. Its relations are what ?include= can ask
// for, and the permission to view that resource: a "user" is found by the
// user_id of the record itself, "orders" by the user_id that they have.
type resource struct {
	name, title string
	readOnly    bool
	relations   map[string]string
	fields      []field
	demo        []values // as a client would send them
}

type (
	relations = map[string]string
	values    = map[string]any
	faults    = map[string][]string // what is wrong with each field
)

// resources come in an order in which their demo records can refer to others.
func resources() []resource {
	user := field{name: "user_id", kind: reference}
	code := field{name: "currency_code", kind: choice, choices: "EUR, GBP, USD", fallback: "USD"}
	return []resource{{
		name: "users", title: "Users",
		relations: relations{"orders": "orders.view", "services": "services.view", "invoices": "invoices.view", "tickets": "tickets.view"},
		fields: []field{
			{name: "first_name", kind: text},
			{name: "last_name", kind: text},
			{name: "email", kind: email, unique: true},
			{name: "email_verified_at", kind: instant, nullable: true},
		},
		demo: []values{
			{"first_name": "Ada", "last_name": "Lovelace", "email": "ada@example.com", "email_verified_at": "2026-01-31T00:00:00Z"},
			{"first_name": "Grace", "last_name": "Hopper", "email": "grace@example.com"},
		},
	}, {
		name: "products", title: "Products", readOnly: true, relations: relations{"services": "services.view"},
		fields: []field{{name: "name", kind: text}, {name: "slug", kind: text}, {name: "price", kind: amount}, {name: "stock", kind: count, nullable: true}},
		demo:   []values{{"name": "Starter VPS", "slug": "starter-vps", "price": "4.99", "stock": 25.0}},
	}, {
		name: "orders", title: "Orders", relations: relations{"user": "users.view", "services": "services.view"},
		fields: []field{user, code}, demo: []values{{"user_id": "1"}},
	}, {
		name: "services", title: "Services", relations: relations{"user": "users.view", "order": "orders.view", "product": "products.view"},
		fields: []field{
			user,
			{name: "order_id", kind: reference},
			{name: "product_id", kind: reference},
			{name: "quantity", kind: count, fallback: 1.0},
			{name: "price", kind: amount, fallback: "0.00"},
			{name: "status", kind: choice, choices: "pending, active, cancelled, suspended", fallback: "pending"},
		},
		demo: []values{{"user_id": "1", "order_id": "1", "product_id": "1", "price": "4.99", "status": "active"}},
	}, {
		name: "invoices", title: "Invoices", relations: relations{"user": "users.view"},
		fields: []field{
			user, code,
			{name: "due_at", kind: instant, nullable: true},
			{name: "status", kind: choice, choices: "pending, paid, cancelled", fallback: "pending"},
		},
		demo: []values{{"user_id": "1", "due_at": "2030-01-31T00:00:00Z"}},
	}, {
		name: "tickets", title: "Tickets", relations: relations{"user": "users.view"},
		fields: []field{
			user,
			{name: "subject", kind: text},
			{name: "department", kind: text, nullable: true},
			{name: "status", kind: choice, choices: "open, closed, replied", fallback: "open"},
			{name: "priority", kind: choice, choices: "low, medium, high", fallback: "medium"},
		},
		demo: []values{{"user_id": "1", "subject": "My server is slow", "department": "Technical"}},
	}}
}

// A field is one attribute that can be written. Without a fallback, and unless
// it is nullable, it must be sent when a record is created.
type field struct {
	name, kind, choices string
	nullable, unique    bool // unique whatever the case of its letters
	fallback            any
}

// The kinds of fields, in the words of the error message.
const (
	text      = "one line of 1 to 255 characters"
	email     = "an e-mail address"
	choice    = "one of "
	amount    = `an amount such as "9.99"`
	count     = "an integer from 1 to 2147483647"
	instant   = "an instant such as 2030-01-31T00:00:00Z"
	reference = "the id of a record"
)

// read turns what encoding/json decoded into what is stored, and says whether
// that is valid.
func (f field) read(value any) (any, bool) {
	s, ok := value.(string)
	number, isNumber := value.(float64)
	if isNumber && (f.kind == amount || f.kind == reference) {
		s, ok = strconv.FormatFloat(number, 'f', -1, 64), true
	}
	switch {
	case value == nil:
		return nil, f.nullable
	case f.kind == count:
		return number, number >= 1 && number <= math.MaxInt32 && number == math.Trunc(number)
	case !ok || strings.TrimSpace(s) == "" || utf8.RuneCountInString(s) > 255,
		strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == utf8.RuneError }): // which encoding/json puts in the place of invalid UTF-8
		return nil, false
	}
	switch f.kind {
	case email:
		address, err := mail.ParseAddress(s)
		return s, err == nil && address.Address == s // it also reads "Ada <ada@example.com>"
	case choice:
		return s, slices.Contains(strings.Split(f.choices, ", "), s)
	case amount: // stays text: a float does not hold cents exactly
		whole, cents, _ := strings.Cut(s, ".")
		w, err := strconv.ParseUint(whole, 10, 32)
		c, err2 := strconv.ParseUint((cents + "00")[:2], 10, 8)
		return fmt.Sprintf("%d.%02d", w, c), err == nil && err2 == nil && len(cents) <= 2
	case instant: // UnmarshalText reads "T4:05:06" and a decimal comma, too
		return s, new(time.Time).UnmarshalText([]byte(s)) == nil && s[13] == ':' && !strings.Contains(s, ",")
	default:
		return s, true
	}
}
