package scope

import (
	"slices"
	"strings"
)

// Covers reports whether every grant of other is covered by one grant of s.
// It is the test for delegation: if it holds, s allows whatever other allows.
// The reverse is not promised. It may say no where several grants of s cover
// one of other only together.
//
// Every set covers the empty one.
func (s Set) Covers(other Set) bool {
	for _, grant := range other.list() {
		if !s.covers(grant) {
			return false
		}
	}
	return true
}

// Excess returns the grants of other that keep s from covering it, sorted, and
// nil when s covers other.
func (s Set) Excess(other Set) []string {
	var excess []string
	for _, grant := range other.list() {
		if !s.covers(grant) {
			excess = append(excess, grant)
		}
	}
	return excess
}

// Intersect returns the set that allows exactly what both sets allow.
//
// It can have more grants than either, and more than the 256 that the parsers
// accept: up to the product of both when their grants have stars in different
// places.
func (s Set) Intersect(other Set) Set {
	var meets []string
	for _, g := range s.list() {
		for _, h := range other.list() {
			if m, ok := meet(g, h); ok {
				meets = append(meets, m)
			}
		}
	}
	return newSet(meets)
}

func (s Set) covers(grant string) bool {
	return s.p != nil && s.p.matcher.covers(grant, true)
}

// covers reports whether the grant g covers text, which may be a permission or
// a grant. A star of text is a segment like any other, which only a star of g
// covers.
func covers(g, text string) bool {
	for {
		if g == "*" {
			return true
		}
		gs, grest, gmore := strings.Cut(g, ".")
		ts, trest, tmore := strings.Cut(text, ".")
		if gs != "*" && gs != ts || gmore != tmore {
			return false
		}
		if !gmore {
			return true
		}
		g, text = grest, trest
	}
}

// meet returns the grant that covers exactly what both g and h cover, if there
// is anything.
func meet(g, h string) (string, bool) {
	var segments []string
	for {
		if g == "*" {
			g = h
		}
		if h == "*" {
			h = g
		}
		if g == h {
			m := strings.Join(append(segments, g), ".")
			// What a grant covers is at least as long as the grant itself.
			return m, len(m) <= maxName
		}
		gs, grest, gmore := strings.Cut(g, ".")
		hs, hrest, hmore := strings.Cut(h, ".")
		if gs == "*" {
			gs = hs
		}
		if hs != "*" && gs != hs || gmore != hmore {
			return "", false
		}
		segments = append(segments, gs)
		if !gmore {
			return strings.Join(segments, "."), true
		}
		g, h = grest, hrest
	}
}

var _ = slices.Sort[[]string]
