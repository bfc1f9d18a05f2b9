package ipfilter

import (
	"net/netip"
	"strings"
)

// A problem says why an entry is refused, and what was probably meant.
type problem struct{ reason, suggestion string }

// Why an entry is refused although it could be read.
const (
	coversFamily   = "covers every address of its family"
	overlapsMapped = "overlaps the block of IPv4-mapped addresses, ::ffff:0:0/96"
	shortMapped    = "an IPv4-mapped prefix shorter than 96 bits"
	notClient      = "unspecified, multicast or broadcast: never the address of a client"
	hostBits       = "host bits set"
	mixedFamilies  = "a range from one address family to the other"
	reversed       = "range reversed"
)

// parseEntry reads one entry as a person typed it.
func parseEntry(text string) (span, *problem) {
	if len(text) > maxText {
		return span{}, &problem{reason: tooLong}
	}
	text = strings.Trim(text, " \t")
	if text == "" {
		return span{}, &problem{reason: emptyEntry}
	}
	s, p := parse(text)
	if p == nil && s == (span{}) {
		return span{}, diagnose(text)
	}
	return s, p
}

// parse reads one trimmed entry. What cannot be read at all is the zero span
// without a problem.
func parse(text string) (span, *problem) {
	if address, length, ok := strings.Cut(text, "/"); ok {
		return parsePrefix(address, length)
	}
	if first, last, ok := strings.Cut(text, "-"); ok {
		return parseRange(strings.TrimRight(first, " \t"), strings.TrimLeft(last, " \t"))
	}
	addr, ok := parseAddr(text)
	if !ok {
		return span{}, nil
	}
	return judge(span{addr.Unmap(), addr.Unmap()})
}

func parsePrefix(address, length string) (span, *problem) {
	addr, ok := parseAddr(address)
	if !ok {
		return span{}, nil
	}
	bits, ok := parseLength(length)
	if !ok || bits > addr.BitLen() {
		return span{}, nil
	}
	if addr.Is4In6() {
		if bits < 96 {
			// Most likely the length was counted for IPv4.
			p := &problem{reason: shortMapped}
			if s, bad := parsePrefix(addr.Unmap().String(), length); bad == nil {
				p.suggestion = s.String()
			}
			if bits == 0 {
				p.suggestion = ""
			}
			return span{}, p
		}
		addr, bits = addr.Unmap(), bits-96
	}
	prefix := netip.PrefixFrom(addr, bits).Masked()
	s, p := judge(span{prefix.Addr(), lastOf(prefix)})
	if p == nil && prefix.Addr() != addr {
		p = &problem{hostBits, s.String()}
	}
	return s, p
}

func parseRange(first, last string) (span, *problem) {
	a, ok1 := parseAddr(first)
	b, ok2 := parseAddr(last)
	if !ok1 || !ok2 {
		return span{}, nil
	}
	if a.Unmap().BitLen() != b.Unmap().BitLen() {
		if a.Is4() || b.Is4() {
			return span{}, &problem{reason: mixedFamilies}
		}
		return span{}, &problem{reason: overlapsMapped}
	}
	a, b = a.Unmap(), b.Unmap()
	if b.Less(a) {
		p := &problem{reason: reversed}
		if s, bad := judge(span{b, a}); bad == nil {
			p.suggestion = s.String()
		}
		return span{}, p
	}
	return judge(span{a, b})
}

// parseAddr reads one address in one of the forms of RFC 4291 section 2.2, or
// IPv4 as four decimal numbers. A zone is not part of what a list can hold.
func parseAddr(text string) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(text)
	return addr, err == nil && addr.Zone() == ""
}

// parseLength reads a prefix length: digits, no sign, no leading zero.
func parseLength(text string) (int, bool) {
	if text == "" || len(text) > 3 || text[0] == '0' && text != "0" {
		return 0, false
	}
	n := 0
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	return n, true
}

// judge refuses what can be read and must not be listed.
func judge(s span) (span, *problem) {
	if len(subtract(clients4(), []span{s})) == 0 || s.first.Is6() && !netip.IPv6Unspecified().Next().Less(s.first) && s.last.Is6() && !s.last.Less(clients6()[1].last) {
		return span{}, &problem{reason: coversFamily}
	}
	mapped := netip.MustParsePrefix("::ffff:0:0/96")
	if s.first.Is6() && !lastOf(mapped).Less(s.first) && !s.last.Less(mapped.Addr()) {
		return span{}, &problem{reason: overlapsMapped}
	}
	if s.first == s.last && neverClient(s.first) || s.first.IsMulticast() && s.last.IsMulticast() {
		return span{}, &problem{reason: notClient}
	}
	return s, nil
}

// lastOf returns the last address of a masked prefix.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().As16()
	skip := 128 - p.Addr().BitLen()
	for i := skip + p.Bits(); i < 128; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	addr := netip.AddrFrom16(b)
	if p.Addr().Is4() {
		return addr.Unmap()
	}
	return addr
}

// clients4 and clients6 are the addresses that a client can have: the whole
// family but for the unspecified address, multicast, broadcast and, in IPv6,
// the IPv4-mapped block.
func clients4() []span {
	return []span{
		{netip.MustParseAddr("0.0.0.1"), netip.MustParseAddr("223.255.255.255")},
		{netip.MustParseAddr("240.0.0.0"), netip.MustParseAddr("255.255.255.254")},
	}
}

func clients6() []span {
	return []span{
		{netip.MustParseAddr("::1"), netip.MustParseAddr("::fffe:ffff:ffff")},
		{netip.MustParseAddr("::1:0:0:0"), netip.MustParseAddr("feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")},
	}
}
