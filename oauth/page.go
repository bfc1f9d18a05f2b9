package oauth

import (
	"html"
	"io"
	"net/http"
	"strings"
)

// redirect sends the browser on, always with a GET, RFC 9700 section 4.12.
func (s *Server) redirect(w http.ResponseWriter, to string) {
	s.setPageHeader(w.Header())
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}

// setPageHeader sets what everything has that a browser shows, or follows.
func (s *Server) setPageHeader(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Content-Security-Policy", "frame-ancestors 'none'")
}

// reject answers an authorization request that fails: to the client if there is
// somewhere to redirect to, RFC 6749 section 4.1.2.1, and otherwise with a page.
// A store in trouble is answered with a page, too, which can be loaded again.
func (s *Server) reject(w http.ResponseWriter, r *http.Request, a authorization, e *Error) {
	if a.redirect == "" || e.Status == http.StatusServiceUnavailable {
		s.writePage(w, r, e)
		return
	}
	s.redirect(w, answerAt(a.redirect, parameter{"error", e.Code}, parameter{"error_description", e.Description},
		parameter{"state", a.state}, parameter{"iss", s.cfg.Issuer}))
}

// writePage shows an error to a person.
func (s *Server) writePage(w http.ResponseWriter, r *http.Request, e *Error) {
	s.setPageHeader(w.Header())
	if s.failed(w, r, e) {
		return
	}
	if s.cfg.ErrorPage != nil {
		s.cfg.ErrorPage(w, r, e)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(e.Status)
	_, _ = io.WriteString(w, strings.ReplaceAll(plainPage, "{}", html.EscapeString(e.Description))) // the browser is gone: nobody to tell
}

const plainPage = `<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>This cannot go on</title>
<h1>This cannot go on</h1>
<p>{}</p>
</html>
`
