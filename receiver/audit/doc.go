// Package audit records the outcome of every request and every delivery.
//
// A [Record] is one outcome (record.go). It goes to three places (fanout.go): a
// complete log of JSON lines (log.go); Kubernetes Events on the WebhookEndpoint
// (events.go, note.go), where repeats are folded (fold.go); and a journal of the
// last records in Redis (journal.go), for people to read.
//
// It assumes that callers put no body, signature or secret into a Record.
//
// It promises that Record never blocks, never fails and needs bounded memory: records
// that can't be written are dropped and counted (metrics.go). A flood of requests
// neither floods the API server nor delays requests. Anybody can send requests that are
// not authentic: what they cause is kept apart in each sink, and takes the place of no
// other record. All sinks are safe for concurrent use.
package audit
