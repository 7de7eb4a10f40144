package keys

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"sallyport.dev/sallyport/receiver/egress"
	"sallyport.dev/sallyport/receiver/verify"
)

// policy allows private addresses, because a company's own identity provider may have
// one. It allows no address of the pod, the node or a cloud's metadata service.
var policy = egress.Policy{Dial: egress.RefuseForbidden, Timeout: 10 * time.Second, MaxBody: verify.MaxFetchBytes, MaxRedirects: 3}

// fetches counts requests by their result: success or failure.
var fetches = promauto.With(metrics.Registry).NewCounterVec(prometheus.CounterOpts{
	Name: "sallyport_key_fetches_total",
	Help: "Requests for documents with public keys that senders publish, by result.",
}, []string{"result"})

func init() {
	for _, result := range []string{"success", "failure"} {
		fetches.WithLabelValues(result)
	}
}

// fetch requests a document and takes the keys out of it. maxAge is for how long
// the sender allows them to be kept.
func (c *Cache) fetch(ctx context.Context, source verify.FetchSource) (keys []byte, maxAge time.Duration, err error) {
	document, header, err := c.client.GetWithHeader(ctx, source.URL)
	if err == nil {
		if keys, err = source.Keys(document); err != nil {
			err = fmt.Errorf("what is there can't be used: %w", err)
		}
	}
	switch {
	case err == nil:
		fetches.WithLabelValues("success").Inc()
	case ctx.Err() == nil:
		fetches.WithLabelValues("failure").Inc()
		log.FromContext(ctx).WithName("keys").Info("Could not fetch the keys of a sender", "url", source.URL, "error", err.Error())
	}
	return keys, maxAgeOf(header), err
}

// unspecified is the age of a document if its sender gives none.
const unspecified time.Duration = -1

// maxAgeOf reads Cache-Control (RFC 9111 §5.2.2.1).
func maxAgeOf(header http.Header) time.Duration {
	for _, line := range header.Values("Cache-Control") {
		for directive := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
			seconds, err := strconv.ParseInt(strings.Trim(value, `"`), 10, 32)
			if strings.EqualFold(name, "max-age") && err == nil && seconds >= 0 {
				return time.Duration(seconds) * time.Second
			}
		}
	}
	return unspecified
}
