package keyapi

import (
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/latchwork/latchwork/apikey"
)

// Config is what a Handler is told. New copies it.
type Config struct {
	// Path is where the handler is mounted, for example
	// "/api/v1/admin/api-keys": the path that requests have when they get
	// here, nothing stripped. It begins with a slash, does not end in one, and
	// needs no escaping in a URL. It is required.
	Path string

	// Actor says who manages keys with this request. It is required, and asked
	// first, whatever the request is after. ErrNotFound, ErrInvalid,
	// ErrRevoked, ErrDisabled, ErrExpired and ErrNoActor of the package apikey
	// are answered with 401, and so is an Actor without an ID; every other
	// error with 503.
	//
	// The permission api_keys.revoke_any in the ceiling, which "api_keys.*"
	// and "*" include, adds RevokeAny.
	Actor func(*http.Request) (apikey.Actor, error)

	// Logger hears why a request was answered with 503. Nil: silent.
	Logger *slog.Logger
}

// A Handler serves the management API. It is safe for concurrent use. The zero
// Handler answers every request with 401.
type Handler struct {
	manager *apikey.Manager
	path    string
	actor   func(*http.Request) (apikey.Actor, error)
	log     *slog.Logger
}

// New returns a Handler, or everything that is wrong with its configuration.
func New(m *apikey.Manager, cfg Config) (*Handler, error) {
	var faults []error
	if m == nil {
		faults = append(faults, errors.New("keyapi: the Manager is nil"))
	}
	if !isMountPath(cfg.Path) {
		faults = append(faults, errors.New("keyapi: Config.Path must begin with a slash, not end in one, and need no escaping"))
	}
	if cfg.Actor == nil {
		faults = append(faults, errors.New("keyapi: Config.Actor is nil, so nobody could be allowed anything"))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	h := &Handler{manager: m, path: cfg.Path, actor: cfg.Actor, log: cfg.Logger}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	return h, nil
}

func isMountPath(p string) bool {
	escaped := (&url.URL{Path: p}).EscapedPath()
	return len(p) > 1 && p[0] == '/' && path.Clean(p) == p && escaped == p
}

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.write(w, r, h.answer(w, r))
}

// A call is one request that may do what it is after.
type call struct {
	h          *Handler
	w          http.ResponseWriter // only for http.MaxBytesReader
	r          *http.Request
	permission string // what it takes
	actor      string // the Actor's ID
	sees       bool   // whether the actor may view keys
	keys       apikey.Delegate

	// On the routes with an id: the key as it was found, and the version that
	// a change must find it at. Zero: any.
	id      string
	key     apikey.Key
	version int64
}

// An operation is what a method does on a route.
type operation struct {
	permission  string
	conditional bool // whether If-Match counts
	run         func(*call) *response
}

// operations returns what can be done at a path below the mount, by method,
// and the id in that path. There are none where nothing is.
func operations(below string) (id string, byMethod map[string]operation) {
	if below == "" {
		list := operation{permission: view, run: (*call).list}
		return "", map[string]operation{
			http.MethodGet:  list,
			http.MethodHead: list,
			http.MethodPost: {permission: create, run: (*call).create},
		}
	}
	slash, rest := below[:1], below[1:]
	id, verb, deeper := strings.Cut(rest, "/")
	switch {
	case slash != "/" || id == "":
		return "", nil
	case !deeper:
		read := operation{permission: view, run: (*call).read}
		return id, map[string]operation{
			http.MethodGet:    read,
			http.MethodHead:   read,
			http.MethodPatch:  {permission: update, conditional: true, run: (*call).update},
			http.MethodDelete: {permission: remove, conditional: true, run: (*call).revoke},
		}
	case verb == "rotate":
		return id, map[string]operation{
			http.MethodPost: {permission: rotate, conditional: true, run: (*call).rotate},
		}
	case verb == "activity":
		activity := operation{permission: view, run: (*call).activity}
		return id, map[string]operation{http.MethodGet: activity, http.MethodHead: activity}
	default:
		return "", nil
	}
}

// answer decides what a request is answered with.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request) *response {
	actor, refused := h.whoActs(r)
	if refused != nil {
		return refused
	}
	below, mounted := strings.CutPrefix(r.URL.Path, h.path)
	id, byMethod := operations(below)
	if !mounted || byMethod == nil {
		return notFound("There is nothing at this path.")
	}
	op, ok := byMethod[r.Method]
	if !ok {
		return methodNotAllowed(slices.Sorted(maps.Keys(byMethod)))
	}
	if !actor.Ceiling.Permissions.Allows(op.permission) {
		return insufficientScope(op.permission)
	}
	c := &call{h: h, w: w, r: r, permission: op.permission}
	c.actsAs(actor)
	if id == "" {
		return op.run(c)
	}
	// What is not the text of a UUID is nobody's id. No store needs to see it.
	if parsed, err := uuid.Parse(id); err != nil || parsed.String() != id {
		return noSuchKey()
	}
	c.id = id
	var err error
	if c.key, err = c.keys.Get(r.Context(), id); err != nil {
		return c.refuse(err)
	}
	if op.conditional {
		if c.version, ok = expected(r.Header["If-Match"], c.key.Version); !ok {
			return preconditionFailed()
		}
	}
	return op.run(c)
}

func (h *Handler) whoActs(r *http.Request) (apikey.Actor, *response) {
	if h.actor == nil {
		return apikey.Actor{}, invalidToken()
	}
	actor, err := h.actor(r)
	switch {
	case isNobody(err), err == nil && actor.ID == "":
		return apikey.Actor{}, invalidToken()
	case err != nil:
		return apikey.Actor{}, unavailable(err)
	}
	actor.RevokeAny = actor.RevokeAny || actor.Ceiling.Permissions.Allows(revokeAny)
	return actor, nil
}

// askAgain asks once more who acts, after a body was read: its sender may have
// taken his time, and lost the right meanwhile.
func (c *call) askAgain() *response {
	actor, refused := c.h.whoActs(c.r)
	switch {
	case refused != nil:
		return refused
	case actor.ID != c.actor:
		return invalidToken()
	case !actor.Ceiling.Permissions.Allows(c.permission):
		return insufficientScope(c.permission)
	}
	c.actsAs(actor)
	return nil
}

func (c *call) actsAs(actor apikey.Actor) {
	c.actor, c.keys = actor.ID, c.h.manager.As(actor)
	c.sees = actor.Ceiling.Permissions.Allows(view)
}

// isNobody reports whether the error says that the actor may not act, rather
// than that this cannot be told.
func isNobody(err error) bool {
	for _, nobody := range []error{
		apikey.ErrNotFound, apikey.ErrInvalid, apikey.ErrRevoked, apikey.ErrDisabled, apikey.ErrExpired, apikey.ErrNoActor,
	} {
		if errors.Is(err, nobody) {
			return true
		}
	}
	return false
}
