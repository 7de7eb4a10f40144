//go:build e2e

package e2e

import (
	"context"
	"testing"
	"time"
)

// testTimeout bounds the whole, and is far more than it takes.
const testTimeout = 15 * time.Minute

func TestInstallation(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	c := newCluster(ctx, t)
	c.refuseForeign(t)
	t.Cleanup(func() { c.cleanUp(t) })

	for _, step := range []struct {
		name string
		run  func(*testing.T, *cluster)
	}{
		{"installs and gets ready", install},
		{"is restricted", expectRestricted},
		{"makes the samples ready", applySamples},
		{"delivers through the receivers' Service", deliverThroughService},
		{"delivers through the endpoint's Service", deliverThroughEndpoint},
		{"refuses forgeries", refuseForgeries},
		{"tells by Events", expectEvents},
		{"answers in the events API", askEventsAPI},
		{"restarts receivers without a failed request", restartReceivers},
		{"elects another manager", restartManager},
		{"loses nothing with the pod of Redis", restartRedis},
		{"delivered once, and never crashed", expectNoSurprises},
		{"leaves nothing", remove},
	} {
		if !t.Run(step.name, func(t *testing.T) { step.run(t, c) }) {
			c.diagnose(t)
			return
		}
	}
}
