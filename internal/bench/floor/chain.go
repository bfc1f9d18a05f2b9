package floor

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
)

// A Principal is who sent a request.
type Principal struct {
	Key  *Key
	Addr netip.Addr
}

// Require lets requests through that present a key with this permission from an
// address of its list, with the Principal in their context.
func (k Keys) Require(permission string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		authorization := r.Header["Authorization"]
		if len(authorization) != 1 {
			http.Error(w, "one Authorization header is needed", http.StatusUnauthorized)
			return
		}
		presented, ok := strings.CutPrefix(authorization[0], "Bearer ")
		if !ok {
			http.Error(w, "a bearer token is needed", http.StatusUnauthorized)
			return
		}
		key, ok := k.Verify(presented)
		if !ok {
			http.Error(w, "invalid key", http.StatusUnauthorized)
			return
		}
		peer, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil || !key.AllowsFrom(peer.Addr().Unmap()) {
			http.Error(w, "not from this address", http.StatusForbidden)
			return
		}
		if _, ok := key.Permissions[permission]; !ok {
			http.Error(w, "not with this key", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, Bind(r, Principal{key, peer.Addr().Unmap()}))
	})
}

// Bind returns the request with the Principal in its context.
func Bind(r *http.Request, p Principal) *http.Request {
	return r.WithContext(&node{r.Context(), p})
}

// PrincipalFrom returns who sent the request of this context.
func PrincipalFrom(ctx context.Context) (Principal, bool) {
	n, ok := ctx.Value(nodeKey{}).(*node)
	if !ok {
		return Principal{}, false
	}
	return n.principal, true
}

// A node is a context with a Principal. It costs one allocation, where
// context.WithValue needs a second one for the value.
type node struct {
	context.Context //nolint:containedctx // it is a context

	principal Principal
}

type nodeKey struct{}

// Value implements context.Context.
func (n *node) Value(key any) any {
	if key == (nodeKey{}) {
		return n
	}
	return n.Context.Value(key)
}
