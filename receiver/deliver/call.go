package deliver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"sallyport.dev/sallyport/receiver/store"
)

// maxPassedOn bounds the body of an answer that is passed on to the sender.
const maxPassedOn = 1 << 20

// Answer is what a target said to an event whose sender waits for it.
type Answer struct {
	// Target is who was asked, as audit records name it; "": there is none.
	Target string
	// Status of the answer; 0: there was none.
	Status int
	// Header is what the sender may see of it.
	Header http.Header
	// Body is the whole body.
	Body []byte
}

// Errors of Call; match them with errors.Is. Any other error says that there was
// no answer, one that is no 2xx, or one that is too long. After each of them the
// event is to be forgotten, so that the sender's repetition counts.
var (
	// ErrNotNow: there is nobody to ask now, for a reason of our own side, or because
	// the circuit of the target is open.
	ErrNotNow = errors.New("nothing can be delivered now")
	// ErrCrowded: as many events are with the target as may be at a time.
	ErrCrowded = errors.New("as many events are with the target as may be at a time")
	// ErrTimeout: the target did not answer within the route's timeout. It may have
	// got the event.
	ErrTimeout = errors.New("the target did not answer in time")
)

var errTooLong = fmt.Errorf("the target's answer is longer than the %d bytes that are passed on", maxPassedOn)

// Call hands an event to the target of its endpoint, once, and returns the answer
// if it is a 2xx. With an error, the Answer holds Target, and Status if there was
// one. It keeps to the route's timeout, and ends early when a shutdown runs out of
// time.
func (d *Dispatcher) Call(ctx context.Context, event *store.Event) (Answer, error) {
	key := laneKey{endpoint: event.Endpoint}
	r, reason := d.routeTo(key)
	answer := Answer{Target: targetName(r.Target)}
	if reason != "" {
		return answer, fmt.Errorf("%w: %s", ErrNotNow, reason)
	}
	if !d.enter(key, r.Delivery.MaxInFlight) {
		return answer, ErrCrowded
	}
	defer d.leave(key)
	j := &job{event: event} // in no lane: it stands for the call before the circuit
	if reason := d.refusal(j); reason != "" {
		return answer, fmt.Errorf("%w: the target's circuit is open: %s", ErrNotNow, reason)
	}
	defer d.abandoned(j)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(d.ctx, cancel)()

	started := d.o.Store.Now()
	result := d.attempt(ctx, &r, event, 1, answer.read)
	answer.Status = result.status
	ended := d.o.Store.Now()
	d.metrics.attempted(result, ended.Sub(started))
	d.learnCall(j, result)
	switch result.verdict {
	case delivered:
		d.metrics.delivered(ended.Sub(event.ReceivedAt))
		return answer, nil
	case held:
		return answer, fmt.Errorf("%w: %w", ErrNotNow, result.err)
	}
	return answer, result.err
}

// refusal says why the circuit of a target doesn't let a call through; "": it does.
func (d *Dispatcher) refusal(j *job) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.admits(j.lane(), j) {
		return ""
	}
	return d.circuits[j.lane()].reason
}

// learnCall tells the circuit of a target what came of a call, as of an attempt.
func (d *Dispatcher) learnCall(j *job, result outcome) {
	switch {
	case errors.Is(result.err, errUnsigned): // which says nothing about the target
	case result.verdict != held:
		d.learn(j, result)
	case d.ctx.Err() == nil:
		d.learnHeld(j, result.err.Error(), false)
	}
}

// read takes over what is passed on of a 2xx.
func (a *Answer) read(response *http.Response) error {
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxPassedOn+1))
	if err != nil {
		return err
	}
	if len(body) > maxPassedOn {
		return errTooLong
	}
	a.Header, a.Body = endToEnd(response.Header), body
	return nil
}

// enter counts a call to a target, if there may be one more at a time.
func (d *Dispatcher) enter(key laneKey, most int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.calls[key] >= most {
		return false
	}
	if d.calls == nil {
		d.calls = map[laneKey]int{}
	}
	d.calls[key]++
	return true
}

func (d *Dispatcher) leave(key laneKey) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.calls[key]--; d.calls[key] == 0 {
		delete(d.calls, key)
	}
}
