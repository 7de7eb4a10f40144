package system

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	eventsv1alpha1 "sallyport.dev/sallyport/api/events/v1alpha1"
	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/test/cluster"
	"sallyport.dev/sallyport/test/port"
)

// plugin is kubectl-hooks as people install it: in a folder of PATH, with the script
// by which kubectl completes it.
type plugin struct {
	w   *world
	dir string
}

// buildPlugin builds kubectl-hooks into bin/, as make build does.
func buildPlugin(t *testing.T) {
	t.Helper()
	root, err := cluster.Root()
	if err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "bash", "-c", `. hack/env.sh && exec go build -ldflags "-s -w" -o bin/ ./cmd/kubectl-hooks`)
	build.Dir = root
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build kubectl-hooks: %v\n%s", err, output)
	}
}

// installPlugin makes a folder with kubectl-hooks.
func (w *world) installPlugin() *plugin {
	w.t.Helper()
	p := &plugin{w: w, dir: w.t.TempDir()}
	w.must(os.Symlink(program("kubectl-hooks"), filepath.Join(p.dir, "kubectl-hooks")))
	w.must(os.Symlink(shared.Kubectl, filepath.Join(p.dir, "kubectl")))
	w.must(os.WriteFile(filepath.Join(p.dir, "kubectl_complete-hooks"), []byte("#!/bin/sh\nexec kubectl hooks __complete \"$@\"\n"), 0o700))
	return p
}

// serveEvents has a manager run for the rest of the test that serves the events of
// this world, instead of the one that all tests share.
func (w *world) serveEvents() {
	w.t.Helper()
	address, err := port.Address(w.ctx)
	w.must(err)
	w.must(manager.Stop(w.ctx))
	w.must(shared.InstallEventsAPI(w.ctx, address))
	manager, err = shared.StartManager(w.ctx, cluster.ManagerOptions{PublicURL: publicURL, RedisURL: w.redis.URL(), EventsAPI: address})
	w.must(err)
	w.t.Cleanup(func() {
		if w.t.Failed() {
			w.t.Logf("the last lines of the manager:\n%s", manager.Tail(20))
		}
		ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
		defer cancel()
		if err := errors.Join(shared.RemoveEventsAPI(ctx), manager.Stop(ctx)); err != nil {
			w.t.Error(err)
		}
		if err := startManager(ctx); err != nil {
			w.t.Fatal(err)
		}
	})
	w.must(shared.AwaitEventsAPI(w.ctx))
}

// command is a call of a program in the folder; the kubeconfig is an administrator's.
func (p *plugin) command(ctx context.Context, stdin, program string, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, filepath.Join(p.dir, program), args...)
	command.Env = []string{"PATH=" + p.dir + ":" + os.Getenv("PATH"), "HOME=" + p.dir, "KUBECONFIG=" + shared.Kubeconfig}
	command.Stdin = strings.NewReader(stdin)
	return command
}

// try calls kubectl-hooks in the namespace of the world. It returns all that it
// printed, and the exit code.
func (p *plugin) try(stdin string, args ...string) (output string, code int) {
	p.w.t.Helper()
	var both bytes.Buffer
	command := p.command(p.w.ctx, stdin, "kubectl-hooks", append([]string{"-n", p.w.namespace}, args...)...)
	command.Stdout, command.Stderr = &both, &both
	err := command.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return both.String(), exit.ExitCode()
	}
	p.w.must(err)
	return both.String(), 0
}

// run is try, for calls that must succeed and print some texts.
func (p *plugin) run(want []string, args ...string) string {
	p.w.t.Helper()
	output, code := p.try("", args...)
	if code != 0 {
		p.w.t.Fatalf("kubectl-hooks %s ends with %d:\n%s", strings.Join(args, " "), code, output)
	}
	p.expect(output, want...)
	return output
}

func (p *plugin) expect(output string, want ...string) {
	p.w.t.Helper()
	for _, text := range want {
		if !strings.Contains(output, text) {
			p.w.t.Fatalf("there is no %q in:\n%s", text, output)
		}
	}
}

// fail is try, for calls that must fail.
func (p *plugin) fail(code int, want string, args ...string) {
	p.w.t.Helper()
	output, got := p.try("", args...)
	if got != code {
		p.w.t.Errorf("kubectl-hooks %s ends with %d, want %d:\n%s", strings.Join(args, " "), got, code, output)
	}
	p.expect(output, want)
}

