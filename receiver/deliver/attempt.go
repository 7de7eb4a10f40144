package deliver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
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
)

// outcome is what came of an attempt.
type outcome struct {
	verdict    verdict
	status     int           // of the answer; 0: there was none
	err        error         // why not delivered
	retryAfter time.Duration // what the target asked for; 0: nothing
}

// attempt makes one request, within the route's timeout.
func attempt(ctx context.Context, client http.RoundTripper, r *route.Route, event *store.Event, number int, now func() time.Time) outcome {
	return attemptAnd(ctx, client, r, event, number, now, discard)
}

// discard reads an answer so that its connection can be used again.
func discard(response *http.Response) error {
	_, _ = io.CopyN(io.Discard, response.Body, maxAnswer)
	return nil
}

// attemptAnd makes an attempt and gives the answer to read, whose error makes it
// one that failed.
func attemptAnd(ctx context.Context, client http.RoundTripper, r *route.Route, event *store.Event, number int, now func() time.Time,
	read func(*http.Response) error,
) outcome {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(r.Delivery.Timeout))
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, event.Method, serviceURL(r.Target), bytes.NewReader(event.Body))
	if err != nil {
		return outcome{verdict: held, err: err}
	}
	request.Header = forwarded(event, number)
	if signing := r.Target.Signing; signing != nil {
		sign(request.Header, signing.Key, event, now())
	}
	// RoundTrip and not Client.Do: redirects are not followed.
	response, err := client.RoundTrip(request)
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

// classifyError tells the cluster's faults from the target's.
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

// hopByHop headers concern one connection only (RFC 9110 §7.6.1).
var hopByHop = []string{
	"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade", "Content-Length", "Expect", "Host",
}

const ownPrefix = "Sallyport-"

// endToEnd copies the headers that are not about one connection, and not ours.
func endToEnd(original http.Header) http.Header {
	header := original.Clone()
	if header == nil {
		header = http.Header{}
	}
	for _, list := range original["Connection"] {
		for name := range strings.SplitSeq(list, ",") {
			header.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range hopByHop {
		header.Del(name)
	}
	for name := range header {
		if strings.HasPrefix(name, ownPrefix) {
			delete(header, name)
		}
	}
	return header
}

// forwarded are the headers that the target sees: the sender's, and ours.
func forwarded(event *store.Event, number int) http.Header {
	header := endToEnd(event.Header)
	for name, value := range map[string]string{
		"Event-Id":    event.ID,
		"Event-Type":  event.Type,
		"Provider":    event.Provider,
		"Endpoint":    event.Endpoint,
		"Received-At": event.ReceivedAt.UTC().Format(time.RFC3339Nano),
		"Attempt":     strconv.Itoa(number),
		"Request-Id":  event.RequestID,
	} {
		header.Set(ownPrefix+name, value)
	}
	if event.TraceParent != "" {
		header.Set("Traceparent", event.TraceParent)
	}
	if _, ok := header["User-Agent"]; !ok {
		header["User-Agent"] = nil // or the transport would add its own
	}
	return header
}
