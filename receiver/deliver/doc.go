// Package deliver hands stored events to their targets.
//
// The way of a delivery, a file for each step:
//
//	dispatcher.go  takes deliveries: from the handler at once, from the log when due
//	claim.go       looks for deliveries that are due: retries, and what others left
//	lane.go        a queue for each target, so that none waits for another
//	shipment.go    what the target gets: what the sender sent, and what is ours (header.go)
//	attempt.go     one HTTP request, and what its answer means
//	dial.go        reaches Services, and nothing but Services
//	sign.go        the signature of ours, where a target shares a secret
//	tls.go         https targets, each trusting the authorities of its route
//	settle.go      writes the outcome to the log and to the audit
//	backoff.go     when to try again
//	rate.go        how many attempts a second a target gets
//	circuit.go     when a target that fails is left alone, and when it is probed
//	gate.go        asks the circuits, and tells them what came of an attempt
//	park.go        moves to the backlog of its target what can't be delivered now
//	drain.go       feeds the lanes from the backlogs, in a limited share
//	retention.go   removes dead letters that are too old, and mends what is counted
//	shutdown.go    hands everything back when the receiver ends
//	call.go        or, while the sender waits: one attempt, and the target's answer
//
// It assumes that the log fences: whoever lost his lease can't write. It
// promises at-least-once: a delivery that was taken is settled in the log or its
// lease ends and somebody else takes it. A target that hangs or is down holds
// back nobody else, however much is queued for it; memory is bounded; errors end no loop. Failures
// of our own side (the log, the cluster's DNS, shutdown) spend no attempt.
package deliver
