package main

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	eventsv1alpha1 "sallyport.dev/sallyport/api/events/v1alpha1"
)

// tailing is a tail that runs.
type tailing struct {
	t    *testing.T
	stub *stub
	ctx  context.Context
	call call
	stop context.CancelFunc
	done chan error
}

func startTail(t *testing.T, s *stub, args ...string) *tailing {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	running, stop := context.WithCancel(ctx)
	f := &tailing{
		t: t, stub: s, ctx: ctx, stop: stop, done: make(chan error, 1),
		call: call{now: func() time.Time { return noon }, out: new(buffer), errOut: new(buffer)},
	}
	arguments := append(s.serve(t), append([]string{"tail"}, args...)...)
	go func() {
		_, _, err := f.call.runWith(running, arguments...)
		f.done <- err
	}()
	t.Cleanup(cancel)
	return f
}

// watch waits for the next watch, and returns what sends to it.
func (f *tailing) watch() chan map[string]any {
	f.t.Helper()
	select {
	case frames := <-f.stub.watches:
		return frames
	case err := <-f.done:
		f.t.Fatalf("tail has ended: %v", err)
	case <-f.ctx.Done():
		f.t.Fatal("no watch began")
	}
	return nil
}

// end is Ctrl-C.
func (f *tailing) end() string {
	f.t.Helper()
	f.stop()
	if err := <-f.done; err != nil {
		f.t.Errorf("Ctrl-C ends with %v", err)
	}
	return f.call.out.String()
}

func TestTailShowsThePastAndThenWhatComes(t *testing.T) {
	s := &stub{records: []eventsv1alpha1.WebhookRecord{someRecord(1, "accepted", "one"), someRecord(2, "delivered", "one"), someRecord(3, "accepted", "two")}}
	f := startTail(t, s, "stripe", "--since-lines", "2")
	frames := f.watch()
	frames <- frame(t, watch.Added, someRecord(4, "delivered", "two"))
	f.call.out.await(f.ctx, t, "12ms")
	f.call.out.await(f.ctx, t, "delivered        invoice.paid  two")
	got := f.end()
	if lines := strings.Count(got, "\n"); lines != 3 || strings.Contains(got, "\x1b") {
		t.Errorf("there are %d lines, want 3 without colours:\n%s", lines, got)
	}
	if asked := s.requests(http.MethodGet); !strings.Contains(asked[len(asked)-1], "resourceVersion=100") {
		t.Errorf("the watch is %s", asked[len(asked)-1])
	}
}

func TestTailGoesOnWhereAWatchHasEnded(t *testing.T) {
	s := &stub{}
	f := startTail(t, s)
	frames := f.watch()
	frames <- frame(t, watch.Added, someRecord(1, "accepted", "one"))
	f.call.out.await(f.ctx, t, "one")
	frames <- frame(t, watch.Error, &metav1.Status{Status: metav1.StatusFailure, Code: http.StatusInternalServerError, Message: "broken off"})
	frames = f.watch()
	close(frames)

	frames = f.watch()
	if asked := s.requests(http.MethodGet); !strings.Contains(asked[len(asked)-1], "resourceVersion=101") {
		t.Errorf("the second watch is %s", asked[len(asked)-1])
	}
	// What comes again is shown once.
	frames <- frame(t, watch.Added, someRecord(1, "accepted", "one"))
	frames <- frame(t, watch.Added, someRecord(2, "accepted", "two"))
	f.call.out.await(f.ctx, t, "two")

	// The server has forgotten the version: what was missed is in the list.
	s.mu.Lock()
	s.records = []eventsv1alpha1.WebhookRecord{someRecord(2, "accepted", "two"), someRecord(3, "rejected", "three")}
	s.mu.Unlock()
	frames <- frame(t, watch.Error, &metav1.Status{Status: metav1.StatusFailure, Code: http.StatusGone, Reason: metav1.StatusReasonExpired, Message: "too old"})
	close(frames)
	f.watch()
	f.call.out.await(f.ctx, t, "three")
	got := f.end()
	for _, id := range []string{"one", "two", "three"} {
		if n := strings.Count(got, id); n != 1 {
			t.Errorf("%s is shown %d times:\n%s", id, n, got)
		}
	}
	if said := f.call.errOut.String(); said != "" {
		t.Errorf("it says %q of what nobody has to know", said)
	}
}

func TestTailInColoursWithoutATerminal(t *testing.T) {
	f := startTail(t, &stub{records: []eventsv1alpha1.WebhookRecord{someRecord(1, "delivered", "one")}}, "--color", "always")
	f.watch()
	if got := f.end(); !strings.Contains(got, "\x1b[32mdelivered\x1b[0m") {
		t.Errorf("there are no colours in %q", got)
	}
}

func TestTailOfSomeOutcomes(t *testing.T) {
	s := &stub{records: []eventsv1alpha1.WebhookRecord{someRecord(1, "rejected", "one"), someRecord(2, "delivered", "two")}}
	f := startTail(t, s, "--status", "rejected,dead_lettered", "-o", "json")
	frames := f.watch()
	frames <- frame(t, watch.Added, someRecord(3, "accepted", "three"))
	frames <- frame(t, watch.Added, someRecord(4, "dead_lettered", "four"))
	f.call.out.await(f.ctx, t, `"four"`)
	got := f.end()
	if strings.Contains(got, "two") || strings.Contains(got, "three") || strings.Count(got, `"kind": "WebhookRecord"`) != 2 {
		t.Errorf("it shows:\n%s", got)
	}
}

func TestTailSaysWhatIsWrong(t *testing.T) {
	_, _, err := stubbed(t, &stub{}, "tail", "--status", "deliverd")
	wantError(t, err, "did you mean delivered?")
	_, _, err = stubbed(t, &stub{}, "tail", "--color", "blue")
	wantError(t, err, "--color=blue")
	_, _, err = stubbed(t, &stub{}, "tail", "--since-lines", "-1")
	wantError(t, err, "--since-lines=-1")
	_, _, err = stubbed(t, &stub{records: []eventsv1alpha1.WebhookRecord{someRecord(1, "rejected", "one")}}, "tail", "-o", "go-template={{index .nothing 1}}")
	wantError(t, err, "template")
	_, _, err = stubbed(t, &stub{refuse: map[string]int{"webhookrecords": http.StatusForbidden}}, "tail")
	wantError(t, err, "refused by the stub")
}
