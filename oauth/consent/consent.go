package consent

import (
	"net/http"
	"net/url"

	"github.com/latchwork/latchwork/oauth"
)

// Consent asks whether an application may have what it wants. It is made for
// Config.Consent of package oauth.
func (p *Pages) Consent(w http.ResponseWriter, r *http.Request, c oauth.Consent) {
	v := view{Title: "Allow access?", Action: c.Action, Consent: c, Ticket: c.Ticket.Reveal(), Goes: c.RedirectURI}
	if c.ClientName == "" {
		v.ClientName = c.ClientID
	}
	if u, err := url.Parse(c.RedirectURI); err == nil && (u.Scheme == "https" || u.Scheme == "http") {
		v.Goes = u.Host
	}
	if p.cfg.Name != nil {
		v.Name = p.cfg.Name(r, c.Subject)
	}
	p.show(w, http.StatusOK, "consent", v)
}
