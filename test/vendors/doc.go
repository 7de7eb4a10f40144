// Package vendors has the vendors' own npm libraries say what they think of
// Sallyport: each signs a request as the vendor sends it, to a real receiver, and
// verifies what arrives at the target.
//
//	vendors.mjs      a row a vendor: how its library signs and verifies
//	driver.mjs       a Node process that answers questions about the rows
//	node_test.go     asks them
//	world_test.go    API server, manager, receiver, Redis, target, and the endpoints
//	vendors_test.go  what is tried with each vendor
//	table_test.go    what came out, and docs/vendors.md
//
// It assumes Node 20 or newer, and the libraries of package-lock.json in
// node_modules: `make vendors` (hack/vendors.sh) gets them and runs
//
//	go test -tags vendors ./test/vendors
//
// with -update to write docs/vendors.md. Secrets and events are made up anew for
// each run. Nothing leaves the machine: the libraries sign and verify, no more.
package vendors