// tail starts kubectl-hooks tail, and returns its lines as they come, and what ends
// it as Ctrl-C does.
func (p *plugin) tail(args ...string) (*cluster.Journal[string], func()) {
	p.w.t.Helper()
	command := p.command(p.w.ctx, "", "kubectl-hooks", append([]string{"-n", p.w.namespace, "tail"}, args...)...)
	command.Stderr = os.Stderr
	stdout, err := command.StdoutPipe()
	p.w.must(err)
	p.w.must(command.Start())
	lines, read := cluster.NewJournal[string](), make(chan struct{})
	go func() {
		defer close(read)
		for scanner := bufio.NewScanner(stdout); scanner.Scan(); {
			lines.Add(scanner.Text())
		}
	}()
	return lines, func() {
		p.w.t.Helper()
		p.w.must(command.Process.Signal(syscall.SIGINT))
		<-read
		if err := command.Wait(); err != nil {
			p.w.t.Errorf("tail ends with %v after Ctrl-C", err)
		}
	}
}

// awaitLine waits for a line that has all of these words.
func (p *plugin) awaitLine(lines *cluster.Journal[string], words ...string) {
	p.w.t.Helper()
	_, err := lines.Await(p.w.ctx, func(line string) bool {
		have := strings.Fields(line)
		return !slices.ContainsFunc(words, func(word string) bool { return !slices.Contains(have, word) })
	})
	p.w.must(err)
}

// What somebody at a terminal sees and does.
func TestKubectlHooks(t *testing.T) {
	buildPlugin(t)
	w := newRunningWorld(t)
	w.serveEvents()
	p := w.installPlugin()
	e := w.newEndpoint("github")
	for _, part := range []struct {
		name string
		test func(*plugin, endpoint)
	}{
		{"follows an event through trouble", followThroughTrouble},
		{"purges dead letters", purgeDeadLetters},
		{"pauses and resumes", pauseAndResume},
		{"is a plugin of kubectl", beAPlugin},
		{"keeps to the rights of its user", keepToRights},
	} {
		t.Run(part.name, func(t *testing.T) {
			here := *w
			here.t = t
			part.test(&plugin{w: &here, dir: p.dir}, e)
		})
	}
}

// followThroughTrouble: an event that its target refuses, until the target is mended.
func followThroughTrouble(p *plugin, _ endpoint) {
	w := p.w
	lines, ctrlC := p.tail("github", "--since-lines", "0")
	const body = `{"zen":"Design for failure."}`
	send := []string{"send", "github", "--url", w.receiver.URL, "--type", "push", "--event-id", "first", "--body", "-"}

	w.target.React(cluster.Status(http.StatusGone))
	output, code := p.try(body, send...)
	if code != 0 {
		w.t.Fatalf("send ends with %d:\n%s", code, output)
	}
	p.expect(output, "event first of the type push", "200 OK", ": accepted")
	w.awaitOutcome(audit.DeadLettered, "first")
	p.awaitLine(lines, "dead_lettered", "push", "first", "#1", "410")
	wrong := filepath.Join(w.t.TempDir(), "secret")
	w.must(os.WriteFile(wrong, []byte("not the secret"), 0o600))
	p.fail(1, "the answer is 401", "send", "github", "--url", w.receiver.URL, "--secret-file", wrong)
	p.awaitLine(lines, "rejected", "401")

	p.run([]string{"EVENT", "first", "push", "DeadLettered"}, "events", "github")
	p.run([]string{"first", "(target)", "410 Gone"}, "dead", "github")
	p.run([]string{"DeadLettered", "given up", `"zen": "Design for failure."`, "X-Github-Event: push", "accepted", "dead_lettered"}, "show", "first", "--payload")
	if got := p.run(nil, "show", "first", "--body"); got != body {
		w.t.Errorf("the body is %q, want %q", got, body)
	}

	w.target.React(cluster.Status(http.StatusOK))
	p.run([]string{"1 of 1 dead letter handed over"}, "replay", "github", "first")
	p.awaitLine(lines, "replayed", "first")
	p.awaitLine(lines, "delivered", "first", "200")
	p.run([]string{"Delivered"}, "show", "first")
	p.fail(1, "the payload of the event first is gone", "show", "first", "--payload")
	if output, code := p.try(body, send...); code != 0 || !strings.Contains(output, ": duplicate") {
		w.t.Errorf("sent again, it ends with %d:\n%s", code, output)
	}
	p.run([]string{"There was nothing to deliver again."}, "replay", "github")
	p.run([]string{"github", "yes", "no", " 0 "}, "stats")
	ctrlC()
}

