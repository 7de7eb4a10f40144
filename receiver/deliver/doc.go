// Package deliver hands stored events to their targets.
//
// The way of a delivery, a file for each step:
//
//	dispatcher.go  puts the parts together, and takes what the handler has just stored
//	claimer.go     or takes from the log what is due: retries, and what others left
//	refiller.go    or takes held deliveries from the backlogs, in a limited share
//	job.go         a delivery in memory
//	targets.go     what is in memory of all targets, within one budget
//	lane.go        a queue for each target, so that none waits for another
//	worker.go      the way of a delivery from its lane to the log
//	attempt.go     one HTTP request, and what its answer means
//	shipment.go    what the target gets: what the sender sent, and what is ours (header.go)
//	sign.go        the signature of ours, where a target shares a secret
//	tls.go         https targets, each trusting the authorities of its route
//	dial.go        reaches Services, and nothing but Services
//	learn.go       tells the circuit of the target what came of the attempt (circuits.go)
//	decide.go      what becomes of the delivery: a function of values
//	commit.go      writes that to the log, in one call
//	report.go      says it in metrics and audit
//
// And beside it:
//
//	call.go        while the sender waits: one attempt, and the target's answer
//	holder.go      moves to the backlog of its target what there is no room for now
//	release.go     gives leases back that nothing was done with, as when the receiver ends
//	retainer.go    removes dead letters that are too old, and mends what is counted
//	counter.go     keeps the gauges of what is stored (metrics.go)
//	gauge.go       looks how full Redis is, from which the log takes its measures, at its clock and at what is missing
//	loop.go        what the background loops have in common: no error ends them
//	circuit.go     when a target that fails is left alone, and when it is probed
//	memory.go      of which events it is known that they failed
//	rate.go        how many attempts a second a target gets
//	backoff.go     when to try again
//	routes.go      where a target is, and how much it may get (options.go)
//
// It assumes that the log fences: a receiver that lost its lease can't write. It
// promises at-least-once: what came of a delivery that was taken is written to the
// log, or its lease ends and somebody else takes it. A target that hangs or is down
// holds back nobody else, however much is queued for it; memory is bounded; errors
// end no loop. Failures of our own side (the log, the cluster's DNS, shutdown) spend
// no attempt.
//
// What goroutines share is in one object under one lock, which neither waits nor logs
// (targets.go, circuits.go); what that consists of are plain values (lane.go, circuit.go,
// rate.go).
package deliver
