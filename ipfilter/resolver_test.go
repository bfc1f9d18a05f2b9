package ipfilter_test

import (
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/ipfilter"
)

func TestResolverVectors(t *testing.T) {
	var file struct {
		Vectors []struct {
			ID      int
			Why     string
			Config  string
			Headers []struct{ Name, Value string }
			Remote  string `json:"remote_addr"`
			Addr    string
			Error   string
		}
	}
	readJSON(t, "testdata/clientip.json", &file)
	direct := 0
	for _, v := range file.Vectors {
		if v.Config != "D" {
			continue
		}
		direct++
		t.Run(strconv.Itoa(v.ID), func(t *testing.T) {
			r := &http.Request{RemoteAddr: v.Remote, Header: http.Header{}}
			for _, h := range v.Headers {
				r.Header.Add(h.Name, h.Value)
			}
			addr, err := new(ipfilter.Resolver).Addr(r)
			if v.Error == "" {
				require.NoError(t, err, v.Why)
				require.Equal(t, v.Addr, addr.String(), v.Why)
				return
			}
			var unknown *ipfilter.AddrError
			require.ErrorAs(t, err, &unknown, v.Why)
			require.Equal(t, v.Error, string(unknown.Reason), v.Why)
		})
	}
	require.NotZero(t, direct)
}

func TestResolverAddr(t *testing.T) {
	for peer, want := range map[string]string{
		"198.51.100.7:5000":                 "198.51.100.7",
		"198.51.100.7:0":                    "198.51.100.7",
		"198.51.100.7":                      "198.51.100.7",
		"127.0.0.1:1":                       "127.0.0.1",
		"[2001:db8::7]:5000":                "2001:db8::7",
		"2001:db8::7":                       "2001:db8::7",
		"[::1]:1":                           "::1",
		"[fe80::1%eth0]:5000":               "fe80::1",
		"fe80::1%eth0":                      "fe80::1",
		"[::ffff:198.51.100.7]:5000":        "198.51.100.7",
		"::ffff:198.51.100.7":               "198.51.100.7",
		"[2001:DB8:0:0:0:0:0:7]:5000":       "2001:db8::7",
		"":                                  "no_peer_ip",
		"@":                                 "no_peer_ip",
		"@name":                             "no_peer_ip",
		"/run/client.sock":                  "no_peer_ip",
		"pipe":                              "bad_peer",
		"not-an-ip:1":                       "bad_peer",
		"localhost:80":                      "bad_peer",
		":80":                               "bad_peer",
		"[]:80":                             "bad_peer",
		"[2001:db8::7]":                     "bad_peer",
		"[2001:db8::7":                      "bad_peer",
		"2001:db8::7]:80":                   "bad_peer",
		"[198.51.100.7]:80":                 "bad_peer",
		"198.51.100.7:":                     "bad_peer",
		"198.51.100.7:x":                    "bad_peer",
		"198.51.100.7:65536":                "bad_peer",
		"198.51.100.7 ":                     "bad_peer",
		"198.51.100.007:80":                 "bad_peer",
		"198.51.100.7, 10.0.0.1":            "bad_peer",
		"198.51.100.7%eth0:80":              "bad_peer",
		"0.0.0.0:1":                         "bad_peer",
		"[::]:1":                            "bad_peer",
		"[::%eth0]:1":                       "bad_peer",
		"[::ffff:0.0.0.0]:1":                "bad_peer",
		"224.0.0.1:1":                       "bad_peer",
		"[ff02::1]:1":                       "bad_peer",
		"[ff02::1%eth0]:1":                  "bad_peer",
		"255.255.255.255:1":                 "bad_peer",
		strings.Repeat("1", 1<<20):          "bad_peer",
		"198.51.100.7\r\nevil: header:5000": "bad_peer",
	} {
		for _, resolver := range []*ipfilter.Resolver{nil, {}} {
			addr, err := resolver.Addr(&http.Request{RemoteAddr: peer})
			if err == nil {
				require.Equal(t, want, addr.String(), peer)
				continue
			}
			var unknown *ipfilter.AddrError
			require.ErrorAs(t, err, &unknown)
			require.Equal(t, want, string(unknown.Reason), peer)
			require.Zero(t, addr)
			require.LessOrEqual(t, len(err.Error()), 600)
			require.NotContains(t, err.Error(), "\n")
		}
	}
}

func TestResolverChangesNothing(t *testing.T) {
	header := http.Header{"X-Forwarded-For": {"192.0.2.1"}, "Forwarded": {"for=192.0.2.1"}, "X-Real-Ip": {"192.0.2.1"}}
	r := &http.Request{RemoteAddr: "[::ffff:198.51.100.7]:5000", Header: header.Clone()}
	addr, err := new(ipfilter.Resolver).Addr(r)
	require.NoError(t, err)
	require.Equal(t, netip.MustParseAddr("198.51.100.7"), addr)
	require.Equal(t, "[::ffff:198.51.100.7]:5000", r.RemoteAddr)
	require.Equal(t, header, r.Header)
}

func TestAddrErrorText(t *testing.T) {
	_, err := new(ipfilter.Resolver).Addr(&http.Request{RemoteAddr: "a\nb"})
	require.EqualError(t, err, `ipfilter: client address "a\nb": bad_peer`)
	_, err = new(ipfilter.Resolver).Addr(&http.Request{RemoteAddr: "@"})
	require.EqualError(t, err, `ipfilter: client address "@": no_peer_ip`)
}
