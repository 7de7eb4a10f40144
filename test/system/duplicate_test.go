package system

import (
	"testing"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/receiver/audit"
)

func TestEventThatIsSentTwiceIsDeliveredOnce(t *testing.T) {
	w := newRunningWorld(t)
	e := w.newEndpoint("github")
	w.expectAcknowledged(w.github(e, "one", "{}"), "accepted", "one")
	w.awaitDelivery("one")
	w.expectAcknowledged(w.github(e, "one", "{}"), "duplicate", "one")
	w.expectAcknowledged(w.github(e, "two", "{ }"), "accepted", "two")
	w.awaitDelivery("two")
	w.awaitOutcome(audit.Duplicate, "one")

	w.finish(w.receiver)
	if got := w.deliveries(); got["one"] != 1 || got["two"] != 1 {
		t.Errorf("the target got %v, want each event once", got)
	}
}

// GitHub's signature does not cover the id of the delivery, so whoever captures
// a webhook can send it again under another id. Only Strict refuses that: two
// genuine events may have the same content.
func TestReplayUnderAnotherEventID(t *testing.T) {
	for setting, want := range map[v1alpha1.ReplayProtection]string{
		v1alpha1.ReplayProtectionOff:    "accepted",
		v1alpha1.ReplayProtectionAuto:   "accepted",
		v1alpha1.ReplayProtectionStrict: "duplicate",
	} {
		t.Run(string(setting), func(t *testing.T) {
			w := newRunningWorld(t)
			e := w.newEndpoint("github", func(spec *v1alpha1.WebhookEndpointSpec) {
				spec.Deduplication = &v1alpha1.DeduplicationSpec{ReplayProtection: setting}
			})
			w.expectAcknowledged(w.github(e, "one", "{}"), "accepted", "one")
			w.awaitDelivery("one")
			w.expectAcknowledged(w.github(e, "one", "{}"), "duplicate", "one")
			again := w.awaitOutcome(audit.Duplicate, "one")

			w.expectAcknowledged(w.github(e, "two", "{}"), want, "two")
			if want == "accepted" {
				w.awaitDelivery("two")
			} else if replay := w.awaitOutcome(audit.Duplicate, "two"); replay.ErrorMessage == again.ErrorMessage {
				t.Errorf("a replay and a repetition are both recorded as %q: they need reasons of their own", replay.ErrorMessage)
			}

			w.finish(w.receiver)
			got := w.deliveries()
			if wantTwo := map[string]int{"accepted": 1}[want]; got["one"] != 1 || got["two"] != wantTwo {
				t.Errorf("the target got %v, want event one once and event two %d times", got, wantTwo)
			}
		})
	}
}
