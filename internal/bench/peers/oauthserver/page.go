package main

import (
	"html/template"
	"net/http"
)

// page asks who somebody is, and whether the client may. It posts to where it is.
var page = template.Must(template.New("").Parse(`<!DOCTYPE html>
<title>Sign in</title>
<form method="post" action="{{.}}">
<input name="username" type="text">
<input name="password" type="password">
<button name="decision" value="approve">Allow</button>
<button name="decision" value="deny">Do not allow</button>
</form>
`))

// ask shows the page.
func ask(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
	_ = page.Execute(w, r.URL.RequestURI()) // the browser is gone: nobody to tell
}

// answered reports whether the page was filled in by that user, and what for.
func (u user) answered(r *http.Request) (signedIn, approved bool) {
	if r.Method != http.MethodPost {
		return false, false
	}
	signedIn = r.PostFormValue("username") == u.Username && r.PostFormValue("password") == u.Password
	return signedIn, signedIn && r.PostFormValue("decision") == "approve"
}
