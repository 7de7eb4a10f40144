package system

import (
	"net/http"
	"strings"

	"sallyport.dev/sallyport/receiver/audit"
)

// history is what came of the events of a crash matrix, by their ids.
type history struct {
	*matrix
	// delivered are the receivers that the target answered 200, in order.
	delivered map[string][]*life
	// gone are the events that the target refused for ever.
	gone map[string]bool
	// recorded are the receivers that say that they have delivered.
	recorded map[string]*life
	// repeated counts the deliveries of each receiver that came again later.
	repeated map[*life]int
}

// verify compares what senders were promised, what the target got and what the
// receivers say.
func (m *matrix) verify() {
	m.t.Helper()
	h := &history{
		matrix: m, delivered: map[string][]*life{}, gone: map[string]bool{},
		recorded: map[string]*life{}, repeated: map[*life]int{},
	}
	for _, a := range m.answers.All() {
		h.readAnswer(a)
	}
	for _, l := range m.lives {
		for _, r := range l.Audit.All() {
			h.readRecord(l, r)
		}
	}
	h.verifyPromises()
	h.verifyRepetitions()
	h.print()
}

// readAnswer takes in what the target said. It gets what was sent and nothing else.
func (h *history) readAnswer(a answered) {
	if !h.sent[a.id] || a.body != bodyOf(a.id) {
		h.t.Errorf("the target got %q %s, which nobody sent", a.id, a.body)
	}
	switch a.status {
	case http.StatusOK:
		h.delivered[a.id] = append(h.delivered[a.id], a.by)
	case http.StatusGone:
		h.gone[a.id] = true
	}
}

// readRecord compares what a receiver says with what the target said. What it
// recorded in the moment before it was killed may be missing, never wrong.
func (h *history) readRecord(l *life, r audit.Record) {
	switch r.Status {
	case audit.Accepted, audit.Duplicate:
		if !h.done(r.EventID) {
			h.t.Errorf("%s says %s of %s, which is neither delivered nor dead", l, r.Status, r.EventID)
		}
	case audit.Delivered:
		if before := h.recorded[r.EventID]; before != nil {
			h.t.Errorf("%s was recorded as delivered by %s and by %s", r.EventID, before, l)
		}
		h.recorded[r.EventID] = l
	case audit.DeadLettered:
		if !h.gone[r.EventID] {
			h.t.Errorf("%s says that %s is dead, which the target has not refused", l, r.EventID)
		}
	case audit.RetryScheduled, audit.Unavailable:
	default:
		h.t.Errorf("%s has an unexpected record: %+v", l, r)
	}
}

func (h *history) done(id string) bool { return len(h.delivered[id]) > 0 || h.gone[id] }

// verifyPromises checks that nothing was lost.
func (h *history) verifyPromises() {
	h.t.Helper()
	for _, id := range h.acknowledged.All() {
		if !h.done(id) {
			h.t.Errorf("%s was acknowledged, and is neither delivered nor dead", id)
		}
	}
	if dead := h.stored("dead"); dead != len(h.gone) {
		h.t.Errorf("there are %d dead letters, want those %d that the target refused", dead, len(h.gone))
	}
}

// verifyRepetitions checks that an event comes again only if its receiver was killed
// between the target's answer and its record: so many at most as were in flight. One
// that lives has it recorded when Redis is back, long before its leases end.
func (h *history) verifyRepetitions() {
	h.t.Helper()
	for id, by := range h.delivered {
		last := by[len(by)-1]
		if recorder := h.recorded[id]; recorder != nil && recorder != last {
			h.t.Errorf("%s was delivered by %s and recorded, and delivered by %s afterwards", id, recorder, last)
		}
		for _, l := range by[:len(by)-1] {
			h.repeated[l]++
			if !l.killed {
				h.t.Errorf("%s was delivered again, after %s, which was not killed; about Redis it says\n%s", id, l, l.saysOf("redis"))
			}
		}
	}
	for l, n := range h.repeated {
		if n > matrixInFlight {
			h.t.Errorf("%d deliveries of %s came again, want at most %d", n, l, matrixInFlight)
		}
	}
}

// saysOf returns the lines of a receiver's log that have a word.
func (l *life) saysOf(word string) string {
	return strings.Join(l.Log().Matching(func(line string) bool { return strings.Contains(line, word) }), "\n")
}

// print says what happened.
func (h *history) print() {
	h.t.Helper()
	kills, repeated := 0, 0
	for _, l := range h.lives {
		repeated += h.repeated[l]
		if l.killed {
			kills++
		}
	}
	h.t.Logf("%d receivers and %d times Redis killed; %d events, %d acknowledged, senders were answered %v; %d delivered, %d dead; %d deliveries came again",
		kills, h.redisKills, len(h.sent), len(h.acknowledged.All()), h.statuses, len(h.delivered), len(h.gone), repeated)
}
