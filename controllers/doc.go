// Package controllers is the control plane: it turns WebhookEndpoints and
// WebhookProviders of the API server into the routes that receivers serve.
//
// webhookendpoint_controller.go reconciles an endpoint, in steps of a file each:
//
//	observe.go   reads all that the endpoint depends on
//	keys/        fetches the keys that senders publish, in the background
//	compile/     makes a route of it, a pure function
//	publish.go   writes the route Secret and the in-cluster Service
//	fleet.go     knows from the receivers' Lease objects what they serve
//	outage.go    tells endpoints, some a second, that no receiver can store events
//	status.go    writes into conditions what came of it
//
// index.go maps each change to the endpoints that depend on it.
//
// webhookprovider_controller.go runs the examples of providers. catalog.go finds
// providers, and presets.go puts the built-in ones into the cluster.
//
// webhookreplay_controller.go revives dead letters: webhookreplay_handover.go does
// it, and webhookreplay_status.go writes how far it has come. traffic.go writes into the
// status of endpoints what was received and delivered. These two need Redis; nothing else
// here does.
//
// setup.go registers all of this, and warmup.go fills the caches of a manager that stands by.
//
// Only the published route remembers which secrets were valid before. So a route is
// compiled from the one that is there, and replaces exactly that one; and what others
// wrote there does not count.
//
// The package assumes that one manager is active at a time. It promises that an
// unchanged endpoint causes no write, that a Secret of a user is read only if an
// endpoint names it, and that an object it doesn't own is never changed.
package controllers
