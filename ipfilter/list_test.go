package ipfilter_test

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/ipfilter"
)

// list makes a list of entries that are separated by blanks; "" is the zero
// List.
func list(entries string) ipfilter.List {
	if entries == "" {
		return ipfilter.List{}
	}
	return ipfilter.MustParseList(strings.Fields(entries)...)
}

func TestMerging(t *testing.T) {
	for _, c := range []struct{ entries, merged string }{
		{"", ""},
		{"10.0.0.0/9 10.128.0.0/9", "10.0.0.0/8"},
		{"10.128.0.0/9 10.0.0.0/9", "10.0.0.0/8"},
		{"10.0.0.0/8 10.1.0.0/16 10.0.0.0/8", "10.0.0.0/8"},
		{"192.0.2.1 192.0.2.2 192.0.2.3", "192.0.2.1-192.0.2.3"},
		{"192.0.2.0-192.0.2.9 192.0.2.5-192.0.2.15", "192.0.2.0/28"},
		{"192.0.2.1 192.0.2.3", "192.0.2.1, 192.0.2.3"},
		{"2001:db8::1 192.0.2.7 ::1", "192.0.2.7, ::1, 2001:db8::1"},
		{"255.255.255.254/31 ::1", "255.255.255.254/31, ::1"},
		{"::ffff:192.0.2.6 192.0.2.7", "192.0.2.6/31"},
		{"::fffe:0:0/96 ::1:0:0:0/96", "::fffe:0:0/96, ::1:0:0:0/96"},
	} {
		l := list(c.entries)
		require.Equal(t, c.merged, l.String(), c.entries)
		require.Len(t, l.Strings(), l.Len(), c.entries)
		require.NotNil(t, l.Strings())
		require.Equal(t, strings.Fields(c.entries), l.Typed())
	}
}

func TestListsRefused(t *testing.T) {
	const v4, v6 = "cover every IPv4 address", "cover every IPv6 address"
	for _, c := range []struct {
		entries, reason string
		limit           int
	}{
		{"", "empty list", 0},
		{"", "empty list", 10},
		{"192.0.2.7", "negative limit -1", -1},
		{"192.0.2.7 192.0.2.8", "too many entries: 2, and the limit is 1", 1},
		{strings.Repeat("192.0.2.7 ", 257), "too many entries: 257, and the limit is 256", 0},
		{"0.0.0.0/1 128.0.0.0/1", v4, 0},
		{"128.0.0.0/2 0.0.0.0/1 192.0.0.0/2", v4, 0},
		{"0.0.0.0-127.0.0.0 127.0.0.1-255.255.255.255", v4, 0},
		{"0.0.0.1-223.255.255.255 240.0.0.0-255.255.255.254", v4, 0},
		{"::ffff:0.0.0.0/97 128.0.0.0/1", v4, 0},
		{"::-::fffe:ffff:ffff ::1:0:0:0-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", v6, 0},
		{"8000::/1 4000::/2 2000::/3 1000::/4 ::1:0:0:0-fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ::/81 ::8000:0:0-::fffe:ffff:ffff", v6, 0},
		{"0.0.0.0/1 128.0.0.0/1 2001:db8::1", v4, 0},
	} {
		l, err := ipfilter.ParseList(strings.Fields(c.entries), c.limit)
		var refused *ipfilter.ListError
		require.ErrorAs(t, err, &refused, c.entries)
		require.Contains(t, refused.Reason, c.reason)
		require.Equal(t, "ipfilter: "+refused.Reason, err.Error())
		require.True(t, l.IsEmpty())
	}
}

func TestNearlyWholeFamilies(t *testing.T) {
	for _, entries := range []string{
		"0.0.0.0/1", "0.0.0.0/1 128.0.0.0/2", "0.0.0.2-255.255.255.255", "0.0.0.0-255.255.255.253",
		"0.0.0.0-192.0.2.6 192.0.2.8-255.255.255.255",
		"8000::/1 2000::/3", "::2-::fffe:ffff:ffff ::1:0:0:0-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		"::-::fffe:ffff:ffff ::1:0:0:1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
	} {
		require.False(t, list(entries).IsEmpty(), entries)
	}
}

