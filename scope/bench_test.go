package scope_test

import (
	"strings"
	"testing"

	"github.com/latchwork/latchwork/scope"
)

// What is promised about speed is measured in internal/bench, against a map.

func BenchmarkAllows(b *testing.B) {
	exact := "users.view users.create orders.view orders.create services.view services.create invoices.view invoices.create"
	starred := exact + " admin.tickets.* reports.* admin.*.export *.settings.view"
	for _, bench := range []struct{ name, grants, ask string }{
		{"exact/hit", exact, "orders.create"},
		{"exact/miss", exact, "orders.delete"},
		{"starred/exact", starred, "orders.create"},
		{"starred/tail", starred, "admin.tickets.view"},
		{"starred/inner", starred, "admin.users.export"},
		{"starred/miss", starred, "admin.users.delete"},
		{"starred/long", starred, "admin.ticket_messages.export"},
	} {
		b.Run(bench.name, func(b *testing.B) {
			set, ask := parse(b, bench.grants), strings.Clone(bench.ask)
			b.ReportAllocs()
			for b.Loop() {
				set.Allows(ask)
			}
		})
	}
	b.Run("hostile", func(b *testing.B) {
		set, ask := hostileSet(), strings.Repeat("a.", 127)+"a"
		for b.Loop() {
			set.Allows(ask)
		}
	})
}

func BenchmarkCovers(b *testing.B) {
	set := hostileSet()
	for b.Loop() {
		set.Covers(set)
	}
}

func BenchmarkParseSet(b *testing.B) {
	grants := strings.Fields("users.view users.create orders.view orders.create services.view services.create invoices.view " +
		"invoices.create admin.tickets.* reports.* admin.*.export *.settings.view")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := scope.ParseSet(grants...); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkIntersect(b *testing.B) {
	key := parse(b, "users.* orders.* invoices.view tickets.view *.export")
	owner := parse(b, "*.view users.delete orders.*")
	for b.Loop() {
		key.Intersect(owner)
	}
}

func BenchmarkSuggest(b *testing.B) {
	var names []string
	for resource := range strings.FieldsSeq("users services orders invoices tickets products coupons refunds payouts partners") {
		for action := range strings.FieldsSeq("view create update delete export") {
			names = append(names, resource+"."+action)
		}
	}
	c := catalog(b, names...)
	for b.Loop() {
		c.Suggest("service.veiw")
	}
}
