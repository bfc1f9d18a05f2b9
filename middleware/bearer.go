package middleware

import "strings"

// maxCredential is the longest credential that is looked at.
const maxCredential = 4096

// bearer takes the token out of the values of an Authorization header, RFC
// 6750 section 2.1, or says with which code to refuse them.
func bearer(values []string) (token, code string) {
	const scheme = "Bearer"
	switch {
	case len(values) == 0:
		return "", CodeMissingToken
	case len(values) > 1:
		return "", CodeInvalidRequest
	}
	value := values[0]
	if token, ok := strings.CutPrefix(value, scheme+" "); ok && token != "" && isToken(token) {
		return token, "" // as nearly everybody writes it
	}
	if len(value) < len(scheme) || !strings.EqualFold(value[:len(scheme)], scheme) {
		if hasLeadingSpace(value) {
			return "", CodeInvalidRequest
		}
		return "", CodeMissingToken
	}
	rest := value[len(scheme):]
	switch {
	case strings.TrimLeft(rest, " ") == "", isTokenByte(rest[0]): // nothing, or another scheme
		return "", CodeMissingToken
	case rest[0] != ' ' || !isToken(rest[1:]):
		return "", CodeInvalidRequest
	}
	return rest[1:], ""
}

// hasLeadingSpace reports whether something follows leading space, which
// net/http would have cut off.
func hasLeadingSpace(s string) bool {
	trimmed := strings.TrimLeft(s, " \t")
	return trimmed != s && trimmed != ""
}

// isToken reports whether s is a b64token of bearable length, or empty. It looks
// at eight bytes in one step: one at a time, that takes as long as hashing them.
func isToken(s string) bool {
	if len(s) > maxCredential {
		return false
	}
	for len(s) > 1 && s[len(s)-1] == '=' {
		s = s[:len(s)-1]
	}
	if len(s) < 8 {
		for i := range len(s) {
			if !isTokenByte(s[i]) {
				return false
			}
		}
		return true
	}
	bad := strange(word(s[len(s)-8:]))
	for ; len(s) > 8; s = s[8:] {
		bad |= strange(word(s))
	}
	return bad == 0
}

// isTokenByte reports whether c may stand in a b64token before its padding:
// letters, digits and -._~+/.
func isTokenByte(c byte) bool { return strange(uint64(c)*each) == 0 }

// word returns the first eight bytes of s.
func word(s string) uint64 {
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// each has a 1 in each of its eight bytes.
const each = 0x0101010101010101

// strange is zero if all eight bytes may stand in a b64token. Below 0x80, adding
// 0x80-c to a byte sets its highest bit if the byte is c or greater, and carries
// nothing into the next one. From 0x80 on every byte is strange by itself.
func strange(bytes uint64) uint64 {
	lower := bytes | 0x20*each
	letter := (lower + (0x80-'a')*each) &^ (lower + (0x7f-'z')*each)
	digit := (bytes + (0x80-'-')*each) &^ (bytes + (0x7f-'9')*each) // with the -./ below them
	other := (bytes ^ '+'*each) + 0x7f*each
	other &= (bytes ^ '_'*each) + 0x7f*each
	other &= (bytes ^ '~'*each) + 0x7f*each
	return (bytes | other&^(letter|digit)) & (0x80 * each)
}

// hasToken reports whether there is a token in a query, RFC 6750 section 2.3.
// None is accepted from there, but whoever sends two does not know which counts.
func hasToken(query string) bool {
	if query == "" {
		return false
	}
	for pair := range strings.SplitSeq(query, "&") {
		if name, _, _ := strings.Cut(pair, "="); name == "access_token" {
			return true
		}
	}
	return false
}
