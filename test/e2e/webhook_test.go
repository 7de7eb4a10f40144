//go:build e2e

package e2e

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"

	"sallyport.dev/sallyport/test/e2e/agent/protocol"
)

// patience is for what takes a second or two.
const patience = 60 * time.Second

func deliverThroughService(t *testing.T, c *cluster) {
	c.deliverOne(t, protocol.Load{Prefix: "service-"})
}

// deliverThroughEndpoint sends the way that senders in the cluster do: no port,
// no path, by the ExternalName Service beside the endpoint.
func deliverThroughEndpoint(t *testing.T, c *cluster) {
	c.deliverOne(t, protocol.Load{Prefix: "endpoint-", URL: "http://github-webhook." + team + "/"})
}

func (c *cluster) deliverOne(t *testing.T, load protocol.Load) {
	t.Helper()
	load.PerSecond, load.Count = 1, 1
	report := c.send(t, load)
	expectAll(t, report, http.StatusOK)
	c.awaitDelivery(t, report.Accepted, patience)
	c.once = append(c.once, report.Accepted...)
}

// expectAll checks that every request of a load got the same status.
func expectAll(t *testing.T, report protocol.Report, status int) {
	t.Helper()
	if report.Failed > 0 || report.Sent == 0 || report.Statuses[status] != report.Sent {
		t.Fatalf("of %d requests %d failed %q; the others got %v, want %d for each", report.Sent, report.Failed, report.Errors, report.Statuses, status)
	}
}

func refuseForgeries(t *testing.T, c *cluster) {
	expectAll(t, c.send(t, protocol.Load{Prefix: "forged-", Secret: "a guess", PerSecond: 1, Count: 1}), http.StatusUnauthorized)
	expectAll(t, c.send(t, protocol.Load{Prefix: "lost-", URL: "http://sallyport-receiver." + system + "/shop/nowhere", PerSecond: 1, Count: 1}), http.StatusNotFound)
}

// expectEvents waits for what `kubectl get events` shows of the steps before.
func expectEvents(t *testing.T, c *cluster) {
	missing := map[string]bool{"Accepted": true, "Delivered": true, "Rejected": true}
	events := cache.NewListWatchFromClient(c.kube.EventsV1().RESTClient(), "events", team, fields.Everything())
	ctx, cancel := context.WithTimeout(c.ctx, patience)
	defer cancel()
	_, err := watchtools.UntilWithSync(ctx, events, &eventsv1.Event{}, nil, func(change watch.Event) (bool, error) {
		if event, ok := change.Object.(*eventsv1.Event); ok && event.Regarding.Kind == "WebhookEndpoint" && event.Regarding.Name == "github" {
			delete(missing, event.Reason)
		}
		return len(missing) == 0, nil
	})
	if err != nil {
		t.Fatalf("there are no Events of %v about the endpoint: %v", missing, err)
	}
}

// expectNoSurprises checks what only time could show.
func expectNoSurprises(t *testing.T, c *cluster) {
	if delivered := c.awaitDelivery(t, c.once, patience); len(delivered.Repeated) > 0 {
		t.Errorf("events were delivered more than once: %v", delivered.Repeated)
	}
	for _, pod := range slices.Concat(c.pods(t, "sallyport-receiver"), c.pods(t, "sallyport-manager")) {
		for _, status := range pod.Status.ContainerStatuses {
			if status.RestartCount > 0 {
				t.Errorf("%s was restarted %d times: %+v", pod.Name, status.RestartCount, status.LastTerminationState)
			}
		}
		for line := range strings.Lines(c.kubectl(t, "-n", system, "logs", pod.Name)) {
			if strings.Contains(line, "is forbidden: ") {
				t.Errorf("%s lacks a right: %s", pod.Name, line)
			}
		}
	}
	c.logMemory(t)
}

// logMemory shows what the pods take, where the kubelet may be asked.
func (c *cluster) logMemory(t *testing.T) {
	t.Helper()
	nodes, err := c.kube.CoreV1().Nodes().List(c.ctx, metav1.ListOptions{})
	must(t, err)
	for _, node := range nodes.Items {
		for _, pod := range c.memory(node.Name) {
			if pod.Ref.Namespace == system {
				t.Logf("%-40s %4d MiB", pod.Ref.Name, pod.Memory.WorkingSetBytes>>20)
			}
		}
	}
}
