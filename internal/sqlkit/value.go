package sqlkit

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Micros is how a time stands in a column that is never NULL.
func Micros(t time.Time) int64 { return t.UnixMicro() }

// NullMicros is how a time stands in a column in which NULL is the zero time.
func NullMicros(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// A Time reads a time from a column. NULL is the zero time.
type Time time.Time

// Scan implements sql.Scanner.
func (t *Time) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*t = Time{}
	case int64:
		*t = Time(time.UnixMicro(v).UTC())
	case []byte: // of drivers that leave numbers as text
		n, err := strconv.ParseInt(string(v), 10, 64)
		if err != nil {
			return fmt.Errorf("not a time: %.40q", v)
		}
		*t = Time(time.UnixMicro(n).UTC())
	default:
		return fmt.Errorf("a time is a number of microseconds, not %T", src)
	}
	return nil
}

// IsText reports whether every database can keep s as it is: valid UTF-8
// without NUL. Whatever is not cannot be there either.
func IsText(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// FoldASCII turns ASCII letters into small ones and leaves everything else.
func FoldASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// AppendString appends s as a JSON string. What is no valid UTF-8 has been
// refused before.
func AppendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// AppendStrings appends a JSON array of strings, [] of none.
func AppendStrings(b []byte, list []string) []byte {
	b = append(b, '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = AppendString(b, s)
	}
	return append(b, ']')
}
