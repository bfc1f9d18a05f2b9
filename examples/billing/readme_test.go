package main

import (
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	assignment  = regexp.MustCompile(`^(\w+)=(\S+)$`)
	expectation = regexp.MustCompile(`^ *(\d{3})(?: (\w+))?(?:: (\w+\.\w+)$)?`)
	word        = regexp.MustCompile(`"[^"]*"|'[^']*'|\S+`)
)

// TestREADME does what the README's curl lines do, one after the other, and
// holds the answers against the comments behind them.
func TestREADME(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	h := start(t)
	vars := map[string]string{"KEY": h.key, "PASSWORD": h.user.Password, "APP": h.app.ID, "SECRET": h.app.Secret}
	commands := 0
	for line := range strings.Lines(strings.ReplaceAll(string(readme), "\\\n", " ")) {
		command, comment, _ := strings.Cut(strings.TrimSpace(line), " #")
		if set := assignment.FindStringSubmatch(command); set != nil {
			vars[set[1]] = strings.Replace(set[2], "http://127.0.0.1:8080", h.base, 1)
		}
		if !strings.HasPrefix(command, "curl ") {
			continue
		}
		commands++
		var args []string
		for _, arg := range word.FindAllString(command, -1)[1:] {
			if arg[0] != '\'' {
				arg = os.Expand(arg, func(name string) string {
					require.Contains(t, vars, name, line)
					return vars[name]
				})
			}
			args = append(args, strings.Trim(arg, `'"`))
		}
		a := h.curl(args)
		if want := expectation.FindStringSubmatch(comment); want != nil {
			require.Equal(t, want[1], strconv.Itoa(a.status), "%s: %s", line, a.raw)
			if a.status >= 400 {
				require.Equal(t, want[2], a.body["error"], line)
			}
			if want[3] != "" {
				require.Equal(t, []any{want[3]}, a.body["required"], line)
			}
		}
		require.True(t, comment != "" || a.status < 300, "%s: %s", line, a.raw)

		// What the text around says to keep.
		data, _ := a.body["data"].(map[string]any)
		for name, value := range map[string]any{
			"CI": a.body["token"], "ID": data["id"], "TOKEN": a.body["access_token"], "REFRESH": a.body["refresh_token"],
		} {
			if text, ok := value.(string); ok {
				vars[name] = text
			}
		}
	}
	require.Greater(t, commands, 12)
}

// curl makes the request that curl makes of these arguments.
func (h *host) curl(args []string) reply {
	h.t.Helper()
	var method, target, user, from string
	var body []string
	header := http.Header{}
	for len(args) > 0 {
		option := args[0]
		if option[0] != '-' {
			target, args = option, args[1:]
			continue
		}
		value := args[1]
		args = args[2:]
		switch option {
		case "-X":
			method = value
		case "-H":
			name, content, _ := strings.Cut(value, ": ")
			header.Set(name, content)
		case "-d":
			body = append(body, value)
		case "-u":
			user = value
		case "--interface":
			from = value
		default:
			require.Fail(h.t, "an option that this test does not know", option)
		}
	}
	if method == "" {
		method = http.MethodGet
		if body != nil {
			method = http.MethodPost
		}
	}
	r, err := http.NewRequestWithContext(h.t.Context(), method, target, strings.NewReader(strings.Join(body, "&")))
	require.NoError(h.t, err)
	r.Header = header
	if body != nil && header.Get("Content-Type") == "" {
		header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if name, password, found := strings.Cut(user, ":"); found {
		r.SetBasicAuth(url.QueryEscape(name), url.QueryEscape(password))
	}
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}} // nil is anywhere
	other := *h
	other.client = &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}}
	a := other.exchange(r)
	if a.raw != "" {
		require.NoError(h.t, json.Unmarshal([]byte(a.raw), &a.body), a.raw)
	}
	return a
}
