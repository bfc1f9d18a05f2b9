// Package keyapi is the JSON API by which API keys are managed: an
// [http.Handler] in front of an [apikey.Manager].
//
// Start with [New], and mount the [Handler] at its path and everything below
// it, behind whatever authenticates requests:
//
//	const path = "/api/v1/admin/api-keys"
//	api, err := keyapi.New(keys, keyapi.Config{
//		Path:  path,
//		Actor: middleware.KeyActor(keys), // with keys, other keys are managed
//	})
//	guarded := guard.RequireType("admin")(api)
//	mux.Handle(path, guarded)
//	mux.Handle(path+"/", guarded)
//
// # Routes
//
//	GET    (path)                list      api_keys.view
//	POST   (path)                create    api_keys.create
//	GET    (path)/{id}           read      api_keys.view
//	PATCH  (path)/{id}           change    api_keys.update
//	DELETE (path)/{id}           revoke    api_keys.delete
//	POST   (path)/{id}/rotate    rotate    api_keys.rotate
//	GET    (path)/{id}/activity  history   api_keys.view
//
// HEAD works where GET does. The third column is the permission that the
// actor's ceiling must hold.
//
// [Handler.Self] is for a route of the host's own, where a key asks what it is.
//
// A key is created from name, type and permissions, and if wanted allowed_ips
// and expires_at; null is from anywhere, and never. PATCH takes any of them,
// and enabled. Creating and rotating are the only answers that hold the
// secret, as "token". A deleted key stays where it is, revoked, and
// ?descendants=true takes along the keys that it created. A rotation takes
// overlap_seconds, for which the old secret goes on working.
//
// A key whose time is over works again when PATCH gives it another expires_at,
// which is in the future and within the actor's ceiling; the history tells who
// did. Nothing else revives it, neither a rotation nor switching it on, and a
// revoked key stays revoked.
//
// Keys show when and from where they were let through last, in last_used_at and
// last_used_ip: null for never, and for an address that was not known. What is
// not known because the Activity of the Manager fails, is left out. The
// activity of a key is {"days": [...], "events": [...]}: the last 30 days (UTC)
// on which it was used, the earliest first, with how often it was allowed and
// denied, in sum and by reason; and its last 100 changes, the newest first.
// Other nodes' uses may be missing for ten seconds.
//
// Lists take limit (1 to 100, otherwise 50), q, state and the next_cursor of
// the page before as cursor. The last page is the one whose next_cursor is null:
// in a store of very many keys, a page may be short, and even empty, where those
// that match are rare. A cursor is opaque and bestows nothing: it says where to
// go on in what the actor may see anyway.
//
// # Concurrent changes
//
// The answers that show one key carry its version as ETag. PATCH, DELETE and
// rotate heed If-Match (RFC 9110 section 13.1.1) and answer 412 when it does
// not hold, judged in the same step as the change is stored. Without it a
// PATCH applies its fields to whatever is newest.
//
// # Refusals
//
// They have the form {"error": code, "message": text}. First, and in this
// order, it is decided whether the request can be read:
//
//	401 invalid_token           nobody acts; with a challenge
//	404 not_found               nothing at this path
//	405 method_not_allowed      with Allow
//	403 insufficient_scope      "required" names the permission; with a challenge
//	404 not_found               no such key, or not of the actor's owner
//	412 precondition_failed     If-Match
//	400 invalid_request         a query that cannot be read
//	415 unsupported_media_type  a body that is not application/json
//	413 payload_too_large       a body of more than 64 KiB
//	400 invalid_request         a body that is not one strict JSON object
//
// Then, whether what it asks for can be done:
//
//	403 exceeds_ceiling         "exceeds" lists by field what is too much, except
//	                            of a key that the actor may not view
//	409 conflict                the key is revoked, or expired and to be rotated
//	422 validation_failed       "errors" lists by field what is wrong, all at once
//	412 precondition_failed     somebody else was faster
//	503 unavailable             the store failed; with Retry-After
//
// What fails because the sender of the request cancelled it has no body.
//
// # Security considerations
//
// The Handler does whatever its actor may do: who that is, is the host's to
// say, in Config.Actor. It acts through [apikey.Manager.As] only, so nobody
// makes or touches a key beyond the own ceiling. The one exception is
// api_keys.revoke_any, which allows disabling and revoking such keys, those of
// administrators too. The grants "api_keys.*" and "*" include it: whom that is
// too much for is given the others by name.
//
// Whoever may change a key sees it in the answer, with or without
// api_keys.view.
//
// It authenticates nobody and does not look at the Origin of a request: do not
// mount it behind cookies without protection against cross-site requests.
package keyapi
