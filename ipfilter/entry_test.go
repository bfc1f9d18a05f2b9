package ipfilter_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/ipfilter"
)

func TestEntriesAccepted(t *testing.T) {
	for typed, canonical := range map[string]string{
		"192.0.2.7":                       "192.0.2.7",
		"192.0.2.7/32":                    "192.0.2.7",
		"192.0.2.7-192.0.2.7":             "192.0.2.7",
		" \t192.0.2.7\t ":                 "192.0.2.7",
		"127.0.0.1":                       "127.0.0.1",
		"255.255.255.254":                 "255.255.255.254",
		"192.0.2.0/24":                    "192.0.2.0/24",
		"192.0.2.4/31":                    "192.0.2.4/31",
		"0.0.0.0/8":                       "0.0.0.0/8",
		"0.0.0.0/1":                       "0.0.0.0/1",
		"128.0.0.0/1":                     "128.0.0.0/1",
		"192.0.2.0-192.0.2.255":           "192.0.2.0/24",
		"192.0.2.10-192.0.2.20":           "192.0.2.10-192.0.2.20",
		"192.0.2.1-192.0.2.4":             "192.0.2.1-192.0.2.4",
		"192.0.2.10 - 192.0.2.20":         "192.0.2.10-192.0.2.20",
		"192.0.2.10\t-\t192.0.2.20":       "192.0.2.10-192.0.2.20",
		"0.0.0.0-0.0.0.1":                 "0.0.0.0/31",
		"0.0.0.2-255.255.255.255":         "0.0.0.2-255.255.255.255",
		"0.0.0.0-255.255.255.253":         "0.0.0.0-255.255.255.253",
		"223.255.255.255-224.0.0.0":       "223.255.255.255-224.0.0.0",
		"255.255.255.254-255.255.255.255": "255.255.255.254/31",
		"2001:db8::7":                     "2001:db8::7",
		"2001:DB8:0:0:0:0:0:7":            "2001:db8::7",
		"2001:0db8:0000::0007/128":        "2001:db8::7",
		"2001:db8::/32":                   "2001:db8::/32",
		"2001:db8::1-2001:db8::9":         "2001:db8::1-2001:db8::9",
		"2001:db8::-2001:db8:ffff:ffff:ffff:ffff:ffff:ffff": "2001:db8::/32",
		"2001:db8:0:1::-2001:db8:0:2:ffff:ffff:ffff:ffff":   "2001:db8:0:1::-2001:db8:0:2:ffff:ffff:ffff:ffff",
		"::1":                                  "::1",
		"::/96":                                "::/96",
		"::/81":                                "::/81",
		"::1:0:0:0/80":                         "::1:0:0:0/80",
		"fe80::/10":                            "fe80::/10",
		"2000::/3":                             "2000::/3",
		"8000::/1":                             "8000::/1",
		"::ffff:192.0.2.7":                     "192.0.2.7",
		"::ffff:c000:207":                      "192.0.2.7",
		"::FFFF:192.0.2.0/120":                 "192.0.2.0/24",
		"::ffff:192.0.2.7/128":                 "192.0.2.7",
		"::ffff:192.0.2.10-::ffff:192.0.2.20":  "192.0.2.10-192.0.2.20",
		"::ffff:192.0.2.10-192.0.2.20":         "192.0.2.10-192.0.2.20",
		"192.0.2.10-::ffff:192.0.2.20":         "192.0.2.10-192.0.2.20",
		"192.0.2.7" + strings.Repeat(" ", 119): "192.0.2.7", // 128 bytes
		"64:ff9b::192.0.2.7":                   "64:ff9b::c000:207",
		"::fffe:0:0-::fffe:ffff:ffff":          "::fffe:0:0/96",
		"::1:0:0:0-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff": "::1:0:0:0-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
	} {
		l, err := ipfilter.ParseList([]string{typed}, 0)
		require.NoError(t, err, typed)
		require.Equal(t, []string{canonical}, l.Strings(), typed)
		require.Equal(t, []string{typed}, l.Typed())
	}
}

