package loopback

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Options say how much to measure. The zero value starts every chain 21 times,
// each time for a turn of 20,000 requests over 32 connections.
//
// Processes of the same program differ, by where in memory they happen to be: what
// is measured of a single one is true of that one, however often it has a turn.
type Options struct {
	Starts, Requests, Connections int
}

// A Result is what was measured of a chain, by start.
type Result struct {
	Name string
	CPU  []float64 // nanoseconds of the server for one request
	Rate []float64 // requests per second, client and server sharing the machine
}

// Measure starts a process for each chain, lets each have its turn, and starts
// again. The program that calls it has to call Serve when it is started with the
// arguments "-serve" and the name of a chain.
func Measure(chains []Chain, o Options) ([]Result, error) {
	if o == (Options{}) {
		o = Options{Starts: 21, Requests: 20_000, Connections: 32}
	}
	results := make([]Result, len(chains))
	for i, c := range chains {
		results[i].Name = c.Name
	}
	for first := range o.Starts {
		if err := measure(results, o, first); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// measure starts the chains that results are of, and adds to these. The turns
// begin with the chain that is first.
func measure(results []Result, o Options, first int) (err error) {
	servers := make([]*server, len(results))
	defer func() {
		for _, s := range servers {
			if s != nil {
				err = errors.Join(err, s.stop())
			}
		}
	}()
	for i, r := range results {
		if servers[i], err = start(r.Name, o.Connections); err != nil {
			return err
		}
		if _, _, err = servers[i].turn(o.Requests / 4); err != nil { // to warm up
			return err
		}
	}
	for i := range servers {
		i = (i + first) % len(servers)
		cpu, took, err := servers[i].turn(o.Requests)
		if err != nil {
			return err
		}
		results[i].CPU = append(results[i].CPU, float64(cpu.Nanoseconds())/float64(o.Requests))
		results[i].Rate = append(results[i].Rate, float64(o.Requests)/took.Seconds())
	}
	return nil
}

// A server is the process of one chain, with the connections to it.
type server struct {
	name        string
	process     *exec.Cmd
	ask         io.WriteCloser
	answers     *bufio.Reader
	connections []net.Conn
	requests    [][]byte
}

func start(name string, connections int) (*server, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &server{name: name, process: exec.Command(program, "-serve", name)}
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
	return s, s.connect(connections)
}

// connect reads the greeting, prepares what to send and opens connections.
func (s *server) connect(connections int) error {
	line, err := s.answers.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	var hello greeting
	if err := json.Unmarshal(line, &hello); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	for _, request := range hello.Requests {
		s.requests = append(s.requests, []byte(request))
	}
	for range connections {
		connection, err := net.Dial("tcp", hello.Addr)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		s.connections = append(s.connections, connection)
	}
	return nil
}

// turn sends n requests and returns what they cost the server, and how long
// they took.
func (s *server) turn(n int) (cpu, took time.Duration, err error) {
	before, err := s.cpu()
	if err != nil {
		return 0, 0, err
	}
	start := time.Now()
	errs := make([]error, len(s.connections))
	var wait sync.WaitGroup
	for i, connection := range s.connections {
		wait.Go(func() { errs[i] = s.send(connection, i, n/len(s.connections)) })
	}
	wait.Wait()
	took = time.Since(start)
	after, err := s.cpu()
	if err := errors.Join(append(errs, err)...); err != nil {
		return 0, 0, fmt.Errorf("%s: %w", s.name, err)
	}
	return after - before, took, nil
}

// send sends n requests, one after the other, each of which must succeed.
func (s *server) send(connection net.Conn, first, n int) error {
	answers := bufio.NewReader(connection)
	for i := range n {
		if _, err := connection.Write(s.requests[(first+i*len(s.connections))%len(s.requests)]); err != nil {
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
	for _, connection := range s.connections {
		_ = connection.Close() // nothing is under way
	}
	return errors.Join(s.ask.Close(), s.process.Wait())
}
