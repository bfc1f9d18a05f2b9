package middleware

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// RequireIncludes guards what ?include= may pull in: relations maps each name
// that may be asked for to the permission it needs. An unknown name is refused
// with 400, a missing permission with 403, on every method. The handler gets
// what was let through from IncludesFrom. It stands inside Require, which says
// what the resource itself needs; alone it demands no more than an API key of
// Config.KeyTypes. It panics like Require.
func (g *Guard) RequireIncludes(relations map[string]string) func(http.Handler) http.Handler {
	relations = maps.Clone(relations)
	names := slices.Sorted(maps.Keys(relations))
	for _, permission := range relations {
		g.mustKnow(AllOf(permission))
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			p, rejected := g.authenticate(r)
			if rejected == nil {
				rejected = g.judge(p, Requirement{kind: KindKey})
			}
			var includes []string
			if rejected == nil {
				includes, rejected = g.includes(r, p, relations, names)
			}
			if rejected == nil && len(includes) > 0 {
				r = g.bind(r, p, includes)
			}
			g.serve(w, r, next, p, rejected)
		})
	}
}

// includes reads the query and judges what it asks for.
func (g *Guard) includes(r *http.Request, p Principal, relations map[string]string, names []string) ([]string, *Rejection) {
	if r.URL.RawQuery == "" {
		return nil, nil
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, g.badQuery(Rejection{Message: "The query cannot be read.", Err: err}, p)
	}
	var includes, needed []string
	for _, value := range query["include"] {
		if value == "" {
			continue
		}
		for name := range strings.SplitSeq(value, ",") {
			permission, ok := relations[name]
			if !ok {
				return nil, g.unknownInclude(name, names, p)
			}
			if !slices.Contains(includes, name) {
				includes, needed = append(includes, name), append(needed, permission)
			}
		}
	}
	if missing := p.Permissions.Missing(needed...); len(missing) > 0 {
		return nil, g.insufficient(missing, p.ClientAddr)
	}
	return includes, nil
}

func (g *Guard) unknownInclude(name string, names []string, p Principal) *Rejection {
	if len(name) > 64 {
		name = strings.ToValidUTF8(name[:64], "")
	}
	return g.badQuery(Rejection{
		Message: fmt.Sprintf("There is no include %q.", name), Include: name, Allowed: names,
	}, p)
}

// badQuery is an invalid_request without a challenge: the credential was fine.
func (g *Guard) badQuery(rej Rejection, p Principal) *Rejection {
	rej.Code = CodeInvalidRequest
	completed := g.rejection(rej, p.ClientAddr)
	completed.Challenge = ""
	return completed
}
