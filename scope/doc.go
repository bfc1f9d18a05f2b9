// Package scope says what a credential may do: names of permissions, grants
// with wildcards, sets of grants, and catalogues of the permissions that a
// service knows.
//
// Start with [ParseSet], which reads grants, and [Set.Allows], which tells
// whether they allow something:
//
//	set, err := scope.ParseSet("users.*", "invoices.view")
//	...
//	set.Allows("users.view") // true
//
// # Grammar
//
// A permission is one or more segments with dots between them: "profile",
// "users.view", "admin.ticket_messages.view". A segment is 1 to 64 ASCII
// letters, digits, underscores and hyphens. A permission has at most 255 bytes.
// Case counts. Names are compared segment by segment.
//
// A grant is a permission in which stars may stand for whole segments: a star
// for exactly one, or, as the last segment, for one or more.
//
//	users.view    covers users.view
//	users.*       covers users.view and users.notes.view, but not users
//	*.view        covers users.view, but not view or users.notes.view
//	a.*.c         covers a.b.c, but not a.c or a.b.b.c
//	*             covers everything
//
// That is all. A star is never a part of a segment, a name does not imply the
// names below it, and no grant takes away what another one gives.
//
// # Security considerations
//
// What is not understood is refused. The zero [Set] allows nothing, a list with
// one bad grant does not become a set of the good ones, and a name that is
// malformed, or has a star, is not allowed by anything, not even by "*".
//
// A star includes what will be added later: "users.*" allows the "users.delete"
// of next year. A grant of a name that does not exist allows nothing until
// somebody adds it. [Catalog.Validate] finds those.
//
// Nobody should hand on more than they have: [Set.Covers] is the test for that.
//
// Those who choose the grants also choose how much work a question is. It is
// bounded: at most one pass over the name for every 64 grants that have a star,
// with one lookup for a segment. Nothing is tried and taken back.
package scope
