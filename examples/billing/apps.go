package main

import (
	"bytes"
	"html/template"
	"log/slog"
	"net/http"
	"time"

	"github.com/latchwork/latchwork/oauth"
)

// apps is the page of the applications that have access to what is a user's.
type apps struct {
	*site

	tokens *oauth.Server
}

func (a apps) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store") // redirects, too
	user, signedIn, err := a.who(r)
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodPost:
		w.Header().Set("Allow", "GET, HEAD, POST")
		a.pages.Error(w, r, &oauth.Error{Status: http.StatusMethodNotAllowed, Description: "Use GET, HEAD or POST."})
	case err != nil:
		a.broken(w, r, err)
	case !signedIn:
		http.Redirect(w, r, loginPath+"?next="+appsPath, http.StatusSeeOther)
	case r.Method == http.MethodPost:
		a.change(w, r, user)
	default:
		a.show(w, r, user)
	}
}

// change takes access back, or ends the session.
func (a apps) change(w http.ResponseWriter, r *http.Request, user string) {
	r.Body = http.MaxBytesReader(w, r.Body, 4<<10)
	var err error
	if id := r.PostFormValue("client_id"); id != "" {
		_, err = a.tokens.RevokeApplication(r.Context(), user, id)
	} else if r.PostFormValue("sign_out") != "" {
		err = a.sessions.Destroy(r.Context())
	}
	if err != nil {
		a.broken(w, r, err)
		return
	}
	http.Redirect(w, r, appsPath, http.StatusSeeOther)
}

func (a apps) show(w http.ResponseWriter, r *http.Request, user string) {
	applications, err := a.tokens.Applications(r.Context(), user)
	if err != nil {
		a.broken(w, r, err)
		return
	}
	var page bytes.Buffer
	if err := appsTemplate.Execute(&page, struct {
		Name         string
		Applications []oauth.Application
	}{a.name(r, user), applications}); err != nil {
		a.broken(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	_, _ = page.WriteTo(w) // the browser is gone: nobody to tell
}

func (a apps) broken(w http.ResponseWriter, r *http.Request, err error) {
	slog.ErrorContext(r.Context(), "applications", "error", err)
	a.pages.Error(w, r, &oauth.Error{Status: http.StatusServiceUnavailable, Description: "Try again later.", RetryAfter: time.Second})
}

var appsTemplate = template.Must(template.New("").Parse(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Your applications - Billing</title>
</head>
<body>
<main>
<h1>Applications with access to your account</h1>
<p>You are signed in as <strong>{{.Name}}</strong>.</p>
{{range .Applications}}<section>
<h2><bdi>{{or .Name .ClientID}}</bdi></h2>
<ul>
{{range .Scopes}}<li>{{.Label}}</li>
{{end}}</ul>
<p>Since {{.FirstGranted.Format "2 January 2006"}}.</p>
<form method="post" action="/account/apps">
<button type="submit" name="client_id" value="{{.ClientID}}">Take access away from <bdi>{{or .Name .ClientID}}</bdi></button>
</form>
</section>
{{else}}<p>No application has access.</p>
{{end}}<form method="post" action="/account/apps">
<button type="submit" name="sign_out" value="yes">Sign out</button>
</form>
</main>
</body>
</html>
`))
