// Package system tests the promises of Sallyport with real processes: an API
// server, a manager and receivers as they are shipped, under their own RBAC,
// and Redis servers that are killed and come back.
//
// All tests share one API server and one manager. Each has a namespace, a Redis,
// a receiver and a target of its own (see world), and so they run one after the
// other without meeting. What must not happen ("delivered once, not twice") is
// judged after the receiver has ended, when nothing more can happen.
package system
