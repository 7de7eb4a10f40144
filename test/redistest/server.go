package redistest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// startTimeout bounds how long a server may take to answer: a machine that is
// busy compiling needs seconds, not milliseconds.
const startTimeout = 20 * time.Second

// Server is one redis-server process. Its methods belong to the goroutine of
// the test that started it.
type Server struct {
	// Addr is the TCP address, "127.0.0.1:<port>"; it survives Restart.
	Addr string
	// Socket is the path of the unix socket.
	Socket string
	// Dir holds the append-only files; it survives Restart.
	Dir string

	tb   testing.TB
	args []string
	cmd  *exec.Cmd
}

// Start runs a server with args appended to its command line, for example
// "--maxmemory", "2mb". Without args nothing is written to disk. The server is
// stopped when the test ends.
func Start(tb testing.TB, args ...string) *Server {
	tb.Helper()
	dir, err := os.MkdirTemp("", "redistest") // short: a socket path has at most 107 bytes
	if err != nil {
		tb.Fatalf("make a directory for redis-server: %v", err)
	}
	s := &Server{
		Addr:   net.JoinHostPort("127.0.0.1", strconv.Itoa(freePort(tb))),
		Socket: filepath.Join(dir, "s"),
		Dir:    dir, tb: tb, args: args,
	}
	tb.Cleanup(func() {
		s.Kill()
		_ = os.RemoveAll(dir)
	})
	s.Restart()
	return s
}

// URL is the redis:// URL of the TCP address.
func (s *Server) URL() string { return "redis://" + s.Addr }

// SocketURL is the unix:// URL of the socket.
func (s *Server) SocketURL() string { return "unix://" + s.Socket }

// PID is the process id of the running server, 0 when none runs.
func (s *Server) PID() int {
	if s.cmd == nil {
		return 0
	}
	return s.cmd.Process.Pid
}

// Kill ends the process with SIGKILL, as a crash would, and waits until it is
// gone. Killing a server that does not run does nothing.
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	s.cmd = nil
}

// Restart starts the server again on the same port and directory, after a Kill
// or instead of the running process, and waits until it answers.
func (s *Server) Restart() {
	s.tb.Helper()
	s.Kill()
	_, port, _ := net.SplitHostPort(s.Addr)
	args := append([]string{
		"--bind", "127.0.0.1", "--port", port, "--unixsocket", s.Socket,
		"--dir", s.Dir, "--save", "", "--logfile", "redis.log", "--loglevel", "warning",
	}, s.args...)
	cmd := exec.Command(binary(s.tb), args...)
	if err := cmd.Start(); err != nil {
		s.tb.Fatalf("start %s: %v", cmd.Path, err)
	}
	s.cmd = cmd
	s.awaitAnswer()
}

func (s *Server) awaitAnswer() {
	s.tb.Helper()
	deadline := time.Now().Add(startTimeout)
	for {
		err := ping(s.Addr)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(filepath.Join(s.Dir, "redis.log"))
			s.tb.Fatalf("redis-server on %s did not answer within %s: %v\n%s", s.Addr, startTimeout, err, log)
		}
		time.Sleep(5 * time.Millisecond) // a process that starts has no event to wait for
	}
}

// ping speaks the inline protocol, so that this package needs no client. A
// server that still loads its append-only file answers -LOADING.
func ping(addr string) error {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	answer := make([]byte, 64)
	n, err := conn.Read(answer)
	if err != nil {
		return err
	}
	if got := string(answer[:n]); got != "+PONG\r\n" {
		return fmt.Errorf("answered %q to PING", got)
	}
	return nil
}

func binary(tb testing.TB) string {
	tb.Helper()
	for _, name := range []string{"redis-server", "valkey-server"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	tb.Fatal("neither redis-server nor valkey-server is on PATH; install one with hack/redis.sh")
	return ""
}

func freePort(tb testing.TB) int {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("find a free port: %v", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
