package keyapi

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// maxBody is how many bytes a body may have.
const maxBody = 64 << 10

// Whether there has to be a body.
const (
	bodyRequired = false
	bodyOptional = true
)

// readObject returns the members of the JSON object that the body is. One that
// is optional and not there has no members.
func (c *call) readObject(optional bool) (map[string]json.RawMessage, *response) {
	data, refused := readBody(c.w, c.r, optional)
	if refused != nil {
		return nil, refused
	}
	var object map[string]json.RawMessage
	if !optional || len(data) > 0 {
		if object, refused = parseObject(data); refused != nil {
			return nil, refused
		}
	}
	return object, c.askAgain()
}

// readBody returns the body if it is said to be JSON. Where nothing is said, or
// needed, there may be nothing.
func readBody(w http.ResponseWriter, r *http.Request, optional bool) ([]byte, *response) {
	var source io.Reader = http.NoBody
	if r.Body != nil { // which it is in a request that no server received
		source = http.MaxBytesReader(w, r.Body, maxBody)
	}
	types := r.Header["Content-Type"]
	body := bufio.NewReader(source)
	if optional || len(types) == 0 {
		if _, err := body.Peek(1); errors.Is(err, io.EOF) {
			return nil, nil
		}
	}
	if !isJSON(types) {
		return nil, refusal(http.StatusUnsupportedMediaType, "unsupported_media_type", "The body must be application/json.")
	}
	data, err := io.ReadAll(body)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, refusal(http.StatusRequestEntityTooLarge, "payload_too_large", "The body has more than 64 KiB.")
	case err != nil:
		return nil, invalidRequest("The body cannot be read to its end.")
	}
	return data, nil
}

func isJSON(types []string) bool {
	if len(types) != 1 {
		return false
	}
	mediaType, _, err := mime.ParseMediaType(types[0])
	return err == nil && mediaType == "application/json"
}

// parseObject reads one JSON object that leaves no doubt about what it says:
// every name stands once in its object, at every depth, and all text is text.
func parseObject(data []byte) (map[string]json.RawMessage, *response) {
	switch {
	case !utf8.Valid(data):
		return nil, invalidRequest("The body is not valid UTF-8.")
	case !json.Valid(data):
		return nil, invalidRequest("The body is not valid JSON.")
	case hasLoneSurrogate(data):
		return nil, invalidRequest("The body has half of a surrogate pair.")
	}
	if name, found := duplicate(json.NewDecoder(bytes.NewReader(data))); found {
		return nil, invalidRequest("The body has the name " + strconv.Quote(name) + " twice in one object.")
	}
	object, ok := as[map[string]json.RawMessage](data)
	if !ok {
		return nil, invalidRequest("The body is not a JSON object.")
	}
	return object, nil
}

// duplicate returns a name that stands twice in one object of the next value,
// which must be valid.
func duplicate(d *json.Decoder) (name string, found bool) {
	d.UseNumber() // a number that no float64 can hold is valid, too
	token, _ := d.Token()
	delim, nested := token.(json.Delim)
	if !nested {
		return "", false
	}
	seen := map[string]bool{}
	for d.More() {
		if delim == '{' {
			token, _ := d.Token()
			name, _ := token.(string)
			if seen[name] {
				return name, true
			}
			seen[name] = true
		}
		if name, found := duplicate(d); found {
			return name, true
		}
	}
	_, _ = d.Token() // the end
	return "", false
}

// hasLoneSurrogate reports whether a string of this valid JSON escapes half of
// a surrogate pair. encoding/json would make another character of it.
func hasLoneSurrogate(data []byte) bool {
	for {
		at := bytes.IndexByte(data, '\\')
		if at < 0 {
			return false
		}
		first, ok := escaped(data[at:])
		if !ok {
			data = data[at+2:]
			continue
		}
		data = data[at+6:]
		if !utf16.IsSurrogate(first) {
			continue
		}
		second, ok := escaped(data)
		if !ok || utf16.DecodeRune(first, second) == utf8.RuneError {
			return true
		}
		data = data[6:]
	}
}

// escaped returns the character that a \u escape at the start of data stands
// for.
func escaped(data []byte) (rune, bool) {
	if !bytes.HasPrefix(data, []byte(`\u`)) {
		return 0, false
	}
	code, err := strconv.ParseUint(string(data[2:6]), 16, 16)
	return rune(code), err == nil
}
