package oauth

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

const (
	maxForm       = 64 << 10
	maxParameters = 100
)

// A form holds the parameters of a request that have a meaning here, each
// once. An empty parameter is an absent one, RFC 6749 section 3.2.
type form map[string]string

// isParameter reports whether a name means something to one of the endpoints.
// The others are ignored, however often they come.
func isParameter(name string) bool {
	switch name {
	case "grant_type", "client_id", "client_secret", "username", "password", "refresh_token", "scope",
		"code", "redirect_uri", "code_verifier", "token", "token_type_hint", "client_assertion", "client_assertion_type",
		"response_type", "response_mode", "state", "code_challenge", "code_challenge_method", "request", "request_uri",
		"ticket", "decision":
		return true
	default:
		return false
	}
}

// readForm reads the body of a POST, RFC 6749 section 3.2 and appendix B, in
// which nothing may stand twice.
func readForm(w http.ResponseWriter, r *http.Request) (form, *Error) {
	f, twice, rejected := readBody(w, r)
	if rejected == nil && len(twice) > 0 {
		rejected = invalidRequest("A parameter stands twice.")
	}
	return f, rejected
}

// readBody reads the body of a POST, and which parameters stand twice in it.
func readBody(w http.ResponseWriter, r *http.Request) (f form, twice []string, rejected *Error) {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/x-www-form-urlencoded" || len(r.Header["Content-Type"]) != 1 {
		return nil, nil, invalidRequest("The body must be application/x-www-form-urlencoded.")
	}
	if rejected := refuseQuery(r); rejected != nil {
		return nil, nil, rejected
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return nil, nil, &Error{Status: http.StatusRequestEntityTooLarge, Code: "invalid_request", Description: "The body is too large."}
		}
		return nil, nil, invalidRequest("The body cannot be read.")
	}
	return parseForm(string(body))
}

// refuseQuery refuses parameters in the URL, where they end up in logs.
func refuseQuery(r *http.Request) *Error {
	for pair := range strings.FieldsFuncSeq(r.URL.RawQuery, func(c rune) bool { return c == '&' || c == ';' }) {
		name, _, _ := strings.Cut(pair, "=")
		if decoded, err := url.QueryUnescape(name); err != nil || isParameter(decoded) {
			return invalidRequest("Parameters belong into the body, not into the URL.")
		}
	}
	return nil
}

// parseForm reads form-encoded parameters, and which of them stand twice. Of
// these, the form has the first that is not empty.
func parseForm(encoded string) (f form, twice []string, rejected *Error) {
	f, seen := form{}, map[string]bool{}
	count := 0
	for pair := range strings.SplitSeq(encoded, "&") {
		if pair == "" {
			continue
		}
		if count++; count > maxParameters {
			return nil, nil, invalidRequest("There are too many parameters.")
		}
		name, value, _ := strings.Cut(pair, "=")
		name, nameErr := url.QueryUnescape(name)
		value, valueErr := url.QueryUnescape(value)
		if nameErr != nil || valueErr != nil || !utf8.ValidString(name) || !utf8.ValidString(value) {
			return nil, nil, invalidRequest("The parameters are not properly encoded.")
		}
		if !isParameter(name) {
			continue
		}
		if seen[name] {
			twice = append(twice, name)
		}
		seen[name] = true
		if value != "" && f[name] == "" {
			f[name] = value
		}
	}
	return f, twice, nil
}
