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

// call is as of Dispatcher.Call.
func (w *workers) call(ctx context.Context, event *store.Event) (Answer, error) {
	j := &job{event: event} // in no lane: it stands for the call before the circuit
	r, reason := w.routeTo(j.target(), w.Store.Now())
	answer := Answer{Target: targetName(r.Target)}
	if reason != "" {
		return answer, fmt.Errorf("%w: %s", ErrNotNow, reason)
	}
	if err := w.targets.enter(j, r.Delivery.MaxInFlight, w.Store.Now()); err != nil {
		return answer, err
	}
	defer w.targets.leave(j)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(w.ctx, cancel)()

	result := w.attempt(ctx, &r, event, 1, answer.read)
	answer.Status = result.status
	w.learn(j, result)
	switch result.verdict {
	case delivered:
		w.metrics.delivered(result.ended.Sub(event.ReceivedAt))
		return answer, nil
	case held:
		return answer, fmt.Errorf("%w: %w", ErrNotNow, result.err)
	}
	return answer, result.err
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
