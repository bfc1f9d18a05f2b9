package consent

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/latchwork/latchwork/oauth"
)

// Config is what Pages may be told. New copies it.
type Config struct {
	// Service is what people call the service: "Billing". It is required.
	Service string

	// Home is the path where people go after signing in, if they did not come
	// from anywhere. Empty: /.
	Home string

	// Apps is the path of the page where people see which applications have
	// access, and take it back. Empty: there is none.
	Apps string

	// Name says how to address somebody who is signed in: by the name that they
	// sign in with, for example, so that they notice if it is not theirs.
	// Nil: nothing is said.
	Name func(r *http.Request, subject string) string

	// Origin is the service's own, such as https://billing.example. Only
	// browsers of before 2023 behind a proxy that changes the Host header need
	// it. Empty: not known.
	Origin string

	// Logger hears why a session could not be started. Nil: silent.
	Logger *slog.Logger
}

// Pages are the pages. Make them with New; they are immutable and safe for
// concurrent use.
type Pages struct {
	cfg      Config
	origins  *http.CrossOriginProtection
	template *template.Template
	policy   string
}

// New returns Pages, or everything that is wrong with the configuration.
func New(cfg Config) (*Pages, error) {
	var faults []error
	if cfg.Service == "" {
		faults = append(faults, errors.New("consent: Service is empty"))
	}
	if cfg.Home == "" {
		cfg.Home = "/"
	}
	if local(cfg.Home) == "" {
		faults = append(faults, fmt.Errorf("consent: Home %.100q is not a path", cfg.Home))
	}
	if cfg.Apps != "" && local(cfg.Apps) == "" {
		faults = append(faults, fmt.Errorf("consent: Apps %.100q is not a path", cfg.Apps))
	}
	origins := http.NewCrossOriginProtection()
	if cfg.Origin != "" {
		if err := origins.AddTrustedOrigin(cfg.Origin); err != nil {
			faults = append(faults, fmt.Errorf("consent: Origin: %w", err))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	sum := sha256.Sum256([]byte(style))
	return &Pages{
		cfg: cfg, origins: origins, template: template.Must(template.New("").Parse(pages)),
		policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; frame-ancestors 'none'",
	}, nil
}

// A view is what a page shows.
type view struct {
	Title   string // of the window
	Service string

	Message string // of an error, and above the form to sign in

	Action string // where the form goes

	// Of the form to sign in.
	Next, Username string

	// Of the question.
	oauth.Consent
	Ticket string
	Name   string // of who is asked
	Goes   string // where they go afterwards
	Apps   string
}

// show writes a page.
func (p *Pages) show(w http.ResponseWriter, status int, name string, v view) {
	v.Service, v.Apps = p.cfg.Service, p.cfg.Apps
	var page bytes.Buffer
	if err := p.template.ExecuteTemplate(&page, name, v); err != nil {
		p.cfg.Logger.Error("consent: cannot show a page", "page", name, "error", err)
		status = http.StatusInternalServerError
		page.Reset()
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", p.policy)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	w.WriteHeader(status)
	_, _ = page.WriteTo(w) // the browser is gone: nobody to tell
}

// Error shows why something cannot go on. It is made for Config.ErrorPage of
// package oauth.
func (p *Pages) Error(w http.ResponseWriter, _ *http.Request, e *oauth.Error) {
	title := "This cannot go on"
	if e.Status == http.StatusServiceUnavailable || e.Status == http.StatusTooManyRequests {
		title = "Try again later"
	}
	later(w, e)
	p.show(w, e.Status, "error", view{Title: title, Message: e.Description})
}

// later says when to try again, if the error does.
func later(w http.ResponseWriter, e *oauth.Error) {
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(int64((e.RetryAfter+time.Second-1)/time.Second), 10))
	}
}
