package deliver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"runtime/debug"
	"strconv"
	"time"

	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/store"
)

// maxAnswer is how much of an answer is read, so that the connection can be used
// again; a longer one costs a new connection.
const maxAnswer = 64 << 10

// verdict is what an attempt means for the delivery.
type verdict int

const (
	delivered verdict = iota // the target has it
	failed                   // the target's fault: try again
	refused                  // the target says that it never will: 410
	held                     // our fault: try again, at no cost
	notBegun                 // this receiver ends: no attempt was made
)

// outcome is what came of an attempt.
type outcome struct {
	verdict    verdict
	status     int           // of the answer; 0: there was none
	err        error         // why not delivered
	retryAfter time.Duration // what the target asked for; 0: nothing
	took       time.Duration // by an attempt that reached the target
	ended      time.Time     // when the attempt did
	noRoute    bool          // held because of the route: it is gone, or its Service is not there
	silent     bool          // it says nothing about the target
}

// attempt delivers an event to the target of a route, once, and passes the answer to
// read. If read fails, so has the attempt.
func (w *workers) attempt(ctx context.Context, r *route.Route, event *store.Event, number int, read func(*http.Response) error) outcome {
	started := w.Store.Now()
	result := w.sendSafely(ctx, r, event, number, read)
	result.ended = w.Store.Now()
	took := result.ended.Sub(started)
	w.metrics.attempted(result, took)
	if result.verdict == held {
		result.silent = w.ctx.Err() != nil // it was cut off by a shutdown
	} else {
		result.took = took
	}
	return result
}

// sendSafely makes a panic the failure of this attempt: each receiver that claims such
// an event would end by it otherwise, and with it the deliveries of all others.
func (w *workers) sendSafely(ctx context.Context, r *route.Route, event *store.Event, number int, read func(*http.Response) error) (result outcome) {
	defer func() {
		if p := recover(); p != nil {
			w.Logger.Error("a delivery panicked", "panic", fmt.Sprint(p), "endpoint", event.Endpoint, "eventId", event.ID, "stack", string(debug.Stack()))
			result = outcome{verdict: failed, err: errPanic}
		}
	}()
	s := &shipment{route: r, event: event, number: number}
	if r.Target.FreshSignature {
		s.signer = w.Routes.Signer(event.Endpoint)
	}
	return send(ctx, w.transports.of(r.Target), s, w.Store.Now, read)
}

// errPanic is a mistake of this program: the log has the stack.
var errPanic = errors.New("internal error: the delivery panicked, see the receiver's log")

// discard reads an answer so that its connection can be used again.
func discard(response *http.Response) error {
	_, _ = io.CopyN(io.Discard, response.Body, maxAnswer)
	return nil
}

// send makes one request, within the route's timeout.
func send(ctx context.Context, client http.RoundTripper, s *shipment, now func() time.Time, read func(*http.Response) error) outcome {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(s.route.Delivery.Timeout))
	defer cancel()
	request, err := s.request(ctx, now())
	switch {
	case errors.Is(err, errUnsigned):
		return outcome{verdict: failed, err: err, silent: true}
	case err != nil:
		return outcome{verdict: held, err: err}
	}
	// RoundTrip and not Client.Do: redirects are not followed.
	response, err := roundTrip(client, request, len(s.event.Body))
	if err != nil {
		return classifyError(err)
	}
	defer func() { _ = response.Body.Close() }()
	if err := read(response); err != nil {
		result := classifyError(err)
		result.status = response.StatusCode
		return result
	}
	return classifyAnswer(response.StatusCode, response.Header, now())
}

const (
	// shortBody is the most bytes of a body that are written together with the headers.
	shortBody = 1 << 10
	// maxKept is how many kept connections may break, one after the other, under a request.
	maxKept = 3
)

// roundTrip makes a request. If a kept connection breaks under it, the target has closed
// it meanwhile and not failed, so the request is made again. For what is written in one
// go, net/http does that, see withOwn. It does not where the rest of a long body can't be
// written.
func roundTrip(client http.RoundTripper, request *http.Request, body int) (*http.Response, error) {
	if body <= shortBody {
		return client.RoundTrip(request)
	}
	for broken := 0; ; broken++ {
		kept := false
		trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) { kept = info.Reused }}
		response, err := client.RoundTrip(request.WithContext(httptrace.WithClientTrace(request.Context(), trace)))
		var writing *net.OpError
		if err == nil || !kept || broken == maxKept || request.Context().Err() != nil ||
			!errors.As(err, &writing) || writing.Op != "write" && writing.Op != "readfrom" {
			return response, err
		}
		if request.Body, err = request.GetBody(); err != nil {
			return nil, err
		}
	}
}

// classifyAnswer reads the target's answer.
func classifyAnswer(status int, header http.Header, now time.Time) outcome {
	switch {
	case status >= 200 && status < 300:
		return outcome{verdict: delivered, status: status}
	case status == http.StatusGone:
		return outcome{verdict: refused, status: status, err: errors.New("the target answered 410 Gone")}
	}
	return outcome{
		verdict: failed, status: status, retryAfter: retryAfter(header.Get("Retry-After"), now),
		err: fmt.Errorf("the target answered %d %s", status, http.StatusText(status)),
	}
}

// classifyError decides whether a missing answer is the cluster's fault or the
// target's.
func classifyError(err error) outcome {
	var dns *net.DNSError
	switch {
	case errors.Is(err, context.Canceled):
		return outcome{verdict: held, err: errors.New("the receiver is shutting down")}
	case errors.As(err, &dns):
		// A name that is not found is a Service that is gone, or so new that the
		// DNS does not know it yet: no target had a chance to answer.
		return outcome{verdict: held, err: fmt.Errorf("the cluster's DNS has no answer: %w", err)}
	case errors.Is(err, errTooLong):
		return outcome{verdict: failed, err: err}
	case errors.Is(err, context.DeadlineExceeded):
		return outcome{verdict: failed, err: ErrTimeout}
	}
	return outcome{verdict: failed, err: fmt.Errorf("the target did not answer: %w", err)}
}

// retryAfter reads the header (RFC 9110 §10.2.3): seconds, or a date.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
