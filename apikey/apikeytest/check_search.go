package apikeytest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/latchwork/latchwork/apikey"
)

func searchChecks() []check {
	return []check{
		{
			"search", "Search selects the keys whose name contains the text, ASCII letters in either case and every other character as it is.",
			checkSearch,
		},
		{
			"search has no wildcards", "In what is searched for, no character stands for others.",
			checkWildcards,
		},
		{
			"search by id and hint", "Search selects the key whose ID or hint is exactly the text, too.",
			checkSearchExact,
		},
		{
			"search with filters", "What a query names holds together, and search is part of it.",
			checkSearchFilters,
		},
	}
}

// search creates a key with each of these names, and then for each text looks
// for those that ought to be found.
func (t *trial) search(ctx context.Context, names []string, find map[string][]string) error {
	var records []apikey.Record
	for _, name := range names {
		records = append(records, t.record(func(r *apikey.Record) { r.Key.Name = name }))
	}
	if err := t.createAll(ctx, records...); err != nil {
		return err
	}
	for text, found := range find {
		var want []apikey.Record
		for _, r := range records {
			if slices.Contains(found, r.Key.Name) {
				want = append(want, r)
			}
		}
		if err := t.list(ctx, fmt.Sprintf("for %q", text), apikey.Query{Search: text}, want...); err != nil {
			return err
		}
	}
	return nil
}

func checkSearch(ctx context.Context, t *trial) error {
	names := []string{
		"Billing CI", "billing ci", "BILLING", "Nightly export", "K\u00e4se", "k\u00c4se", "K\u00e4se two",
		"\u212aelvin", "stra\u00dfe", "STRASSE", "\u0130stanbul", "I\u015f\u0131k", "caf\u00e9", "cafe\u0301", "cafe", "\u65e5\u672c\u8a9e", "  two  spaces ",
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ", "beside the letters: @[`{",
	}
	return t.search(ctx, names, map[string][]string{
		"":              names,
		"billing":       {"Billing CI", "billing ci", "BILLING"},
		"BiLLiNG":       {"Billing CI", "billing ci", "BILLING"},
		"ing":           {"Billing CI", "billing ci", "BILLING"},
		"ci":            {"Billing CI", "billing ci"},
		" ci":           {"Billing CI", "billing ci"},
		"ci ":           nil,
		"  ":            {"  two  spaces "},
		"billing  ci":   nil,
		"k\u00e4se":     {"K\u00e4se", "K\u00e4se two"},
		"K\u00c4SE":     {"k\u00c4se"},
		"kel":           nil,
		"\u212ael":      {"\u212aelvin"},
		"strasse":       {"STRASSE"},
		"\u00df":        {"stra\u00dfe"},
		"istanbul":      nil,
		"stanbul":       {"\u0130stanbul"},
		"\u0131":        {"I\u015f\u0131k"},
		"caf\u00e9":     {"caf\u00e9"},
		"cafe":          {"cafe\u0301", "cafe"},
		"cafe\u0301":    {"cafe\u0301"},
		"\u672c":        {"\u65e5\u672c\u8a9e"},
		"nightlyexport": nil,
		"`{":            {"beside the letters: @[`{"},
		"{[":            nil,

		"abcdefghijklmnopqrstuvwxyz": {"ABCDEFGHIJKLMNOPQRSTUVWXYZ"},
		"aBcDeFgHiJkLmNoPqRsTuVwXyZ": {"ABCDEFGHIJKLMNOPQRSTUVWXYZ"},
		"beside THE letters: `{`{":   nil,
	})
}

func checkWildcards(ctx context.Context, t *trial) error {
	names := []string{
		"100% sure", "100 % sure", "1000 sure", "a_b", "aXb", `back\slash`, "backslash", "star*", "start", "quest?", "quest",
		"[a-z]", "dash-ed", "dot.ted", "dotXted", "it's", "its", `say "hi"`, "a^b$", "(group)", "semi;colon", "-- comment",
	}
	find := map[string][]string{
		"%": {"100% sure", "100 % sure"}, "100%": {"100% sure"}, "%sure": nil, "0% s": {"100% sure"},
		"_": {"a_b"}, "a_b": {"a_b"}, "__": nil,
		`\`: {`back\slash`}, `\\`: nil, `\%`: nil, `\_`: nil, `k\s`: {`back\slash`},
		"*": {"star*"}, "star*": {"star*"}, "?": {"quest?"}, "s?": nil,
		"[a-z]": {"[a-z]"}, "-": {"[a-z]", "dash-ed", "-- comment"}, "t.t": {"dot.ted"}, ".*": nil,
		"'": {"it's"}, "''": nil, "it's": {"it's"}, "' OR '1'='1": nil, "x' OR 1=1 --": nil, `"`: {`say "hi"`},
		"^": {"a^b$"}, "$": {"a^b$"}, "(": {"(group)"}, ";": {"semi;colon"}, "--": {"-- comment"}, "|": nil, "!": nil, "#": nil,
	}
	return t.search(ctx, names, find)
}

func checkSearchExact(ctx context.Context, t *trial) error {
	first, second, imported := t.record(), t.record(), t.record()
	first.Key.Hint, second.Key.Hint, imported.Key.Hint = "test_aB%_", "test_ab%_", ""
	named := t.record(func(r *apikey.Record) { r.Key.Name = "not " + first.Key.ID })
	if err := t.createAll(ctx, first, second, imported, named); err != nil {
		return err
	}
	for text, want := range map[string][]apikey.Record{
		second.Key.ID:                  {second},
		imported.Key.ID:                {imported},
		first.Key.ID:                   {first, named},
		strings.ToUpper(second.Key.ID): nil,
		second.Key.ID[:35]:             {named},
		second.Key.ID + " ":            nil,
		"test_aB%_":                    {first},
		"test_ab%_":                    {second},
		"test_AB%_":                    nil,
		"test_a":                       nil,
		"test_":                        nil,
		"test_aB%_ ":                   nil,
	} {
		if err := t.list(ctx, fmt.Sprintf("for %q", text), apikey.Query{Search: text}, want...); err != nil {
			return err
		}
	}
	return nil
}

func checkSearchFilters(ctx context.Context, t *trial) error {
	var records []apikey.Record
	for i := range 12 {
		records = append(records, t.record(func(r *apikey.Record) {
			r.Key.Name = []string{"deploy", "export"}[i%2]
			r.Key.Owner = []string{"a", "b", "c"}[i%3]
			r.Key.Enabled = i < 8
		}))
	}
	if err := t.createAll(ctx, records...); err != nil {
		return err
	}
	q := apikey.Query{Search: "DEPLOY", Owner: "a", State: apikey.StateActive, Now: start()}
	if err := t.list(ctx, "for a name of an owner in a state", q, records[0], records[6]); err != nil {
		return err
	}
	q.Before = records[6].Key.ID
	if err := t.list(ctx, "for these before another", q, records[0]); err != nil {
		return err
	}
	// The ID of a key of somebody else finds nothing.
	q = apikey.Query{Search: records[1].Key.ID, Owner: "a"}
	if err := t.list(ctx, "for the ID of a key of another owner", q); err != nil {
		return err
	}
	q = apikey.Query{Search: records[1].Key.Hint, Owner: "a"}
	return t.list(ctx, "for the hint of a key of another owner", q)
}
