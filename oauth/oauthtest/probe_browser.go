package oauthtest

import (
	"context"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
)

var (
	formElement = regexp.MustCompile(`(?is)<form\b([^>]*)>(.*?)</form>`)
	element     = regexp.MustCompile(`(?is)<(input|button)\b([^>]*)>`)
	attribute   = regexp.MustCompile(`(?is)\b([a-z-]+)\s*=\s*"([^"]*)"`)
)

func attributes(text string) map[string]string {
	all := map[string]string{}
	for _, a := range attribute.FindAllStringSubmatch(text, -1) {
		all[strings.ToLower(a[1])] = html.UnescapeString(a[2])
	}
	return all
}

// approve goes through the pages with a browser of its own.
func (p *probe) approve(ctx context.Context, authorize string, approve bool) (*url.URL, error) {
	b, err := p.browser()
	if err != nil {
		return nil, err
	}
	return b.through(ctx, authorize, approve)
}

// A browser keeps cookies and is somewhere.
type browser struct {
	*probe

	at *url.URL
}

func (p *probe) browser() (*browser, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	other, client := *p, *p.Client
	client.Jar = jar
	other.Client = &client
	return &browser{probe: &other}, nil
}

// through goes on until it leaves the server, or there is nothing to fill in.
func (b *browser) through(ctx context.Context, target string, approve bool) (*url.URL, error) {
	method, body := http.MethodGet, ""
	var err error
	if b.at, err = url.Parse(target); err != nil {
		return nil, err
	}
	home := b.at.Host
	for range 12 {
		a, err := b.visit(ctx, method, body)
		if err != nil {
			return nil, err
		}
		if location := a.header.Get("Location"); a.status >= 300 && a.status < 400 {
			if b.at, err = b.at.Parse(location); err != nil {
				return nil, err
			}
			if b.at.Host != home {
				return b.at, nil
			}
			method, body = http.MethodGet, ""
			continue
		}
		action, fields := b.fill(a.raw, approve)
		if a.status != http.StatusOK || fields == nil {
			return nil, fmt.Errorf("answered %d, and there is no form to sign in or to decide", a.status)
		}
		if b.at, err = b.at.Parse(action); err != nil {
			return nil, err
		}
		method, body = http.MethodPost, fields.Encode()
	}
	return nil, errors.New("the pages lead nowhere")
}

func (b *browser) visit(ctx context.Context, method, body string) (reply, error) {
	r, err := http.NewRequestWithContext(ctx, method, b.at.String(), strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", formType)
		r.Header.Set("Origin", b.at.Scheme+"://"+b.at.Host)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	return b.exchange(r)
}

// fill fills in the form that has a password input, or else the one whose
// buttons decide.
func (b *browser) fill(page string, approve bool) (action string, fields url.Values) {
	for _, f := range formElement.FindAllStringSubmatch(page, -1) {
		values, known := url.Values{}, false
		for _, e := range element.FindAllStringSubmatch(f[2], -1) {
			a := attributes(e[2])
			switch {
			case a["type"] == "password":
				values.Set(a["name"], b.Password)
				known = true
			case a["type"] == "hidden":
				values.Set(a["name"], a["value"])
			case a["name"] == "decision":
				known = true
				if (a["value"] == "approve") == approve {
					values.Set("decision", a["value"])
				}
			case strings.EqualFold(e[1], "input") && a["name"] != "" && (a["type"] == "" || a["type"] == "text" || a["type"] == "email"):
				values.Set(a["name"], b.Username)
			}
		}
		if known {
			return attributes(f[1])["action"], values
		}
	}
	return "", nil
}
