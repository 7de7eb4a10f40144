package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
)

// A child is one server of the accept benchmark in a process of its own, so that
// what is compared shares neither a heap nor a scheduler with the senders. It
// prints where it listens, and ends when its stdin does, that is, at the latest
// with its parent.
type child struct {
	listens
	cmd   *exec.Cmd
	stdin io.Closer
}

// listens is the line that a child prints.
type listens struct {
	// Address is for webhooks, Control for counts.
	Address, Control string
}

// counts is what a child says of itself.
type counts struct {
	// Mallocs is the number of heap objects that were ever allocated.
	Mallocs uint64
	// CPU is the time that it has spent, in its own code and in the kernel. Other
	// than the requests per second it hardly depends on what else the machine does.
	CPU time.Duration
	// Requests were answered.
	Requests int64
	// PeakRSS is the most memory that it has had, in bytes.
	PeakRSS int64
}

// startChild runs this program as `bench serve args...`.
func startChild(ctx context.Context, args ...string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, append([]string{"serve"}, args...)...)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &child{cmd: cmd, stdin: stdin}
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &c.listens)
	}
	if err != nil {
		c.stop()
		return nil, fmt.Errorf("the server %v did not start: %w", args, err)
	}
	return c, nil
}

func (c *child) stop() {
	_ = c.stdin.Close()
	_ = c.cmd.Wait() // whatever it ended with, it has done its work
}

func (c *child) counts(ctx context.Context) (counts, error) {
	var result counts
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.Control, nil)
	if err != nil {
		return result, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return result, err
	}
	defer response.Body.Close()
	return result, json.NewDecoder(io.LimitReader(response.Body, 4096)).Decode(&result)
}

// serve is the main function of a child: it serves what args say until its
// stdin ends.
func serve(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 || servers[args[0]] == nil {
		return errors.New("serve is for the program itself: say what to measure")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	handler, err := servers[args[0]](ctx, args[1:])
	if err != nil {
		return err
	}
	var answered atomic.Int64
	address, err := listen(ctx, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(w, r)
		answered.Add(1)
	}))
	if err != nil {
		return err
	}
	control, err := listen(ctx, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		var memory runtime.MemStats
		runtime.ReadMemStats(&memory)
		_ = json.NewEncoder(w).Encode(counts{Mallocs: memory.Mallocs, CPU: cpuTime(), Requests: answered.Load(), PeakRSS: peakRSS()})
	}))
	if err != nil {
		return err
	}
	if err := json.NewEncoder(out).Encode(listens{Address: address, Control: control}); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// cpuTime is that of this process.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0 // only for arguments that can't be
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// peakRSS is that of this process; Linux counts it in KiB.
func peakRSS() int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0 // only for arguments that can't be
	}
	return usage.Maxrss << 10
}

// listen serves on a free port for as long as the process lives.
func listen(ctx context.Context, handler http.Handler) (address string, err error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	return listener.Addr().String(), nil
}
