package ipfilter_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/ipfilter"
)

// entryErrors returns what ParseList has against each entry.
func entryErrors(t *testing.T, err error) []*ipfilter.EntryError {
	t.Helper()
	require.Error(t, err)
	var out []*ipfilter.EntryError
	for _, err := range err.(interface{ Unwrap() []error }).Unwrap() {
		require.True(t, strings.HasPrefix(err.Error(), "ipfilter: "), err)
		var entry *ipfilter.EntryError
		require.ErrorAs(t, err, &entry)
		out = append(out, entry)
	}
	return out
}

func parseError(t *testing.T, entries ...string) error {
	t.Helper()
	l, err := ipfilter.ParseList(entries, 0)
	require.Error(t, err, entries)
	require.True(t, l.IsEmpty())
	return err
}

func TestEveryMistakeIsReported(t *testing.T) {
	err := parseError(t, "localhost", "192.0.2.7", "10.0.0.5/8", "", "a,b\x1b[31m")
	entries := entryErrors(t, err)
	require.Len(t, entries, 4)
	require.Equal(t, []int{0, 2, 3, 4}, []int{entries[0].Index, entries[1].Index, entries[2].Index, entries[3].Index})
	require.EqualError(t, err, `ipfilter: entry 0 "localhost": a name: only addresses can be listed
ipfilter: entry 2 "10.0.0.5/8": host bits set; did you mean "10.0.0.0/8"?
ipfilter: entry 3 "": empty entry
ipfilter: entry 4 "a,b\x1b[31m": several entries in one`)
	require.EqualError(t, parseError(t, "192.0.2.7 192.0.2.8"),
		`ipfilter: entry 0 "192.0.2.7 192.0.2.8": several entries in one; did you mean "192.0.2.7", "192.0.2.8"?`)
}

func TestErrorsAreBounded(t *testing.T) {
	for _, text := range []string{
		strings.Repeat("x", 1<<20), strings.Repeat("é", 1<<10), strings.Repeat("\x00", 1<<10),
		strings.Repeat("\x80", 1<<10), "x" + strings.Repeat("\U0001f511", 1<<10),
	} {
		entry := entryErrors(t, parseError(t, text))[0]
		require.LessOrEqual(t, len(entry.Text), 4*128+len("..."))
		require.True(t, strings.HasSuffix(entry.Text, "..."))
		require.NotContains(t, entry.Text, "\x00")
	}
	// What is cut is cut between characters, and only if it is too long.
	for text, want := range map[string]string{
		strings.Repeat("x", 128):               strings.Repeat("x", 128),
		strings.Repeat("x", 129):               strings.Repeat("x", 128) + "...",
		"x" + strings.Repeat("é", 64):          "x" + strings.Repeat("é", 63) + "...",
		"xx" + strings.Repeat("\u20ac", 43):    "xx" + strings.Repeat("\u20ac", 42) + "...",
		"x" + strings.Repeat("\U0001f511", 32): "x" + strings.Repeat("\U0001f511", 31) + "...",
	} {
		require.Equal(t, want, entryErrors(t, parseError(t, text))[0].Text)
	}
}
