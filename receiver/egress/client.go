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
	"strings"
	"syscall"
	"time"
)

// The bounds of ForWebhooks.
const (
	// Timeout bounds a request, from the look-up of the name to the last byte.
	Timeout = 5 * time.Second
	// MaxBody is the largest answer, in bytes. A chain of certificates has about 6 kB.
	MaxBody = 64 << 10
)

// The bounds of every Client.
const (
	dialTimeout    = 5 * time.Second
	idleTimeout    = 30 * time.Second
	maxHeaderBytes = 64 << 10
	// maxConcurrent bounds the requests of a Client at a time. Documents that are needed
	// often are cached, so only somebody who makes URLs up needs so many.
	maxConcurrent = 16

	userAgent = "sallyport"
)

// ErrBusy says that too many requests are under way.
var ErrBusy = errors.New("too many requests to senders are under way")

// errRedirect says that a redirect is not followed.
var errRedirect = errors.New("it redirects to another host, or too often")

// Policy bounds the requests of a Client.
type Policy struct {
	// Dial refuses addresses: RefuseForbidden or RefuseNotPublic.
	Dial func(ctx context.Context, network, address string, conn syscall.RawConn) error
	// Timeout bounds a request, from the look-up of the name to the last byte.
	Timeout time.Duration
	// MaxBody is the largest answer, in bytes.
	MaxBody int
	// MaxRedirects bounds the redirects that are followed, all to the same host by https.
	MaxRedirects int
}

// ForWebhooks is the Policy of requests that are made while a webhook waits for its
// answer.
var ForWebhooks = Policy{Dial: RefuseNotPublic, Timeout: Timeout, MaxBody: MaxBody}

// Client requests documents of senders by GET. It is safe for concurrent use.
type Client struct {
	policy Policy
	client *http.Client
	slots  chan struct{}
}

// New returns a Client that connects directly, without a proxy.
func New(p Policy) *Client {
	dialer := &net.Dialer{Timeout: dialTimeout, ControlContext: p.Dial}
	return NewWithTransport(p, &http.Transport{
		DialContext:            dialer.DialContext,
		TLSHandshakeTimeout:    dialTimeout,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:      true,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxHeaderBytes,
	})
}

// NewWithTransport returns a Client that connects as transport does, whatever p.Dial
// refuses: for tests, whose servers are on loopback.
func NewWithTransport(p Policy, transport http.RoundTripper) *Client {
	c := &Client{policy: p, slots: make(chan struct{}, maxConcurrent)}
	c.client = &http.Client{Transport: transport, CheckRedirect: c.checkRedirect}
	return c
}

// Apart returns a Client that connects as c does and has a bound of its own, so that the
// requests of strangers take no place of others.
func (c *Client) Apart() *Client { return NewWithTransport(c.policy, c.client.Transport) }

// Get returns the body of the document at address, an https URL. Anything but an answer
// of 2xx within the bounds is an error, which does not repeat the address.
func (c *Client) Get(ctx context.Context, address string) ([]byte, error) {
	body, _, err := c.get(ctx, address, "https")
	return body, err
}

// GetWithHeader is Get that also returns the headers of the answer.
func (c *Client) GetWithHeader(ctx context.Context, address string) ([]byte, http.Header, error) {
	return c.get(ctx, address, "https")
}

// GetProven is Get for a document that proves itself, so that http will do: the
// certificate of an issuer, which must have signed the one that names it.
func (c *Client) GetProven(ctx context.Context, address string) ([]byte, error) {
	body, _, err := c.get(ctx, address, "https", "http")
	return body, err
}

func (c *Client) get(ctx context.Context, address string, schemes ...string) ([]byte, http.Header, error) {
	if u, err := url.Parse(address); err != nil || !slices.Contains(schemes, u.Scheme) || u.Host == "" || u.User != nil {
		return nil, nil, fmt.Errorf("it is not an %s URL", schemes[0])
	}
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	default:
		return nil, nil, ErrBusy
	}
	ctx, cancel := context.WithTimeout(ctx, c.policy.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, nil, fmt.Errorf("it is not an %s URL", schemes[0])
	}
	request.Header.Set("User-Agent", userAgent)
	response, err := c.client.Do(request)
	if err != nil {
		return nil, nil, c.plain(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := c.read(response)
	return body, response.Header, err
}

// checkRedirect follows redirects to the host that was asked. If none may be followed,
// the redirect itself is the answer.
func (c *Client) checkRedirect(to *http.Request, via []*http.Request) error {
	switch {
	case c.policy.MaxRedirects == 0:
		return http.ErrUseLastResponse
	case len(via) > c.policy.MaxRedirects || to.URL.Scheme != "https" || !strings.EqualFold(to.URL.Host, via[0].URL.Host):
		return errRedirect
	}
	return nil
}

func (c *Client) read(response *http.Response) ([]byte, error) {
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return nil, fmt.Errorf("the answer was %d %s", response.StatusCode, http.StatusText(response.StatusCode))
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, int64(c.policy.MaxBody)+1))
	switch {
	case err != nil:
		return nil, c.plain(err)
	case len(body) > c.policy.MaxBody:
		return nil, fmt.Errorf("the document is larger than %d KiB", c.policy.MaxBody>>10)
	}
	return body, nil
}

// plain describes an error without the URL, its host and the answer, which may hold a
// token or belong to somebody else. The words are the same for each attempt, because
// they get into the status of endpoints.
func (c *Client) plain(err error) error {
	var (
		dns  *net.DNSError
		cert *tls.CertificateVerificationError
		late net.Error
	)
	for _, known := range []error{ErrForbidden, ErrNotPublic, errRedirect} {
		if errors.Is(err, known) {
			return known
		}
	}
	switch {
	case errors.As(err, &cert):
		return errors.New("the TLS certificate of the host is not trusted")
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &late) && late.Timeout():
		return fmt.Errorf("there was no answer within %v", c.policy.Timeout)
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.As(err, &dns):
		return errors.New("the name of the host can't be resolved")
	}
	return errors.New("the connection failed")
}
