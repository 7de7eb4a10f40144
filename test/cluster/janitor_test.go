package cluster

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// The end of the janitor's stdin is all that it sees of the end of this
// process, in whatever way it comes.
func TestJanitorEndsWhatIsLeftAndRemovesTheFolder(t *testing.T) {
	j, err := hireJanitor()
	if err != nil {
		t.Fatal(err)
	}
	process, err := j.start(program{name: "sleeper", path: "/bin/sleep", args: []string{"1000"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := j.dismiss(); err != nil {
		t.Errorf("the janitor ended with %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if code, err := process.ExitCode(ctx); err != nil || code != -1 {
		t.Errorf("the process ended with %d (%v), want the end by a signal", code, err)
	}
	if _, err := os.Stat(j.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder %s is still there (%v)", j.dir, err)
	}
}

func TestJanitorFindsAProcessThatOthersStarted(t *testing.T) {
	j, err := hireJanitor()
	if err != nil {
		t.Fatal(err)
	}
	wrapper, err := j.wrapper("wrapped", "/bin/echo")
	if err != nil {
		t.Fatal(err)
	}
	said := NewJournal[string]()
	process, err := j.start(program{name: "other", path: wrapper, args: []string{"a b", "c"}, stdout: &lines{each: func(l []byte) { said.Add(string(l)) }}})
	if err != nil {
		t.Fatal(err)
	}
	<-process.Exited()
	if got := said.All(); len(got) != 1 || got[0] != "a b c" {
		t.Errorf("the wrapped program got other arguments: it printed %q", got)
	}
	if _, err := os.Stat(filepath.Join(j.dir, "wrapped.pid")); err != nil {
		t.Errorf("the wrapped program did not note its process id: %v", err)
	}
	j.forget("wrapped")
	if err := j.dismiss(); err != nil {
		t.Errorf("the janitor ended with %v", err)
	}
}
