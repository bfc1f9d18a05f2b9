package ipfilter

import (
	"net/http"
	"net/netip"
	"strings"
)

// A Resolver finds out which address a request comes from.
//
// The zero Resolver answers with the direct peer of the connection and reads
// no header, so nothing a client sends can change the answer. Behind a reverse
// proxy that answer is the proxy. A Resolver is safe for concurrent use.
type Resolver struct{}

// Addr returns the address of the client, without a zone and with an
// IPv4-mapped address as the IPv4 address it stands for. It reads nothing but
// r.RemoteAddr, which may be "ip:port", "[ip]:port" or a bare address, and
// changes nothing. The nil Resolver works like the zero one.
//
// Where no address can be told the error is an *[AddrError] and the address is
// the zero one, which no [List] contains.
func (*Resolver) Addr(r *http.Request) (netip.Addr, error) {
	peer := r.RemoteAddr
	// A Unix socket's peer is unnamed, an abstract name or a path.
	if peer == "" || peer[0] == '@' || peer[0] == '/' {
		return netip.Addr{}, &AddrError{NoPeerIP, printable(peer)}
	}
	addr, err := parsePeer(peer)
	if err != nil || neverClient(addr) {
		return netip.Addr{}, &AddrError{BadPeer, printable(peer)}
	}
	return addr, nil
}

func parsePeer(peer string) (netip.Addr, error) {
	if peer[0] == '[' || strings.Count(peer, ":") == 1 {
		ap, err := netip.ParseAddrPort(peer)
		return ap.Addr().Unmap().WithZone(""), err
	}
	addr, err := netip.ParseAddr(peer)
	return addr.Unmap().WithZone(""), err
}

// neverClient reports whether no packet of a client can come from addr, which
// is unmapped.
func neverClient(addr netip.Addr) bool {
	return addr.IsUnspecified() || addr.IsMulticast() || addr == broadcast()
}

func broadcast() netip.Addr { return netip.AddrFrom4([4]byte{255, 255, 255, 255}) }
