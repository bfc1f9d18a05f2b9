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
		"code", "redirect_uri", "code_verifier", "token", "token_type_hint", "client_assertion", "client_assertion_type":
		return true
	default:
		return false
	}
}

// readForm reads the body of a POST, RFC 6749 section 3.2 and appendix B.
func readForm(w http.ResponseWriter, r *http.Request) (form, *Error) {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/x-www-form-urlencoded" || len(r.Header["Content-Type"]) != 1 {
		return nil, invalidRequest("The body must be application/x-www-form-urlencoded.")
	}
	if err := refuseQuery(r); err != nil {
		return nil, err
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return nil, &Error{Status: http.StatusRequestEntityTooLarge, Code: "invalid_request", Description: "The body is too large."}
		}
		return nil, invalidRequest("The body cannot be read.")
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

func parseForm(body string) (form, *Error) {
	f, seen := form{}, map[string]bool{}
	count := 0
	for pair := range strings.SplitSeq(body, "&") {
		if pair == "" {
			continue
		}
		if count++; count > maxParameters {
			return nil, invalidRequest("There are too many parameters.")
		}
		name, value, _ := strings.Cut(pair, "=")
		name, nameErr := url.QueryUnescape(name)
		value, valueErr := url.QueryUnescape(value)
		if nameErr != nil || valueErr != nil || !utf8.ValidString(name) || !utf8.ValidString(value) {
			return nil, invalidRequest("The body is not properly encoded.")
		}
		if !isParameter(name) {
			continue
		}
		if seen[name] {
			return nil, invalidRequest("A parameter stands twice.")
		}
		seen[name] = true
		if value != "" {
			f[name] = value
		}
	}
	return f, nil
}
