package intake

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"sallyport.dev/sallyport/receiver/audit"
)

type discard struct{}

func (discard) Record(audit.Record) {}

// The whole path of a request but the network and Redis.
func BenchmarkAccept(b *testing.B) {
	for _, size := range []int{1 << 10, 16 << 10, 1 << 20} {
		b.Run(fmt.Sprint(size, "B"), func(b *testing.B) {
			g := newGate(b, nil)
			g.handler.Audit = discard{}
			body := bytes.Repeat([]byte("x"), size)
			header := signed("evt_1", body)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				g.events, g.options, g.offered = g.events[:0], g.options[:0], g.offered[:0]
				request := httptest.NewRequest(http.MethodPost, testPath, bytes.NewReader(body))
				request.Header = header
				answer := httptest.NewRecorder()
				g.handler.ServeHTTP(answer, request)
				if answer.Code != http.StatusOK {
					b.Fatalf("the answer is %d", answer.Code)
				}
			}
		})
	}
}
