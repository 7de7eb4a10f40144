package cluster

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// janitorScript waits for the end of its stdin, which the kernel brings about
// when the process at the other end is gone, whether it returned, panicked, ran
// into go test's -timeout or was killed. Then it ends the processes that are
// still noted in the folder $1, and removes the folder.
const janitorScript = `trap '' INT TERM HUP
cat >/dev/null
for note in "$1"/*.pid; do
  [ -e "$note" ] && kill -9 "$(cat "$note")" 2>/dev/null
done
rm -rf "$1" || { sleep 1; rm -rf "$1"; }`

// janitor cleans up behind this process: the folder dir and every process whose
// id is noted there.
type janitor struct {
	dir   string
	cmd   *exec.Cmd
	stdin io.Closer
}

// hireJanitor makes the folder and starts a janitor for it.
func hireJanitor() (*janitor, error) {
	dir, err := os.MkdirTemp("", "sallyport-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the processes to be started: %w", err)
	}
	cmd := &exec.Cmd{Path: "/bin/sh", Args: []string{"sh", "-c", janitorScript, "sh", dir}, SysProcAttr: detached()}
	stdin, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, fmt.Errorf("start /bin/sh to clean up later: %w", err)
	}
	return &janitor{dir: dir, cmd: cmd, stdin: stdin}, nil
}

// note writes down a process that is to be ended with this one.
func (j *janitor) note(name string, pid int) error {
	return os.WriteFile(j.file(name), []byte(strconv.Itoa(pid)), 0o600)
}

// forget removes the note of a process that has ended: its id may be reused.
func (j *janitor) forget(name string) { _ = os.Remove(j.file(name)) }

func (j *janitor) file(name string) string { return filepath.Join(j.dir, name+".pid") }

// kill ends a process that is noted, with SIGKILL.
func (j *janitor) kill(name string) error {
	text, err := os.ReadFile(j.file(name))
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return err
	}
	return syscall.Kill(pid, syscall.SIGKILL)
}

// wrapper returns the path of a program that notes its own process id, then
// becomes the program at path. It is for processes that others start.
func (j *janitor) wrapper(name, path string) (string, error) {
	wrapper := filepath.Join(j.dir, name)
	script := fmt.Sprintf("#!/bin/sh\necho $$ >'%s'\nexec '%s' \"$@\"\n", j.file(name), path)
	return wrapper, os.WriteFile(wrapper, []byte(script), 0o700)
}

// dismiss lets the janitor clean up now, and waits until it has.
func (j *janitor) dismiss() error {
	_ = j.stdin.Close()
	return j.cmd.Wait()
}

// detached keeps a terminal's Ctrl-C, which goes to the whole process group,
// from processes that are to be ended in order.
func detached() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
