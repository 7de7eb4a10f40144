// Package controllers is the control plane: it turns WebhookEndpoints and
// WebhookProviders of the API server into the routes that receivers serve.
//
// The way of an endpoint, a file for each step:
//
//	observe.go   reads all that the endpoint depends on
//	keys/        fetches the keys that senders publish, in the background
//	compile/     makes a route of it, a pure function
//	publish.go   writes the route Secret and the in-cluster Service
//	receivers.go knows from the receivers' Leases what they serve
//	status.go    says in conditions what came of it
//
// setup.go starts it all, and warmup.go fills the caches of a manager that stands by.
//
// Dead letters are delivered again for WebhookReplays (webhookreplay_*.go), and the
// status of endpoints says what came and went (traffic.go). These two need Redis;
// nothing else here does.
//
// index.go maps what changes back to the endpoints that depend on it. catalog.go
// finds providers, which package provider compiles; presets.go puts the built-in ones into the cluster.
//
// Which secrets were valid before is remembered in the published route and nowhere
// else. So a route is compiled from the one that is there, and is published in
// place of exactly that one; and what others wrote there does not count.
//
// The package assumes that one manager is active at a time. It promises that an
// unchanged endpoint causes no write, that a Secret of a user is read only if an
// endpoint names it, and that an object it doesn't own is never changed.
package controllers
