package redistest

import (
	"bufio"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// ScriptRun is one run of a script that a client asks for.
type ScriptRun struct {
	// Script is the name of the script: that of its file.
	Script string
	// Words are the command, EVALSHA or EVAL first.
	Words []string
}

// Interceptor decides about every run of a script that passes a ScriptProxy. The
// proxy calls it from many goroutines, for the commands of one connection in
// their order; a call that takes long holds up that connection.
type Interceptor interface {
	// Before is called before Redis gets the command. False: Redis never gets it,
	// nor what came after it on this connection, which is cut.
	Before(run *ScriptRun) bool
	// After is called with the same run when Redis has answered, also if the client
	// is gone by then. A reply of several parts is "". False: the client never gets
	// the answer, nor any later one on this connection, which is cut.
	After(run *ScriptRun, reply string) bool
}

// ScriptProxy stands between a client and a Server, knows the scripts that pass,
// and asks an Interceptor about them. What it has passed on Redis runs, even if the
// client is gone before it answers.
type ScriptProxy struct {
	// Addr is the address for the client, "127.0.0.1:<port>".
	Addr string

	names       map[string]string // of scripts, by their SHA-1
	interceptor Interceptor
	open        connections
	running     sync.WaitGroup
}

// StartScriptProxy runs a proxy to target until the test ends. scripts are the
// sources of those that it knows, by their names, see ReadScripts; what isn't among
// them passes unseen.
func StartScriptProxy(tb TB, target string, scripts map[string]string, i Interceptor) *ScriptProxy {
	tb.Helper()
	p := &ScriptProxy{names: map[string]string{}, interceptor: i}
	for name, source := range scripts {
		p.names[sha(source)] = name
	}
	p.Addr = p.open.accept(tb, target, &p.running, p.serve)
	return p
}

// Drained waits until Redis has answered all that came on connections of clients
// that are gone. It returns when no client is left.
func (p *ScriptProxy) Drained() { p.running.Wait() }

// ReadScripts reads the scripts of a folder, <name>.lua each. prelude.lua comes
// before each of them.
func ReadScripts(tb TB, dir string) map[string]string {
	tb.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.lua"))
	if err != nil || len(paths) == 0 {
		tb.Fatalf("there are no scripts in %s: %v", dir, err)
	}
	scripts := map[string]string{}
	for _, path := range paths {
		source, err := os.ReadFile(path)
		if err != nil {
			tb.Fatalf("read a script: %v", err)
		}
		scripts[strings.TrimSuffix(filepath.Base(path), ".lua")] = string(source)
	}
	prelude := scripts["prelude"]
	delete(scripts, "prelude")
	for name, source := range scripts {
		scripts[name] = prelude + source
	}
	return scripts
}

// sha is the name by which Redis knows a script.
func sha(source string) string {
	sum := sha1.Sum([]byte(source))
	return hex.EncodeToString(sum[:])
}

// Run has the server run a command as a client sent it, and returns the answer as
// Do does. It is safe for concurrent use.
func (s *Server) Run(words []string) (string, error) {
	conn, err := dial(s.Addr)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	var command strings.Builder
	fmt.Fprintf(&command, "*%d\r\n", len(words))
	for _, word := range words {
		fmt.Fprintf(&command, "$%d\r\n%s\r\n", len(word), word)
	}
	if _, err := io.WriteString(conn, command.String()); err != nil {
		return "", err
	}
	return readAnswer(bufio.NewReader(conn))
}

// conversation is one connection of a client, and the one to Redis for it.
type conversation struct {
	client, server net.Conn

	mu    sync.Mutex
	asked []*ScriptRun // what Redis has not answered; nil: no script
}

func (p *ScriptProxy) serve(client, server net.Conn) {
	c := &conversation{client: client, server: server}
	defer p.open.drop(client, server)
	var asking sync.WaitGroup
	asking.Go(func() { p.ask(c) })
	p.answer(c)
	_ = client.Close()
	asking.Wait()
}

// ask passes commands on until the client ends or one is stopped. Redis then still
// answers what it has got.
func (p *ScriptProxy) ask(c *conversation) {
	r, w := bufio.NewReader(c.client), bufio.NewWriter(c.server)
	defer func() {
		_ = w.Flush()
		_ = c.server.(*net.TCPConn).CloseWrite()
	}()
	for {
		raw, words, err := readCommand(r)
		if err != nil {
			return
		}
		run := p.scriptRun(words)
		if run != nil && !p.interceptor.Before(run) {
			_ = c.client.Close()
			return
		}
		c.push(run)
		if _, err := w.Write(raw); err != nil {
			return
		}
		if r.Buffered() > 0 {
			continue // more of a pipeline
		}
		if err := w.Flush(); err != nil {
			return
		}
	}
}

// answer passes replies back until Redis ends the connection, and hears them to
// their end when nobody wants them any more.
func (p *ScriptProxy) answer(c *conversation) {
	r := bufio.NewReader(c.server)
	for wanted := true; ; {
		raw, err := readReply(r)
		if err != nil {
			return
		}
		if run := c.pop(raw); run != nil && !p.interceptor.After(run, textOf(raw)) {
			wanted = false
			_ = c.client.Close()
		}
		if wanted {
			_, err := c.client.Write(raw)
			wanted = err == nil
		}
	}
}

func (c *conversation) push(run *ScriptRun) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, run)
}

