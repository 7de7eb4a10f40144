package receiver

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/test/redistest"
)

func TestAnswersEndTheirConnectionsWhileProxiesNotice(t *testing.T) {
	g := startReceiver(t, redistest.Start(t).URL(), "127.0.0.1:1")
	expectClose := func(id string, want bool) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+g.webhooks.listener.Addr().String()+testPath, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		request.Header = signed(id, []byte("{}"))
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK || response.Close != want {
			t.Errorf("the answer is %d and closes its connection: %v, want 200 and %v", response.StatusCode, response.Close, want)
		}
	}
	expectClose("evt_1", false)
	g.ready.shuttingDown.Store(true)
	expectClose("evt_2", true)
	g.stop()
}

func TestShutdownWaitsUntilProxiesHaveNoticed(t *testing.T) {
	g := startReceiver(t, redistest.Start(t).URL(), "127.0.0.1:1")
	g.options.ShutdownDelay = 500 * time.Millisecond
	begin := time.Now()
	g.stop()
	if took := time.Since(begin); took < g.options.ShutdownDelay {
		t.Errorf("the receiver ended after %v, want at least %v", took, g.options.ShutdownDelay)
	}
}

// A receiver that ends answers what waits for Redis before it cuts connections.
func TestWhatWaitsForRedisIsAnsweredAtTheEnd(t *testing.T) {
	redis := redistest.Start(t)
	patient := testRoute()
	patient.AckTime = route.Duration(route.MaxAckTime)
	g := startReceiverOf(t, patient, redis.URL(), "127.0.0.1:1")
	// It waits for two fifths of that. The rest of the half is for the answer.
	g.options.ShutdownGrace = 12 * time.Second
	redis.Kill()
	status := make(chan int, 1)
	go func() {
		defer close(status)
		got, _ := g.post("evt_1", "{}")
		status <- got
	}()
	redistest.Await(t, patience, "the event waits", func() error {
		if _, page := g.do(http.MethodGet, "http://"+g.admin.listener.Addr().String()+"/metrics", nil, ""); !strings.Contains(page, "sallyport_accepts_retried_total 1") {
			return errors.New("it does not")
		}
		return nil
	})
	g.cancel()
	if got := <-status; got != http.StatusServiceUnavailable {
		t.Errorf("the answer is %d, want 503", got)
	}
	<-g.ended
}
