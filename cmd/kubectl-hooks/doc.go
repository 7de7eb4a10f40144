// Command kubectl-hooks is the plugin of kubectl for people who work with
// webhooks: kubectl hooks send, events, dead, show, replay, purge, pause, resume,
// stats, tail, version.
//
//	main.go      the process            root.go      the command and its help
//	send.go      one file per command, by its name; pause.go has resume, too
//	cluster.go   the API server         endpoint.go  ENDPOINT arguments
//	event.go     EVENT arguments        list.go      lists from the events API
//	await.go     wait for an object     complete.go  completion by the shell
//	output.go    -o, tables             human.go     ages, sizes, times
//	errors.go    what the API server says, in words that help
//
// It assumes nothing but a kubeconfig: everything that it knows comes from the
// API server, under the rights of whoever calls it, and it never speaks to Redis.
// Endpoints, providers and replays are custom resources, events and queues come
// from the events API (api/events). It promises that errors are a sentence that
// says what to do, that texts which senders chose can't steer the terminal, and
// that secrets are never printed.
package main
