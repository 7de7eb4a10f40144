//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// askEventsAPI asks what a person would: which queues there are and what became of
// events, as an administrator, as somebody who may view the namespace, and as a stranger.
func askEventsAPI(t *testing.T, c *cluster) {
	c.kubectl(t, "wait", "--for=condition=Available", "apiservice/v1alpha1.events.hooks.sallyport.dev", "--timeout=60s")
	c.kubectl(t, "-n", team, "create", "rolebinding", "viewer", "--clusterrole=view", "--user=viewer")
	for _, user := range []string{"", "viewer"} {
		c.expectAnswer(t, user, "webhookqueues", "github", "stripe")
		c.expectAnswer(t, user, "webhookrecords", "service-0", "endpoint-0")
	}
	if answer, err := c.tryKubectl("-n", team, "get", "webhookqueues", "--as=stranger"); err == nil || !strings.Contains(answer, "Forbidden") {
		t.Errorf("a stranger is answered %q (%v), want Forbidden", answer, err)
	}
}

// expectAnswer checks that a list names something.
func (c *cluster) expectAnswer(t *testing.T, user, resource string, names ...string) {
	t.Helper()
	answer := c.kubectl(t, "-n", team, "get", resource, "-o", "json", "--as="+user)
	for _, name := range names {
		if !strings.Contains(answer, `"`+name+`"`) {
			t.Errorf("%q does not see %s among the %s:\n%s", user, name, resource, answer)
		}
	}
}
