package certificate

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
	"k8s.io/apimachinery/pkg/util/cache"

	"sallyport.dev/sallyport/receiver/egress"
	"sallyport.dev/sallyport/receiver/verify"
)

// The size of the cache.
const (
	// maxKept bounds the certificates, maxFailed the failures. They are separate, so
	// that failures evict no certificate.
	maxKept, maxFailed = 64, 256
	// freshFor is how long a certificate is used without another request. Then it is
	// used while it is fetched anew, for at most staleFor: a sender may withdraw it.
	freshFor, staleFor = time.Hour, 24 * time.Hour
	// failedFor is how long a failure is remembered. Senders send again later.
	failedFor = 30 * time.Second
)

// The concurrent fetches. Together they are as many as an egress.Client makes.
const (
	// maxFetches bounds the fetches for which webhooks wait, and maxFetchesEach those of
	// one endpoint, so that made-up URLs for one endpoint delay no other.
	maxFetches, maxFetchesEach = 12, 2
	// maxRefreshes bounds the refreshes of known certificates, which nobody can make up.
	maxRefreshes = 4
	// fetchTimeout bounds a fetch together with those of the issuers.
	fetchTimeout = 2 * egress.Timeout
)

// Getter requests documents; *egress.Client is one.
type Getter interface {
	// Get returns the document at an https URL.
	Get(ctx context.Context, address string) ([]byte, error)
	// GetProven returns the document at an https or http URL, which proves itself.
	GetProven(ctx context.Context, address string) ([]byte, error)
}

// Cache fetches certificates and keeps them by their URL. It is safe for concurrent
// use.
type Cache struct {
	getter  Getter
	now     func() time.Time
	roots   *x509.CertPool
	flights singleflight.Group

	fetches, refreshes *slots
	background         sync.WaitGroup // the refreshes

	kept, failed *cache.LRUExpireCache // of items
}

// item is what is known of a URL.
type item struct {
	document   []byte
	err        error
	fresh      time.Time   // until then it is not fetched anew
	refreshing atomic.Bool // it is being fetched anew
}

// clock is the clock of an LRUExpireCache.
type clock func() time.Time

// Now implements cache.Clock.
func (c clock) Now() time.Time { return c() }

// NewCache returns an empty Cache. now is the clock, which tests replace. Chains have to
// lead to roots; nil: those of the system.
func NewCache(getter Getter, now func() time.Time, roots *x509.CertPool) *Cache {
	return &Cache{
		getter: getter, now: now, roots: roots,
		fetches: newSlots(maxFetches, maxFetchesEach), refreshes: newSlots(maxRefreshes, maxRefreshes),
		kept: cache.NewLRUExpireCacheWithClock(maxKept, clock(now)), failed: cache.NewLRUExpireCacheWithClock(maxFailed, clock(now)),
	}
}

// Get returns the certificate that a request to endpoint names, in PEM, followed by the
// issuers that lead to a root, as far as they were found. The caller must not change it.
// The error does not repeat the URL. Get returns early when ctx ends; the fetch goes on
// for others who wait for it.
func (c *Cache) Get(ctx context.Context, endpoint string, named verify.NamedCertificate) ([]byte, error) {
	key := named.URL + "\n" + named.Issuers.String()
	known, refresh := c.look(key)
	if refresh {
		c.background.Go(func() { c.refresh(context.WithoutCancel(ctx), key, named, known) })
	}
	if known != nil {
		return known.document, known.err
	}
	flight := c.flights.DoChan(key, func() (any, error) {
		return c.fetch(context.WithoutCancel(ctx), endpoint, key, named)
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case landed := <-flight:
		document, _ := landed.Val.([]byte)
		return document, landed.Err
	}
}

// look returns the item of a key, nil if there is none, and reports whether the caller
// has to refresh it.
func (c *Cache) look(key string) (known *item, refresh bool) {
	found, failed := find(c.kept, key), find(c.failed, key)
	switch {
	case found == nil:
		return failed, false
	case c.now().Before(found.fresh) || failed != nil || !found.refreshing.CompareAndSwap(false, true):
		return found, false
	case !c.refreshes.take(""):
		found.refreshing.Store(false)
		return found, false
	}
	return found, true
}

func find(items *cache.LRUExpireCache, key string) *item {
	found, _ := items.Get(key)
	known, _ := found.(*item)
	return known
}

// fetch requests an unknown certificate, for which a webhook of endpoint waits.
func (c *Cache) fetch(ctx context.Context, endpoint, key string, named verify.NamedCertificate) ([]byte, error) {
	// A flight may have landed since Get looked.
	if known, _ := c.look(key); known != nil {
		return known.document, known.err
	}
	if !c.fetches.take(endpoint) {
		return nil, egress.ErrBusy
	}
	defer c.fetches.give(endpoint)
	return c.request(ctx, key, named)
}

// refresh fetches a known certificate anew, for which nobody waits. It ends with its
// timeout.
func (c *Cache) refresh(ctx context.Context, key string, named verify.NamedCertificate, known *item) {
	defer c.refreshes.give("")
	_, _ = c.request(ctx, key, named) // which remembers the result
	known.refreshing.Store(false)
}

// request requests a certificate and remembers the result, unless we are too busy,
// which is no result.
func (c *Cache) request(ctx context.Context, key string, named verify.NamedCertificate) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	chain, leads, err := c.chain(ctx, named)
	switch {
	case errors.Is(err, egress.ErrBusy):
		return nil, err
	case err != nil:
		c.failed.Add(key, &item{err: err}, failedFor)
		return nil, err
	}
	document := encode(chain)
	if !leads {
		// The verification will refuse it. The sender may have another one soon.
		c.failed.Add(key, &item{document: document}, failedFor)
		return document, nil
	}
	now := c.now()
	stale := min(staleFor, chain[0].NotAfter.Sub(now))
	c.kept.Add(key, &item{document: document, fresh: now.Add(min(freshFor, stale))}, stale)
	return document, nil
}

func encode(chain []*x509.Certificate) (document []byte) {
	for _, certificate := range chain {
		document = append(document, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})...)
	}
	return slices.Clip(document)
}
