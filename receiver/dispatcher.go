package receiver

import (
	"github.com/prometheus/client_golang/prometheus"

	"sallyport.dev/sallyport/receiver/audit"
	"sallyport.dev/sallyport/receiver/deliver"
	"sallyport.dev/sallyport/receiver/route"
	"sallyport.dev/sallyport/receiver/store"
)

// routeFinder shows the live routes to the dispatcher, which knows endpoints by
// their names.
type routeFinder struct{ live *route.Live }

// Route returns the route of an endpoint, "namespace/name". ok is false if the
// endpoint has none, or one that can't be read.
func (f routeFinder) Route(endpoint string) (r route.Route, ok bool) {
	entry := f.live.Table().Endpoint(endpoint)
	if entry == nil || entry.Invalid != nil {
		return route.Route{}, false
	}
	return entry.Route, true
}

// Signer is the entry of an endpoint, or one that signs nothing.
func (f routeFinder) Signer(endpoint string) deliver.Signer { return f.live.Table().Endpoint(endpoint) }

func newDispatcher(o Options, live *route.Live, events *store.Store, sink audit.Sink, registry prometheus.Registerer) (dispatcher, error) {
	return deliver.New(deliver.Options{
		Store:               events,
		Routes:              routeFinder{live},
		ClusterDomain:       o.ClusterDomain,
		ConnectTo:           o.ConnectTo,
		DeadLetterRetention: o.DeadLetterRetention,
		Audit:               sink,
		Registry:            registry,
		Logger:              o.Log,
	})
}
