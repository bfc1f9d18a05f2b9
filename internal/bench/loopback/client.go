package loopback

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Options say how much to measure. The zero value starts the server 6 times, for 30
// turns of each chain, of 3,200 requests over 32 connections.
//
// Processes of the same program differ, by where in memory they happen to be, by
// more than chains do. So all chains that are compared are in one, each with an
// address of its own; and what is measured of a single process is true of that one,
// however often its chains have turns.
type Options struct {
	Starts, Turns, Requests, Connections int
}

// A Result is what was measured of a chain, by turn.
type Result struct {
	Name string
	CPU  []float64 // nanoseconds of the server for one request
	Rate []float64 // requests per second, client and server sharing the machine
}

// Measure starts a process that serves the chains, and lets them have turns. The
// program that calls it has to call Serve when it is started with the arguments
// "-serve" and the names of chains.
func Measure(chains []Chain, o Options) ([]Result, error) {
	if o == (Options{}) {
		o = Options{Starts: 6, Turns: 30, Requests: 3200, Connections: 32}
	}
	results := make([]Result, len(chains))
	for i, c := range chains {
		results[i].Name = c.Name
	}
	for range o.Starts {
		if err := measure(results, o); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// measure starts the server once, and adds to the results. Garbage that one turn
// leaves is collected in another: their order is a different one each time, so that
// nobody always comes after the same.
func measure(results []Result, o Options) (err error) {
	names := make([]string, len(results))
	for i, r := range results {
		names[i] = r.Name
	}
	s, err := start(names, o.Connections)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	for i := range results {
		if _, _, err := s.turn(i, 5*o.Requests); err != nil { // to warm up
			return err
		}
	}
	for range o.Turns {
		for _, i := range rand.Perm(len(results)) {
			cpu, took, err := s.turn(i, o.Requests)
			if err != nil {
				return err
			}
			results[i].CPU = append(results[i].CPU, float64(cpu.Nanoseconds())/float64(o.Requests))
			results[i].Rate = append(results[i].Rate, float64(o.Requests)/took.Seconds())
		}
	}
	return nil
}

// A server is the process that serves.
type server struct {
	process *exec.Cmd
	ask     io.WriteCloser
	answers *bufio.Reader
	chains  []served
}

// What is served is one chain, with the connections to it and what to send.
type served struct {
	name        string
	connections []net.Conn
	requests    [][]byte
}

func start(names []string, connections int) (*server, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &server{process: exec.Command(program, append([]string{"-serve"}, names...)...)}
	s.process.Stderr = os.Stderr
	// Threads that look for work in vain would count, too.
	s.process.Env = append(os.Environ(), "GOMAXPROCS=1")
	if s.ask, err = s.process.StdinPipe(); err != nil {
		return nil, err
	}
	output, err := s.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.process.Start(); err != nil {
		return nil, err
	}
	s.answers = bufio.NewReader(output)
	for _, name := range names {
		if err := s.connect(name, connections); err != nil {
			return nil, errors.Join(err, s.stop())
		}
	}
	return s, nil
}

// connect reads the greeting of a chain, prepares what to send and opens
// connections.
func (s *server) connect(name string, connections int) error {
	line, err := s.answers.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	var hello greeting
	if err := json.Unmarshal(line, &hello); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	c := served{name: name}
	for _, request := range hello.Requests {
		c.requests = append(c.requests, []byte(request))
	}
	for range connections {
		connection, err := net.Dial("tcp", hello.Addr)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		c.connections = append(c.connections, connection)
	}
	s.chains = append(s.chains, c)
	return nil
}

// turn sends n requests to a chain and returns what they cost the server, and how
// long they took.
func (s *server) turn(chain, n int) (cpu, took time.Duration, err error) {
	before, err := s.cpu()
	if err != nil {
		return 0, 0, err
	}
	start := time.Now()
	err = s.chains[chain].send(n)
	took = time.Since(start)
	after, cpuErr := s.cpu()
	return after - before, took, errors.Join(err, cpuErr)
}

// send sends n requests over all of the connections, each of which must succeed.
func (c *served) send(n int) error {
	errs := make([]error, len(c.connections))
	var wait sync.WaitGroup
	for i, connection := range c.connections {
		wait.Go(func() { errs[i] = c.sendOver(connection, i, n/len(c.connections)) })
	}
	wait.Wait()
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	return nil
}

// sendOver sends n requests, one after the other, of which the one at first is the
// first.
func (c *served) sendOver(connection net.Conn, first, n int) error {
	answers := bufio.NewReader(connection)
	for i := range n {
		if _, err := connection.Write(c.requests[(first+i*len(c.connections))%len(c.requests)]); err != nil {
			return err
		}
		if err := receive(answers); err != nil {
			return err
		}
	}
	return nil
}

// receive reads one answer. It knows no more of HTTP than what these servers
// speak: the client should leave the machine to the server.
func receive(answers *bufio.Reader) error {
	const length = "Content-Length: "
	status, err := answers.ReadString('\n')
	if err != nil {
		return err
	}
	if !strings.HasPrefix(status, "HTTP/1.1 200 ") {
		return fmt.Errorf("the answer is %q", status)
	}
	body := 0
	for {
		line, err := answers.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) == len("\r\n") {
			break
		}
		if value, ok := bytes.CutPrefix(line, []byte(length)); ok {
			if body, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return err
			}
		}
	}
	_, err = answers.Discard(body)
	return err
}

// cpu asks the server how much CPU time it has used.
func (s *server) cpu() (time.Duration, error) {
	if _, err := io.WriteString(s.ask, "\n"); err != nil {
		return 0, err
	}
	line, err := s.answers.ReadString('\n')
	if err != nil {
		return 0, err
	}
	used, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
	return time.Duration(used), err
}

// stop ends the process by closing its standard input.
func (s *server) stop() error {
	for _, c := range s.chains {
		for _, connection := range c.connections {
			_ = connection.Close() // nothing is under way
		}
	}
	return errors.Join(s.ask.Close(), s.process.Wait())
}
