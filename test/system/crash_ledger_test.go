package system

import (
	"fmt"
	"net/http"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/store"
)

// delivery is what came of one event at one of its targets.
type delivery struct {
	point     *point
	id, route string
	resent    bool // the event was sent more than once
	attempts  int
	answers   []answerTo // in order
}

// answerTo is what a target answered, and to whom.
type answerTo struct {
	by     *actor
	status int
}

// final says whether the target wants no further attempt.
func (a answerTo) final() bool { return a.status == http.StatusOK || a.status == http.StatusGone }

// verify compares what the targets got with what was to become of each event, with
// what Redis says and with what the receivers say.
func (l *lane) verify() {
	l.t.Helper()
	dead, deadEvents, repeated := map[*point]int64{}, map[string]bool{}, map[*point]int{}
	for member, d := range l.deliveries {
		finals := d.finals()
		if len(finals) == 0 {
			l.t.Errorf("%s was acknowledged, and the target %q has neither taken nor refused it", d.id, d.route)
			continue
		}
		l.verifyRepetitions(member, d, finals)
		repeated[d.point] += len(finals) - 1
		if finals[len(finals)-1].status == http.StatusGone {
			dead[d.point]++
			deadEvents[d.id] = true
		}
	}
	l.verifyStored(dead, len(deadEvents))
	for _, a := range l.actors {
		l.verifyAudit(a)
	}
	for _, p := range l.points {
		if p.moment == late && l.held[refIn(p.hit)] == p {
			l.t.Errorf("%s, late: nobody took over what the command was about", p.scene)
		}
		l.t.Logf("%s, %s run %d: %d events, %d deliveries came again", p.scene, p.moment, p.nth, pointEvents, repeated[p])
	}
}

func (d *delivery) finals() []answerTo {
	var finals []answerTo
	for _, a := range d.answers {
		if a.final() {
			finals = append(finals, a)
		}
	}
	return finals
}

// verifyRepetitions checks that each answer of a target but the last was given to a
// receiver that died before Redis had it, and that Redis has the last.
func (l *lane) verifyRepetitions(member string, d *delivery, finals []answerTo) {
	l.t.Helper()
	last := finals[len(finals)-1]
	if !last.by.recorded[member] {
		l.t.Errorf("%s: the target %q answered %d to %s, which has not recorded it", d.id, d.route, last.status, last.by)
	}
	for _, a := range finals[:len(finals)-1] {
		switch {
		case a.status == http.StatusGone && d.resent: // a dead letter that its sender revived
		case !a.by.killed:
			l.t.Errorf("%s was delivered to %q again, after %s, which was not killed", d.id, d.route, a.by)
		case a.by.recorded[member]:
			l.t.Errorf("%s was delivered to %q again, after %s had recorded it", d.id, d.route, a.by)
		}
	}
}

// verifyStored checks that Redis keeps the dead letters, and nothing else to be done,
// and has counted right.
func (l *lane) verifyStored(dead map[*point]int64, deadEvents int) {
	l.t.Helper()
	var all, bytes int64
	for _, p := range l.points {
		used, err := l.log.Usage(l.ctx, []string{p.endpoint.String()})
		l.must(err)
		all += dead[p]
		bytes += used[0].Bytes
		want := store.Usage{Endpoint: p.endpoint.String(), Dead: dead[p], Bytes: used[0].Bytes}
		if used[0] != want || (want.Bytes > 0) != (want.Dead > 0) {
			l.t.Errorf("%s, %s: what is stored for its endpoint is %+v, want %+v", p.scene, p.moment, used[0], want)
		}
	}
	stats, err := l.log.Stats(l.ctx)
	l.must(err)
	if want := (store.Stats{Dead: all}); stats != want {
		l.t.Errorf("what is stored is %+v, want %+v", stats, want)
	}
	const eachPayload = `for _, e in ipairs(redis.call('KEYS', k .. 'event:*')) do if redis.call('GETRANGE', e, 0, 0) == 'P' then n = n + %s end end`
	if payloads := l.countInRedis(fmt.Sprintf(eachPayload, "1")); payloads != int64(deadEvents) {
		l.t.Errorf("the payloads of %d events are kept, want those of the %d that are dead", payloads, deadEvents)
	}
	if size := l.countInRedis(fmt.Sprintf(eachPayload, "redis.call('STRLEN', e)")); size != bytes {
		l.t.Errorf("the payloads that are kept have %d bytes, and %d are counted", size, bytes)
	}
	if failures := l.countInRedis(`n = n + redis.call('HLEN', k .. 'attempts')`); failures != all {
		l.t.Errorf("the failures of %d deliveries are kept, want those of the %d that are dead", failures, all)
	}
}

// verifyAudit checks that a receiver says what it had recorded. One that was killed
// may not have got to say it, and one that Redis answered late has told a sender
// that waited to come again.
func (l *lane) verifyAudit(a *actor) {
	l.t.Helper()
	said, recorded := map[string]int{}, map[string]int{}
	for _, r := range a.Audit.All() {
		if r.Status == audit.Delivered || r.Status == audit.DeadLettered {
			said[r.EventID]++
		}
	}
	waited := map[string]bool{}
	for member := range a.recorded {
		if d := l.deliveries[member]; d != nil {
			recorded[d.id]++
			waited[d.id] = d.route == ""
		}
	}
	for id, n := range said {
		if n > recorded[id] && !l.wasRevived(id) {
			l.t.Errorf("%s says of %d deliveries of %s that they are done, and has recorded %d", a, n, id, recorded[id])
		}
	}
	for id, n := range recorded {
		if !a.killed && !waited[id] && said[id] < n {
			l.t.Errorf("%s says of %d deliveries of %s that they are done, and has recorded %d", a, said[id], id, n)
		}
	}
}

// wasRevived says whether an event may have become a dead letter more than once:
// its sender sent it again.
func (l *lane) wasRevived(id string) bool {
	for _, d := range l.deliveries {
		if d.id == id && d.resent {
			return true
		}
	}
	return false
}
