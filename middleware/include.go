package middleware

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// RequireIncludes guards what ?include= may pull in: relations maps each name
// that may be asked for to the permission it needs. An unknown name is refused
// with 400, a missing permission with 403, on every method. The handler gets
// what was let through from IncludesFrom. It stands inside Require or
// RequireType, which say what the resource itself needs; alone it demands no
// more than an API key of Config.KeyTypes. It panics if a permission is
// malformed, or if Config.Catalog does not know it.
func (g *Guard) RequireIncludes(relations map[string]string) func(http.Handler) http.Handler {
	relations = maps.Clone(relations)
	names := slices.Sorted(maps.Keys(relations))
	for _, name := range names {
		if err := inCatalog(g.catalog, mustBePermissions([]string{relations[name]})); err != nil {
			panic(err.Error())
		}
	}
	return func(next http.Handler) http.Handler {
		mustServe(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b, rejected := g.authenticate(r)
			needed := Requirement{kind: KindKey}
			if b.admitted { // also by RequireType
				needed.keyType = b.caller.keyType()
			}
			if rejected == nil {
				rejected = g.judge(&b.caller, &needed)
			}
			var includes []string
			if rejected == nil {
				includes, rejected = g.includes(r, &b.caller, relations, names)
			}
			// Not those of a RequireIncludes further out: it may have seen
			// another query.
			if rejected == nil && (!b.admitted || len(includes) > 0 || b.includes != nil) {
				r, b = b.bind(r, true)
				b.include(includes)
			}
			needed.explain(rejected)
			b.serve(w, r, next, rejected)
		})
	}
}

// maxUnknown is how many unknown includes a Rejection names, and maxInclude how
// many bytes of each.
const (
	maxUnknown = 10
	maxInclude = 64
)

// includes reads the query and judges what it asks for.
func (g *Guard) includes(r *http.Request, c *caller, relations map[string]string, names []string) ([]string, *Rejection) {
	if r.URL.RawQuery == "" {
		return nil, nil
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, g.badQuery(Rejection{Message: "The query cannot be read.", Err: err}, c)
	}
	var includes, needed, unknown []string
	for _, value := range query["include"] {
		if value == "" {
			continue
		}
		for name := range strings.SplitSeq(value, ",") {
			permission, ok := relations[name]
			switch {
			case !ok:
				unknown = appendUnknown(unknown, name)
			case !slices.Contains(includes, name):
				includes, needed = append(includes, name), append(needed, permission)
			}
		}
	}
	if len(unknown) > 0 {
		return nil, g.badQuery(Rejection{
			Message: "There is no include " + quoted(unknown) + ".", Unknown: unknown, Allowed: slices.Clone(names),
		}, c)
	}
	if missing := c.permissions().Missing(needed...); len(missing) > 0 {
		return nil, g.insufficient(missing, c.addr)
	}
	return includes, nil
}

// appendUnknown adds a name that is not there yet, within bounds.
func appendUnknown(unknown []string, name string) []string {
	if len(name) > maxInclude {
		name = strings.ToValidUTF8(name[:maxInclude], "")
	}
	if len(unknown) == maxUnknown || slices.Contains(unknown, name) {
		return unknown
	}
	return append(unknown, name)
}

func quoted(names []string) string {
	all := make([]string, len(names))
	for i, name := range names {
		all[i] = strconv.Quote(name)
	}
	return strings.Join(all, ", ")
}

// badQuery is an invalid_request without a challenge: the credential was fine.
func (g *Guard) badQuery(rej Rejection, c *caller) *Rejection {
	rej.Code = CodeInvalidRequest
	completed := g.rejection(rej, c.addr)
	completed.Challenge = ""
	return completed
}