func TestManyMistakes(t *testing.T) {
	bad := slices.Repeat([]string{"x"}, 300)
	_, err := ipfilter.ParseList(bad[:256], 0)
	require.Len(t, entryErrors(t, err), 256)
	_, err = ipfilter.ParseList(bad, 1000)
	require.Len(t, err.(interface{ Unwrap() []error }).Unwrap(), 257)
	require.ErrorContains(t, err, "too many bad entries")
}

func TestLimit(t *testing.T) {
	entries := slices.Repeat([]string{"192.0.2.7"}, 257)
	for limit, ok := range map[int]bool{0: false, 1: false, 256: false, 257: true, 1 << 20: true, 1<<31 - 1: true} {
		_, err := ipfilter.ParseList(entries, limit)
		require.Equal(t, ok, err == nil, limit)
	}
	// A million entries are not even looked at.
	huge := make([]string, 1<<20+1)
	for _, limit := range []int{0, 1 << 20, 1<<31 - 1} {
		require.LessOrEqual(t, testing.AllocsPerRun(1, func() { _, _ = ipfilter.ParseList(huge, limit) }), 10.0)
		_, err := ipfilter.ParseList(huge, limit)
		require.ErrorContains(t, err, "too many entries: 1048577")
	}
}

func TestTypedIsKeptVerbatim(t *testing.T) {
	typed := []string{" 10.0.0.0/8\t", "2001:DB8::7", "10.1.0.0/16", "192.0.2.1 - 192.0.2.9"}
	l, err := ipfilter.ParseList(typed, 0)
	require.NoError(t, err)
	want := slices.Clone(typed)
	typed[0] = "changed"
	require.Equal(t, want, l.Typed())
	l.Typed()[0] = "changed"
	require.Equal(t, want, l.Typed())
	require.Equal(t, []string{}, ipfilter.List{}.Typed())
}

func TestCoversAndExcess(t *testing.T) {
	for _, c := range []struct{ list, other, excess string }{
		{"", "", ""},
		{"10.0.0.0/8", "", ""},
		{"", "10.0.0.0/8", "10.0.0.0/8"},
		{"10.0.0.0/8", "10.0.0.0/8", ""},
		{"10.0.0.0/8", "10.1.0.0/16 10.255.255.255", ""},
		{"10.0.0.0/9 10.128.0.0/9", "10.0.0.0/8", ""},
		{"10.0.0.0/8", "10.0.0.0/7", "11.0.0.0/8"},
		{"10.0.0.0/8", "192.0.2.7 10.0.0.1", "192.0.2.7"},
		{"10.0.0.5", "10.0.0.0/28", "10.0.0.0-10.0.0.4 10.0.0.6-10.0.0.15"},
		{"10.0.0.5 10.0.0.7", "10.0.0.0/28 10.0.1.0", "10.0.0.0-10.0.0.4 10.0.0.6 10.0.0.8/29 10.0.1.0"},
		{"10.0.0.0/8", "2001:db8::/32", "2001:db8::/32"},
		{"2001:db8::/32", "10.0.0.0/8", "10.0.0.0/8"},
		{"2001:db8::/32", "2001:db8:7::/48 2001:db9::7", "2001:db9::7"},
		{"10.0.0.0/8 2001:db8::1", "10.0.0.0/8 2001:db8::/127", "2001:db8::"},
		{"0.0.0.1-0.255.255.255", "0.0.0.0/8", "0.0.0.0"},
		{"255.255.255.254-255.255.255.255", "255.255.255.0/24", "255.255.255.0-255.255.255.253"},
		{"255.255.255.0/24", "255.255.255.254/31", ""},
		{"8000::/1", "8000::/1 ::1", "::1"},
	} {
		l, other := list(c.list), list(c.other)
		require.Equal(t, c.excess == "", l.Covers(other), c)
		require.Equal(t, c.excess, strings.Join(l.Excess(other), " "), c)
		require.Equal(t, c.excess == "", l.Excess(other) == nil, c)
		require.Equal(t, l.Covers(other) && other.Covers(l), l.Equal(other), c)
	}
}

