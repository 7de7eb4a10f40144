package keys

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"sallyport.dev/sallyport/receiver/egress"
	"sallyport.dev/sallyport/receiver/verify"
)

const (
	// timeout bounds a request, from dialling to the last byte.
	timeout        = 10 * time.Second
	dialTimeout    = 5 * time.Second
	maxHeaderBytes = 64 << 10
	maxRedirects   = 3
	userAgent      = "sallyport"
)

// fetches counts requests by their result: success or failure.
var fetches = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "sallyport_key_fetches_total",
	Help: "Requests for documents with public keys that senders publish, by result.",
}, []string{"result"})

func init() {
	metrics.Registry.MustRegister(fetches)
	for _, result := range []string{"success", "failure"} {
		fetches.WithLabelValues(result)
	}
}

// problem is why a document could not be had: a part of a sentence that holds
// nothing that differs from one attempt to the next.
type problem string

// Error implements error.
func (p problem) Error() string { return string(p) }

const (
	errScheme    = problem("only https is fetched")
	errRedirect  = problem("it redirects to another host, or too often")
	errTooLarge  = problem("the document is larger than 256 KiB")
	errForbidden = problem("the name of the host leads to an address that is never asked: loopback, link-local or of a metadata service")
)

// clientOf makes the client that all requests are made with.
func clientOf(base *http.Client) *http.Client {
	client := http.Client{Transport: newTransport()}
	if base != nil {
		client = *base
	}
	client.Timeout, client.CheckRedirect, client.Jar = timeout, sameHost, nil
	return &client
}

// sameHost follows a redirect only if it stays with the host that was asked.
func sameHost(to *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects || to.URL.Scheme != "https" || !strings.EqualFold(to.URL.Host, via[0].URL.Host) {
		return errRedirect
	}
	return nil
}

// newTransport makes a transport that uses no proxy and reaches no address
// through which a name could lead back into the pod, the node or a cloud's
// metadata service. A company's own identity provider may have a private address.
func newTransport() *http.Transport {
	dialer := &net.Dialer{Timeout: dialTimeout, ControlContext: egress.RefuseForbidden}
	return &http.Transport{
		DialContext:            dialer.DialContext,
		TLSHandshakeTimeout:    dialTimeout,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:      true,
		MaxResponseHeaderBytes: maxHeaderBytes,
		DisableKeepAlives:      true, // the next request is minutes away
	}
}

// fetch requests a document and takes the keys out of it. maxAge is for how long
// the sender says that they can be kept.
func (c *Cache) fetch(ctx context.Context, source verify.FetchSource) (keys []byte, maxAge time.Duration, err error) {
	document, maxAge, err := c.get(ctx, source.URL)
	if err == nil {
		if keys, err = source.Keys(document); err != nil {
			err = problem(fmt.Sprintf("what is there can't be used: %v", err))
		}
	}
	switch {
	case err == nil:
		fetches.WithLabelValues("success").Inc()
	case ctx.Err() == nil:
		fetches.WithLabelValues("failure").Inc()
		log.FromContext(ctx).WithName("keys").Info("Could not fetch the keys of a sender", "url", source.URL, "error", err.Error())
	}
	return keys, maxAge, err
}

func (c *Cache) get(ctx context.Context, address string) ([]byte, time.Duration, error) {
	if u, err := url.Parse(address); err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, 0, errScheme
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, 0, err
	}
	request.Header.Set("User-Agent", userAgent)
	response, err := c.client.Do(request)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, 0, problem(fmt.Sprintf("the answer was %d %s", response.StatusCode, http.StatusText(response.StatusCode)))
	}
	content, err := io.ReadAll(io.LimitReader(response.Body, verify.MaxFetchBytes+1))
	switch {
	case err != nil:
		return nil, 0, err
	case len(content) > verify.MaxFetchBytes:
		return nil, 0, errTooLarge
	}
	return content, maxAgeOf(response.Header), nil
}

// unasked is the age of a document whose sender says nothing of it.
const unasked time.Duration = -1

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
	return unasked
}

// problemOf says what went wrong in words that don't change from one attempt to
// the next, as addresses and ports do: they get into the status of endpoints.
func problemOf(err error) string {
	var (
		known       problem
		dns         *net.DNSError
		certificate *tls.CertificateVerificationError
		network     net.Error
	)
	switch {
	case errors.As(err, &known):
		return known.Error()
	case errors.Is(err, egress.ErrForbidden):
		return errForbidden.Error()
	case errors.As(err, &dns):
		return "the name of the host can't be resolved"
	case errors.As(err, &certificate):
		return "the TLS certificate of the host is not trusted"
	case errors.As(err, &network) && network.Timeout():
		return "there was no answer within " + timeout.String()
	}
	return "the connection failed"
}
