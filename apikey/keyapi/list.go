package keyapi

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/latchwork/latchwork/apikey"
)

const (
	defaultLimit = 50
	maxLimit     = 100
	maxSearch    = 255 // characters
)

func (c *call) list() *response {
	parameters, refused := readQuery(c.r.URL.RawQuery, "limit", "cursor", "q", "state")
	if refused != nil {
		return refused
	}
	q, refused := readPage(parameters)
	if refused != nil {
		return refused
	}
	page, err := c.keys.List(c.r.Context(), q)
	if err != nil {
		return c.refuse(err)
	}
	var next *string
	if page.Next != "" {
		last, err := uuid.Parse(page.Next)
		if err != nil {
			return c.unavailable(fmt.Errorf("keyapi: list: id: %w", err))
		}
		cursor := encodeCursor(last)
		next = &cursor
	}
	return &response{status: http.StatusOK, body: struct {
		Data       []keyJSON `json:"data"`
		NextCursor *string   `json:"next_cursor"`
	}{c.showAll(page.Keys...), next}}
}

// readQuery returns those of the named parameters that are there, each of them
// once.
func readQuery(raw string, names ...string) (map[string]string, *response) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, invalidRequest("The query is malformed.")
	}
	parameters := map[string]string{}
	for _, name := range names {
		given, there := values[name]
		if len(given) > 1 {
			return nil, invalidRequest("The query has " + name + " twice.")
		}
		if there {
			parameters[name] = given[0]
		}
	}
	return parameters, nil
}

// readPage returns which keys are asked for. An empty parameter is an absent
// one.
func readPage(parameters map[string]string) (apikey.Query, *response) {
	q := apikey.Query{Limit: defaultLimit, Search: parameters["q"]}
	// A store that is a database cannot even be asked for a NUL.
	if !utf8.ValidString(q.Search) || strings.Contains(q.Search, "\x00") || utf8.RuneCountInString(q.Search) > maxSearch {
		return q, invalidRequest("q must be text of at most 255 characters.")
	}
	if text := parameters["limit"]; text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxLimit || strconv.Itoa(n) != text {
			return q, invalidRequest("limit must be a number from 1 to 100.")
		}
		q.Limit = n
	}
	if text := parameters["state"]; text != "" {
		switch q.State = apikey.State(text); q.State {
		case apikey.StateActive, apikey.StateDisabled, apikey.StateExpired, apikey.StateRevoked:
		default:
			return q, invalidRequest("state must be active, disabled, expired or revoked.")
		}
	}
	if text := parameters["cursor"]; text != "" {
		last, ok := decodeCursor(text)
		if !ok {
			return q, invalidRequest("cursor must be the next_cursor of another page.")
		}
		q.Before = last.String()
	}
	return q, nil
}

// A cursor is a version byte, the last ID of the page before, and the CRC-32
// of both, in base64url. Whoever makes one up gains nothing: it only says where
// to go on in what the actor may see anyway.
const (
	cursorVersion = 1
	cursorSize    = 1 + len(uuid.UUID{}) + crc32.Size
)

func encodeCursor(last uuid.UUID) string {
	raw := append([]byte{cursorVersion}, last[:]...)
	raw = binary.BigEndian.AppendUint32(raw, crc32.ChecksumIEEE(raw))
	return base64.RawURLEncoding.EncodeToString(raw)
}

func decodeCursor(text string) (last uuid.UUID, ok bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	// The length of the text counts, too, because the decoder skips line
	// breaks.
	if err != nil || len(raw) != cursorSize || len(text) != base64.RawURLEncoding.EncodedLen(cursorSize) || raw[0] != cursorVersion {
		return uuid.UUID{}, false
	}
	body, sum := raw[:cursorSize-crc32.Size], raw[cursorSize-crc32.Size:]
	if binary.BigEndian.Uint32(sum) != crc32.ChecksumIEEE(body) {
		return uuid.UUID{}, false
	}
	return uuid.UUID(body[1:]), true
}