// pop returns the run that a reply answers; nil: it was no script, or nobody asked.
func (c *conversation) pop(reply []byte) *ScriptRun {
	c.mu.Lock()
	defer c.mu.Unlock()
	if reply[0] == '>' || len(c.asked) == 0 {
		return nil
	}
	run := c.asked[0]
	c.asked = c.asked[1:]
	return run
}

// scriptRun reads a command; nil: it runs none of the scripts.
func (p *ScriptProxy) scriptRun(words []string) *ScriptRun {
	if len(words) < 3 {
		return nil
	}
	name := ""
	switch strings.ToUpper(words[0]) {
	case "EVALSHA":
		name = p.names[words[1]]
	case "EVAL":
		name = p.names[sha(words[1])]
	}
	if name == "" {
		return nil
	}
	return &ScriptRun{Script: name, Words: words}
}

// The protocol: redis.io, "Redis serialization protocol specification".

// readCommand reads an array of bulk strings.
func readCommand(r *bufio.Reader) (raw []byte, words []string, err error) {
	raw, n, err := readHead(r, nil)
	if err != nil {
		return nil, nil, err
	}
	for range n {
		var size int
		if raw, size, err = readHead(r, raw); err == nil {
			raw, err = readBytes(r, raw, size+2)
		}
		if err != nil {
			return nil, nil, err
		}
		words = append(words, string(raw[len(raw)-size-2:len(raw)-2]))
	}
	return raw, words, nil
}

// readReply reads one reply of either version of the protocol.
func readReply(r *bufio.Reader) ([]byte, error) { return appendReply(r, nil) }

func appendReply(r *bufio.Reader, raw []byte) ([]byte, error) {
	from := len(raw)
	raw, n, err := readHead(r, raw)
	if err != nil || n < 0 { // -1: nothing
		return raw, err
	}
	switch raw[from] {
	case '$', '=', '!':
		return readBytes(r, raw, n+2)
	case '%':
		n *= 2
	case '*', '~', '>':
	default:
		return raw, nil
	}
	for range n {
		if raw, err = appendReply(r, raw); err != nil {
			return nil, err
		}
	}
	return raw, nil
}

// readHead appends a line, and returns the number after its first character, 0 if
// there is none.
func readHead(r *bufio.Reader, raw []byte) ([]byte, int, error) {
	line, err := r.ReadBytes('\n')
	if err != nil {
		return nil, 0, err
	}
	n, _ := strconv.Atoi(strings.TrimSpace(string(line[1:])))
	return append(raw, line...), n, nil
}

func readBytes(r *bufio.Reader, raw []byte, n int) ([]byte, error) {
	from := len(raw)
	raw = append(raw, make([]byte, n)...)
	_, err := io.ReadFull(r, raw[from:])
	return raw, err
}

// textOf is the text of a status, a number or a bulk string.
func textOf(reply []byte) string {
	head, rest, _ := strings.Cut(string(reply), "\r\n")
	switch head[0] {
	case '+', ':':
		return head[1:]
	case '$':
		return strings.TrimSuffix(rest, "\r\n")
	default:
		return ""
	}
}
