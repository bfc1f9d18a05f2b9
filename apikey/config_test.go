package apikey_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
)

const hexDigits = "0123456789abcdef"

func pepper(id string) apikey.Pepper { return apikey.NewPepper(id, bytes.Repeat([]byte(id), 32)[:32]) }

func TestConfigFaults(t *testing.T) {
	t.Parallel()
	foreign := func(formats ...apikey.ForeignFormat) apikey.Config {
		return apikey.Config{Prefix: "paym", ForeignFormats: formats}
	}
	for name, c := range map[string]struct {
		cfg   apikey.Config
		fault string
	}{
		"no prefix":                {apikey.Config{}, `prefix ""`},
		"a prefix too long":        {apikey.Config{Prefix: strings.Repeat("p", 33)}, "33 characters"},
		"a prefix with a dash":     {apikey.Config{Prefix: "pay-m"}, `"pay-m"`},
		"a prefix with an umlaut":  {apikey.Config{Prefix: "päym"}, `"päym"`},
		"a type without a name":    {apikey.Config{Prefix: "p", Types: []string{"admin", ""}}, `type ""`},
		"a type with a capital":    {apikey.Config{Prefix: "p", Types: []string{"Admin"}}, `type "Admin"`},
		"a type too long":          {apikey.Config{Prefix: "p", Types: []string{strings.Repeat("t", 33)}}, `type "ttt`},
		"a type with a slash":      {apikey.Config{Prefix: "p", Types: []string{"a/"}}, `type "a/"`},
		"a type with a colon":      {apikey.Config{Prefix: "p", Types: []string{"a:"}}, `type "a:"`},
		"a type with a grave":      {apikey.Config{Prefix: "p", Types: []string{"a`"}}, "type \"a`\""},
		"a type with a brace":      {apikey.Config{Prefix: "p", Types: []string{"a{"}}, `type "a{"`},
		"a type with a space":      {apikey.Config{Prefix: "p", Types: []string{"a b"}}, `type "a b"`},
		"a TTL of days":            {apikey.Config{Prefix: "p", CacheTTL: 25 * time.Hour}, "cache TTL 25h0m0s: at most 24h0m0s"},
		"a size below zero":        {apikey.Config{Prefix: "p", CacheSize: -1}, "cache size -1: want 1 to 100000000, or 0 for 100000"},
		"a size beyond all":        {apikey.Config{Prefix: "p", CacheSize: 100_000_001}, "cache size 100000001"},
		"loads below zero":         {apikey.Config{Prefix: "p", MaxLoads: -1}, "-1 loads at most: want 1 or more, or 0 for 64"},
		"a nil pointer as a feed":  {apikey.Config{Prefix: "p", Feed: (*apikey.MemoryStore)(nil)}, "Config.Feed is a nil pointer"},
		"the zero foreign format":  {foreign(apikey.ForeignFormat{}), `foreign format ""`},
		"a foreign length of zero": {foreign(apikey.ForeignFormat{Prefix: "X", Alphabet: hexDigits}), "length 0"},
		"a foreign length below zero": {
			foreign(apikey.ForeignFormat{Prefix: "X", Alphabet: hexDigits, Length: -4}), "length -4",
		},
		"a foreign length beyond all": {
			foreign(apikey.ForeignFormat{Prefix: "X", Alphabet: hexDigits, Length: 1 << 40}), "length 1099511627776",
		},
		"a foreign length of 257": {
			foreign(apikey.ForeignFormat{Prefix: "X", Alphabet: hexDigits, Length: 257}), "length 257",
		},
		"a foreign prefix of 33": {
			foreign(apikey.ForeignFormat{Prefix: strings.Repeat("X", 33), Alphabet: hexDigits, Length: 64}), "more than 32",
		},
		"a foreign secret of 124 bits": {
			foreign(apikey.ForeignFormat{Prefix: "X", Alphabet: hexDigits, Length: 31}), "fewer than 128 bits",
		},
		"a foreign alphabet of one": {
			foreign(apikey.ForeignFormat{Prefix: "X", Alphabet: "x", Length: 200}), "fewer than 128 bits",
		},
		"a foreign alphabet that repeats": {
			foreign(apikey.ForeignFormat{Prefix: "X", Alphabet: "aabcdefgh", Length: 64}), "each once",
		},
		"a foreign alphabet with a space": {
			foreign(apikey.ForeignFormat{Prefix: "X", Alphabet: "ab cdefgh", Length: 64}), "bearer token",
		},
		"a foreign alphabet beyond ASCII": {
			foreign(apikey.ForeignFormat{Prefix: "X", Alphabet: "äöüß", Length: 100}), "bearer token",
		},
		"a foreign prefix with a space": {
			foreign(apikey.ForeignFormat{Prefix: "X Y", Alphabet: hexDigits, Length: 64}), "bearer token",
		},
		"a foreign prefix beyond ASCII": {
			foreign(apikey.ForeignFormat{Prefix: "ä", Alphabet: hexDigits, Length: 64}), "bearer token",
		},
		"a foreign prefix that is no text": {
			foreign(apikey.ForeignFormat{Prefix: "\xff", Alphabet: hexDigits, Length: 64}), "bearer token",
		},
		"a foreign prefix too long": {
			foreign(apikey.ForeignFormat{Prefix: strings.Repeat("X", 33), Alphabet: hexDigits, Length: 64}), "32 characters",
		},
		"a foreign format that is ours": {
			foreign(apikey.ForeignFormat{Prefix: "paym_", Alphabet: hexDigits, Length: 49}), "too",
		},
		"a foreign format that takes ours in": {
			foreign(apikey.ForeignFormat{Alphabet: "_abcdefghijklmnopqrstuvwxyz", Length: 54}), "too",
		},
		"a foreign format twice": {foreign(apikey.Paymenter(), apikey.Paymenter()), "too"},
		"two foreign formats with texts in common": {
			foreign(apikey.Paymenter(), apikey.ForeignFormat{Prefix: "PAYMa", Alphabet: hexDigits, Length: 63}), "too",
		},
		"the zero pepper":       {apikey.Config{Prefix: "p", Peppers: []apikey.Pepper{{}}}, `pepper id ""`},
		"a pepper of 31 bytes":  {apikey.Config{Prefix: "p", Peppers: []apikey.Pepper{apikey.NewPepper("a", make([]byte, 31))}}, "fewer than 32 bytes"},
		"a pepper without key":  {apikey.Config{Prefix: "p", Peppers: []apikey.Pepper{apikey.NewPepper("a", nil)}}, "fewer than 32 bytes"},
		"a pepper without id":   {apikey.Config{Prefix: "p", Peppers: []apikey.Pepper{pepper("x"), apikey.NewPepper("", make([]byte, 32))}}, `pepper id ""`},
		"a pepper id too long":  {apikey.Config{Prefix: "p", Peppers: []apikey.Pepper{pepper(strings.Repeat("x", 33))}}, "pepper id"},
		"two peppers of one id": {apikey.Config{Prefix: "p", Peppers: []apikey.Pepper{pepper("a"), pepper("b"), pepper("a")}}, `pepper id "a"`},
	} {
		m, err := apikey.New(apikey.NewMemoryStore(), c.cfg)
		require.ErrorContains(t, err, c.fault, name)
		require.Nil(t, m, name)
	}
}

