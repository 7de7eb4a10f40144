package deliver

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"sallyport.dev/sallyport/receiver/audit"
)

// TestTheTargetGetsTheSendersMethod, and the body, whatever the method.
func TestTheTargetGetsTheSendersMethod(t *testing.T) {
	w := newWorld(t)
	requests := make(chan string, 1)
	endpoint := w.target("api", func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		requests <- fmt.Sprintf("%s %q %d", r.Method, body, r.ContentLength)
	})
	d := w.dispatcher()
	for _, method := range []string{"GET", "HEAD", "PUT", "PATCH", "DELETE"} {
		for _, body := range []string{"", "text"} {
			event, lease := w.accept(endpoint, method+body)
			event.Method, event.Body = method, []byte(body)
			d.Offer(event, lease)
			w.want(audit.Delivered, 1)
			if got, want := await(t, requests, "the request"), fmt.Sprintf("%s %q %d", method, body, len(body)); got != want {
				t.Errorf("the target got %s, want %s", got, want)
			}
		}
	}
	w.wantStored(0, 0)
}
