package keyapi

import (
	"net/http"
	"strings"

	"github.com/latchwork/latchwork/apikey"
)

// Self returns the handler of a route that tells a key what it is: its name,
// type, hint, addresses and expiry, and the permissions that are in effect. It
// needs no permission, answers GET and HEAD, and may be mounted anywhere behind
// whatever authenticates requests; Config.Path means nothing to it. Actors that
// are no keys get 404.
func (h *Handler) Self() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.write(w, r, h.self(r)) })
}

// selfJSON is a key as it is shown to whoever holds it, who need not know who
// made it.
type selfJSON struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	Type        string   `json:"type"`
	Hint        string   `json:"hint"`
	Permissions []string `json:"permissions"`
	AllowedIPs  []string `json:"allowed_ips"` // null: from anywhere
	CreatedAt   string   `json:"created_at"`
	ExpiresAt   *string  `json:"expires_at"`
}

func (h *Handler) self(r *http.Request) *response {
	actor, refused := h.whoActs(r)
	if refused != nil {
		return refused
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return methodNotAllowed([]string{http.MethodGet, http.MethodHead})
	}
	id, isKey := strings.CutPrefix(actor.ID, apikey.KeyActorID(""))
	if !isKey {
		return notFound("Only API keys are described here.")
	}
	c := &call{h: h, r: r, actor: actor.ID, id: id, keys: h.manager.As(actor)}
	k, err := c.keys.Get(r.Context(), id)
	if err != nil {
		return c.refuse(err)
	}
	k.Permissions = actor.Ceiling.Permissions
	shown := c.show(k)
	return &response{status: http.StatusOK, body: struct {
		Data selfJSON `json:"data"`
	}{selfJSON{
		ID: shown.ID, Name: shown.Name, Type: shown.Type, Hint: shown.Hint, Permissions: shown.Permissions,
		AllowedIPs: shown.AllowedIPs, CreatedAt: shown.CreatedAt, ExpiresAt: shown.ExpiresAt,
	}}}
}
