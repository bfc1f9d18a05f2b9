// Package loopback measures what a request costs a server over HTTP: the CPU
// time of a process that does nothing but serve, as the kernel counts it. The
// client is the process that measures.
package loopback

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// A Chain is a handler to be measured. New makes it in the server's process,
// together with the requests to send, at least one, all of which it answers with
// 200: see Gets and Posts.
type Chain struct {
	Name string
	New  func() (http.Handler, []string)
}

// A greeting is what a server writes of each chain at first, in a line.
type greeting struct {
	Addr     string
	Requests []string
}

// Serve is the server's process: it serves the chains of these names, each at an
// address of its own, until its standard input ends, and answers every line of it
// with the CPU time, in nanoseconds, that it has used so far.
func Serve(chains []Chain, names []string) error {
	failed := make(chan error, len(names))
	for _, name := range names {
		i := slices.IndexFunc(chains, func(c Chain) bool { return c.Name == name })
		if i < 0 {
			return fmt.Errorf("there is no chain %q", name)
		}
		handler, requests := chains[i].New()
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
		go func() { failed <- server.Serve(listener) }()
		if err := json.NewEncoder(os.Stdout).Encode(greeting{listener.Addr().String(), requests}); err != nil {
			return err
		}
	}
	asked := make(chan struct{})
	go func() {
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			asked <- struct{}{}
		}
		close(asked)
	}()
	for {
		select {
		case err := <-failed:
			return err
		case _, more := <-asked:
			if !more {
				return nil
			}
			used, err := cpu()
			if err != nil {
				return err
			}
			if _, err := fmt.Println(used.Nanoseconds()); err != nil {
				return err
			}
		}
	}
}

// Gets returns a request for each value of an Authorization header.
func Gets(authorization []string) []string {
	requests := make([]string, len(authorization))
	for i, value := range authorization {
		requests[i] = "GET /users HTTP/1.1\r\n" + headers + "Authorization: " + value + "\r\n\r\n"
	}
	return requests
}

// Posts returns a request for each form, all with the same Authorization header.
func Posts(authorization string, forms []string) []string {
	requests := make([]string, len(forms))
	for i, form := range forms {
		requests[i] = "POST /introspect HTTP/1.1\r\n" + headers + "Authorization: " + authorization +
			"\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: " + strconv.Itoa(len(form)) + "\r\n\r\n" + form
	}
	return requests
}

const headers = "Host: localhost\r\nUser-Agent: bench\r\n"

// cpu returns the CPU time that this process has used.
func cpu() (time.Duration, error) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0, err
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), nil
}
