package ipfilter

import (
	"net/http"
	"net/netip"
	"strings"
)

// A Resolver finds out which address a request comes from.
//
// The zero Resolver, and a nil one, answer with the peer of the connection.
// They read no header, so that nothing a client sends can change the answer.
// Behind a reverse proxy the answer is the proxy. A Resolver is safe for
// concurrent use.
type Resolver struct{}

// Addr returns the address of the client: without a zone, and an IPv4-mapped
// address as the IPv4 address it stands for. All it looks at is r.RemoteAddr,
// which is "ip:port", "[ip]:port" or a bare address, and it changes nothing.
//
// If there is no such address the error is an *[AddrError], and the address is the
// zero one, which is in no [List].
func (*Resolver) Addr(r *http.Request) (netip.Addr, error) {
	peer := r.RemoteAddr
	// On a Unix socket the peer is unnamed, an abstract name or a path.
	if peer == "" || peer[0] == '@' || peer[0] == '/' {
		return netip.Addr{}, &AddrError{NoPeerIP, printable(peer)}
	}
	addr, ok := parsePeer(peer)
	if !ok || neverClient(addr) {
		return netip.Addr{}, &AddrError{BadPeer, printable(peer)}
	}
	return addr, nil
}

func parsePeer(peer string) (netip.Addr, bool) {
	if addr, ok := parsePeer4(peer); ok {
		return addr, true
	}
	if peer[0] == '[' || strings.Count(peer, ":") == 1 {
		addrPort, err := netip.ParseAddrPort(peer)
		return addrPort.Addr().Unmap().WithZone(""), err == nil
	}
	addr, err := netip.ParseAddr(peer)
	return addr.Unmap().WithZone(""), err == nil
}

// parsePeer4 reads an IPv4 address and a port as net/http writes them, in half
// the time that parsePeer takes. For everything else it is not there.
func parsePeer4(peer string) (netip.Addr, bool) {
	var b [4]byte
	for field := range b {
		value, rest, ok := parseNumber(peer, 255)
		if !ok || rest == "" || rest[0] != "...:"[field] {
			return netip.Addr{}, false
		}
		b[field], peer = byte(value), rest[1:]
	}
	_, rest, ok := parseNumber(peer, 65535)
	return netip.AddrFrom4(b), ok && rest == ""
}

// parseNumber reads the decimal number at the beginning of s, which has no
// leading zeros, and returns what follows.
func parseNumber(s string, most uint) (value uint, rest string, ok bool) {
	i := 0
	for i < len(s) && s[i]-'0' < 10 {
		if value = 10*value + uint(s[i]-'0'); value > most || (value < 10 && i > 0) {
			return 0, "", false
		}
		i++
	}
	return value, s[i:], i > 0
}

// A Reason is the word for why the address of a client is not known.
type Reason string

const (
	// NoPeerIP means that the peer has no address, as on a Unix socket.
	NoPeerIP Reason = "no_peer_ip"
	// BadPeer means that Request.RemoteAddr cannot be read, or is what no
	// client has as its address: unspecified, multicast or broadcast.
	BadPeer Reason = "bad_peer"
)

// An AddrError says why the address of a client is not known.
type AddrError struct {
	Reason Reason
	Text   string // what was found, cut after 128 bytes, with control characters escaped
}

// Error returns everything in one line.
func (e *AddrError) Error() string {
	return `ipfilter: client address "` + e.Text + `": ` + string(e.Reason)
}
