// Package e2e installs Sallyport as a user does (kubectl apply -k
// config/default) into the cluster that KUBECONFIG names, puts it to work and
// to trouble, and removes it:
//
//	go test -tags e2e -count=1 -v ./test/e2e
//
// It assumes kubectl in the PATH, rights to do everything, a cluster without
// Sallyport, and images that the nodes can get; docs/kind.md shows how to come
// by all of it. Where the cluster has no default StorageClass, it makes a volume
// of a folder of one node.
//
// What stands around Sallyport are pods as well (test/e2e/agent): the sender of
// webhooks and the target of events. The test reaches them through the API
// server, so it needs no way into the cluster's network.
//
// The steps build on each other, in the order of e2e_test.go. The first that
// fails ends the test, after the logs. Everything is removed in any case, but
// with SALLYPORT_E2E_KEEP=1 after a failure.
package e2e
