package egress

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// The bounds of a request to a sender. It is made while a webhook waits for its
// answer.
const (
	// Timeout bounds a request, from the look-up of the name to the last byte.
	Timeout = 5 * time.Second
	// MaxBody is the largest answer, in bytes. A chain of certificates has about 6 kB.
	MaxBody = 64 << 10

	maxHeaderBytes = 32 << 10
	idleTimeout    = 30 * time.Second
)

// maxConcurrent bounds the requests of a Client at a time. What is needed often is
// cached, so that only somebody who makes URLs up has so many.
const maxConcurrent = 16

// ErrBusy says that too many requests are under way.
var ErrBusy = errors.New("too many requests to senders are under way")

// Client requests documents of senders by GET: no redirects, bounded in time, size
// and number. It is safe for concurrent use.
type Client struct {
	transport http.RoundTripper
	slots     chan struct{}
}

// New returns a Client that reaches the Internet directly, without a proxy, and
// nothing else.
func New() *Client {
	dialer := &net.Dialer{Timeout: Timeout, ControlContext: RefuseNotPublic}
	return NewWithTransport(&http.Transport{
		DialContext:            dialer.DialContext,
		TLSHandshakeTimeout:    Timeout,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:      true,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxHeaderBytes,
	})
}

// NewWithTransport returns a Client that connects as transport does: for tests,
// whose servers are on loopback. All other bounds hold.
func NewWithTransport(transport http.RoundTripper) *Client {
	return &Client{transport: transport, slots: make(chan struct{}, maxConcurrent)}
}

// Apart returns a Client that connects as c does, and has a bound of its own: so that
// what strangers can have requested takes no place of what they can't.
func (c *Client) Apart() *Client { return NewWithTransport(c.transport) }

// Get returns the body of the document at address, an https URL. Whatever is not an
// answer of 2xx within the bounds is an error, which does not repeat the address.
func (c *Client) Get(ctx context.Context, address string) ([]byte, error) {
	return c.get(ctx, address, "https")
}

// GetProven is Get for a document that proves itself, so that http will do: the
// certificate of an issuer, which the one that names it must be signed by.
func (c *Client) GetProven(ctx context.Context, address string) ([]byte, error) {
	return c.get(ctx, address, "https", "http")
}

func (c *Client) get(ctx context.Context, address string, schemes ...string) ([]byte, error) {
	if u, err := url.Parse(address); err != nil || !slices.Contains(schemes, u.Scheme) || u.Host == "" || u.User != nil {
		return nil, fmt.Errorf("it is not an %s URL", schemes[0])
	}
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	default:
		return nil, ErrBusy
	}
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("it is not an %s URL", schemes[0])
	}
	// RoundTrip and not Client.Do: redirects are not followed.
	response, err := c.transport.RoundTrip(request)
	if err != nil {
		return nil, plain(err)
	}
	defer func() { _ = response.Body.Close() }()
	return read(response)
}

func read(response *http.Response) ([]byte, error) {
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return nil, fmt.Errorf("the host answered %d, which is no success", response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, MaxBody+1))
	switch {
	case err != nil:
		return nil, plain(err)
	case len(body) > MaxBody:
		return nil, fmt.Errorf("the answer is larger than %d bytes", MaxBody)
	}
	return body, nil
}

// plain says what is wrong without the URL, its host and what the host said:
// they came with a request, or for all we know belong to somebody else.
func plain(err error) error {
	var (
		dns  *net.DNSError
		cert *tls.CertificateVerificationError
		late net.Error
	)
	switch {
	case errors.Is(err, ErrForbidden):
		return ErrForbidden
	case errors.Is(err, ErrNotPublic):
		return ErrNotPublic
	case errors.As(err, &cert):
		return errors.New("the TLS certificate of the host is not valid")
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &late) && late.Timeout():
		return fmt.Errorf("there is no answer within %v", Timeout)
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.As(err, &dns):
		return errors.New("the name of the host can't be resolved")
	}
	return errors.New("the connection failed")
}
