// Package ipfilter holds the IP addresses that an API key may be used from, and
// finds out which address a request comes from.
//
// Start with [ParseList], which makes a [List] of what a person typed, and
// [Resolver.Addr], which returns an address to ask it about with
// [List.Contains].
//
// # Entries
//
// An entry is one of
//
//	192.0.2.7                   2001:db8::7             an address
//	192.0.2.0/24                2001:db8::/32           a prefix
//	192.0.2.10-192.0.2.20       2001:db8::1-2001:db8::9 a range, both ends included
//
// with blanks around it, or around the hyphen. IPv6 addresses may be written in
// any form of RFC 4291 section 2.2. IPv4-mapped ones (::ffff:192.0.2.7, and
// prefixes of them of 96 bits or more) are the IPv4 addresses they stand for.
// Other ways to carry an IPv4 address, such as NAT64 and 6to4, are not looked
// through. Entries may repeat and overlap.
//
// Whatever has a second reading is an error that names the entry and, where
// there is one, the reading that was probably meant:
//
//   - a prefix with host bits set: 10.0.0.5/8, did you mean 10.0.0.0/8;
//   - numbers that programs disagree on: 010.0.0.1, 127.1, 0x7f000001;
//   - a dotted mask, a wildcard, a cut range: 10.0.0.0/255.0.0.0, 10.*, 192.0.2.1-20;
//   - a name, a port, a zone, brackets, a comment, or several entries in one.
//
// So is what cannot be meant: an empty entry, a reversed range, a range from one
// family to the other, and what no client can have as its address, which is the
// unspecified address, multicast and the broadcast address. A prefix or range
// that contains such an address beside others is fine.
//
// # Lists
//
// An empty list is an error, and so is one that covers every address of a
// family that a client can have, by one entry (0.0.0.0/0) or by several
// (0.0.0.0/1 and 128.0.0.0/1). Who wants no restriction has no list, and says so.
// An IPv6 entry that reaches into the IPv4-mapped block, such as ::/8, is an
// error as well: it never stands for IPv4 addresses that it does not name.
//
// # Performance
//
// Contains takes a few nanoseconds, does not allocate, and costs about the same
// for one entry and for a hundred thousand. However the addresses are
// distributed, it never takes more than the logarithm of the number of ranges. A
// compiled list needs at most 64 bytes an entry and 1 KiB, and a copy of the text
// that was typed.
//
// # Security considerations
//
// The zero List contains nothing and the zero Addr is in no list, so that a list
// that was lost or an address that could not be told denies.
//
// The zero [Resolver] never reads a header. Behind a reverse proxy it answers
// with the address of the proxy; a list with that address in it lets everybody
// in who can reach the proxy.
//
// An address is no credential. Lists narrow down where a stolen key works; they
// do not replace the key.
package ipfilter
