package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// build compiles the program as a user does.
func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "billing")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput()
	require.NoError(t, err, string(out))
	return binary
}

// A process is the program, running.
type process struct {
	command *exec.Cmd
	ended   chan error
	output  *output
	host    *host
}

func launch(t *testing.T, binary, file string, args ...string) *process {
	t.Helper()
	db := filepath.Join(t.TempDir(), "billing.db")
	p := command(t, binary, file, append([]string{"-db", db}, args...)...)
	p.host = newHost(t, waitForCredentials(t, file, p.ended))
	return p
}

// command starts the program.
func command(t *testing.T, binary, file string, args ...string) *process {
	t.Helper()
	p := &process{ended: make(chan error, 1), output: new(output)}
	p.command = exec.CommandContext(context.Background(), binary, append([]string{"-credentials", file}, args...)...)
	p.command.Stdout, p.command.Stderr = p.output, p.output
	require.NoError(t, p.command.Start())
	t.Cleanup(func() { _ = p.command.Process.Kill() })
	go func() { p.ended <- p.command.Wait() }()
	return p
}

// address waits until the program says where it listens.
func (p *process) address(t *testing.T) (base string) {
	t.Helper()
	require.Eventually(t, func() bool {
		_, rest, _ := strings.Cut(p.output.String(), "Billing listens at ")
		var complete bool
		base, _, complete = strings.Cut(rest, "\n")
		return complete
	}, 40*time.Second, 10*time.Millisecond, "%v", p.output)
	return base
}

// output is what a process writes, and may be read meanwhile.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// end sends a signal and returns after how long the program ended with status 0.
func (p *process) end(t *testing.T, signal os.Signal) time.Duration {
	t.Helper()
	began := time.Now()
	require.NoError(t, p.command.Process.Signal(signal))
	select {
	case err := <-p.ended:
		require.NoError(t, err, p.output.String())
	case <-time.After(20 * time.Second):
		require.FailNow(t, "it does not end")
	}
	return time.Since(began)
}

func TestProgram(t *testing.T) {
	binary := build(t)
	file := filepath.Join(t.TempDir(), "credentials.json")
	require.NoError(t, os.WriteFile(file+".old", []byte("{}"), 0o644))
	p := launch(t, binary, file, "-addr", "127.0.0.1:0")
	p.host.admin("GET", "users", nil).list(t)

	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	require.JSONEq(t, fmt.Sprintf(`{"base_url":%q,"api_key":%q,"user":{"username":"ada@example.com","password":%q,"id":%q},
		"clients":{"first_party":{"client_id":%q,"client_secret":%q},
			"web":{"client_id":%q,"client_secret":%q,"redirect_uri":"http://127.0.0.1:8081/callback"},
			"public":{"client_id":%q,"redirect_uri":"http://127.0.0.1:8081/callback"}}}`,
		p.host.base, p.host.key, p.host.user.Password, p.host.user.ID, p.host.app.ID, p.host.app.Secret,
		p.host.web.ID, p.host.web.Secret, p.host.public.ID), string(data))
	require.Regexp(t, `^http://127\.0\.0\.1:[1-9][0-9]*$`, p.host.base)
	entries, err := os.ReadDir(filepath.Dir(file))
	require.NoError(t, err)
	require.Len(t, entries, 2, "no temporary file stays behind")

	// A second one on the same port fails, names it, and leaves the file alone.
	address := strings.TrimPrefix(p.host.base, "http://")
	out, err := exec.CommandContext(t.Context(), binary, "-addr", address, "-db", filepath.Join(t.TempDir(), "b.db"), "-credentials", file).CombinedOutput()
	requireStatus(t, err, 2)
	require.Contains(t, string(out), address)
	require.NotContains(t, string(out), "paym_")
	after, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, data, after)

	// A request that is half sent when the signal comes is still answered.
	connection, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	require.NoError(t, err)
	defer func() { _ = connection.Close() }()
	body := `{"user_id":"1","subject":"sent slowly"}`
	fmt.Fprintf(connection, "POST %stickets HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		adminPath, p.host.key, len(body), body[:10])
	time.Sleep(200 * time.Millisecond) // until the server has read that
	answered := make(chan string, 1)
	go func() {
		time.Sleep(500 * time.Millisecond)
		_, _ = io.WriteString(connection, body[10:])
		line, _ := bufio.NewReader(connection).ReadString('\n')
		answered <- line
	}()
	took := p.end(t, syscall.SIGTERM)
	require.Greater(t, took, 300*time.Millisecond)
	require.Less(t, took, 5*time.Second)
	require.Equal(t, "HTTP/1.1 201 Created\r\n", <-answered)
	require.Equal(t, 1, strings.Count(p.output.String(), "not shown again: "+p.host.key))

	// It can be started again, on that very port, and writes a new key.
	p = launch(t, binary, filepath.Join(t.TempDir(), "c"), "-addr", address, "-base-url", "https://billing.example.com/")
	require.Equal(t, "https://billing.example.com", p.host.base)
	require.NotContains(t, string(data), p.host.key)
	require.NotContains(t, string(data), p.host.user.Password)
	require.NotContains(t, string(data), p.host.app.Secret)
	require.NotContains(t, string(data), p.host.web.Secret)

	// Whoever only holds a connection does not hold up the end for long.
	var idle net.Conn
	require.Eventually(t, func() bool { // the file is there before the port is open
		idle, err = new(net.Dialer).DialContext(t.Context(), "tcp", address)
		return err == nil
	}, 20*time.Second, time.Millisecond)
	defer func() { _ = idle.Close() }()
	require.Less(t, p.end(t, os.Interrupt), 5*time.Second)
	require.Contains(t, p.output.String(), "https://billing.example.com/api/v1/admin/users")
}

