// Package conformance compares what the presets do with vectors: requests that
// the senders themselves published, or that were made by other software, with a
// statement whether each is genuine.
//
// The vectors are not part of this repository. The tests read them from the
// folder that SALLYPORT_VECTORS names (vectors.jsonl, vectors_synthetic.jsonl),
// and do nothing if it names none.
//
// Other tests need nothing from outside. They change the presets' own examples in
// many ways and send them to a receiver, and set the traps that senders are known
// for.
package conformance
