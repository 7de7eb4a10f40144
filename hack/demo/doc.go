// Command demo shows Sallyport at work on one machine: an API server, Redis, a
// manager, a receiver and a target, all real, and webhooks signed as GitHub and
// Stripe sign them. It checks what it shows: if anything is not as it should
// be, it says what, and exits with 1.
//
// With DEMO=once in the environment it stops when all was shown. Otherwise it
// stays up and prints commands to go on with; Ctrl-C ends it. `make demo` runs it.
//
//	main.go      the demo from beginning to end
//	start.go     API server, target, manager and receiver; redis.go  Redis
//	samples.go   the endpoints: config/samples
//	webhooks.go  what is sent, and what is to come of it
//	show.go      send it, show what comes of it, and check that
//	plugin.go    the same by kubectl hooks
//	follow.go    commands to go on with, and what happens from then on
//	print.go     the output
//
// It starts the parts by test/cluster, as the system tests do.
package main
