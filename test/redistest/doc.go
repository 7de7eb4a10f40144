// Package redistest runs real redis-server processes for tests: single ones,
// replicas, Sentinels, a Cluster, and servers that speak TLS.
//
// It assumes a redis-server or valkey-server on PATH; without one a test fails,
// because a store that was never run against Redis has not been tested. It
// promises that each server has its own directory, free port and unix socket,
// that it answers when Start returns, and that no process outlives its test.
package redistest
