//go:build vendors

package vendors

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"

	"sallyport.dev/sallyport/test/cluster"
)

// vendor is an entry of vendors.mjs, and what it and its endpoint know.
type vendor struct {
	// Name tells entries apart; Slug does so in names of objects.
	Name, Slug string
	// Preset is the WebhookProvider, Scheme one of its schemes or empty.
	Preset, Scheme string
	// Library and Version name the npm package.
	Library, Version string
	// Secret is the entry of the endpoint's Secret, PrivateKey what belongs to it, if
	// that is a public key.
	Secret, PrivateKey string
	Parameters         map[string]string
	// Credential: the sender sends the secret itself.
	Credential bool
	// Tolerance is the age in seconds from which on the library takes a signature for
	// too old; 0: never.
	Tolerance int
}

// sent is a request as a vendor sends it, received one as a handler gets it.
type (
	sent struct {
		Query   string            `json:"query"`
		Headers map[string]string `json:"headers"`
		Body    []byte            `json:"body"`
	}
	received struct {
		Target  string            `json:"target"` // path and query
		Headers map[string]string `json:"headers"`
		Body    []byte            `json:"body"`
	}
)

// receivedOf is what the target's handler sees.
func receivedOf(r cluster.Received) received {
	headers := map[string]string{}
	for name, values := range r.Header {
		headers[name] = strings.Join(values, ", ")
	}
	target := r.Path
	if r.Query != "" {
		target += "?" + r.Query
	}
	return received{Target: target, Headers: headers, Body: r.Body}
}

// node is the Node process, which has all libraries loaded.
type node struct {
	t       *testing.T
	stdin   io.WriteCloser
	answers *bufio.Reader
}

func startNode(t *testing.T) *node {
	t.Helper()
	command := exec.CommandContext(context.WithoutCancel(t.Context()), "node", "driver.mjs")
	said := &strings.Builder{}
	command.Stderr = said // libraries chat
	stdin, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close() // which ends it
		if err := command.Wait(); err != nil || t.Failed() {
			t.Logf("node ended (%v); it said:\n%s", err, said)
		}
	})
	return &node{t: t, stdin: stdin, answers: bufio.NewReader(stdout)}
}

// in is the process for a test of its own.
func (n node) in(t *testing.T) *node {
	t.Helper()
	n.t = t
	return &n
}

// ask writes a question, and reads the answer into answer.
func (n *node) ask(question map[string]any, answer any) {
	n.t.Helper()
	line, err := json.Marshal(question)
	if err != nil {
		n.t.Fatal(err)
	}
	if _, err := n.stdin.Write(append(line, '\n')); err != nil {
		n.t.Fatalf("ask node: %v", err)
	}
	line, err = n.answers.ReadBytes('\n')
	if err != nil {
		n.t.Fatalf("node ended instead of answering: %v", err)
	}
	reply := struct {
		Answer any
		Error  string
	}{Answer: answer}
	if err := json.Unmarshal(line, &reply); err != nil || reply.Error != "" {
		n.t.Fatalf("node answered %v %s", err, reply.Error)
	}
}

// vendors are the entries; the URL of each is the base and its slug.
func (n *node) vendors(base string) (all []vendor) {
	n.t.Helper()
	n.ask(map[string]any{"op": "list", "base": base}, &all)
	return all
}

// sign has a vendor make an event for a URL, and somebody else a forged one of it.
func (n *node) sign(v vendor, url string, at time.Time) (genuine, forged sent) {
	n.t.Helper()
	var made struct{ Genuine, Forged sent }
	n.ask(map[string]any{"op": "sign", "name": v.Name, "url": url, "now": at.UnixMilli()}, &made)
	return made.Genuine, made.Forged
}

// verify asks the vendor's library for its opinion at a time; "" means that it takes
// the message for authentic.
func (n *node) verify(v vendor, m received, at time.Time) (complaint string) {
	n.t.Helper()
	var opinion struct {
		OK  bool
		Why string
	}
	n.ask(map[string]any{"op": "verify", "name": v.Name, "message": m, "now": at.UnixMilli()}, &opinion)
	if opinion.OK {
		return ""
	}
	return opinion.Why
}
