// Package protocol is what the end-to-end test and its agent say to each other.
package protocol

// Load says what a sender sends: webhooks of GitHub, evenly spread over time.
type Load struct {
	URL    string
	Secret string
	// Prefix begins the id of each event; a number follows.
	Prefix    string
	PerSecond int
	// Count ends the load by itself; 0: it goes on until it is stopped.
	Count int
	// Again has an event sent again for as long as the answer is 503, when its
	// Retry-After says, as providers do.
	Again bool
	// Kept has connections used again, as proxies do. Otherwise each request
	// makes its own.
	Kept bool
}

// Report is what came of a load.
type Report struct {
	Sent     int         // events
	Statuses map[int]int // of every answer
	Accepted []string    // the ids of events that were answered with a 2xx
	Failed   int         // events without an answer, or with one that helps nobody
	Errors   []string    // the first of these
	Slowest  float64     // seconds until the answer that took longest
}

// Awaited are events that a target waits for.
type Awaited struct {
	IDs     []string
	Seconds int
}

// Delivered says what became of them.
type Delivered struct {
	Missing  []string
	Repeated map[string]int // those that were taken more than once: how often
	Refused  int            // requests of any event that were refused
}
