// Package eventsapi serves the events API, group events.hooks.sallyport.dev,
// within the manager: the API server hands on requests for the group (its
// aggregation layer), and the answers come from Redis.
//
// The way of a request, a file for each step:
//
//	server.go       TLS; only the API server's front proxy has a certificate that is let in
//	frontproxy.go   whose request is it? The front proxy says so in headers
//	handler.go      the steps in order, and the one place that writes an error
//	authorize.go    may they? The API server says so (SubjectAccessReview)
//	selector.go     what is asked for
//	events.go, deadletters.go, purge.go, payload.go, records.go, watch.go, queues.go
//	table.go        what kubectl prints
//	negotiate.go    JSON or YAML
//
// journal.go reads the journal that receivers keep of each endpoint; convert.go
// makes API objects of what is stored. certificate.go makes the certificate to
// serve with, and keeper.go shares it between replicas and puts its
// CA into the APIService.
//
// It assumes that the API server has authenticated the user, as the aggregation
// layer does. It promises that nobody else is listened to, that each request is
// authorized for the very namespace, resource and verb that is answered, that an
// answer holds nothing of another namespace, and that all reads are bounded.
package eventsapi
