package apikey_test

import (
	"bytes"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"net/netip"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
)

// A canary is a text that must not appear in anything that is printed, in none
// of the ways in which bytes are printed.
func canaryForms(canary string) []string {
	var numbers []string
	for _, b := range []byte(canary[:8]) {
		numbers = append(numbers, strconv.Itoa(int(b)))
	}
	var hexes []string
	for _, b := range []byte(canary[:8]) {
		hexes = append(hexes, fmt.Sprintf("0x%x", b))
	}
	return []string{
		canary, canary[:8], hex.EncodeToString([]byte(canary[:8])), strings.ToUpper(hex.EncodeToString([]byte(canary[:8]))),
		strings.Join(numbers, " "), strings.Join(numbers, ","), strings.Join(hexes, ", "), fmt.Sprintf("% x", canary[:8]),
	}
}

// hidden keeps a value where printers cannot call its methods.
type hidden struct {
	inner  any
	secret apikey.Secret
	pepper apikey.Pepper
	issued apikey.Issued
	list   []apikey.Secret
	table  map[string]*apikey.Issued
}

// printed returns what every printer makes of a value.
func printed(v any) map[string]string {
	out := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%o", "%T", "%p", "%t", "%U", "%20v", "%-5s", "%!"} {
		out[verb] = fmt.Sprintf(verb, v)
	}
	out["Sprint"] = fmt.Sprint(v)
	out["error"] = fmt.Errorf("wrapped: %v %w", v, errors.New("x")).Error()
	if text, err := json.Marshal(v); err == nil {
		out["json"] = string(text)
	}
	if text, err := xml.Marshal(v); err == nil {
		out["xml"] = string(text)
	}
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(v); err == nil {
		out["gob"] = b.String()
	}
	for name, handler := range map[string]func(*bytes.Buffer) slog.Handler{
		"slog text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		"slog json": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
	} {
		var b bytes.Buffer
		log := slog.New(handler(&b))
		log.Info("message", "value", v, slog.Group("group", "value", v))
		log.With("value", v).Info(fmt.Sprint(v))
		out[name] = b.String()
	}
	func() {
		defer func() { out["panic"] = fmt.Sprint(recover()) }()
		panic(v)
	}()
	var walked strings.Builder
	walk(reflect.ValueOf(v), &walked, map[uintptr]bool{}, 0)
	out["reflection"] = walked.String()
	return out
}

// walk writes down every text and every run of bytes that reflection can reach,
// unexported fields included, as the deep printers of test libraries do.
func walk(v reflect.Value, w *strings.Builder, seen map[uintptr]bool, depth int) {
	if depth > 30 {
		return
	}
	switch v.Kind() {
	case reflect.String:
		w.WriteString(v.String() + "\n")
	case reflect.Pointer:
		if v.IsNil() || seen[v.Pointer()] {
			return
		}
		seen[v.Pointer()] = true
		walk(v.Elem(), w, seen, depth+1)
	case reflect.Interface:
		walk(v.Elem(), w, seen, depth+1)
	case reflect.Struct:
		for i := range v.NumField() {
			walk(v.Field(i), w, seen, depth+1)
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			for i := range v.Len() {
				w.WriteByte(byte(v.Index(i).Uint()))
			}
			w.WriteByte('\n')
			return
		}
		for i := range v.Len() {
			walk(v.Index(i), w, seen, depth+1)
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			walk(k, w, seen, depth+1)
			walk(v.MapIndex(k), w, seen, depth+1)
		}
	default:
	}
}

// exportedTypes returns the names of all types that the package exports, but for
// interfaces.
func exportedTypes(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	var names []string
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok && spec.Name.IsExported() {
				if _, isInterface := spec.Type.(*ast.InterfaceType); !isInterface {
					names = append(names, spec.Name.Name)
				}
			}
			_, isFunc := n.(*ast.FuncDecl)
			return !isFunc
		})
	}
	return names
}

