package consent

import (
	"errors"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"
	"unicode"

	"github.com/latchwork/latchwork/oauth"
)

// A Signer knows who has a name and a password. *oauth.Server is one, which
// limits guesses.
type Signer interface {
	// SignIn returns the user, or an *oauth.Error: with status 400 for whoever
	// cannot sign in, and 429 and 503 as they are. Any other error means that
	// nothing is known.
	SignIn(r *http.Request, name, password string) (oauth.User, error)
}

// SignIn returns the page to sign in, which is at home at Config.LoginURL of
// package oauth. A right password makes it call start, which begins a session of
// the host's: under a new ID, so that nobody can have planted the old one. After
// that, people go back to the path in the parameter "next", or to Config.Home.
//
// SignIn panics if one of the two is nil.
func (p *Pages) SignIn(signer Signer, start func(w http.ResponseWriter, r *http.Request, subject string) error) http.Handler {
	if signer == nil || start == nil {
		panic("consent: SignIn needs a Signer and a function that starts a session")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodGet, http.MethodHead:
			p.askPassword(w, r, http.StatusOK, view{Next: local(r.URL.Query().Get("next"))})
		case http.MethodPost:
			p.signIn(w, r, signer, start)
		default:
			w.Header().Set("Allow", "GET, HEAD, POST")
			p.Error(w, r, &oauth.Error{Status: http.StatusMethodNotAllowed, Description: "Use GET, HEAD or POST."})
		}
	})
}

// askPassword shows the form.
func (p *Pages) askPassword(w http.ResponseWriter, r *http.Request, status int, v view) {
	v.Title, v.Action = "Sign in", r.URL.EscapedPath()
	if original, err := url.ParseRequestURI(r.RequestURI); err == nil { // as the browser sees it, see http.StripPrefix
		v.Action = original.EscapedPath()
	}
	p.show(w, status, "signin", v)
}

// maxForm is the longest form that is read, in bytes.
const maxForm = 64 << 10

func (p *Pages) signIn(w http.ResponseWriter, r *http.Request, signer Signer, start func(http.ResponseWriter, *http.Request, string) error) {
	if err := p.origins.Check(r); err != nil {
		p.Error(w, r, &oauth.Error{Status: http.StatusForbidden, Description: "The form came from another page than ours."})
		return
	}
	mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil || mediaType != "application/x-www-form-urlencoded" {
		status := http.StatusBadRequest
		if errors.As(err, new(*http.MaxBytesError)) {
			status = http.StatusRequestEntityTooLarge
		}
		p.Error(w, r, &oauth.Error{Status: status, Description: "The form cannot be read."})
		return
	}
	next := local(r.PostForm.Get("next"))
	name, password := r.PostForm.Get("username"), r.PostForm.Get("password")
	user, err := oauth.User{}, error(&oauth.Error{Status: http.StatusBadRequest})
	if name != "" && password != "" { // or it is no guess
		user, err = signer.SignIn(r, name, password)
	}
	if err == nil && user.Subject == "" {
		err = errors.New("consent: the Signer returned nobody")
	}
	if err == nil {
		err = start(w, r, user.Subject)
	}
	if err != nil {
		p.notSignedIn(w, r, err, view{Next: next, Username: name})
		return
	}
	if next == "" {
		next = p.cfg.Home
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "same-origin")
	w.Header().Set("Location", next)
	w.WriteHeader(http.StatusSeeOther)
}

// notSignedIn asks again, or says why that is of no use.
func (p *Pages) notSignedIn(w http.ResponseWriter, r *http.Request, err error, v view) {
	var known *oauth.Error
	if !errors.As(err, &known) {
		p.cfg.Logger.ErrorContext(r.Context(), "consent: cannot sign in", "error", err)
		known = &oauth.Error{Status: http.StatusServiceUnavailable}
	}
	status := known.Status
	switch status {
	case http.StatusBadRequest:
		status, v.Message = http.StatusForbidden, "The name or the password is wrong."
	case http.StatusTooManyRequests:
		v.Message = "There were too many wrong passwords. Try again later."
	default:
		status, v.Message = http.StatusServiceUnavailable, "Nobody can sign in at the moment. Try again later."
	}
	if known.RetryAfter <= 0 && status != http.StatusForbidden {
		known = &oauth.Error{RetryAfter: 1}
	}
	later(w, known)
	p.askPassword(w, r, status, v)
}

// local returns a path of this service and its query, or nothing if the text is
// anything that could lead elsewhere, now or once somebody has cleaned it.
func local(text string) string {
	u, err := url.Parse(text)
	isOther := func(c rune) bool { return c <= ' ' || c == '\\' || c >= 0x7f }
	isNoPath := func(c rune) bool { return c == '\\' || unicode.IsControl(c) }
	switch {
	case err != nil || u.Scheme != "" || u.Host != "" || strings.ContainsFunc(text, isOther):
		return ""
	case !strings.HasPrefix(text, "/") || path.Clean(u.Path) != u.Path || strings.ContainsFunc(u.Path, isNoPath):
		return "" // somebody on the way may clean it, and //x is another host then
	default:
		return text
	}
}
