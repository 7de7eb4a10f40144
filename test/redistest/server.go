package redistest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"sallyport.dev/sallyport/test/port"
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

	tb   TB
	argv []string
	cmd  *exec.Cmd
}

// Start runs a server with args appended to its command line, for example
// "--maxmemory", "2mb". Without args nothing is written to disk. The server is
// stopped when the test ends.
func Start(tb TB, args ...string) *Server {
	tb.Helper()
	s := newServer(tb)
	s.argv = append([]string{
		"--bind", "127.0.0.1", "--port", s.port(), "--unixsocket", s.Socket,
		"--dir", s.Dir, "--save", "", "--logfile", "redis.log", "--loglevel", "warning",
		"--repl-diskless-sync-delay", "0", // else a first replica waits five seconds for a second
	}, args...)
	s.Restart()
	return s
}

// newServer makes a directory and finds a port; nothing runs yet.
func newServer(tb TB) *Server {
	tb.Helper()
	dir, err := os.MkdirTemp("", "redistest") // short: a socket path has at most 107 bytes
	if err != nil {
		tb.Fatalf("make a directory for redis-server: %v", err)
	}
	s := &Server{
		Addr:   newAddr(tb),
		Socket: filepath.Join(dir, "s"),
		Dir:    dir, tb: tb,
	}
	tb.Cleanup(func() {
		s.Kill()
		_ = os.RemoveAll(dir)
	})
	return s
}

func (s *Server) port() string {
	_, port, _ := net.SplitHostPort(s.Addr)
	return port
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
	cmd := exec.Command(binary(s.tb), s.argv...)
	if err := cmd.Start(); err != nil {
		s.tb.Fatalf("start %s: %v", cmd.Path, err)
	}
	s.cmd = cmd
	s.awaitAnswer()
}

func (s *Server) awaitAnswer() {
	s.tb.Helper()
	Await(s.tb, startTimeout, "redis-server on "+s.Addr+" answers", func() error {
		switch answer, err := do(s.Addr, "PING"); {
		case err != nil:
			log, _ := os.ReadFile(filepath.Join(s.Dir, "redis.log"))
			return fmt.Errorf("%w\n%s", err, log)
		case answer != "PONG": // such as -LOADING, while the append-only file is read
			return fmt.Errorf("answered %q to PING", answer)
		default:
			return nil
		}
	})
}

// Await calls condition until it returns nil, and fails the test with its last
// error after so long. What servers agree on among themselves has no event that
// could be waited for.
func Await(tb TB, most time.Duration, what string, condition func() error) {
	tb.Helper()
	for deadline := time.Now().Add(most); ; time.Sleep(5 * time.Millisecond) {
		err := condition()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			tb.Fatalf("after %s still not: %s: %v", most, what, err)
		}
	}
}

func binary(tb TB) string {
	tb.Helper()
	for _, name := range []string{"redis-server", "valkey-server"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	tb.Fatal("neither redis-server nor valkey-server is on PATH; install one with hack/redis.sh")
	return ""
}

func newAddr(tb TB) string {
	tb.Helper()
	address, err := port.Address(tb.Context())
	if err != nil {
		tb.Fatalf("find a free port: %v", err)
	}
	return address
}
