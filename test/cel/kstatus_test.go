package cel

import (
	"testing"

	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

// TestNothingIsReadyBeforeItIsSeen: kstatus, and so Flux, takes an object without
// conditions for ready, unless it says that nobody has seen it.
func TestNothingIsReadyBeforeItIsSeen(t *testing.T) {
	for kind, minimal := range map[string]string{"endpoint": minimalEndpoint, "provider": minimalProvider, "replay": minimalReplay} {
		stored, err := create(t, manifest(t, minimal))
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		if got, err := status.Compute(stored); err != nil || got.Status != status.InProgressStatus {
			t.Errorf("%s: kstatus says %+v, %v", kind, got, err)
		}
	}
}
