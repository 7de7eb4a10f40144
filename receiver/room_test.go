package receiver

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"sallyport.dev/sallyport/test/redistest"
)

// An endpoint whose target is down stores all it can. Redis has room for another one
// beside it, whose events are taken and delivered.
func TestAnEndpointWhoseTargetIsDownLeavesRoom(t *testing.T) {
	redis := redistest.Start(t, "--maxmemory", "32mb", "--maxmemory-policy", "noeviction")
	delivered := make(chan string, 100)
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Sallyport-Endpoint") == "billing/stripe" {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		delivered <- r.Header.Get("Sallyport-Event-Id")
	}))
	defer target.Close()
	g := startReceiver(t, redis.URL(), target.Listener.Addr().String())
	well := testRoute()
	well.Endpoint.Name, well.Endpoint.UID, well.Path = "well", "uid-2", "/billing/well"
	publish(t, g.namespace, well)

	body := strings.Repeat("x", 1<<19)
	taken := 0
	for deadline := time.Now().Add(patience); ; {
		status, text := g.post("evt_"+strconv.Itoa(taken), body)
		if status == http.StatusServiceUnavailable && strings.Contains(text, "too many events that are not delivered") {
			break
		}
		if status != http.StatusOK || taken > 48 || time.Now().After(deadline) {
			t.Fatalf("after %d events: %d %s", taken, status, text)
		}
		taken++
	}
	if taken < 10 {
		t.Errorf("only %d events of 512 KiB were taken of a quarter of 32 MiB", taken)
	}
	for deadline := time.Now().Add(patience); ; { // until the route is there
		status, text := g.postTo(well.Path, "well_0", body)
		if status == http.StatusOK {
			break
		}
		if status != http.StatusNotFound || time.Now().After(deadline) {
			t.Fatalf("the other endpoint answers %d %s", status, text)
		}
	}
	for i := range 20 {
		if i > 0 {
			if status, text := g.postTo(well.Path, "well_"+strconv.Itoa(i), body); status != http.StatusOK {
				t.Fatalf("the other endpoint answers %d %s", status, text)
			}
		}
		select {
		case got := <-delivered:
			if got != "well_"+strconv.Itoa(i) {
				t.Errorf("the target got %q", got)
			}
		case <-time.After(patience):
			t.Fatal("the other endpoint's events are not delivered")
		}
	}
	g.stop()
}
