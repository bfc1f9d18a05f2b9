package ipfilter

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// An EntryError is one entry that [ParseList] refused.
type EntryError struct {
	Index  int    // position in the list, counted from 0
	Text   string // what was typed: at most 128 bytes of it, control characters escaped
	Reason string // what is wrong: one of a few fixed phrases that never repeat what was typed

	// Suggestion is what was probably meant: an entry that ParseList accepts
	// or, where several were typed as one, all of them, separated by ", ".
	// Empty: it cannot be told.
	Suggestion string
}

func (e *EntryError) Error() string {
	text := fmt.Sprintf(`ipfilter: entry %d "%s": %s`, e.Index, e.Text, e.Reason)
	if e.Suggestion == "" {
		return text
	}
	return text + `; did you mean "` + strings.ReplaceAll(e.Suggestion, ", ", `", "`) + `"?`
}

// A ListError says why a list was refused although no single entry is to blame.
type ListError struct {
	Reason string
}

func (e *ListError) Error() string { return "ipfilter: " + e.Reason }

// A Reason says in one word why a client address is not known.
type Reason string

const (
	// NoPeerIP: the connection has no address, as on a Unix socket.
	NoPeerIP Reason = "no_peer_ip"
	// BadPeer: Request.RemoteAddr cannot be read, or is no address that a
	// client can have (unspecified, multicast, broadcast).
	BadPeer Reason = "bad_peer"
)

// An AddrError is the error of [Resolver.Addr].
type AddrError struct {
	Reason Reason
	Text   string // what was found: at most 128 bytes of it, control characters escaped
}

func (e *AddrError) Error() string {
	return fmt.Sprintf(`ipfilter: client address "%s": %s`, e.Text, e.Reason)
}

// maxText bounds an entry and what an error repeats. The longest readable
// entry, a range between two mapped addresses written out, has 93 bytes.
const maxText = 128

// printable makes what a stranger wrote fit for an error and a log line.
func printable(text string) string {
	if len(text) > maxText {
		end := maxText - len("...")
		for end > maxText/2 && !utf8.RuneStart(text[end]) {
			end--
		}
		text = text[:end] + "..."
	}
	quoted := strconv.Quote(text)
	return quoted[1 : len(quoted)-1]
}
