// Package cluster runs the real parts of Sallyport on one machine, for the
// demo, the system tests and the benchmarks: an API server with etcd, the
// manager and receivers as processes of their own, and an HTTP server in the
// place of a target Service.
//
// It assumes Go, a Unix and the folder of the source; hack/controlplane.sh gets
// the API server. It promises that every program runs under its own identity
// and the RBAC of config/rbac, exactly as in a cluster, and that neither a
// process nor a file outlives the program that started them, however that ends.
//
// Errors are returned, not reported to a testing.TB: the demo is no test.
package cluster
