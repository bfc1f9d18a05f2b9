package middleware

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"unsafe"
)

// A binding is the one context node that holds all a Guard knows of a request.
type binding struct {
	context.Context //nolint:containedctx // it is a context

	caller    caller
	outermost *binding  // the first one that the Guard made for this request; nil: not bound yet
	refused   refused   // what came of it further in; only of the outermost
	settling  bool      // whether the end of the request is awaited already; only of the outermost
	admitted  bool      // by a requirement, and not merely authenticated
	includes  *[]string // that RequireIncludes let through; nil: none

	// The Guard that authenticated the request, and the identity of the
	// header map that it read. A handler may hand the context on to a request
	// of its own making, with another credential in another header: that one
	// is authenticated by itself.
	guard *Guard

	// Holds the map, so that no other one gets its address, but not as a map:
	// whoever prints a context would print the credential.
	header unsafe.Pointer

	// The request that is bound to it, of no meaning before: the two are one
	// allocation. Format keeps it from being printed with the context.
	request http.Request
}

type bindingKey struct{}

// Value implements context.Context.
func (b *binding) Value(key any) any {
	if key == (bindingKey{}) {
		return b
	}
	return b.Context.Value(key)
}

// Format implements [fmt.Formatter] for every verb. Some of them make fmt follow
// pointers, and behind those of a binding others are at work.
func (*binding) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, "middleware.binding") }

func bindingFrom(ctx context.Context) *binding {
	b, _ := ctx.Value(bindingKey{}).(*binding)
	return b
}

// bound returns the binding that this Guard made for this very request.
func (g *Guard) bound(r *http.Request) *binding {
	b := bindingFrom(r.Context())
	if b == nil || b.guard != g || b.header != headerIdentity(r.Header) {
		return nil
	}
	return b
}

// newBinding returns a binding for what this request turns out to be.
func (g *Guard) newBinding(r *http.Request) *binding {
	return &binding{guard: g, header: headerIdentity(r.Header)}
}

// bind returns the request with this binding in its context, or if that is bound
// already, with another one of the same caller, without includes.
func (b *binding) bind(r *http.Request, admitted bool) (*http.Request, *binding) {
	if outer := b; outer.outermost != nil {
		b = outer.guard.newBinding(r)
		b.caller, b.outermost = outer.caller, outer.outermost
	} else {
		b.outermost = b
	}
	b.Context, b.admitted = r.Context(), admitted
	b.request = *r.WithContext(b)
	return &b.request, b
}

// admit is bind for what a requirement lets pass, unless that is done.
func (b *binding) admit(r *http.Request) (*http.Request, *binding) {
	if b.admitted {
		return r, b
	}
	return b.bind(r, true)
}

// include adds what RequireIncludes let through.
func (b *binding) include(relations []string) {
	if len(relations) > 0 {
		b.includes = &relations
	}
}

// headerIdentity tells header maps apart. http.Request.WithContext and
// http.StripPrefix keep the map, so the request stays the same request.
func headerIdentity(h http.Header) unsafe.Pointer { return reflect.ValueOf(h).UnsafePointer() }
