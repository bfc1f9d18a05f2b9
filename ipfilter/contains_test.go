package ipfilter_test

import (
	"encoding/json"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/ipfilter"
)

func TestVectors(t *testing.T) {
	var file struct {
		Vectors []struct {
			ID     int
			List   []string
			Addr   string
			Expect string
			Entry  *int
			Reason string
		}
	}
	readJSON(t, "testdata/allowlist.json", &file)
	require.NotEmpty(t, file.Vectors)
	for _, v := range file.Vectors {
		t.Run(strconv.Itoa(v.ID), func(t *testing.T) {
			l, err := ipfilter.ParseList(v.List, 0)
			if v.Expect != "error" {
				require.NoError(t, err)
				addr, _ := netip.ParseAddr(v.Addr) // "" and "@" stay the zero Addr
				require.Equal(t, v.Expect == "allow", l.Contains(addr))
				return
			}
			require.True(t, l.IsEmpty())
			if v.Entry == nil {
				var list *ipfilter.ListError
				require.ErrorAs(t, err, &list)
				return
			}
			entries := entryErrors(t, err)
			require.Len(t, entries, 1)
			require.Equal(t, *v.Entry, entries[0].Index)
			if _, meant, ok := strings.Cut(v.Reason, "did you mean "); ok {
				require.Equal(t, strings.TrimSuffix(meant, "?)"), entries[0].Suggestion)
			}
		})
	}
}

func readJSON(t *testing.T, name string, to any) {
	t.Helper()
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, to))
}

func TestContains(t *testing.T) {
	const v6 = "2001:db8::/126 fe80::/10 2001:db8:0:1::7"
	for _, c := range []struct {
		list, addr string
		want       bool
	}{
		{"", "192.0.2.7", false},
		{"", "::1", false},
		{"192.0.2.7", "192.0.2.7", true},
		{"192.0.2.7", "192.0.2.6", false},
		{"192.0.2.7", "192.0.2.8", false},
		{"192.0.2.7", "::ffff:192.0.2.7", true},
		{"192.0.2.7", "::ffff:192.0.2.7%eth0", true},
		{"192.0.2.7", "::192.0.2.7", false},
		{"192.0.2.7", "64:ff9b::192.0.2.7", false},
		{"192.0.2.7", "0.0.0.0", false},
		{"192.0.2.7", "255.255.255.255", false},
		{"192.0.2.7", "::", false},
		{"192.0.2.7", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false},
		{"::1", "127.0.0.1", false},
		{"::1", "::1", true},
		{"::1", "::1%lo", true},
		{"::/96", "::", true},
		{"::/96", "::ffff:0.0.0.0", false},
		{"::/96", "0.0.0.0", false},
		{v6, "2001:db8::3", true},
		{v6, "2001:db8::4", false},
		{v6, "2001:db8:0:1::7", true},
		{v6, "2001:db8:0:1::8", false},
		{v6, "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", false},
		{v6, "fe80::1%eth0", true},
		{v6, "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true},
		{v6, "fec0::", false},
		{v6, "192.0.2.7", false},
		{"0.0.0.0/1 240.0.0.0/4", "0.0.0.0", true},
		{"0.0.0.0/1 240.0.0.0/4", "255.255.255.255", true},
		{"0.0.0.0/1 240.0.0.0/4", "128.0.0.0", false},
		{"::1 8000::/1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true},
		{"::1 8000::/1", "7fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false},
	} {
		addr, err := netip.ParseAddr(c.addr)
		if err != nil { // newer releases refuse a zone on a mapped address
			addr = netip.MustParseAddr(strings.TrimSuffix(c.addr, "%eth0")).WithZone("eth0")
		}
		require.Equal(t, c.want, list(c.list).Contains(addr), "%q %q", c.list, c.addr)
		require.False(t, list(c.list).Contains(netip.Addr{}))
	}
}
