package keyapi

import "github.com/latchwork/latchwork/scope"

// The permissions that an actor's ceiling must hold.
const (
	view   = "api_keys.view"
	create = "api_keys.create"
	update = "api_keys.update"
	rotate = "api_keys.rotate"
	remove = "api_keys.delete"

	// revokeAny lets keys beyond the ceiling be disabled and revoked.
	revokeAny = "api_keys.revoke_any"
)

// Permissions returns the permissions that the API knows, for a host's
// catalogue. Whoever is given "api_keys.*" has all of them: with
// api_keys.revoke_any that is to disable and revoke keys that may do more than
// their own.
func Permissions() []scope.Permission {
	const group = "API Keys"
	return []scope.Permission{
		{Name: view, Group: group, Label: "View API Keys"},
		{Name: create, Group: group, Label: "Create API Keys"},
		{Name: update, Group: group, Label: "Update API Keys"},
		{Name: rotate, Group: group, Label: "Rotate API Keys"},
		{Name: remove, Group: group, Label: "Revoke API Keys"},
		{Name: revokeAny, Group: group, Label: "Revoke any API Key"},
	}
}
