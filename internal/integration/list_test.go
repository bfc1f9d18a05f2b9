package integration

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchwork/latchwork/apikey"
)

// numberedID returns the ID of a key that fill made.
func numberedID(i int) string { return fmt.Sprintf("019b0000-0000-7000-8000-%012x", i) }

// A wanted query, and the numbers of the keys that it selects.
type wanted struct {
	query apikey.Query
	keys  []int

	// direct: an index leads there, so there are no short pages.
	direct bool
}

// single makes the oldest keys different from all others, each in one way, and
// returns queries that select very few.
func (f keyFixture) single(t *testing.T) map[string]wanted {
	t.Helper()
	for i, set := range []string{
		1: "name = 'Needle', name_folded = 'needle'",
		2: "hint = 'test_once'",
		3: "enabled = false",
		4: "expires_at = 5",
		5: "revoked_at = 5",
		6: "type = 'reseller'",
		7: "owner = 'alone'",
		8: "created_by = 'key:alone'",
	} {
		if set != "" {
			f.exec(t, f.db, "UPDATE "+f.prefix+"keys SET "+set+" WHERE id = '"+numberedID(i)+"'")
		}
	}
	now := time.UnixMicro(5)
	return map[string]wanted{
		"a search in vain":         {query: apikey.Query{Search: "nowhere to be found"}},
		"a search for a name":      {query: apikey.Query{Search: "NEEDLE"}, keys: []int{1}},
		"a search for a hint":      {query: apikey.Query{Search: "test_once"}, keys: []int{2}},
		"a search for an id":       {query: apikey.Query{Search: numberedID(1)}, keys: []int{1}},
		"disabled":                 {query: apikey.Query{State: apikey.StateDisabled, Now: now}, keys: []int{3}},
		"expired":                  {query: apikey.Query{State: apikey.StateExpired, Now: now}, keys: []int{4}},
		"revoked":                  {query: apikey.Query{State: apikey.StateRevoked, Now: now}, keys: []int{5}},
		"a type":                   {query: apikey.Query{Type: "reseller"}, keys: []int{6}},
		"an owner":                 {query: apikey.Query{Owner: "alone"}, keys: []int{7}, direct: true},
		"a creator":                {query: apikey.Query{CreatedBy: "key:alone"}, keys: []int{8}, direct: true},
		"an owner without keys":    {query: apikey.Query{Owner: "nobody"}, direct: true},
		"an owner, revoked":        {query: apikey.Query{Owner: "owner 5", State: apikey.StateRevoked, Now: now}, keys: []int{5}, direct: true},
		"an owner's of a creator":  {query: apikey.Query{Owner: "owner 8", CreatedBy: "key:alone"}, keys: []int{8}, direct: true},
		"a creator's, in vain":     {query: apikey.Query{CreatedBy: "operator", Search: "nowhere to be found"}},
		"a type that nobody has":   {query: apikey.Query{Type: "other"}},
		"disabled, and a name":     {query: apikey.Query{State: apikey.StateDisabled, Search: "key 3", Now: now}, keys: []int{3}},
		"in a state, and in vain":  {query: apikey.Query{State: apikey.StateActive, Search: "nowhere", Now: now}},
		"revoked, and of nobody's": {query: apikey.Query{State: apikey.StateRevoked, Owner: "nobody", Now: now}, direct: true},
	}
}

// Whatever is asked, the pages together have every key once, and none of them
// looks at more than ten thousand keys.
func TestPagesOfRareKeys(t *testing.T) {
	const total, examined, limit = 20_000, 10_000, 1000
	eachKeyStore(t, func(t *testing.T, f keyFixture) {
		f.fill(t, total)
		walk := func(q apikey.Query) (ids []string, pages int) {
			for q.Limit = limit; ; pages++ {
				page, err := f.store.List(t.Context(), q)
				require.NoError(t, err)
				for _, k := range page.Keys {
					ids = append(ids, k.ID)
				}
				if page.Next == "" {
					return ids, pages + 1
				}
				q.Before = page.Next
			}
		}
		queries := f.single(t)
		edge := total - examined // the first key that the first page does not look at
		f.exec(t, f.db, "UPDATE "+f.prefix+"keys SET name_folded = 'edge' WHERE id IN ('"+numberedID(edge)+"', '"+numberedID(edge+1)+"')")
		queries["at the edge"] = wanted{query: apikey.Query{Search: "edge"}, keys: []int{edge + 1, edge}}
		for what, w := range queries {
			ids, pages := walk(w.query)
			var want []string
			for _, i := range w.keys {
				want = append(want, numberedID(i))
			}
			require.Equal(t, want, ids, what)
			if w.direct {
				require.Equal(t, 1, pages, what)
			} else {
				require.Equal(t, total/examined, pages, what)
			}
		}
		var all []string
		for i := total; i > 0; i-- {
			all = append(all, numberedID(i))
		}
		for what, w := range map[string]wanted{
			"all":             {query: apikey.Query{}},
			"what all have":   {query: apikey.Query{Search: "E"}}, // key, needle, edge
			"of every state":  {query: apikey.Query{State: apikey.StateActive, Now: start}, keys: []int{3, 4, 5}},
			"of every type":   {query: apikey.Query{Type: "admin"}, keys: []int{6}},
			"of most authors": {query: apikey.Query{CreatedBy: "operator"}, keys: []int{8}},
		} {
			want := slices.Clone(all)
			for _, i := range w.keys { // those that it does not select
				want = slices.DeleteFunc(want, func(id string) bool { return id == numberedID(i) })
			}
			ids, pages := walk(w.query)
			require.Equal(t, want, ids, what)
			require.Equal(t, total/limit, pages, what)
		}
	})
}

// With a million keys, no page takes longer than with forty thousand, whatever
// it is of, and wherever.
func TestAMillionKeysByPages(t *testing.T) {
	if !*long {
		t.Skip("takes minutes: -long")
	}
	for _, dialect := range dialects() {
		t.Run(dialect, func(t *testing.T) {
			sizes := []int{40_000, 1_000_000}
			stores := make([]keyFixture, len(sizes))
			var queries map[string]wanted
			for i, n := range sizes {
				stores[i] = newKeyFixture(t, dialect)
				stores[i].fill(t, n)
				queries = stores[i].single(t)
			}
			queries["all"] = wanted{query: apikey.Query{}}
			queries["all of an owner"] = wanted{query: apikey.Query{Owner: "owner 7"}}
			queries["what all have"] = wanted{query: apikey.Query{Search: "KEY"}}
			queries["active"] = wanted{query: apikey.Query{State: apikey.StateActive, Now: start}}
			for what, w := range queries {
				for place, before := range map[string]func(int) int{
					"the first page": func(n int) int { return n + 1 },
					"the middle":     func(n int) int { return n / 2 },
					"the last page":  func(int) int { return 10_000 },
				} {
					page := func(i int) func() error {
						q := w.query
						q.Limit, q.Before = 50, numberedID(before(sizes[i]))
						return func() error {
							page, err := stores[i].store.List(t.Context(), q)
							if len(page.Keys) < 50 && page.Next == "" && place != "the last page" && !w.direct {
								err = errors.Join(err, errors.New("this is the end already"))
							}
							return err
						}
					}
					requireRatio(t, what+", "+place, 2, page(1), page(0))
				}
			}
		})
	}
}
