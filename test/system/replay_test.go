package system

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/test/cluster"
)

// replaceManager has a manager run for the rest of the test that knows the Redis of
// this world, instead of the one that all tests share.
func (w *world) replaceManager() {
	w.t.Helper()
	w.must(manager.Stop(w.ctx))
	var err error
	manager, err = shared.StartManager(w.ctx, cluster.ManagerOptions{PublicURL: publicURL, RedisURL: w.redis.URL()})
	w.must(err)
	w.t.Cleanup(func() {
		if w.t.Failed() {
			w.t.Logf("the last lines of the manager:\n%s", manager.Tail(20))
		}
		ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
		defer cancel()
		if err := manager.Stop(ctx); err != nil {
			w.t.Error(err)
		}
		if err := startManager(ctx); err != nil {
			w.t.Fatal(err)
		}
	})
}

// kubectl runs kubectl in the namespace of this world and returns what it prints.
func (w *world) kubectl(args ...string) string {
	w.t.Helper()
	cmd := exec.CommandContext(w.ctx, shared.Kubectl, append([]string{"--kubeconfig", shared.Kubeconfig, "-n", w.namespace}, args...)...)
	output, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, output)
	}
	return string(output)
}

// apply applies a manifest as a user does.
func (w *world) apply(manifest string) string {
	w.t.Helper()
	file := filepath.Join(w.t.TempDir(), "manifest.yaml")
	w.must(os.WriteFile(file, []byte(manifest), 0o600))
	return w.kubectl("apply", "-f", file)
}

// What a target refused for good is delivered when the target is mended and a replay
// asks for it, and never by the replay that has run.
func TestReplayDeliversDeadLettersOnce(t *testing.T) {
	w := newRunningWorld(t)
	w.replaceManager()
	e := w.newEndpoint("github")
	refuse := func(ids ...string) {
		w.target.React(cluster.Status(http.StatusGone))
		for _, id := range ids {
			w.expectAcknowledged(w.github(e, id, `{"zen":"Design for failure."}`), "accepted", id)
			w.awaitOutcome(audit.DeadLettered, id)
		}
		w.target.React(cluster.Status(http.StatusOK))
	}
	refuse("one", "two")
	manifest := fmt.Sprintf(`
apiVersion: hooks.sallyport.dev/v1alpha1
kind: WebhookReplay
metadata: {name: mended}
spec: {endpointRef: {name: %s}, selector: {types: [push]}}
`, e.Name)

	w.apply(manifest)
	w.kubectl("wait", "--for=condition=Complete", "--timeout=60s", "webhookreplay/mended")
	for _, id := range []string{"one", "two"} {
		if record := w.awaitOutcome(audit.Delivered, id); record.Attempt != 1 {
			t.Errorf("%s was delivered with attempt %d, want 1: what failed before doesn't count", id, record.Attempt)
		}
		w.awaitReplayed(id)
	}
	var replay v1alpha1.WebhookReplay
	w.must(json.Unmarshal([]byte(w.kubectl("get", "whr", "mended", "-o", "json")), &replay))
	if s := replay.Status; s.Matched != 2 || s.Replayed != 2 || s.Failed != 0 || s.CompletionTime == nil {
		t.Errorf("the status is %+v, want 2 matched and replayed", s)
	}

	refuse("three")
	if said := w.apply(manifest); !strings.Contains(said, "unchanged") {
		t.Errorf("kubectl apply says %q, want unchanged", said)
	}
	w.kubectl("wait", "--for=condition=Complete", "webhookreplay/mended")
	w.apply(strings.Replace(manifest, "mended", "mended-2", 1))
	w.kubectl("wait", "--for=condition=Complete", "--timeout=60s", "webhookreplay/mended-2")
	w.awaitOutcome(audit.Delivered, "three")
	w.finish(w.receiver)
	for id, n := range w.deliveries() {
		if n != 2 {
			t.Errorf("the target got %s %d times, want once refused and once taken", id, n)
		}
	}
	w.expectReplayed("one", "three", "two")
}

func (w *world) awaitReplayed(id string) {
	w.t.Helper()
	_, err := manager.Audit.Await(w.ctx, func(r audit.Record) bool { return r.Status == audit.Replayed && r.EventID == id })
	w.must(err)
}

// expectReplayed checks of what the manager has told that it was replayed.
func (w *world) expectReplayed(want ...string) {
	w.t.Helper()
	var got []string
	for _, r := range manager.Audit.All() {
		if r.Status == audit.Replayed && strings.HasPrefix(r.Endpoint, w.namespace+"/") {
			got = append(got, r.EventID)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		w.t.Errorf("the manager told of %q, want %q", got, want)
	}
}