// refuse has the target refuse events for good.
func (p *plugin) refuse(e endpoint, ids ...string) {
	p.w.t.Helper()
	p.w.target.React(cluster.Status(http.StatusGone))
	defer p.w.target.React(cluster.Status(http.StatusOK))
	for _, id := range ids {
		p.w.expectAcknowledged(p.w.github(e, id, "{}"), "accepted", id)
		p.w.awaitOutcome(audit.DeadLettered, id)
	}
}

// purgeDeadLetters: what is purged is gone, and only that.
func purgeDeadLetters(p *plugin, e endpoint) {
	p.refuse(e, "purge-1", "purge-2")
	p.fail(2, "give --yes", "purge", "github", "--all")
	p.fail(1, "there is no dead letter of purge-3", "purge", "github", "purge-3", "--yes")
	p.run([]string{"1 dead letter (of 1 event)", "would be removed"}, "purge", "github", "purge-1", "--dry-run")
	p.run([]string{"Removed the dead letters of 1 event."}, "purge", "github", "purge-1", "--yes")
	if output := p.run([]string{"purge-2"}, "dead", "github"); strings.Contains(output, "purge-1") {
		p.w.t.Errorf("what was purged is still there:\n%s", output)
	}
	p.run([]string{"Removed the dead letters of 1 event."}, "purge", "github", "--all", "--yes")
	p.run([]string{"There are no such dead letters"}, "dead", "github")
	p.fail(1, "there is no event purge-1", "show", "purge-1")
}

// pauseAndResume: a pause holds deliveries as soon as the command has ended.
func pauseAndResume(p *plugin, e endpoint) {
	w := p.w
	p.run([]string{"paused", "accepted and held"}, "pause", "github")
	w.expectAcknowledged(w.github(e, "held", "{}"), "accepted", "held")
	var queue eventsv1alpha1.WebhookQueue
	w.must(json.Unmarshal([]byte(p.run(nil, "stats", "github", "-o", "json")), &queue))
	if queue.Pending != 1 || queue.Kind != "WebhookQueue" {
		w.t.Errorf("the queue is %+v, want one delivery", queue)
	}
	p.run([]string{"is paused already"}, "pause", "github")
	if n := w.deliveries()["held"]; n != 0 {
		w.t.Errorf("the target got the event %d times during the pause", n)
	}
	p.run([]string{"resumed", "is delivered now"}, "resume", "github")
	w.awaitDelivery("held")
}

// beAPlugin: kubectl finds the plugin, and completes its arguments.
func beAPlugin(p *plugin, e endpoint) {
	w := p.w
	p.refuse(e, "plugin-1")
	kubectl := func(args ...string) string {
		output, err := p.command(w.ctx, "", "kubectl", args...).CombinedOutput()
		if err != nil {
			w.t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, output)
		}
		return string(output)
	}
	p.expect(kubectl("hooks", "dead", w.namespace+"/github"), "plugin-1", "push")
	p.expect(kubectl("hooks", "send", "--help"), "  kubectl hooks send stripe\n")
	p.expect(kubectl("__complete", "hooks", "dead", "-n", w.namespace, ""), "github\tgithub\n")
	p.expect(kubectl("__complete", "hooks", "replay", w.namespace+"/github", ""), "plugin-1\tgithub push\n")
	p.expect(kubectl("__complete", "hooks", "events", "--state", "De"), "DeadLettered\n", "Delivered\n")
	for _, shell := range []string{"bash", "zsh", "fish"} {
		p.run([]string{"kubectl-hooks"}, "completion", shell)
	}
}

// keepToRights: who may see events need not see what is in them.
func keepToRights(p *plugin, e endpoint) {
	w := p.w
	w.grant("jane", "sallyport-events-view")
	p.refuse(e, "rights-1")
	p.run([]string{"rights-1"}, "dead", "github", "--as", "jane")
	for _, args := range [][]string{
		{"show", "rights-1", "--payload"}, {"purge", "github", "rights-1", "--yes"}, {"replay", "github"}, {"pause", "github"},
		{"send", "github"}, {"events", "-A"}, {"stats", "-n", "default"},
	} {
		p.fail(1, "forbidden", append(args, "--as", "jane")...)
	}
	if n := w.deliveries()["rights-1"]; n != 1 {
		w.t.Errorf("the target got the event %d times, want once", n)
	}
}
