// Command kubectl-hooks is the plugin of kubectl for people who work with
// webhooks: kubectl hooks send, events, dead, show, replay, purge, pause, resume,
// stats, tail, version.
//
//	main.go      the process            root.go      the command and its help
//	dead.go      one file per command, by its name; pause.go has resume, too
//	cluster.go   the API server         endpoint.go  ENDPOINT arguments
//	provider.go  the cluster's, or the preset
//	event.go     EVENT arguments        list.go      lists from the events API
//	since.go     times of flags         gitops.go    who puts spec.paused back
//	await.go     wait for an object     complete.go  completion by the shell
//	output.go    -o, tables             errors.go    what the API server says, in words
//
// What send and tail do is in packages of their own, send and tail; sizes, ages and
// harmless texts are in human.
//
// It assumes nothing but a kubeconfig: everything that it knows comes from the
// API server, under the rights of whoever calls it, and it never speaks to Redis.
// Endpoints, providers and replays are custom resources, events and queues come
// from the events API (api/events). It promises that errors are a sentence that
// says what to do, that texts which senders chose can't steer the terminal, and
// that secrets are never printed.
package main
