package scope

import "strings"

// Covers reports whether each grant of other is covered by a grant of s. If so,
// s allows everything that other allows, and whoever has s may hand on other.
// Every set covers the empty one.
//
// If not, that can also be because a grant of other is covered by several
// grants of s together, but by none alone.
func (s Set) Covers(other Set) bool {
	for _, grant := range other.grants() {
		if !s.coversGrant(grant) {
			return false
		}
	}
	return true
}

// Excess returns the grants of other that no grant of s covers, sorted. It is nil
// if s covers other.
func (s Set) Excess(other Set) []string {
	var excess []string
	for _, grant := range other.grants() {
		if !s.coversGrant(grant) {
			excess = append(excess, grant)
		}
	}
	return excess
}

func (s Set) coversGrant(grant string) bool {
	return s.p != nil && s.p.matcher.covers(grant, true)
}

// Intersect returns the set that allows exactly what both s and other allow.
//
// That can take more grants than s and other have, up to the product of their
// numbers if all of them have stars. A set of more than 256 works like any
// other, but what it is encoded as will not be read back.
func (s Set) Intersect(other Set) Set {
	if !s.HasStars() && other.Covers(s) { // with stars, s may be written in another way
		return s
	}
	var both []string
	for _, g := range s.grants() {
		for _, h := range other.grants() {
			if m, ok := meet(g, h); ok {
				both = append(both, m)
			}
		}
	}
	return newSet(both)
}

// meet returns the grant that covers what g and h both cover, which is always
// one grant, or false if they have nothing in common.
func meet(g, h string) (string, bool) {
	done := make([]byte, 0, maxName)
	for {
		// A star at the end takes all of what the other has left.
		if g == "*" {
			g = h
		}
		if h == "*" {
			h = g
		}
		if g == h {
			// A permission is not shorter than a grant that covers it. So a
			// grant that is too long covers nothing.
			return string(done) + g, len(done)+len(g) <= maxName
		}
		gWord, gRest, gMore := strings.Cut(g, ".")
		hWord, hRest, hMore := strings.Cut(h, ".")
		if gWord == "*" {
			gWord = hWord
		}
		if gWord != hWord && hWord != "*" || gMore != hMore {
			return "", false
		}
		done = append(append(done, gWord...), '.')
		g, h = gRest, hRest
	}
}
