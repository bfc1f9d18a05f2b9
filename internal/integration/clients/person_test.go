package clients

import (
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A person has a browser without JavaScript, and an account.
type person struct {
	t       *testing.T
	service *service
	browser *http.Client
	pages   []string // that were shown
}

func newPerson(t *testing.T, s *service) *person {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return &person{t: t, service: s, browser: &http.Client{Jar: jar, Timeout: time.Minute}}
}

var (
	formTag  = regexp.MustCompile(`(?s)<form method="post" action="([^"]*)">(.*?)</form>`)
	fieldTag = regexp.MustCompile(`<(?:input|button)\b[^>]*>`)
	nameOf   = regexp.MustCompile(`\bname="([^"]*)"`)
	valueOf  = regexp.MustCompile(`\bvalue="([^"]*)"`)
)

// visit follows a link, signs in where that is asked for, decides, and returns
// where the browser is in the end: at the client's.
func (p *person) visit(link, decision string) *url.URL {
	p.t.Helper()
	p.pages = nil
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, link, nil)
	require.NoError(p.t, err)
	for range 4 {
		at, page := p.open(r)
		if !strings.HasPrefix(at.String(), p.service.Base+"/") {
			return at
		}
		form := formTag.FindStringSubmatch(page)
		require.NotNil(p.t, form, page)
		action, err := at.Parse(html.UnescapeString(form[1]))
		require.NoError(p.t, err)
		body := p.fill(form[2], decision).Encode()
		r, err = http.NewRequestWithContext(p.t.Context(), http.MethodPost, action.String(), strings.NewReader(body))
		require.NoError(p.t, err)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", p.service.Base)
	}
	require.FailNow(p.t, "the pages lead nowhere")
	return nil
}

// open returns where the redirects end, and what is there.
func (p *person) open(r *http.Request) (*url.URL, string) {
	p.t.Helper()
	answered, err := p.browser.Do(r)
	require.NoError(p.t, err)
	defer func() { _ = answered.Body.Close() }()
	page, err := io.ReadAll(answered.Body)
	require.NoError(p.t, err)
	require.Equal(p.t, http.StatusOK, answered.StatusCode, string(page))
	p.pages = append(p.pages, string(page))
	return answered.Request.URL, string(page)
}

func (p *person) fill(form, decision string) url.Values {
	fields := url.Values{}
	for _, tag := range fieldTag.FindAllString(form, -1) {
		name, value := attribute(nameOf, tag), attribute(valueOf, tag)
		switch {
		case strings.Contains(tag, `type="password"`):
			value = p.service.User.Password
		case name == "username":
			value = p.service.User.Username
		case name == "" || name == "decision" && value != decision:
			continue
		}
		fields.Set(name, value)
	}
	return fields
}

func attribute(of *regexp.Regexp, tag string) string {
	if found := of.FindStringSubmatch(tag); found != nil {
		return html.UnescapeString(found[1])
	}
	return ""
}
