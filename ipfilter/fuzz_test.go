package ipfilter_test

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/ipfilter"
)

// FuzzParseList splits its input at line feeds: no entry contains one.
func FuzzParseList(f *testing.F) {
	for _, seed := range []string{
		"192.0.2.7", "10.0.0.0/8\n2001:db8::/32", "192.0.2.1 - 192.0.2.9\n::1", "::ffff:10.0.0.0/104",
		"0.0.0.0/1\n128.0.0.0/1", "10.0.0.5/8", "192.0.2.1-20", "10.*", "[::1]:80", "fe80::1%eth0/64",
		"10.0.0.0/255.0.0.0", "010.0.0.1", "a,b", "192.0.2.7 # office", "::/8", "224.0.0.1", "localhost", "",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		entries := strings.Split(text, "\n")
		l, err := ipfilter.ParseList(entries, 0)
		if err != nil {
			require.True(t, l.IsEmpty())
			require.LessOrEqual(t, len(err.Error()), 1000*len(entries))
			for _, err := range err.(interface{ Unwrap() []error }).Unwrap() {
				require.True(t, strings.HasPrefix(err.Error(), "ipfilter: "))
				var entry *ipfilter.EntryError
				if !errors.As(err, &entry) || entry.Suggestion == "" {
					continue
				}
				for suggestion := range strings.SplitSeq(entry.Suggestion, ", ") {
					_, err := ipfilter.ParseList([]string{suggestion}, 0)
					require.NoError(t, err, "suggested for %q", entry.Text)
				}
			}
			return
		}
		require.False(t, l.IsEmpty())
		require.Equal(t, entries, l.Typed())
		requireAgree(t, rand.New(rand.NewPCG(5, 6)), l, naively(entries))
		data, err := json.Marshal(l)
		require.NoError(t, err)
		var read ipfilter.List
		require.NoError(t, json.Unmarshal(data, &read))
		require.True(t, read.Equal(l))
		require.True(t, l.Covers(read) && read.Covers(l))
	})
}

func FuzzResolver(f *testing.F) {
	for _, seed := range []string{
		"198.51.100.7:5000", "[2001:db8::7]:5000", "[fe80::1%eth0]:1", "[::ffff:198.51.100.7]:1", "2001:db8::7",
		"@", "", "0.0.0.0:1", "[ff02::1]:1", "not-an-ip:1", "198.51.100.7:65536", "198.51.100.256:1", "198.51.100.07:1",
		"198.51.100.7:080", "198.51.100.7:", "198.51.100:7", "198.51.100.7.7:7", "198.51.100.7:7:7",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, peer string) {
		r := &http.Request{RemoteAddr: peer}
		addr, err := new(ipfilter.Resolver).Addr(r)
		require.Equal(t, peer, r.RemoteAddr)
		parsed, parseErr := netip.ParseAddr(peer)
		if addrPort, err := netip.ParseAddrPort(peer); err == nil {
			parsed, parseErr = addrPort.Addr(), nil
		}
		if err == nil {
			require.NoError(t, parseErr)
			require.Equal(t, parsed.Unmap().WithZone(""), addr)
		}
		if err != nil {
			var unknown *ipfilter.AddrError
			require.ErrorAs(t, err, &unknown)
			require.Contains(t, []ipfilter.Reason{ipfilter.NoPeerIP, ipfilter.BadPeer}, unknown.Reason)
			require.LessOrEqual(t, len(unknown.Text), 600)
			require.False(t, addr.IsValid())
			return
		}
		require.True(t, addr.IsValid() && !addr.Is4In6() && addr.Zone() == "")
		require.False(t, addr.IsUnspecified() || addr.IsMulticast())
	})
}
