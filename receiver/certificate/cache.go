package certificate

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"sallyport.dev/sallyport/receiver/egress"
	"sallyport.dev/sallyport/receiver/verify"
)

// How much is kept, and for how long.
const (
	// maxKept bounds the certificates that are worth something, maxFailed what else
	// came of URLs. They are apart, so that URLs that lead nowhere push no
	// certificate out.
	maxKept, maxFailed = 64, 256
	// freshFor is how long a certificate is taken for current. After that it is
	// served while it is fetched anew, but no longer than staleFor: a sender that
	// takes a certificate away means it.
	freshFor, staleFor = time.Hour, 24 * time.Hour
	// failedFor is how long a failure is not tried again. Senders repeat later.
	failedFor = 30 * time.Second
)

// How much is fetched at a time. All of it together is what an egress.Client takes.
const (
	// maxFetches bounds the fetches of what is not known, for which webhooks wait,
	// and maxFetchesEach those of one endpoint: who makes up URLs for one takes
	// nothing from the others.
	maxFetches, maxFetchesEach = 12, 2
	// maxRefreshes bounds those of what is known, which nobody can make up.
	maxRefreshes = 4
	// fetchTimeout bounds a fetch, with the issuers that it leads to.
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

	mu           sync.Mutex
	kept, failed shelf
}

// NewCache returns an empty Cache. now is the time, for tests to move. Chains lead to
// roots; nil: those of the system.
func NewCache(getter Getter, now func() time.Time, roots *x509.CertPool) *Cache {
	return &Cache{
		getter: getter, now: now, roots: roots,
		fetches: newSlots(maxFetches, maxFetchesEach), refreshes: newSlots(maxRefreshes, maxRefreshes),
		kept: newShelf(maxKept), failed: newShelf(maxFailed),
	}
}

// Get returns the certificate that a request to endpoint names, in PEM, with the
// issuers that lead to a root as far as they could be found. It must not be changed.
// The error does not repeat the URL. It returns early when ctx ends; a request that
// is under way goes on for the others who wait for it.
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

// look returns what is known by a key; nil: nothing. If that should be fetched anew,
// the caller has to.
func (c *Cache) look(key string) (known *item, refresh bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	found, failed := c.kept.find(key, now), c.failed.find(key, now)
	if found == nil {
		return failed, false
	}
	if now.Before(found.fresh) || found.refreshing || failed != nil || !c.refreshes.take("") {
		return found, false
	}
	found.refreshing = true
	return found, true
}

// fetch requests what nothing is known of, and for which endpoint waits.
func (c *Cache) fetch(ctx context.Context, endpoint, key string, named verify.NamedCertificate) ([]byte, error) {
	// A flight that landed after look was asked may have brought it.
	if known, _ := c.look(key); known != nil {
		return known.document, known.err
	}
	if !c.fetches.take(endpoint) {
		return nil, egress.ErrBusy
	}
	defer c.fetches.give(endpoint)
	return c.request(ctx, key, named)
}

// refresh requests what is known, for which nobody waits. It ends with its timeout.
func (c *Cache) refresh(ctx context.Context, key string, named verify.NamedCertificate, known *item) {
	defer c.refreshes.give("")
	_, _ = c.request(ctx, key, named) // what it comes to is noted
	c.mu.Lock()
	defer c.mu.Unlock()
	known.refreshing = false
}

// request requests a certificate and notes what comes of it. That we have too much to
// do says nothing about it.
func (c *Cache) request(ctx context.Context, key string, named verify.NamedCertificate) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	chain, leads, err := c.chain(ctx, named)
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	switch {
	case errors.Is(err, egress.ErrBusy):
		return nil, err
	case err != nil:
		c.failed.put(key, &item{err: err, ends: now.Add(failedFor)}, now)
		return nil, err
	}
	document := encode(chain)
	if !leads {
		// It is refused when it is verified. The sender may have another one soon.
		c.failed.put(key, &item{document: document, ends: now.Add(failedFor)}, now)
		return document, nil
	}
	ends := earlier(now.Add(staleFor), chain[0].NotAfter)
	c.kept.put(key, &item{document: document, fresh: earlier(now.Add(freshFor), ends), ends: ends}, now)
	return document, nil
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func encode(chain []*x509.Certificate) (document []byte) {
	for _, certificate := range chain {
		document = append(document, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})...)
	}
	return slices.Clip(document)
}
