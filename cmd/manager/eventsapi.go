package main

import (
	ctrl "sigs.k8s.io/controller-runtime"

	"sallyport.dev/sallyport/eventsapi"
)

// serveEventsAPI makes the manager serve the events API, unless it is turned off or there
// is no Redis that has events.
func serveEventsAPI(mgr ctrl.Manager, o options, events *events) error {
	if o.eventsAPIAddress == turnedOff || events.store == nil {
		return nil
	}
	server, err := eventsapi.New(mgr, o.eventsAPIAddress, o.routeNamespace, eventsapi.Options{
		Store: events.store, Namespaces: o.namespaces, ClassName: o.className, Audit: events.audit,
	})
	if err != nil {
		return err
	}
	return mgr.Add(server)
}