func TestEveryConfigFaultIsNamed(t *testing.T) {
	t.Parallel()
	m, err := apikey.New(nil, apikey.Config{
		Types:          []string{"Admin", "ok", "b c"},
		ForeignFormats: []apikey.ForeignFormat{apikey.Paymenter(), {Prefix: "short", Alphabet: "ab", Length: 9}, apikey.Paymenter()},
		Peppers:        []apikey.Pepper{apikey.NewPepper("weak", []byte("hunter2")), pepper("p"), pepper("p")},
	})
	require.Nil(t, m)
	for _, fault := range []string{"store", "prefix", `"Admin"`, `"b c"`, `"short"`, `"PAYM"`, `"weak"`, `"p" stands twice`} {
		require.ErrorContains(t, err, fault)
	}
	require.NotContains(t, err.Error(), "hunter2")
	for line := range strings.SplitSeq(err.Error(), "\n") {
		require.True(t, strings.HasPrefix(line, "apikey: "), line)
	}
}

func TestGoodConfigs(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]apikey.Config{
		"the least":                            {Prefix: "p"},
		"a prefix of 32":                       {Prefix: strings.Repeat("Z_", 16)},
		"types":                                {Prefix: "p", Types: []string{"a", "z", "0", "9", "_", strings.Repeat("t", 32)}},
		"foreign formats side by side":         {Prefix: "paym", ForeignFormats: []apikey.ForeignFormat{apikey.Paymenter(), {Prefix: "PAYX", Alphabet: hexDigits, Length: 64}, {Alphabet: hexDigits, Length: 32}}},
		"the longest foreign format":           {Prefix: "p", ForeignFormats: []apikey.ForeignFormat{{Prefix: strings.Repeat("X", 32), Alphabet: hexDigits, Length: 256}}},
		"foreign formats of different lengths": {Prefix: "p", ForeignFormats: []apikey.ForeignFormat{{Alphabet: hexDigits, Length: 33}, {Alphabet: hexDigits, Length: 34}}},
		"one beside ours":                      {Prefix: "paym", ForeignFormats: []apikey.ForeignFormat{{Prefix: "paym-", Alphabet: hexDigits, Length: 49}}},
		"peppers":                              {Prefix: "p", Peppers: []apikey.Pepper{pepper("2026"), pepper("2025")}, InsecureUnpeppered: true},
	} {
		_, err := apikey.New(apikey.NewMemoryStore(), cfg)
		require.NoError(t, err, name)
	}
}

// What New was given may be used for something else afterwards.
func TestConfigIsCopied(t *testing.T) {
	t.Parallel()
	key := bytes.Repeat([]byte{7}, 32)
	cfg := apikey.Config{
		Prefix: "paym", Types: []string{"admin"},
		ForeignFormats: []apikey.ForeignFormat{apikey.Paymenter()},
		Peppers:        []apikey.Pepper{apikey.NewPepper("a", key)},
	}
	m, err := apikey.New(apikey.NewMemoryStore(), cfg)
	require.NoError(t, err)
	issued, err := m.Create(t.Context(), spec())
	require.NoError(t, err)
	key[0] = 8
	cfg.Types[0], cfg.ForeignFormats[0], cfg.Peppers[0] = "other", apikey.ForeignFormat{}, pepper("b")
	_, err = m.Verify(t.Context(), issued.Secret.Reveal())
	require.NoError(t, err)
	_, err = m.Create(t.Context(), spec())
	require.NoError(t, err)
	require.True(t, m.Recognize("PAYM"+strings.Repeat("0f", 32)))
}

func TestTypesDefaultToAdmin(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *apikey.Config) { c.Types = nil })
	h.issue(t)
	_, err := h.Create(t.Context(), spec(func(s *apikey.Spec) { s.Type = "reseller" }))
	faults(t, err, "type")
}
