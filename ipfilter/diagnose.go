package ipfilter

import (
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Why an entry cannot be read.
const (
	unreadable     = "not an address, a prefix or a range"
	hasComment     = "a comment"
	severalEntries = "several entries in one"
	hasWildcard    = "a wildcard"
	hasBrackets    = "brackets"
	hasZone        = "a zone"
	hasPort        = "a port"
	dottedMask     = "a mask in dotted form"
	badLength      = "not a prefix length"
	shortRange     = "a range whose second address is cut short"
	shortAddress   = "an address with fewer than four numbers"
	leadingZero    = "a leading zero, which some read as octal"
	hexadecimal    = "a hexadecimal number"
	isName         = "a name: only addresses can be listed"
)

// diagnose says why text cannot be read, and what was meant where there is
// only one way to read it.
func diagnose(text string) *EntryError {
	const separators = ",;\r\n"
	address, length, isPrefix := strings.Cut(text, "/")
	from, to, isRange := cutRange(text)
	host, service, _ := strings.Cut(text, ":")
	switch {
	case strings.Contains(text, "#"):
		before, _, _ := strings.Cut(text, "#")
		return &EntryError{Reason: hasComment, Suggestion: meant(before)}
	case strings.ContainsAny(text, separators):
		return several(strings.FieldsFunc(text, func(c rune) bool { return strings.ContainsRune(separators, c) }))
	case allMeant(strings.Fields(text)) != "":
		return several(strings.Fields(text))
	case strings.Contains(text, "*"):
		return &EntryError{Reason: hasWildcard, Suggestion: withoutWildcard(text)}
	case strings.ContainsAny(text, "[]"):
		return &EntryError{Reason: hasBrackets, Suggestion: withoutBrackets(text)}
	case strings.Contains(text, "%"):
		return &EntryError{Reason: hasZone, Suggestion: withoutZone(text)}
	case isAddr(host) && len(decimals(service)) == 1:
		return &EntryError{Reason: hasPort, Suggestion: meant(host)}
	case isPrefix && isAddr(address) && isAddr(length):
		return &EntryError{Reason: dottedMask, Suggestion: withoutMask(address, length)}
	case isPrefix && isAddr(address):
		return &EntryError{Reason: badLength}
	case isPrefix && len(decimals(address)) > 0 && len(decimals(address)) < 4:
		return &EntryError{Reason: shortAddress, Suggestion: lengthened(decimals(address), length)}
	case isRange && isAddr(from) && len(decimals(to)) == 1:
		network := from[:strings.LastIndexByte(from, '.')+1]
		return &EntryError{Reason: shortRange, Suggestion: meant(from + "-" + network + to)}
	}
	for _, part := range strings.FieldsFunc(text, func(c rune) bool { return c == '/' || c == '-' }) {
		if !isAddr(part) {
			return &EntryError{Reason: diagnoseAddr(part)}
		}
	}
	return &EntryError{Reason: unreadable}
}

func diagnoseAddr(text string) string {
	numbers := decimals(text)
	switch {
	case slices.ContainsFunc(numbers, func(n string) bool { return n[0] == '0' && len(n) > 1 }):
		return leadingZero
	case len(numbers) > 0 && len(numbers) < 4:
		return shortAddress
	case strings.HasPrefix(text, "0x"), strings.Contains(text, ".0x"):
		return hexadecimal
	case strings.ContainsFunc(text, unicode.IsLetter) && !strings.Contains(text, ":"):
		return isName
	}
	return unreadable
}

// meant returns the canonical text of an entry, else what is suggested for it,
// else nothing.
func meant(text string) string {
	s, err := parse(strings.Trim(text, " \t"))
	if err != nil {
		return err.Suggestion
	}
	return s.String()
}

// allMeant returns nothing if it cannot be told for one of the texts.
func allMeant(texts []string) string {
	all := make([]string, len(texts))
	for i, text := range texts {
		if all[i] = meant(text); all[i] == "" {
			return ""
		}
	}
	return strings.Join(all, ", ")
}

func several(texts []string) *EntryError {
	if len(texts) < 2 {
		return &EntryError{Reason: unreadable, Suggestion: allMeant(texts)}
	}
	return &EntryError{Reason: severalEntries, Suggestion: allMeant(texts)}
}

// lengthened adds zeros to the first numbers of an address, unless the prefix goes
// on beyond them: 127.1/32 may be 127.1.0.0 or 127.0.0.1.
func lengthened(numbers []string, length string) string {
	if n, _ := parseLength(length); n > 8*len(numbers) {
		return ""
	}
	return meant(padded(numbers) + "/" + length)
}

func withoutWildcard(text string) string {
	start := strings.TrimRight(text, ".*")
	numbers, stars := decimals(start), strings.Count(text, "*")
	if len(numbers) == 0 || len(numbers)+stars > 4 || text != start+strings.Repeat(".*", stars) {
		return ""
	}
	return meant(padded(numbers) + "/" + strconv.Itoa(8*len(numbers)))
}

func withoutBrackets(text string) string {
	address, rest, _ := strings.Cut(strings.TrimPrefix(text, "["), "]")
	if strings.HasPrefix(rest, ":") {
		rest = "" // a port
	}
	return meant(address + rest)
}

func withoutZone(text string) string {
	address, rest, _ := strings.Cut(text, "%")
	_, length, isPrefix := strings.Cut(rest, "/")
	if isPrefix {
		return meant(address + "/" + length)
	}
	return meant(address)
}

func withoutMask(address, mask string) string {
	a, _ := parseAddr(address)
	m, _ := parseAddr(mask)
	host := ^uint32(key(m).lo)
	ones := bits.LeadingZeros32(host)
	if !a.Is4() || !m.Is4() || host != 1<<(32-ones)-1 {
		return ""
	}
	return meant(address + "/" + strconv.Itoa(ones))
}

func isAddr(text string) bool {
	_, ok := parseAddr(text)
	return ok
}

// decimals returns the numbers of which text consists, separated by dots; none
// if it consists of anything else.
func decimals(text string) []string {
	numbers := strings.Split(text, ".")
	for _, n := range numbers {
		if n == "" || strings.Trim(n, "0123456789") != "" {
			return nil
		}
	}
	return numbers
}

// padded makes a whole address of its first numbers.
func padded(numbers []string) string {
	return strings.Join(numbers, ".") + strings.Repeat(".0", 4-len(numbers))
}
