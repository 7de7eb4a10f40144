package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

// Process is a program that runs beside this one. It is safe for concurrent use.
type Process struct {
	// Name tells processes of one cluster apart.
	Name string
	// PID is the process id.
	PID int
	// LogPath is the file that has the stderr of all processes of this name.
	LogPath string

	stderr     *Journal[string]
	cmd        *exec.Cmd
	terminated sync.Once
	exited     chan struct{}
	janitor    *janitor
}

// program says what a Process is to run.
type program struct {
	name string
	path string
	args []string
	env  []string // beside the few variables of inheritedEnv
	// stdout gets what the program prints; nil: nothing does.
	stdout io.Writer
}

// start runs a program. stderr goes to a file and is kept for Tail.
func (j *janitor) start(p program) (*Process, error) {
	process := &Process{
		Name: p.name, LogPath: filepath.Join(j.dir, p.name+".log"),
		stderr: NewJournal[string](), exited: make(chan struct{}), janitor: j,
	}
	log, err := os.OpenFile(process.LogPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", p.name, err)
	}
	process.cmd = &exec.Cmd{
		Path: p.path, Args: append([]string{p.path}, p.args...), Env: append(inheritedEnv(), p.env...), Dir: j.dir,
		Stdout: p.stdout, Stderr: io.MultiWriter(log, &lines{each: func(line []byte) { process.stderr.Add(string(line)) }}),
		SysProcAttr: detached(),
	}
	if err := process.cmd.Start(); err != nil {
		_ = log.Close()
		return nil, fmt.Errorf("start %s: %w", p.path, err)
	}
	process.PID = process.cmd.Process.Pid
	noteErr := j.note(p.name, process.PID) // before the end of the process may make it forgotten
	go func() {
		_ = process.cmd.Wait() // the exit code is in ProcessState
		_ = log.Close()
		j.forget(p.name)
		close(process.exited)
	}()
	if noteErr != nil {
		process.Kill()
		return nil, fmt.Errorf("note the process id of %s: %w", p.name, noteErr)
	}
	return process, nil
}

// Terminate asks the process to end (SIGTERM) and does not wait. It asks once:
// a second signal would end a program that is still draining.
func (p *Process) Terminate() {
	p.terminated.Do(func() { _ = p.cmd.Process.Signal(syscall.SIGTERM) })
}

// Stop asks the process to end and waits. If ctx ends first, the process is
// killed and an error returned.
func (p *Process) Stop(ctx context.Context) error {
	p.Terminate()
	select {
	case <-p.exited:
		return nil
	case <-ctx.Done():
		p.Kill()
		return fmt.Errorf("%s did not end on SIGTERM and was killed: %w", p.Name, ctx.Err())
	}
}

// Kill ends the process with SIGKILL, as a crash would, and waits until it is gone.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.exited
}

// Exited is closed when the process has ended and all of its output was read.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// ExitCode waits for the end of the process. It is -1 after a signal.
func (p *Process) ExitCode(ctx context.Context) (int, error) {
	select {
	case <-p.exited:
		return p.cmd.ProcessState.ExitCode(), nil
	case <-ctx.Done():
		return 0, fmt.Errorf("%s is still running: %w", p.Name, ctx.Err())
	}
}

// Log is what the process has written to stderr, line by line.
func (p *Process) Log() *Journal[string] { return p.stderr }

// Tail returns the last n lines that the process wrote to stderr.
func (p *Process) Tail(n int) string {
	all := p.stderr.All()
	return strings.Join(all[max(0, len(all)-n):], "\n")
}

// failed makes an error of what kept a process from working, with its last words.
func (p *Process) failed(err error) error {
	select {
	case <-p.exited:
		err = errors.Join(fmt.Errorf("%s ended with exit code %d", p.Name, p.cmd.ProcessState.ExitCode()), err)
	default:
	}
	return fmt.Errorf("%w\nthe last lines of %s:\n%s", err, p.Name, p.Tail(10))
}

// inheritedEnv is what programs need of this process's environment. Everything
// else, SALLYPORT_... above all, would make runs differ between machines.
func inheritedEnv() []string {
	var env []string
	for _, name := range []string{"PATH", "HOME", "TMPDIR"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// lines is a Writer that hands on whole lines.
type lines struct {
	each func(line []byte)

	mu   sync.Mutex
	rest []byte
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, p...)
	for {
		line, rest, found := bytes.Cut(l.rest, []byte("\n"))
		if !found {
			return len(p), nil
		}
		l.each(line)
		l.rest = rest
	}
}
