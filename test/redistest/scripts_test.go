package redistest

import (
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
)

// notes are what an Interceptor was asked.
type notes struct {
	mu    sync.Mutex
	lines []string
	stop  string // false is answered to this
}

func (n *notes) note(line string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = append(n.lines, line)
	return line != n.stop
}

func (n *notes) Before(run *ScriptRun) bool { return n.note("before " + run.name()) }

func (n *notes) After(run *ScriptRun, reply string) bool {
	return n.note("after " + run.name() + " " + reply)
}

// name is that of the script and its last argument.
func (r *ScriptRun) name() string { return r.Script + " " + r.Words[len(r.Words)-1] }

func command(words ...string) string {
	text := fmt.Sprintf("*%d\r\n", len(words))
	for _, word := range words {
		text += fmt.Sprintf("$%d\r\n%s\r\n", len(word), word)
	}
	return text
}

const addScript = "return redis.call('INCRBY', 'n', ARGV[1])"

// pipeline are three scripts among other commands, with replies of several kinds.
var pipeline = command("HELLO", "3") + command("SCRIPT", "LOAD", addScript) +
	command("EVAL", addScript, "0", "1") + command("GET", "nothing") + command("EVALSHA", sha(addScript), "0", "10") +
	command("EVAL", "return {1, {'a\r\nb', false}, 3}", "0") + command("evalsha", sha(addScript), "0", "100") + command("GET", "n")

func TestScriptProxyStopsWhatItIsToldTo(t *testing.T) {
	all := []string{"before add 1", "after add 1 1", "before add 10", "after add 10 11", "before add 100", "after add 100 111"}
	for _, test := range []struct {
		stop string
		want []string // what the interceptor is asked
		n    string   // in the end
	}{
		{"", all, "111"},
		{"before add 10", all[:3], "1"},
		{"after add 10 11", all, "111"},
		{"before add 100", all[:5], "11"},
	} {
		server := Start(t)
		n := &notes{stop: test.stop}
		heard := sendThrough(t, StartScriptProxy(t, server.Addr, map[string]string{"add": addScript}, n))
		if got := server.Do("GET n"); got != test.n {
			t.Errorf("stop %q: Redis has %s, want %s", test.stop, got, test.n)
		}
		if whole := strings.HasSuffix(heard, "$3\r\n111\r\n"); whole != (test.stop == "") {
			t.Errorf("stop %q: the client heard %q", test.stop, heard)
		}
		slices.Sort(n.lines) // both ways are asked about side by side
		if want := slices.Sorted(slices.Values(test.want)); !slices.Equal(n.lines, want) {
			t.Errorf("stop %q: the interceptor was asked %q, want %q", test.stop, n.lines, want)
		}
	}
}

// sendThrough sends the pipeline and returns what the client hears, until Redis has
// answered all that it got.
func sendThrough(t *testing.T, proxy *ScriptProxy) string {
	t.Helper()
	conn, err := net.Dial("tcp", proxy.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, pipeline); err != nil {
		t.Fatal(err)
	}
	_ = conn.(*net.TCPConn).CloseWrite()
	heard, _ := io.ReadAll(conn) // an error says that it was cut
	proxy.Drained()
	return string(heard)
}