func TestCommandLine(t *testing.T) {
	binary := build(t)
	nowhere := filepath.Join(t.TempDir(), "nowhere", "credentials.json")
	folder := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(folder, "taken"), 0o755))
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"-db", "postgres://user:hunter2@127.0.0.1:1/billing"}, "-db: the postgres database does not answer"},
		{[]string{"-db", "mysql://user:hunter2@127.0.0.1:1/billing"}, "-db: the mysql database does not answer"},
		{[]string{"-db", "redis://user:hunter2@localhost"}, "-db: database redis://...: want"},
		{[]string{"-db", filepath.Join(folder, "nowhere", "billing.db")}, "-db: the sqlite database does not answer"},
		{[]string{"-db", ""}, "-db: no database is named"},
		{[]string{"-cache-ttl", "0s"}, "-cache-ttl 0s"},
		{[]string{"-nonsense"}, "-nonsense"},
		{[]string{"postgres://user:hunter2@localhost/billing"}, "no arguments"},
		{[]string{"-addr", "nonsense"}, "nonsense: missing port"},
		{[]string{"-addr", "192.0.2.1:8080"}, `-base-url: oauth: issuer "http://192.0.2.1:8080": must be https`},
		{[]string{"-addr", "127.0.0.1:0", "-base-url", "http://billing.example.com"}, "-base-url: "},
		{[]string{"-addr", "127.0.0.1:0", "-base-url", "https://billing.example.com/billing"}, "without a path"},
		{[]string{"-addr", "127.0.0.1:99999"}, "99999"},
		{[]string{"-addr", "127.0.0.1:0", "-credentials", nowhere}, nowhere},
		{[]string{"-addr", "127.0.0.1:0", "-credentials", filepath.Join(folder, "taken")}, filepath.Join(folder, "taken")},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		args := append([]string{"-db", "memory:"}, c.args...) // the last -db counts
		out, err := exec.CommandContext(ctx, binary, args...).CombinedOutput()
		cancel()
		requireStatus(t, err, 2)
		require.Contains(t, string(out), c.says)
		require.NotContains(t, string(out), "hunter2")
		require.NotContains(t, string(out), "paym_")
	}
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Len(t, entries, 1)

	out, err := exec.CommandContext(t.Context(), binary, "-h").CombinedOutput()
	require.NoError(t, err, "asking for help is no mistake")
	for _, name := range []string{"-addr", "-base-url", "-db", "-credentials"} {
		require.Contains(t, string(out), name)
	}
}

func requireStatus(t *testing.T, err error, status int) {
	t.Helper()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, status, exit.ExitCode())
}

func TestBaseURLIsThatOfTheListener(t *testing.T) {
	h := start(t)
	u, err := url.Parse(h.base)
	require.NoError(t, err)
	require.NotEqual(t, "0", u.Port())

	for addr, expected := range map[string]string{
		":8080": "http://127.0.0.1:8080", "0.0.0.0:80": "http://127.0.0.1:80", "[::]:8080": "http://127.0.0.1:8080",
		"127.0.0.2:8080": "http://127.0.0.2:8080", "[::1]:8080": "http://[::1]:8080", "localhost:8080": "http://localhost:8080",
	} {
		base, err := urlOf(t.Context(), addr)
		require.NoError(t, err)
		require.Equal(t, expected, base)
	}
	h = start(t, "-addr", ":0") // the last -addr counts
	require.Regexp(t, `^http://127\.0\.0\.1:[1-9][0-9]*$`, h.base)
	h.admin("GET", "users", nil).list(t)
}
