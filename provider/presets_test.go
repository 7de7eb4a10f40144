package provider_test

import (
	"testing"
	"time"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/provider"
)

// preset returns a preset by its name.
func preset(t *testing.T, name string) *v1alpha1.WebhookProvider {
	t.Helper()
	object, err := provider.Preset(name)
	if err != nil {
		t.Fatal(err)
	}
	return object
}

// presets returns all presets.
func presets(t *testing.T) []*v1alpha1.WebhookProvider {
	t.Helper()
	all, err := provider.Presets()
	if err != nil || len(all) == 0 {
		t.Fatalf("%d presets are embedded: %v", len(all), err)
	}
	return all
}

// TestPresets runs the examples of every preset.
func TestPresets(t *testing.T) {
	for _, object := range presets(t) {
		t.Run(object.Name, func(t *testing.T) {
			if object.Kind != "WebhookProvider" || object.APIVersion != v1alpha1.SchemeGroupVersion.String() {
				t.Errorf("it is a %s %s", object.APIVersion, object.Kind)
			}
			sender := provider.Compile(object)
			if sender.Problem != "" {
				t.Errorf("%s: %s", sender.Reason, sender.Problem)
			}
		})
	}
}

// What is official counts, and nothing else.
func TestAckTime(t *testing.T) {
	for name, want := range map[string]time.Duration{
		"github": 10 * time.Second, "stripe": 20 * time.Second, "slack": 3 * time.Second,
		"gitlab": 0, "token": 0, "hmac-sha256": 0,
	} {
		if got := provider.Compile(preset(t, name)).AckTime; got != want {
			t.Errorf("%s waits for %s, want %s", name, got, want)
		}
	}
}

// TestPresetsProveBothSides: a preset that only ever accepts in its examples
// would also pass without any verification.
func TestPresetsProveBothSides(t *testing.T) {
	for _, object := range presets(t) {
		t.Run(object.Name, func(t *testing.T) {
			accepted := map[string]bool{}
			rejected := map[v1alpha1.RejectionReason]bool{}
			for _, test := range object.Spec.Tests {
				if test.Expect.Rejected == "" {
					accepted[test.Expect.Scheme] = true
				}
				rejected[test.Expect.Rejected] = true
			}
			for _, scheme := range object.Spec.Verify {
				if !accepted[scheme.Name] {
					t.Errorf("no example is accepted by the scheme %q", scheme.Name)
				}
			}
			for _, reason := range []v1alpha1.RejectionReason{"WrongSignature", "MissingSignature"} {
				if !rejected[reason] {
					t.Errorf("no example is rejected for %s", reason)
				}
			}
		})
	}
}
