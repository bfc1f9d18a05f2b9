package middleware

import (
	"fmt"
	"slices"
	"strings"

	"github.com/latchwork/latchwork/scope"
)

// A Requirement is what a Principal must fulfil. It is immutable. The zero
// Requirement is fulfilled by nobody.
type Requirement struct {
	kind        Kind
	keyType     string // of keys; empty: those of Config.KeyTypes
	permissions []string
	oneIsEnough bool // of the permissions
}

// AllOf is fulfilled by API keys of Config.KeyTypes that hold all these
// permissions. It panics if there is none, or one is malformed.
func AllOf(permissions ...string) Requirement {
	return Requirement{kind: KindKey, permissions: mustBePermissions(permissions)}
}

// AnyOf is fulfilled by API keys of Config.KeyTypes that hold one of these
// permissions. It panics if there is none, or one is malformed.
func AnyOf(permissions ...string) Requirement {
	return Requirement{kind: KindKey, permissions: mustBePermissions(permissions), oneIsEnough: true}
}

// OfType is fulfilled by API keys of this type, whatever Config.KeyTypes says,
// that hold all these permissions, of which there may be none. It panics if
// the type is empty or a permission malformed.
func OfType(keyType string, permissions ...string) Requirement {
	if keyType == "" {
		panic("middleware: the key type is empty")
	}
	if len(permissions) > 0 {
		permissions = mustBePermissions(permissions)
	}
	return Requirement{kind: KindKey, keyType: keyType, permissions: permissions}
}

// Scope is fulfilled by access tokens of users that hold all these scopes. It
// panics if there is none, or one is malformed.
func Scope(scopes ...string) Requirement {
	return Requirement{kind: KindUser, permissions: mustBePermissions(scopes)}
}

// AnyScope is fulfilled by access tokens of users that hold one of these
// scopes. It panics if there is none, or one is malformed.
func AnyScope(scopes ...string) Requirement {
	return Requirement{kind: KindUser, permissions: mustBePermissions(scopes), oneIsEnough: true}
}

// ClientScope is fulfilled by access tokens of OAuth clients themselves that
// hold all these scopes. It panics if there is none, or one is malformed.
func ClientScope(scopes ...string) Requirement {
	return Requirement{kind: KindClient, permissions: mustBePermissions(scopes)}
}

func mustBePermissions(names []string) []string {
	if len(names) == 0 {
		panic("middleware: no permission is required: that would let everybody pass")
	}
	for _, name := range names {
		if !scope.ValidPermission(name) {
			panic(fmt.Sprintf("middleware: %q is not a permission", name))
		}
	}
	return slices.Clone(names)
}

// explain adds to a rejection, if there is one, which kind of credential was
// needed and, to its challenge, which scope, RFC 6750 section 3.
func (r *Requirement) explain(rejected *Rejection) {
	if rejected == nil {
		return
	}
	rejected.Needed = r.kind
	if r.kind != KindKey && rejected.Challenge != "" && rejected.Code != CodeInvalidRequest {
		rejected.Challenge += `, scope="` + strings.Join(r.permissions, " ") + `"`
	}
}
