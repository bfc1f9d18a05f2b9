package ipfilter

import (
	"net/netip"
	"strings"
)

// maxText bounds an entry, and what an error repeats. The longest readable
// entry, a range of two mapped addresses written out, has 93 bytes.
const maxText = 128

// Why an entry is refused.
const (
	emptyEntry     = "empty entry"
	tooLong        = "longer than 128 bytes"
	hostBits       = "host bits set"
	shortMapped    = "IPv4-mapped prefix shorter than 96 bits"
	overlapsMapped = "overlaps the IPv4-mapped block ::ffff:0:0/96"
	reversed       = "range reversed"
	mixedFamilies  = "range from one address family to the other"
	coversAll      = "covers every address of its family"
	notClient      = "never a client address: unspecified, multicast or broadcast"
)

// parseEntry reads an entry as a person typed it. The error has neither index
// nor text.
func parseEntry(text string) (span, *EntryError) {
	if len(text) > maxText {
		return span{}, &EntryError{Reason: tooLong}
	}
	text = strings.Trim(text, " \t")
	if text == "" {
		return span{}, &EntryError{Reason: emptyEntry}
	}
	s, err := parse(text)
	if err != nil && err.Reason == unreadable {
		err = diagnose(text)
	}
	return s, err
}

// parse reads an entry without blanks around it: "a", "a/n" or "a-b".
func parse(text string) (span, *EntryError) {
	if address, length, ok := strings.Cut(text, "/"); ok {
		return parsePrefix(address, length)
	}
	if from, to, ok := cutRange(text); ok {
		return parseRange(from, to)
	}
	addr, ok := parseAddr(text)
	if !ok {
		return span{}, &EntryError{Reason: unreadable}
	}
	return judge(span{addr.Unmap(), addr.Unmap()})
}

func parsePrefix(address, length string) (span, *EntryError) {
	addr, ok1 := parseAddr(address)
	bits, ok2 := parseLength(length)
	if !ok1 || !ok2 || bits > addr.BitLen() {
		return span{}, &EntryError{Reason: unreadable}
	}
	if addr.Is4In6() {
		if bits < 96 {
			// Perhaps the length was counted as in IPv4.
			return span{}, &EntryError{Reason: shortMapped, Suggestion: meant(addr.Unmap().String() + "/" + length)}
		}
		addr, bits = addr.Unmap(), bits-96
	}
	prefix := netip.PrefixFrom(addr, bits).Masked()
	s, err := judge(span{prefix.Addr(), lastOf(prefix)})
	if err == nil && prefix.Addr() != addr {
		return span{}, &EntryError{Reason: hostBits, Suggestion: s.String()}
	}
	return s, err
}

func parseRange(from, to string) (span, *EntryError) {
	first, ok1 := parseAddr(from)
	last, ok2 := parseAddr(to)
	if !ok1 || !ok2 {
		return span{}, &EntryError{Reason: unreadable}
	}
	if first.Is4In6() != last.Is4In6() && first.Is6() && last.Is6() {
		return span{}, &EntryError{Reason: overlapsMapped}
	}
	first, last = first.Unmap(), last.Unmap()
	if first.Is4() != last.Is4() {
		return span{}, &EntryError{Reason: mixedFamilies}
	}
	if last.Less(first) {
		return span{}, &EntryError{Reason: reversed, Suggestion: meant(to + "-" + from)}
	}
	return judge(span{first, last})
}

func cutRange(text string) (from, to string, ok bool) {
	from, to, ok = strings.Cut(text, "-")
	return strings.TrimRight(from, " \t"), strings.TrimLeft(to, " \t"), ok
}

// parseAddr reads an address in one of the forms of RFC 4291 section 2.2, or
// as four decimal numbers. A list has no place for a zone.
func parseAddr(text string) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(text)
	return addr, err == nil && addr.Zone() == ""
}

// parseLength reads a prefix length: at most three digits, no sign, no leading
// zero.
func parseLength(text string) (int, bool) {
	if text == "" || len(text) > 3 || text[0] == '0' && len(text) > 1 {
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

// judge refuses spans that can be read and must not be on a list.
func judge(s span) (span, *EntryError) {
	mapped := span{addr6(uint128{0, 0xffff << 32}), addr6(uint128{0, 1<<48 - 1})}
	switch {
	case s.coversFamily():
		return span{}, &EntryError{Reason: coversAll}
	case s.overlaps(mapped):
		return span{}, &EntryError{Reason: overlapsMapped}
	case s.first == s.last && neverClient(s.first), s.first.IsMulticast() && s.last.IsMulticast():
		return span{}, &EntryError{Reason: notClient}
	}
	return s, nil
}

// lastOf returns the last address of p, which is masked.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < 8*len(b); i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	addr, _ := netip.AddrFromSlice(b)
	return addr
}
