package certificate

import (
	"context"
	"encoding/pem"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"sallyport.dev/sallyport/receiver/egress"
)

// How much is kept, and for how long.
const (
	// maxKept bounds the certificates, maxFailed the failures. They are apart, so
	// that URLs that lead nowhere push no certificate out.
	maxKept, maxFailed = 64, 256
	// keptFor is how long a certificate is taken for current.
	keptFor = time.Hour
	// failedFor is how long a failure is not tried again. Senders repeat later.
	failedFor = 30 * time.Second
)

// errNone says that a host serves something else, for example a page that asks
// for patience. It passes, so it must not be kept for a certificate.
var errNone = errors.New("the document is not a certificate in PEM")

// Getter requests a document; *egress.Client is one.
type Getter interface {
	Get(ctx context.Context, address string) ([]byte, error)
}

// Cache fetches certificates and keeps them by their URL. It is safe for concurrent
// use.
type Cache struct {
	getter  Getter
	now     func() time.Time
	flights singleflight.Group

	mu           sync.Mutex
	kept, failed shelf
}

// NewCache returns an empty Cache. now is the time, for tests to move.
func NewCache(getter Getter, now func() time.Time) *Cache {
	return &Cache{getter: getter, now: now, kept: newShelf(maxKept), failed: newShelf(maxFailed)}
}

// Get returns the PEM document at address, at most egress.MaxBody bytes, which
// must not be changed. The error does not repeat the address. It returns early when
// ctx ends; a request that is under way goes on for the others who wait for it.
func (c *Cache) Get(ctx context.Context, address string) ([]byte, error) {
	if known := c.look(address); known != nil {
		return known.document, known.err
	}
	flight := c.flights.DoChan(address, func() (any, error) { return c.fetch(context.WithoutCancel(ctx), address) })
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case landed := <-flight:
		document, _ := landed.Val.([]byte)
		return document, landed.Err
	}
}

// look returns what is known of address; nil: nothing.
func (c *Cache) look(address string) *item {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if found := c.kept.find(address, now); found != nil {
		return found
	}
	return c.failed.find(address, now)
}

// fetch requests address and notes the outcome. That we have too much to do says
// nothing about the address.
func (c *Cache) fetch(ctx context.Context, address string) ([]byte, error) {
	// A flight that landed after look was asked may have brought it.
	if known := c.look(address); known != nil {
		return known.document, known.err
	}
	document, err := c.getter.Get(ctx, address)
	if block, _ := pem.Decode(document); err == nil && (block == nil || block.Type != "CERTIFICATE") {
		document, err = nil, errNone
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	switch {
	case err == nil:
		c.kept.put(address, &item{document: document, ends: now.Add(keptFor)}, now)
	case !errors.Is(err, egress.ErrBusy):
		c.failed.put(address, &item{err: err, ends: now.Add(failedFor)}, now)
	}
	return document, err
}
