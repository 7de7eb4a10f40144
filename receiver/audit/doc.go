// Package audit tells what became of every request and every delivery.
//
// A [Record] is one outcome (record.go). It goes to three places (fanout.go): a
// complete log of JSON lines (log.go); a short account as Kubernetes Events on the
// WebhookEndpoint (events.go), where repeats are folded (fold.go); and a journal of
// the last records in Redis (journal.go), which people look at.
//
// It assumes that callers put no body, signature or secret into a Record.
//
// It promises that recording never blocks, never fails and needs bounded
// memory: what can't be written is dropped and counted (metrics.go). A flood of
// requests becomes neither a flood on the API server nor a stall of requests.
// All sinks are safe for concurrent use.
package audit
