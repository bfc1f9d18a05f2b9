// Package scope says what a credential may do: permission names, grants with
// wildcards, sets of grants, and catalogues of the permissions a service knows.
//
// Start with [ParseSet], which reads grants, and [Set.Allows], which answers
// whether they permit one thing:
//
//	set, err := scope.ParseSet("users.*", "invoices.view")
//	...
//	set.Allows("users.view") // true
//
// # Grammar
//
// A permission is one or more segments joined by dots: "profile",
// "users.view", "admin.ticket_messages.view". A segment is 1 to 64 ASCII
// letters, digits, underscores and hyphens; a permission has at most 255 bytes.
// Case counts, and names are compared segment by segment.
//
// A grant is a permission in which whole segments may be a star. A star stands
// for exactly one segment; as the last segment it stands for one or more:
//
//	users.view   users.view
//	users.*      users.view, users.notes.view; not users
//	*.view       users.view; not view, not users.notes.view
//	a.*.c        a.b.c; not a.c, not a.b.b.c
//	*            everything
//
// There is nothing else: no part of a segment can be a star, a name does not
// imply the names below it, and no grant takes away what another gives.
// What is asked for is always a plain permission.
//
// # Security considerations
//
// Everything that is not understood is refused. The zero [Set] allows nothing,
// a set is never built from the good half of a bad list, and a malformed name
// or one that holds a star is never allowed, not even by "*".
//
// A star covers what will be invented later: "users.*" includes a
// "users.delete" that does not exist yet. [Catalog.Validate] refuses names that
// are not known, which catches the typing error that would otherwise be a grant
// of nothing.
//
// [Set.Covers] is the test for delegation: nobody should give away a set that
// their own does not cover. It errs on the side of no, see there.
//
// Whoever writes grants decides how much work a question about them is, within
// a bound: at most one lookup for each segment asked for and each 64 grants
// that hold a star. Nothing here backtracks.
package scope
