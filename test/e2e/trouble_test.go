//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"

	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/test/e2e/agent/protocol"
)

// recovery is for events that wait for their next attempt, at most half a
// minute after some failures.
const recovery = 3 * time.Minute

// restartReceivers replaces the receivers while webhooks come in, both on new
// connections and on such that a proxy keeps.
func restartReceivers(t *testing.T, c *cluster) {
	c.start(t, protocol.Load{Prefix: "rolling-", PerSecond: 50})
	c.start(t, protocol.Load{Prefix: "rolling-kept-", PerSecond: 50, Kept: true})
	c.kubectl(t, "-n", system, "rollout", "restart", "deployment/sallyport-receiver")
	c.rollout(t, "deployment/sallyport-receiver")
	c.awaitOnly(t, 2) // requests come until the last of the old ones is gone
	for _, prefix := range []string{"rolling-", "rolling-kept-"} {
		report := c.stop(t, prefix)
		expectAll(t, report, http.StatusOK)
		delivered := c.awaitDelivery(t, report.Accepted, patience)
		t.Logf("%s: %d requests, the slowest answered after %.2f s; %d delivered more than once", prefix, report.Sent, report.Slowest, len(delivered.Repeated))
	}
}

// awaitOnly waits until there are only so many receivers, those that end included.
func (c *cluster) awaitOnly(t *testing.T, want int) {
	t.Helper()
	for _, pod := range c.pods(t, "sallyport-receiver") {
		if pod.DeletionTimestamp != nil {
			c.kubectl(t, "-n", system, "wait", "--for=delete", "pod/"+pod.Name, "--timeout="+rolloutTimeout)
		}
	}
	if pods := c.pods(t, "sallyport-receiver"); len(pods) != want {
		t.Fatalf("there are %d receivers, want %d", len(pods), want)
	}
}

// restartManager deletes the manager that leads. Another one must take over,
// change nothing, and work.
func restartManager(t *testing.T, c *cluster) {
	leader, before := c.awaitLeader(t, ""), c.routeVersion(t)
	pod, _, _ := strings.Cut(leader, "_") // the rest makes it unique
	c.kubectl(t, "-n", system, "delete", "pod", pod)
	next := c.awaitLeader(t, leader)
	t.Logf("%s led, now %s does", leader, next)
	c.rollout(t, "deployment/sallyport-manager")

	path := filepath.Join(c.dir, "later.yaml")
	must(t, os.WriteFile(path, fmt.Appendf(nil, laterEndpoint, team), 0o600))
	c.kubectl(t, "apply", "-f", path)
	c.kubectl(t, "-n", team, "wait", "--for=condition=Ready", "webhookendpoint/later", "--timeout=60s")
	c.kubectl(t, "delete", "-f", path)
	c.kubectl(t, "-n", system, "wait", "--for=delete", "secret/"+route.SecretName(team, "later"), "--timeout=60s")
	if after := c.routeVersion(t); after != before {
		t.Errorf("the route was written again: resourceVersion %s, before %s", after, before)
	}
}

const laterEndpoint = `apiVersion: hooks.sallyport.dev/v1alpha1
kind: WebhookEndpoint
metadata: {name: later, namespace: %s}
spec:
  provider: github
  secretRef: {name: github-webhook}
  target: {service: {name: orders, port: http}}
`

// awaitLeader waits until a manager that is not the former one leads.
func (c *cluster) awaitLeader(t *testing.T, former string) (leader string) {
	t.Helper()
	leases := cache.NewListWatchFromClient(c.kube.CoordinationV1().RESTClient(), "leases", system, fields.OneTermEqualSelector(metav1.ObjectNameField, "sallyport-manager"))
	ctx, cancel := context.WithTimeout(c.ctx, patience)
	defer cancel()
	_, err := watchtools.UntilWithSync(ctx, leases, &coordinationv1.Lease{}, nil, func(change watch.Event) (bool, error) {
		lease, ok := change.Object.(*coordinationv1.Lease)
		if !ok || lease.Spec.HolderIdentity == nil {
			return false, nil
		}
		leader = *lease.Spec.HolderIdentity
		return leader != "" && leader != former, nil
	})
	if err != nil {
		t.Fatalf("no manager leads but %q: %v", leader, err)
	}
	return leader
}

func (c *cluster) routeVersion(t *testing.T) string {
	t.Helper()
	secret, err := c.kube.CoreV1().Secrets(system).Get(c.ctx, route.SecretName(team, "github"), metav1.GetOptions{})
	must(t, err)
	return secret.ResourceVersion
}

// restartRedis deletes the pod of Redis, while it holds events that the target
// refuses and more come in. Senders wait until it is back, or are put off if that takes
// longer than they wait, and nothing is lost that was acknowledged.
func restartRedis(t *testing.T, c *cluster) {
	c.ask(t, target, "target/status", http.StatusServiceUnavailable, nil)
	waiting := c.send(t, protocol.Load{Prefix: "waiting-", PerSecond: 100, Count: 200})
	expectAll(t, waiting, http.StatusOK)

	c.start(t, protocol.Load{Prefix: "outage-", PerSecond: 50, Again: true})
	c.kubectl(t, "-n", system, "delete", "pod/sallyport-redis-0")
	c.rollout(t, "statefulset/sallyport-redis")
	outage := c.stop(t, "outage-")
	others := maps.Clone(outage.Statuses)
	delete(others, http.StatusOK)
	delete(others, http.StatusServiceUnavailable)
	if outage.Statuses[http.StatusOK] != outage.Sent || len(others) > 0 {
		t.Errorf("while Redis was away, of %d events %d failed %q; the answers were %v, want each to be taken, at once or after 503", outage.Sent, outage.Failed, outage.Errors, outage.Statuses)
	}
	c.ask(t, target, "target/status", http.StatusOK, nil)
	begin := time.Now()
	delivered := c.awaitDelivery(t, slices.Concat(waiting.Accepted, outage.Accepted), recovery)
	t.Logf("%v while Redis was away; %d events delivered within %.1f s, after %d refusals, %d of them more than once",
		outage.Statuses, len(waiting.Accepted)+len(outage.Accepted), time.Since(begin).Seconds(), delivered.Refused, len(delivered.Repeated))
}