// Every exported type is printed in every way, after a secret went through all
// that could have kept it.
func TestNothingPrintsSecrets(t *testing.T) {
	t.Parallel()
	const pepperKey = "CanaryOfThePepper0123456789abcdef"
	h := newHouse(t, func(c *apikey.Config) { c.Peppers = []apikey.Pepper{apikey.NewPepper("p1", []byte(pepperKey))} })
	issued := h.issue(t)
	// Behind the hint, which may be shown.
	canary := issued.Secret.Reveal()[len(issued.Key.Hint):]
	forms := append(canaryForms(canary), canaryForms(pepperKey)...)

	cfg := apikey.Config{Prefix: "paym", Peppers: []apikey.Pepper{apikey.NewPepper("p1", []byte(pepperKey))}}
	record := h.record(t, issued.Key.ID)
	v := h.opens(t, issued.Secret, issued.Key.ID)
	h.opens(t, issued.Secret, issued.Key.ID) // from the cache
	h.deniesText(t, issued.Secret.Reveal()+"x", apikey.ErrInvalid)
	for outcome := range apikey.DeniedRequest + 1 {
		h.RecordUse(v, netip.MustParseAddr("192.0.2.1"), outcome)
	}
	last, err := h.LastUsed(t.Context(), issued.Key)
	require.NoError(t, err)
	peppering, err := h.PepperHashes(t.Context(), apikey.Page{})
	require.NoError(t, err)
	_, refused := h.Create(t.Context(), apikey.Spec{})
	var specError *apikey.SpecError
	require.ErrorAs(t, refused, &specError)
	_, exceeded := h.As(apikey.Actor{ID: "x"}).Create(t.Context(), spec())
	var exceedsError *apikey.ExceedsError
	require.ErrorAs(t, exceeded, &exceedsError)
	h.spy.Fail(errors.New("boom"))
	failed := h.RevokeLeaked(t.Context(), issued.Secret)
	h.spy.Fail(nil)
	leaked := h.RevokeLeaked(t.Context(), issued.Secret, apikey.NewSecret(issued.Secret.Reveal()+"x"))
	require.Equal(t, apikey.LeakRevoked, leaked[0].Status)
	require.NoError(t, h.Close(t.Context()))
	days, err := h.Usage(t.Context(), issued.Key.ID, 1)
	require.NoError(t, err)
	require.Len(t, days, 1)
	events, err := h.Events(t.Context(), issued.Key.ID, apikey.Page{})
	require.NoError(t, err)
	_, cursor, err := h.store.Changes(t.Context(), "")
	require.NoError(t, err)
	changed, _, err := h.store.Changes(t.Context(), "0")
	require.NoError(t, err)
	metadata, err := apikey.NewMetadata(map[string]string{"plan": "gold"})
	require.NoError(t, err)

	values := map[string]any{
		"Secret": issued.Secret, "*Secret": &issued.Secret, "Issued": issued, "*Issued": &issued,
		"Pepper": cfg.Peppers[0], "*Pepper": &cfg.Peppers[0], "[]Pepper": cfg.Peppers, "Config": cfg, "*Config": &cfg,
		"Record": record, "SecretHash": record.Secrets, "Hash": record.Secrets[0].Hash, "Key": issued.Key, "Spec": issued.Key.Spec(),
		"Metadata": metadata, "State": h.State(issued.Key), "Query": apikey.Query{Search: issued.Key.Hint}, "Listing": apikey.Listing{Keys: []apikey.Key{issued.Key}}, "Page": apikey.Page{Before: issued.Key.ID},
		"Verified": v, "Manager": h.Manager, "MemoryStore": h.store, "Delegate": h.As(actor()), "Actor": actor(), "Ceiling": actor().Ceiling,
		"Event": events, "EventKind": events[0].Kind, "FieldChange": events[0].Changes, "Change": changed, "Cursor": cursor,
		"Use": apikey.Use{KeyID: issued.Key.ID, Day: days[0]}, "LastUse": last, "Day": days, "Counts": days[0].Counts, "Outcome": apikey.Allowed,
		"Stats": h.Stats(), "Denied": h.Stats().Denied, "Peppering": peppering, "Leak": append(leaked, failed...), "LeakStatus": leaked[0].Status,
		"RevokeOptions": apikey.RevokeOptions{Reason: apikey.ReasonLeaked}, "ForeignFormat": apikey.Paymenter(),
		"SpecError": specError, "FieldError": specError.Fields, "ExceedsError": exceedsError, "Excess": exceedsError.Exceeded,
		"hidden": hidden{
			inner: issued, secret: issued.Secret, pepper: cfg.Peppers[0], issued: issued,
			list: []apikey.Secret{issued.Secret}, table: map[string]*apikey.Issued{"x": &issued},
		},
		"map": map[apikey.State]any{"x": issued.Secret, "y": cfg},
	}
	for printer, text := range printed(struct{ shown string }{canary}) { // or nothing would be proved
		if !slices.Contains([]string{"json", "xml", "gob", "%T", "%p", "%d", "%t", "%U", "%o", "slog json"}, printer) {
			require.Condition(t, func() bool {
				return slices.ContainsFunc(forms, func(form string) bool { return strings.Contains(text, form) })
			}, "%s: %s", printer, text)
		}
	}
	for _, name := range exportedTypes(t) {
		require.Contains(t, values, name, "a type that nobody has printed")
	}
	for name, value := range values {
		for printer, text := range printed(value) {
			require.True(t, utf8.ValidString(text) || printer == "gob" || printer == "reflection", "%s %s", name, printer)
			for _, form := range forms {
				require.NotContains(t, text, form, "%s printed by %s", name, printer)
			}
		}
	}
}

func TestSecretSaysThatItIsRedacted(t *testing.T) {
	t.Parallel()
	s := apikey.NewSecret("paym_x")
	require.Equal(t, "paym_x", s.Reveal())
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		require.Equal(t, "[redacted]", fmt.Sprintf(verb, s))
		require.Equal(t, "pepper p1", fmt.Sprintf(verb, apikey.NewPepper("p1", []byte("key"))))
	}
	require.Equal(t, "[redacted]", s.String())
	require.Equal(t, "[redacted]", s.LogValue().String())
	text, err := json.Marshal(apikey.Issued{Secret: s})
	require.NoError(t, err)
	require.Contains(t, string(text), `"Secret":"[redacted]"`)
}

func TestHashPrintsItsBeginning(t *testing.T) {
	t.Parallel()
	h, err := apikey.ParseHash(strings.Repeat("0123456789abcDEF", 4))
	require.NoError(t, err)
	require.Equal(t, "01234567...", fmt.Sprint(h))
	for _, bad := range []string{"", "0", strings.Repeat("0", 63), strings.Repeat("0", 65), strings.Repeat("0", 63) + "g", strings.Repeat("ä", 32), strings.Repeat(" ", 64)} {
		_, err := apikey.ParseHash(bad)
		require.ErrorContains(t, err, "apikey: ", bad)
	}
}