func TestEntriesRefused(t *testing.T) {
	const (
		all      = "covers every address of its family"
		mapped   = "overlaps the IPv4-mapped block ::ffff:0:0/96"
		never    = "never a client address: unspecified, multicast or broadcast"
		host     = "host bits set"
		several  = "several entries in one"
		length   = "not a prefix length"
		cut      = "an address with fewer than four numbers"
		zero     = "a leading zero, which some read as octal"
		hex      = "a hexadecimal number"
		name     = "a name: only addresses can be listed"
		mask     = "a mask in dotted form"
		none     = "not an address, a prefix or a range"
		cutRange = "a range whose second address is cut short"
		short    = "IPv4-mapped prefix shorter than 96 bits"
		families = "range from one address family to the other"
	)
	for _, c := range []struct{ typed, reason, suggestion string }{
		{"", "empty entry", ""},
		{" \t ", "empty entry", ""},
		{strings.Repeat(" ", 120) + "192.0.2.7", "longer than 128 bytes", ""},

		{"0.0.0.0/0", all, ""},
		{"::/0", all, ""},
		{"::ffff:0:0/96", all, ""},
		{"::ffff:0.0.0.0/96", all, ""},
		{"10.0.0.1/0", all, ""},
		{"2001:db8::1/0", all, ""},
		{"0.0.0.0-255.255.255.255", all, ""},
		{"0.0.0.1-255.255.255.254", all, ""},
		{"::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", all, ""},
		{"::1-feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", all, ""},

		{"::/1", mapped, ""},
		{"::/8", mapped, ""},
		{"::/80", mapped, ""},
		{"::1/80", mapped, ""},
		{"::-::ffff:0:0", mapped, ""},
		{"::1-2001:db8::1", mapped, ""},
		{"::ffff:255.255.255.255-::1:0:0:0", mapped, ""},
		{"::ffff:10.0.0.1-2001:db8::1", mapped, ""},
		{"2001:db8::1-::ffff:10.0.0.1", mapped, ""},
		{"::ffff:10.0.0.0/80", short, ""},
		{"::ffff:10.0.0.0/95", short, ""},
		{"::ffff:10.0.0.0/8", short, "10.0.0.0/8"},
		{"::ffff:10.0.0.1/8", short, "10.0.0.0/8"},
		{"::ffff:10.0.0.0/0", short, ""},

		{"0.0.0.0", never, ""},
		{"::", never, ""},
		{"0.0.0.0/32", never, ""},
		{"::/128", never, ""},
		{"::ffff:0.0.0.0", never, ""},
		{"224.0.0.1", never, ""},
		{"239.255.255.255", never, ""},
		{"224.0.0.0/4", never, ""},
		{"224.0.0.1-239.0.0.1", never, ""},
		{"255.255.255.255", never, ""},
		{"ff02::1", never, ""},
		{"ff00::/8", never, ""},
		{"ff02::/16", never, ""},
		{"ff02::1-ff02::9", never, ""},
		{"::ffff:224.0.0.1", never, ""},

		{"10.0.0.5/8", host, "10.0.0.0/8"},
		{"192.0.2.7/31", host, "192.0.2.6/31"},
		{"2001:db8::1/32", host, "2001:db8::/32"},
		{"::ffff:10.0.0.5/104", host, "10.0.0.0/8"},
		{"239.0.0.1/3", host, "224.0.0.0/3"},

		{"192.0.2.20-192.0.2.10", "range reversed", "192.0.2.10-192.0.2.20"},
		{"2001:db8::9-2001:db8::1", "range reversed", "2001:db8::1-2001:db8::9"},
		{"255.255.255.255-0.0.0.0", "range reversed", ""},
		{"192.0.2.1-2001:db8::1", families, ""},
		{"2001:db8::1-192.0.2.1", families, ""},
		{"::ffff:192.0.2.1-2001:db8::1", mapped, ""},

		{"192.0.2.1-20", cutRange, "192.0.2.1-192.0.2.20"},
		{"192.0.2.1 - 20", cutRange, "192.0.2.1-192.0.2.20"},
		{"192.0.2.20-1", cutRange, "192.0.2.1-192.0.2.20"},
		{"192.0.2.1-256", cutRange, ""},
		{"2001:db8::1-9", cutRange, ""},
		{"192.0.2.0/24-192.0.3.0/24", length, ""},
		{"192.0.2.1-", none, ""},
		{"-192.0.2.1", none, ""},
		{"-", none, ""},
		{"192.0.2.1-192.0.2.2-192.0.2.3", none, ""},

		{"10.0.0.0/33", length, ""},
		{"2001:db8::/129", length, ""},
		{"2000::/:", length, ""}, // the character after 9
		{"2000::/A", length, ""},
		{"2000::/1:", length, ""},
		{"10.0.0.0/1000000000000000000000", length, ""},
		{"10.0.0.0/18446744073709551624", length, ""}, // 2^64 + 8
		{"10.0.0.0/+8", length, ""},
		{"10.0.0.0/-8", length, ""},
		{"10.0.0.0/08", length, ""},
		{"10.0.0.0/8/8", length, ""},
		{"10.0.0.0/ 8", length, ""},
		{"10.0.0.0/", length, ""},
		{"10.0.0.0/x", length, ""},
		{"10.0.0.0/٨", length, ""},
		{"10.0.0.0 /8", none, ""},
		{"/8", cut, ""},
		{"10.0.0.0/255.0.0.0", mask, "10.0.0.0/8"},
		{"10.0.0.5/255.0.0.0", mask, "10.0.0.0/8"},
		{"192.0.2.7/255.255.255.255", mask, "192.0.2.7"},
		{"10.0.0.0/255.0.255.0", mask, ""},
		{"10.0.0.0/0.255.255.255", mask, ""},
		{"10.0.0.0/0.0.0.0", mask, ""},
		{"2001:db8::/ffff:ffff::", mask, ""},
		{"2001:db8::/255.255.0.0", mask, ""},
		{"10.0.0.0/::ff00:0", mask, ""},

		{"10.0.0/8", cut, "10.0.0.0/8"},
		{"10/8", cut, "10.0.0.0/8"},
		{"10.1/8", cut, "10.0.0.0/8"},
		{"10.0.0/x", cut, ""},
		{"10.1/16", cut, "10.1.0.0/16"},
		{"10.1/17", cut, ""},
		{"127.1/32", cut, ""},
		{"127.1", cut, ""},
		{"2130706433", cut, ""},
		{"10.0.0-10.0.1", cut, ""},
		{"010.0.0.1", zero, ""},
		{"192.0.2.08", zero, ""},
		{"192.0.2.00", zero, ""},
		{"010.0.0.0/8", zero, ""},
		{"192.0.2.1-192.0.2.010", zero, ""},
		{"0x7f000001", hex, ""},
		{"0x7f.0.0.1", hex, ""},
		{"127.0.0.0x1", hex, ""},
		{"1.2.3.256", none, ""},
		{"1.2.3.4.5", none, ""},
		{"1.2.3.", none, ""},
		{"1..2.3", none, ""},
		{"1::2::3", none, ""},
		{"12345::", none, ""},
		{":::", none, ""},
		{"1:2:3:4:5:6:7:8:9", none, ""},
		{"::ffff:010.0.0.1", none, ""},
		{"192.0.2.7\x00", none, ""},
		{"\x00", none, ""},
		{"\xff\xfe", none, ""},
		{"192.0.2.7\u202e", none, ""},
		{"１９２.0.2.7", none, ""},

		{"localhost", name, ""},
		{"example.com", name, ""},
		{"my-host", name, ""},
		{"example.com/24", name, ""},
		{"büro", name, ""},
		{"192.0.2.7 office", name, ""},
		{"any", name, ""},
		{"localhost:80", none, ""},
		{"https://192.0.2.7/", none, ""},

		{"*", "a wildcard", ""},
		{"*.*.*.*", "a wildcard", ""},
		{"10.*", "a wildcard", "10.0.0.0/8"},
		{"10.1.*.*", "a wildcard", "10.1.0.0/16"},
		{"192.0.2.*", "a wildcard", "192.0.2.0/24"},
		{"192.0.2.7.*", "a wildcard", ""},
		{"224.*", "a wildcard", ""},
		{"192.*.2.7", "a wildcard", ""},
		{"192.0.2.1*", "a wildcard", ""},
		{"10*", "a wildcard", ""},
		{"10..*", "a wildcard", ""},
		{"192.0.2.*/24", "a wildcard", ""},
		{"2001:db8::*", "a wildcard", ""},

		{"[2001:db8::1]", "brackets", "2001:db8::1"},
		{"[2001:db8::1]:443", "brackets", "2001:db8::1"},
		{"[2001:db8::]/32", "brackets", "2001:db8::/32"},
		{"[192.0.2.7", "brackets", "192.0.2.7"},
		{"192.0.2.7]", "brackets", "192.0.2.7"},
		{"[]", "brackets", ""},
		{"192.0.2.7:443", "a port", "192.0.2.7"},
		{"192.0.2.7:https", none, ""},
		{"fe80::1%eth0", "a zone", "fe80::1"},
		{"fe80::1%", "a zone", "fe80::1"},
		{"fe80::%eth0/64", "a zone", "fe80::/64"},
		{"fe80::1%eth0/64", "a zone", "fe80::/64"},
		{"192.0.2.7%eth0", "a zone", "192.0.2.7"},
		{"%eth0", "a zone", ""},

		{"192.0.2.7 # office", "a comment", "192.0.2.7"},
		{"10.0.0.0/8#office", "a comment", "10.0.0.0/8"},
		{"# office", "a comment", ""},
		{"192.0.2.7,192.0.2.8", several, "192.0.2.7, 192.0.2.8"},
		{"10.0.0.0/8, 2001:DB8::/32", several, "10.0.0.0/8, 2001:db8::/32"},
		{"192.0.2.7;10.0.0.5/8", several, "192.0.2.7, 10.0.0.0/8"},
		{"192.0.2.7\r\n192.0.2.8\r\n", several, "192.0.2.7, 192.0.2.8"},
		{"192.0.2.7 192.0.2.8", several, "192.0.2.7, 192.0.2.8"},
		{"192.0.2.7,office", several, ""},
		{"192.0.2.7,", none, "192.0.2.7"},
		{"192.0.2.7\n", none, "192.0.2.7"},
		{",", none, ""},
		{"192.0.2.7\u00a0", none, "192.0.2.7"},
	} {
		entries := entryErrors(t, parseError(t, "192.0.2.1", c.typed))
		require.Len(t, entries, 1, c.typed)
		require.Equal(t, 1, entries[0].Index, c.typed)
		require.Equal(t, c.reason, entries[0].Reason, c.typed)
		require.Equal(t, c.suggestion, entries[0].Suggestion, c.typed)
		if c.suggestion != "" {
			_, err := ipfilter.ParseList(strings.Split(c.suggestion, ", "), 0)
			require.NoError(t, err, c.typed)
		}
	}
}
