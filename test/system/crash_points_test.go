package system

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/receiver/store"
)

// A receiver is killed at every point of the state diagram (receiver/store/doc.go):
// around the n-th run of each script that moves an event on. Beside it another
// receiver goes on, and its successor comes back. What is promised:
//
//   - every event is acknowledged in the end, since its sender repeats it, and is
//     delivered to all of its targets, or is a dead letter;
//   - a target gets an event again only if the receiver was killed between the
//     target's answer and the record of it, which is known here for each event;
//   - nothing stays pending, and what is counted is right.
//
// What a killed receiver had begun is free when its leases end, after half a
// minute. So the scenes are played in lanes, which wait beside each other, and in
// each lane scene after scene, which wait together.

// moment says when a receiver dies.
type moment string

const (
	// before Redis gets the command: it never does.
	before moment = "before"
	// after Redis has run it, and before the receiver hears of that.
	after moment = "after"
	// late: as before, and Redis gets the command when another receiver has taken
	// over what it is about.
	late moment = "late"
)

// scene is what has to be on for a script to be run.
type scene struct {
	name, script string
	// The receiver dies at one of the first so many runs of the script.
	most int
	// spec is of the endpoint.
	spec []with
	// says how a target answers.
	says func(*point, attempt) int
	// direct does what is needed beside traffic, and lets the victim die; nil: it may die at once.
	direct func(*lane, *point)
	// moments are those at which the receiver dies, each in a run of its own.
	moments []moment
}

// hangs is no status: the target doesn't answer until the receiver is dead.
const hangs = -1

// The scenes, by lane. Those of a lane are played one after the other.
var scenes = map[string][]scene{
	"storing": {
		{name: "accept", script: "accept", most: 30, spec: routed(), says: works, moments: []moment{before, after, late}},
		{name: "mark", script: "mark", most: 30, spec: routed(withStrictReplayProtection), says: works, moments: []moment{before, after}},
		{name: "claim", script: "claim", most: 4, spec: routed(), says: failsFirst, moments: []moment{before, after}},
	},
	"waiting": {
		{name: "begin", script: "begin", most: 30, spec: answering(), says: works, moments: []moment{before, after}},
		{name: "finish", script: "finish", most: 30, spec: answering(), says: works, moments: []moment{before, after}},
		{name: "forget", script: "forget", most: 8, spec: answering(), says: failsFirst, moments: []moment{before, after}},
	},
	"settling": {
		{name: "delivered", script: "delivered", most: 60, spec: routed(), says: works, moments: []moment{before, after, late}},
		{name: "dead-letter", script: "deadletter", most: 30, spec: routed(), says: refuses, moments: []moment{before, after, late}},
	},
	"repeating": {
		{name: "retry", script: "retry", most: 25, spec: routed(), says: failsFirst, moments: []moment{before, after, late}},
		{name: "renew", script: "move", most: 60, spec: routed(withRenewedLeases), says: works, moments: []moment{before, after, late}},
	},
	"holding": {
		{name: "hold", script: "hold", most: 20, spec: routed(), says: isDown, moments: []moment{before, after, late}},
		{name: "refill", script: "refill", most: 8, spec: routed(), says: isDownUntilHeld, direct: awaitHeld, moments: []moment{before, after}},
	},
	"releasing": {
		{name: "release", script: "move", most: 20, spec: routed(), says: hangsAtVictim, direct: endVictim, moments: []moment{before, after, late}},
	},
}

func TestNothingIsLostInACrashAtAnyPoint(t *testing.T) {
	t.Parallel()
	seed := seedOf(t)
	for name, scenes := range scenes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLane(t, seed, scenes)
			for _, p := range l.points {
				l.play(p)
			}
			l.launch(nil) // the last one that died comes back, too
			l.senders.Wait()
			l.awaitNothingPending()
			l.finishAll()
			l.verify()
		})
	}
}

// routeNames are those of the targets of an event that is delivered in the background.
var routeNames = []string{"first", "second"}

// routed is an endpoint whose events have two targets.
func routed(more ...with) []with {
	spec := []with{withQuickRetries(10 * time.Second), func(spec *v1alpha1.WebhookEndpointSpec) {
		spec.Target, spec.Delivery.MaxInFlight = nil, new(int32(matrixInFlight))
	}}
	for _, name := range routeNames {
		spec = append(spec, withRoute(name, v1alpha1.EventMatch{}))
	}
	return append(spec, more...)
}

// answering is an endpoint whose senders get the target's answer.
func answering() []with {
	return []with{func(spec *v1alpha1.WebhookEndpointSpec) {
		spec.Delivery = &v1alpha1.DeliverySpec{Mode: v1alpha1.DeliveryModeSync, Timeout: &metav1.Duration{Duration: 10 * time.Second}}
	}}
}

func withStrictReplayProtection(spec *v1alpha1.WebhookEndpointSpec) {
	spec.Deduplication = &v1alpha1.DeduplicationSpec{ReplayProtection: v1alpha1.ReplayProtectionStrict}
}

// withRenewedLeases has every lease renewed: the first is too short for an attempt
// that may take so long.
func withRenewedLeases(spec *v1alpha1.WebhookEndpointSpec) {
	spec.Delivery.Timeout = &metav1.Duration{Duration: 26 * time.Second}
}

// works is a target that works, but for a few attempts, whose events are read from
// Redis again.
func works(p *point, a attempt) int { return failsOnce(p, a, 15) }

func failsFirst(p *point, a attempt) int { return failsOnce(p, a, 40) }

func failsOnce(p *point, a attempt, percent uint64) int {
	if a.earlier == 0 && p.draw(a) < percent {
		return http.StatusInternalServerError
	}
	return http.StatusOK
}

// refuses is a target that refuses some events for ever.
func refuses(p *point, a attempt) int {
	if p.draw(a) < 50 {
		return http.StatusGone
	}
	return http.StatusOK
}

func isDown(p *point, _ attempt) int {
	if !p.over() {
		return http.StatusServiceUnavailable
	}
	return http.StatusOK
}

// isDownUntilHeld is a target that the victim reaches again first.
func isDownUntilHeld(p *point, a attempt) int {
	if a.by.point == p && p.armed.Load() {
		return http.StatusOK
	}
	return isDown(p, a)
}

func hangsAtVictim(p *point, a attempt) int {
	if a.by.point == p && !p.over() {
		return hangs
	}
	return http.StatusOK
}

// awaitHeld waits until there is something to take from a backlog.
func awaitHeld(l *lane, p *point) {
	l.awaitStats("deliveries are held", func(s store.Stats) bool { return s.Held >= pointEvents/4 })
	p.armed.Store(true)
}

// endVictim tells the victim to end while most of what it has accepted is queued:
// it hands that back.
func endVictim(l *lane, p *point) {
	_, err := l.acknowledged.AwaitN(l.ctx, 2*matrixInFlight, func(a acknowledged) bool { return a.by == p.victim })
	l.must(err)
	p.armed.Store(true)
	p.victim.Terminate()
}

func (s scene) String() string { return fmt.Sprintf("%s (%s.lua)", s.name, s.script) }
