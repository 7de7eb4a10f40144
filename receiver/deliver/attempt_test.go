package deliver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"reflect"
	"testing"
	"time"

	"sallyport.dev/sallyport/receiver/egress"
	"sallyport.dev/sallyport/receiver/event"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/store"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestClassifyAnswer(t *testing.T) {
	for _, test := range []struct {
		status int
		after  string
		want   verdict
		wait   time.Duration
	}{
		{200, "", delivered, 0},
		{204, "30", delivered, 0},
		{299, "", delivered, 0},
		{301, "", failed, 0}, // a redirect is not followed
		{308, "5", failed, 5 * time.Second},
		{400, "", failed, 0},
		{404, "", failed, 0},
		{410, "60", refused, 0},
		{429, "120", failed, 2 * time.Minute},
		{503, "Sun, 01 Mar 2026 12:00:07 GMT", failed, 7 * time.Second},
		{503, "Sun, 01 Mar 2026 11:00:00 GMT", failed, 0}, // in the past
		{503, "-5", failed, 0},
		{503, "soon", failed, 0},
		{503, "9999999999", failed, 0}, // centuries
		{503, "99999999999999999999", failed, 0},
		{503, "1e9", failed, 0},
	} {
		got := classifyAnswer(test.status, http.Header{"Retry-After": {test.after}}, noon)
		if got.verdict != test.want || got.retryAfter != test.wait || got.status != test.status {
			t.Errorf("%d with Retry-After %q: got %+v, want verdict %d, wait %s", test.status, test.after, got, test.want, test.wait)
		}
		if (got.err == nil) != (test.want == delivered) {
			t.Errorf("%d: error %v", test.status, got.err)
		}
	}
}

func TestClassifyError(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want verdict
	}{
		"shutdown":              {fmt.Errorf("dial: %w", context.Canceled), held},
		"DNS does not answer":   {&net.OpError{Op: "dial", Err: &net.DNSError{IsTimeout: true}}, held},
		"DNS knows no Service":  {&net.OpError{Op: "dial", Err: &net.DNSError{IsNotFound: true}}, held},
		"no answer in time":     {context.DeadlineExceeded, failed},
		"connection refused":    {&net.OpError{Op: "dial", Err: errors.New("connection refused")}, failed},
		"a forbidden address":   {egress.ErrForbidden, failed},
		"an answer cut in half": {errors.New("unexpected EOF"), failed},
	} {
		if got := classifyError(test.err); got.verdict != test.want || got.err == nil {
			t.Errorf("%s: got %+v, want verdict %d", name, got, test.want)
		}
	}
}

func TestForwardedHeaders(t *testing.T) {
	event := &store.Event{
		Meta: event.Meta{
			Endpoint: "team/hooks", ID: "evt_1", Type: "push", Provider: "github", RequestID: "req-1",
			ReceivedAt: time.Date(2026, 3, 1, 13, 0, 0, 5, time.FixedZone("", 3600)),
		},
		TraceParent: "00-a-b-01",
		Header: http.Header{
			"Content-Type": {"application/json"}, "X-Github-Event": {"push"}, "X-Twice": {"a", "b"},
			"Connection": {"keep-alive, X-Private", "x-other"}, "X-Private": {"1"}, "X-Other": {"1"},
			"Keep-Alive": {"5"}, "Proxy-Authorization": {"secret"}, "Te": {"trailers"}, "Trailer": {"X"},
			"Transfer-Encoding": {"chunked"}, "Upgrade": {"h2c"}, "Proxy-Connection": {"close"},
			"Content-Length": {"99"}, "Sallyport-Event-Id": {"forged"}, "Sallyport-Verified": {"yes"},
			"Traceparent": {"00-old-old-00"},
		},
	}
	before := event.Header.Clone()
	want := http.Header{
		"Content-Type": {"application/json"}, "X-Github-Event": {"push"}, "X-Twice": {"a", "b"},
		"Sallyport-Event-Id": {"evt_1"}, "Sallyport-Event-Type": {"push"}, "Sallyport-Provider": {"github"},
		"Sallyport-Endpoint": {"team/hooks"}, "Sallyport-Received-At": {"2026-03-01T12:00:00.000000005Z"},
		"Sallyport-Attempt": {"3"}, "Sallyport-Request-Id": {"req-1"}, "Traceparent": {"00-a-b-01"},
		"User-Agent":        nil, // none, rather than Go's
		"X-Idempotency-Key": nil, // says to the transport what withOwn explains
	}
	got := endToEnd(event.Header)
	if withOwn(got, event, 3); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if !reflect.DeepEqual(event.Header, before) {
		t.Error("the event's own headers were changed")
	}
}

func TestBackoff(t *testing.T) {
	retry := route.Retry{MinBackoff: route.Duration(time.Second), MaxBackoff: route.Duration(time.Minute)}
	longest := func(n int64) int64 { return n - 1 }
	shortest := func(int64) int64 { return 0 }
	for attempts, most := range map[int]time.Duration{
		1: time.Second, 2: 2 * time.Second, 6: 32 * time.Second, 7: time.Minute, 1000: time.Minute,
	} {
		if got := backoff(retry, attempts, longest); got != most {
			t.Errorf("after %d attempts at most %s, want %s", attempts, got, most)
		}
		if got := backoff(retry, attempts, shortest); got != 0 {
			t.Errorf("after %d attempts at least %s, want none", attempts, got)
		}
	}
}
