package apikeytest_test

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/latchwork/latchwork/apikey"
)

func listMutants() []mutant {
	contains := func(text, part string) bool {
		return strings.Contains(strings.ToLower(text), strings.ToLower(part))
	}
	exact := func(q apikey.Query, k apikey.Key) bool { return q.Search == k.ID || q.Search == k.Hint }
	noSearch := func(q *apikey.Query) { q.Search = "" }
	// like searches as SQL does when nobody escapes.
	like := func(replace ...string) func(o *overlay) {
		return func(o *overlay) {
			o.selecting(noSearch, func(q apikey.Query, k apikey.Key) bool {
				pattern := "(?is)" + strings.NewReplacer(replace...).Replace(regexp.QuoteMeta(q.Search))
				ok, err := regexp.MatchString(pattern, k.Name)
				return exact(q, k) || (ok && err == nil)
			})
		}
	}
	return []mutant{
		{"the oldest come first", "newest first", func(o *overlay) {
			o.list = func(ctx context.Context, q apikey.Query) ([]apikey.Key, error) {
				keys, err := o.all(ctx, q)
				slices.Reverse(keys)
				return keys[:min(q.Limit, len(keys))], err
			}
		}},
		{"the order is that of creation", "newest first", func(o *overlay) {
			o.list = func(ctx context.Context, q apikey.Query) ([]apikey.Key, error) {
				keys, err := o.all(ctx, q)
				slices.SortFunc(keys, func(a, b apikey.Key) int { return b.CreatedAt.Compare(a.CreatedAt) })
				return keys[:min(q.Limit, len(keys))], err
			}
		}},
		{"there is no limit", "newest first", func(o *overlay) {
			o.list = func(ctx context.Context, q apikey.Query) ([]apikey.Key, error) {
				q.Limit = 1 << 20
				return o.keys(ctx, q)
			}
		}},
		{"the last key of a page begins the next", "pages", func(o *overlay) {
			o.list = func(ctx context.Context, q apikey.Query) ([]apikey.Key, error) {
				if q.Before != "" {
					q.Before += "\x00"
				}
				return o.keys(ctx, q)
			}
		}},
		{"a page begins behind a key that must be there", "pages", func(o *overlay) {
			o.list = func(ctx context.Context, q apikey.Query) ([]apikey.Key, error) {
				if _, err := o.MemoryStore.Get(ctx, q.Before); q.Before != "" && errors.Is(err, apikey.ErrNotFound) {
					return nil, nil
				}
				return o.keys(ctx, q)
			}
		}},
		{"a full page is the last", "pages", func(o *overlay) {
			o.next = func(apikey.Query, []apikey.Key) string { return "" }
		}},
		{"the next page begins behind a key too many", "pages", func(o *overlay) {
			o.next = func(q apikey.Query, keys []apikey.Key) string {
				next := nextPage(q, keys)
				one, err := o.MemoryStore.List(context.Background(), apikey.Query{Before: next, Limit: 1})
				if next == "" || err != nil {
					return ""
				}
				return one.Next
			}
		}},
		{"the next page begins with the last key of this one", "pages", func(o *overlay) {
			o.next = func(q apikey.Query, keys []apikey.Key) string {
				if next := nextPage(q, keys); next != "" {
					return next + "0"
				}
				return ""
			}
		}},
		{"the page behind the last is the last again", "pages", func(o *overlay) {
			o.next = func(q apikey.Query, keys []apikey.Key) string {
				if len(keys) == 0 {
					return q.Before
				}
				return nextPage(q, keys)
			}
		}},
		{"the limit is applied before the filter", "pages", func(o *overlay) {
			o.list = func(ctx context.Context, q apikey.Query) ([]apikey.Key, error) {
				keys, err := o.keys(ctx, apikey.Query{Before: q.Before, Limit: q.Limit})
				return slices.DeleteFunc(keys, func(k apikey.Key) bool { return q.Owner != "" && k.Owner != q.Owner }), err
			}
		}},
		{"owners are folded", "filters", func(o *overlay) {
			o.selecting(func(q *apikey.Query) { q.Owner = "" }, func(q apikey.Query, k apikey.Key) bool {
				return q.Owner == "" || strings.EqualFold(q.Owner, k.Owner)
			})
		}},
		{"owners are trimmed", "filters", func(o *overlay) {
			o.selecting(func(q *apikey.Query) { q.Owner = "" }, func(q apikey.Query, k apikey.Key) bool {
				return q.Owner == "" || strings.TrimRight(q.Owner, " ") == strings.TrimRight(k.Owner, " ")
			})
		}},
		{"the creator does not matter", "filters", func(o *overlay) {
			o.selecting(func(q *apikey.Query) { q.CreatedBy = "" }, func(apikey.Query, apikey.Key) bool { return true })
		}},
		{"the instant of expiry belongs to the time before", "states", func(o *overlay) {
			o.list = func(ctx context.Context, q apikey.Query) ([]apikey.Key, error) {
				q.Now = q.Now.Add(-time.Nanosecond)
				return o.keys(ctx, q)
			}
		}},
		{"states at the present", "states", func(o *overlay) {
			o.list = func(ctx context.Context, q apikey.Query) ([]apikey.Key, error) {
				q.Now = time.Now()
				return o.keys(ctx, q)
			}
		}},
		{"a revoked key is not revoked before its time", "states", func(o *overlay) {
			o.selecting(func(q *apikey.Query) { q.State = "" }, func(q apikey.Query, k apikey.Key) bool {
				if k.RevokedAt.After(q.Now) {
					k.RevokedAt = time.Time{}
				}
				return q.State == "" || k.State(q.Now) == q.State
			})
		}},
		{"a disabled key that expired is expired", "states", func(o *overlay) {
			o.selecting(func(q *apikey.Query) { q.State = "" }, func(q apikey.Query, k apikey.Key) bool {
				over := !k.ExpiresAt.IsZero() && !k.ExpiresAt.After(q.Now)
				k.Enabled = k.Enabled || over
				return q.State == "" || k.State(q.Now) == q.State
			})
		}},
		{"an unknown state is every state", "states", func(o *overlay) {
			o.list = func(ctx context.Context, q apikey.Query) ([]apikey.Key, error) {
				if q.State == "frozen" {
					q.State = ""
				}
				return o.keys(ctx, q)
			}
		}},
		{"search minds the case", "search", func(o *overlay) {
			o.selecting(noSearch, func(q apikey.Query, k apikey.Key) bool {
				return exact(q, k) || strings.Contains(k.Name, q.Search)
			})
		}},
		{"search folds all of Unicode", "search", func(o *overlay) {
			o.selecting(noSearch, func(q apikey.Query, k apikey.Key) bool { return exact(q, k) || contains(k.Name, q.Search) })
		}},
		{"search is for words", "search", func(o *overlay) {
			o.selecting(noSearch, func(q apikey.Query, k apikey.Key) bool {
				return exact(q, k) || slices.ContainsFunc(strings.Fields(k.Name), func(w string) bool { return contains(w, q.Search) })
			})
		}},
		{"a percent sign stands for anything", "search has no wildcards", like("%", ".*")},
		{"an underscore stands for one character", "search has no wildcards", like("_", ".")},
		{"a backslash escapes", "search has no wildcards", like(`\\%`, "%", `\\_`, "_")},
		{"a star stands for anything", "search has no wildcards", like(`\*`, ".*")},
		{"search knows the beginning of an id", "search by id and hint", func(o *overlay) {
			o.selecting(noSearch, func(q apikey.Query, k apikey.Key) bool {
				return q.Search == k.Hint || strings.HasPrefix(k.ID, q.Search) || contains(k.Name, q.Search)
			})
		}},
		{"search folds hints", "search by id and hint", func(o *overlay) {
			o.selecting(noSearch, func(q apikey.Query, k apikey.Key) bool {
				return q.Search == k.ID || strings.EqualFold(q.Search, k.Hint) || contains(k.Name, q.Search)
			})
		}},
		{"search knows no hints", "search by id and hint", func(o *overlay) {
			o.selecting(noSearch, func(q apikey.Query, k apikey.Key) bool { return q.Search == k.ID || contains(k.Name, q.Search) })
		}},
		{"an id is found whoever owns it", "search with filters", func(o *overlay) {
			o.list = func(ctx context.Context, q apikey.Query) ([]apikey.Key, error) {
				if r, err := o.MemoryStore.Get(ctx, q.Search); err == nil {
					q.Search, q.Owner = r.Key.ID, ""
				}
				return o.keys(ctx, q)
			}
		}},
	}
}
