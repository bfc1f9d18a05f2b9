package main

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/internal/bench/ratio"
)

// allPromises draws the lists once: that takes seconds.
var allPromises = sync.OnceValue(promises)

// The README promises what is measured here, and nothing else.
func TestREADME(t *testing.T) {
	data, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(data), "\n## Speed\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	_, table, found := strings.Cut(section, "|---|---|---|\n")
	require.True(t, found)

	// Which cases a row of the table is about: those with all these words in
	// their names that no row before is about.
	rows := map[string]string{
		"`scope.Set.Allows`, 24 exact grants":                                      "scope/24_exact",
		"the same, 8 grants ending in `*` and 4 with one inside":                   "scope/ mixed",
		"`ipfilter.List.Contains`, one prefix":                                     "ipfilter/ _1_",
		"8 to 100,000 random prefixes":                                             "ipfilter/ random",
		"8 to 100,000 prefixes that share their first 8 (IPv4) or 32 (IPv6) bits":  "ipfilter/ shared",
		"verifying a cached key, 1,000 or 1,000,000 of them":                       "verify/ keys",
		"a request through a `Guard`: key, address, permission, `Principal` bound": "guard/",
		"verifying an access token":                                                "oauth/verify !cached",
		"the same, cached by `Config.CacheTTL`":                                    "oauth/verify cached !key",
		"a cached access token":                                                    "oauth/verify key",
		"hashing a presented key":                                                  "apikey/hash",
		"refusing a wrong checksum":                                                "apikey/refuse",
		"asking the throttle about an address that never failed":                   "throttle/ never",
		"about one that failed":                                                    "throttle/",
	}
	promised := map[string]string{} // case name to limit
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(line, "|\n "), "|")
		if len(cells) != 3 {
			break
		}
		what, limit := strings.TrimSpace(cells[0]), strings.TrimSpace(cells[2])
		words, known := rows[what]
		require.True(t, known, "nothing is measured for %q", what)
		delete(rows, what)
		about := 0
		for _, c := range allPromises() {
			if _, taken := promised[c.Name]; !taken && hasWords(c.Name, words) {
				promised[c.Name] = limit
				about++
			}
		}
		require.Positive(t, about, "nothing is measured for %q", what)
	}
	require.Empty(t, rows, "rows that are not in the README")
	for _, f := range throttleFigures(ratio.Options{}) {
		require.Contains(t, section, fmt.Sprintf("at most %.0f ns", f.Limit))
	}
	for _, f := range loopbackFigures() {
		require.True(t, f.Limit == 0 || strings.Contains(section, fmt.Sprintf("at most %.1f times the CPU time", f.Limit)), f.Name)
	}
	for _, f := range issueFigures(ratio.Options{}) {
		_, what, _ := strings.Cut(f.Name, "/")
		require.Contains(t, strings.ReplaceAll(section, "\n", " "), fmt.Sprintf("%s at most %.0f times", what, f.Limit))
	}
	plain := strings.ReplaceAll(section, "\n", " ")
	for _, f := range introspectFigures() {
		require.Contains(t, plain, fmt.Sprintf("an introspection costs a server at most %.1f times", f.Limit))
	}
	for _, c := range allPromises() {
		switch {
		case strings.HasPrefix(c.Name, "two cores/"):
			require.True(t, c.Limit == 0 || strings.Contains(plain, fmt.Sprintf("%.1f times as many", 1/c.Limit)), c.Name)
		case strings.HasPrefix(c.Name, "guard/"):
			require.Equal(t, promised[c.Name], fmt.Sprintf("%.1f", c.Limit), c.Name)
			require.InEpsilon(t, 2.0, c.MaxAllocs, 0, c.Name)
		case c.Limit > 0:
			require.Equal(t, promised[c.Name], fmt.Sprintf("%.1f", c.Limit), c.Name)
			require.Zero(t, c.MaxAllocs, "%s: none of these allocates", c.Name)
		case c.MaxAllocs > 0:
			require.InEpsilon(t, 2.0, c.MaxAllocs, 0, c.Name)
			require.Contains(t, plain, "costs two allocations at most")
		}
	}
}

func hasWords(name, words string) bool {
	for word := range strings.FieldsSeq(words) {
		word = strings.ReplaceAll(word, "_", " ")
		not, without := strings.CutPrefix(word, "!")
		if strings.Contains(name, not) == without {
			return false
		}
	}
	return true
}
