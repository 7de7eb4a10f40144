package compile

import (
	"testing"
	"time"
)

// pause sets spec.paused.
func (h *history) pause(paused bool) *history {
	h.t.Helper()
	h.endpoint.Spec.Paused = paused
	return h.compile()
}

func (h *history) wantPause(paused bool, resumedTime time.Time) *history {
	h.t.Helper()
	if d := h.route.Delivery; d.Paused != paused || !d.ResumedTime.Equal(resumedTime) {
		h.t.Fatalf("the route is paused: %t, and was until %v, want %t and %v", d.Paused, d.ResumedTime, paused, resumedTime)
	}
	return h
}

func TestPause(t *testing.T) {
	h := newHistory(t, "github").put("secret").wantPause(false, time.Time{})
	h.pause(true).wantPause(true, time.Time{})
	h.after(100*time.Hour).wantPause(true, time.Time{})
	first := noon.Add(100 * time.Hour) // the end of a pause is counted in seconds
	h.pause(false).wantPause(false, first)
	h.after(time.Hour).wantPause(false, first)
	h.pause(true).wantPause(true, first)
	h.after(time.Hour).pause(false).wantPause(false, noon.Add(102*time.Hour))
	h.put("").wantPause(false, noon.Add(102*time.Hour)) // what else is wrong changes nothing
}

func TestAnotherEndpointOfTheNameWasNotPaused(t *testing.T) {
	h := newHistory(t, "github").put("secret").pause(true)
	h.endpoint.UID = "another"
	h.pause(false).wantPause(false, time.Time{})
}
