package controllers

import (
	"context"
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"sallyport.dev/sallyport/api/v1alpha1"
	"sallyport.dev/sallyport/provider"
)

// Catalog finds providers: WebhookProviders of the cluster, and behind them the
// presets of this build, so that a preset serves also while nobody has put it
// into the cluster. It is safe for concurrent use.
type Catalog struct {
	reader  client.Reader
	presets map[string]*v1alpha1.WebhookProvider

	mu       sync.Mutex
	compiled map[string]compiledProvider
}

// compiledProvider remembers what a provider compiled to: compiling runs its
// examples, which is not worth doing for every endpoint.
type compiledProvider struct {
	uid        types.UID
	generation int64
	sender     *provider.Sender
}

// NewCatalog makes a catalog of the presets and the WebhookProviders that the
// reader finds.
func NewCatalog(reader client.Reader, presets []*v1alpha1.WebhookProvider) *Catalog {
	c := &Catalog{reader: reader, presets: map[string]*v1alpha1.WebhookProvider{}, compiled: map[string]compiledProvider{}}
	for _, preset := range presets {
		c.presets[preset.Name] = preset
	}
	return c
}

// Find returns the provider of a name, compiled and tried on its own examples;
// nil: there is none. The error is the API server's.
func (c *Catalog) Find(ctx context.Context, name string) (*provider.Sender, error) {
	object, err := find(ctx, c.reader, types.NamespacedName{Name: name}, &v1alpha1.WebhookProvider{})
	if err != nil {
		return nil, fmt.Errorf("read the WebhookProvider %q: %w", name, err)
	}
	if object == nil {
		if object = c.presets[name]; object == nil {
			return nil, nil
		}
	}
	return c.compile(object), nil
}

// compile returns what the provider compiles to, from memory if it was seen.
func (c *Catalog) compile(object *v1alpha1.WebhookProvider) *provider.Sender {
	c.mu.Lock()
	defer c.mu.Unlock()
	known, ok := c.compiled[object.Name]
	if !ok || known.uid != object.UID || known.generation != object.Generation {
		known = compiledProvider{uid: object.UID, generation: object.Generation, sender: provider.Compile(object)}
		c.compiled[object.Name] = known
	}
	return known.sender
}
