package oauth

import (
	"errors"
	"net"
	"net/url"
	"slices"
	"strings"
)

// maxRedirectURI is the longest redirect URI, in bytes.
const maxRedirectURI = 2000

// CheckRedirectURI says why a redirect URI must not be registered, or nil. It
// has to be an absolute https URI, or http on a loopback address, or have a
// scheme of the application's own that contains a dot, RFC 8252 section 7.1;
// without user info, fragment, ports there are not, dot segments, characters that URIs do not have,
// and parameters that the answer itself uses.
func CheckRedirectURI(uri string) error {
	u, err := url.Parse(uri)
	switch {
	case uri == "" || len(uri) > maxRedirectURI:
		return errors.New("must have 1 to 2,000 bytes")
	case err != nil || strings.ContainsFunc(uri, func(c rune) bool { return !isURIChar(c) }):
		return errors.New("is no URI")
	case !strings.HasPrefix(uri, u.Scheme+":") || u.Scheme == "":
		return errors.New("must begin with a scheme in lower case")
	case strings.Contains(uri, "#"):
		return errors.New("must not have a fragment")
	case u.User != nil:
		return errors.New("must not have user info")
	case hasOddPort(u):
		return errors.New("must not have a port that is empty or not between 1 and 65535")
	case slices.ContainsFunc(strings.Split(u.Path, "/"), func(s string) bool { return s == "." || s == ".." }):
		return errors.New("must not have dot segments")
	case usesAnswer(u.RawQuery):
		return errors.New("must not have a parameter that the answer has: code, state, iss or error")
	case u.Scheme == "https" && isHost(u):
		return nil
	case u.Scheme == "http" && isHost(u) && isLoopback(u.Hostname()):
		return nil
	case u.Scheme == "https" || u.Scheme == "http":
		return errors.New("must have a host and be https, or http on a loopback address")
	case !strings.Contains(u.Scheme, "."):
		return errors.New("must be https, http on a loopback address, or have a scheme with a dot, such as com.example.app")
	default:
		return nil
	}
}

// isURIChar reports whether c may stand in a URI, RFC 3986 section 2.
func isURIChar(c rune) bool {
	return isUnreserved(c) || strings.ContainsRune("%:/?#[]@!$&'()*+,;=", c)
}

// isHost reports whether a URL has a host that is a plain name or an address.
func isHost(u *url.URL) bool {
	name := u.Hostname()
	plain := !strings.ContainsFunc(name, func(c rune) bool { return c == '_' || c == '~' || !isUnreserved(c) })
	return u.Opaque == "" && name != "" && (plain || net.ParseIP(name) != nil)
}

// hasOddPort reports whether the port of a URL, if it has one, is none there is.
func hasOddPort(u *url.URL) bool {
	return strings.HasSuffix(u.Host, ":") || u.Port() != "" && !isPort(u.Port())
}

// usesAnswer reports whether a query has parameters that an authorization
// response has, too.
func usesAnswer(query string) bool {
	for pair := range strings.SplitSeq(query, "&") {
		pair, err := url.QueryUnescape(pair)
		name, _, _ := strings.Cut(pair, "=")
		if err != nil || slices.Contains([]string{"code", "state", "iss", "error", "error_description", "error_uri"}, name) {
			return true
		}
	}
	return false
}

// redirect returns where an authorization request that names this redirect URI,
// or none, is to be answered: byte for byte one that is registered, RFC 9700
// section 2.1. Empty: nowhere.
func (c Client) redirect(requested string) string {
	found := ""
	if requested == "" && len(c.RedirectURIs) == 1 {
		found = c.RedirectURIs[0]
	}
	if requested != "" && slices.ContainsFunc(c.RedirectURIs, func(registered string) bool {
		return registered == requested || sameButForThePort(registered, requested)
	}) {
		found = requested
	}
	if CheckRedirectURI(found) != nil { // whoever registered it did not ask
		return ""
	}
	return found
}

// sameButForThePort reports whether both are the same URI on the same loopback
// IP literal, RFC 8252 section 7.3: an application on somebody's machine
// listens where there is room.
func sameButForThePort(registered, requested string) bool {
	host, rest, ok := cutPort(registered)
	otherHost, otherRest, otherOK := cutPort(requested)
	return ok && otherOK && host == otherHost && rest == otherRest
}

// cutPort takes the port out of a URI on a loopback IP literal.
func cutPort(uri string) (host, rest string, ok bool) {
	for _, host := range []string{"http://127.0.0.1", "http://[::1]"} {
		rest, found := strings.CutPrefix(uri, host)
		if !found {
			continue
		}
		if port, found := strings.CutPrefix(rest, ":"); found {
			rest = strings.TrimLeft(port, "0123456789")
			if !isPort(port[:len(port)-len(rest)]) {
				return "", "", false
			}
		}
		return host, rest, rest == "" || rest[0] == '/' || rest[0] == '?'
	}
	return "", "", false
}

// isPort reports whether these digits are a port.
func isPort(digits string) bool {
	return digits != "" && digits[0] != '0' && (len(digits) < 5 || len(digits) == 5 && digits <= "65535")
}

// A parameter is one of an authorization response.
type parameter struct{ name, value string }

// answerAt appends an authorization response to a redirect URI, whose own query
// stays as it is, RFC 6749 section 3.1.2. Empty values are left out.
func answerAt(redirect string, parameters ...parameter) string {
	var b strings.Builder
	b.WriteString(redirect)
	separator := byte('?')
	if strings.Contains(redirect, "?") {
		separator = '&'
	}
	if strings.HasSuffix(redirect, "?") || strings.HasSuffix(redirect, "&") {
		separator = 0
	}
	for _, p := range parameters {
		if p.value == "" {
			continue
		}
		if separator != 0 {
			b.WriteByte(separator)
		}
		b.WriteString(p.name + "=" + url.QueryEscape(p.value))
		separator = '&'
	}
	return b.String()
}
