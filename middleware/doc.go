// Package middleware puts API keys and access tokens in front of net/http
// handlers: it authenticates a request, checks what the handler requires, binds
// the [Principal] to the request, and answers everything else itself.
//
// Start with [New], which makes a [Guard], and [Keys] and [Tokens]:
//
//	guard, err := middleware.New(middleware.Config{
//		Credentials: []middleware.Authenticator{middleware.Keys(manager)},
//		KeyTypes:    []string{"admin"},
//	})
//	mux.Handle("GET /users", guard.Require("users.view")(listUsers))
//
// A handler asks [PrincipalFrom] who is calling.
//
// # Routers
//
// What Require and its like return is ordinary middleware, which chi's With and
// Use and echo.WrapMiddleware take as it is. In gin, this runs any of it:
//
//	func guarded(protect func(http.Handler) http.Handler) gin.HandlerFunc {
//		return func(c *gin.Context) {
//			passed := false
//			protect(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
//				passed = true
//				c.Request = r // with the Principal
//				c.Next()
//			})).ServeHTTP(c.Writer, c.Request)
//			if !passed {
//				c.Abort()
//			}
//		}
//	}
//
// Where there is no http.Request, as in gRPC, [Guard.Authenticate] and
// [Guard.Authorize] decide the same without writing anything, and
// [WithPrincipal] hands on who it is. [Guard.Check] is both of them for one
// http.Request.
//
// Requirements hold for the handler that they are wrapped around, not for a
// path. What a router answers by itself no Guard sees: http.ServeMux redirects
// paths with "//", "." or ".." in them to the clean ones, for everybody.
//
// # Order
//
// The header is read first, then the credential's shape says which
// [Authenticator] is meant, which asks its store and judges state and address;
// then come the kind of the credential and the type of a key, the permission,
// and what ?include= asks for. The handler, and with it the body of the
// request, comes last: a write without permission is refused whatever it
// carries.
//
// Permissions of keys and scopes of tokens are two namespaces. Require and its
// like accept keys only, RequireScope accepts tokens of users only, whatever
// the names: nobody gains an admin's right by consenting to a scope.
//
// # Use
//
// Every request with an API key counts once, when it has ended, as allowed or by
// why it was refused; apikey.Manager.Usage has the sums. A stream counts when it
// ends. Close the Manager when the server has shut down: what was counted last
// is recorded then.
//
// # Rejections
//
// Status and code are decided here and cannot be changed by a renderer:
//
//	401 missing_token       no credential, or another scheme
//	400 invalid_request     two credentials, a malformed one, an unknown include
//	401 invalid_token       unknown, disabled, expired or revoked: one answer for all
//	403 ip_not_allowed      not from this address
//	403 client_ip_unknown   bound to addresses, and the client's cannot be told
//	403 wrong_key_type      another type of key is needed
//	403 user_required       a user's token is needed, and client_required a client's own
//	403 insufficient_scope  a permission is missing, and named
//	405 method_not_allowed  Resource has no permission for the method
//	429 too_many_requests   too much has failed from this address, see Config.FailureBurst
//	503 unavailable         the store could not be asked
//
// # Security considerations
//
// Every method of a Guard authenticates; there is no outer middleware that
// could be forgotten. A Principal is reused only where this same Guard bound it
// to this same request. Put CORS handling outside the Guard: a preflight has no
// credential. A request that outlives a revocation, such as a stream, goes on.
package middleware
