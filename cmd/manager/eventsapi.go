package main

import (
	ctrl "sigs.k8s.io/controller-runtime"

	"sallyport.dev/sallyport/controllers/eventapi"
)

// serveEvents adds the events API to the manager, unless it is turned off or there is no
// Redis that has events.
func serveEvents(mgr ctrl.Manager, o options, events *events) error {
	if o.eventsAPIAddress == turnedOff || events.store == nil {
		return nil
	}
	server, err := eventapi.New(mgr, o.eventsAPIAddress, o.routeNamespace, eventapi.Options{
		Store: events.store, Namespaces: o.namespaces, ClassName: o.className, Audit: events.audit,
	})
	if err != nil {
		return err
	}
	return mgr.Add(server)
}