func TestJSON(t *testing.T) {
	for _, entries := range []string{"192.0.2.7", "10.0.0.0/8 2001:db8::/32", "192.0.2.1-192.0.2.4 ::1"} {
		data, err := json.Marshal(list(entries))
		require.NoError(t, err)
		require.JSONEq(t, `["`+strings.ReplaceAll(entries, " ", `","`)+`"]`, string(data))
		var l ipfilter.List
		require.NoError(t, json.Unmarshal(data, &l))
		require.True(t, l.Equal(list(entries)))
		require.Equal(t, strings.Fields(entries), l.Typed())
	}
	data, err := json.Marshal(ipfilter.List{})
	require.NoError(t, err)
	require.Equal(t, "[]", string(data))
}

func TestJSONRefused(t *testing.T) {
	for data, message := range map[string]string{
		`[]`:                  "empty list",
		`null`:                "empty list",
		`[null]`:              `entry 0 "": empty entry`,
		`[""]`:                `entry 0 "": empty entry`,
		`["192.0.2.7", null]`: `entry 1 "": empty entry`,
		`["192.0.2.7", "x"]`:  `entry 1 "x": a name`,
		`["0.0.0.0/0"]`:       "covers every address",
		`["192.0.2.7", 7]`:    "a list is an array of strings",
		`[["192.0.2.7"]]`:     "a list is an array of strings",
		`"192.0.2.7"`:         "a list is an array of strings",
		`{"0": "192.0.2.7"}`:  "a list is an array of strings",
		`true`:                "a list is an array of strings",
	} {
		l := list("192.0.2.1")
		err := json.Unmarshal([]byte(data), &l)
		require.ErrorContains(t, err, "ipfilter: ", data)
		require.ErrorContains(t, err, message, data)
		require.Equal(t, "192.0.2.1", l.String(), "a refused list changes nothing")
	}
	require.ErrorContains(t, new(ipfilter.List).UnmarshalJSON([]byte(`["192.0.2.7"`)), "ipfilter: ")
}

func TestJSONHasNoKeyLimit(t *testing.T) {
	var entries []string
	for i := range 1000 {
		entries = append(entries, netip.AddrFrom4([4]byte{10, 0, byte(i >> 7), byte(i << 1)}).String())
	}
	l, err := ipfilter.ParseList(entries, 1000)
	require.NoError(t, err)
	require.Equal(t, 1000, l.Len())
	data, err := json.Marshal(l)
	require.NoError(t, err)
	var read ipfilter.List
	require.NoError(t, json.Unmarshal(data, &read))
	require.True(t, l.Equal(read))
}

func TestMustParseList(t *testing.T) {
	require.Equal(t, "192.0.2.7", ipfilter.MustParseList("192.0.2.7").String())
	require.Panics(t, func() { ipfilter.MustParseList() })
	require.Panics(t, func() { ipfilter.MustParseList("localhost") })
}

func TestZeroList(t *testing.T) {
	var l ipfilter.List
	require.True(t, l.IsEmpty())
	require.Zero(t, l.Len())
	require.Equal(t, []string{}, l.Strings())
	require.Empty(t, l.String())
	require.True(t, l.Equal(ipfilter.List{}))
	require.False(t, l.Equal(list("192.0.2.7")))
	require.False(t, list("192.0.2.7").IsEmpty())
}

func TestConcurrentUse(t *testing.T) {
	l := list("10.0.0.0/8 192.0.2.7 2001:db8::/32")
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 100 {
				require.True(t, l.Contains(netip.MustParseAddr("2001:db8::7")))
				require.Len(t, l.Strings(), len(l.Typed()))
				require.True(t, l.Covers(l))
			}
		})
	}
	group.Wait()
}
