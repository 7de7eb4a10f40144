package compile

import (
	"fmt"
	"strings"
	"time"

	"sallyport.dev/sallyport/receiver/route"
)

// Result is what comes of an endpoint.
type Result struct {
	// URL is what to enter at the provider: only a path while the manager doesn't
	// know its public URL, and empty while the path belongs to another endpoint.
	URL string
	// Route is to be published; nil: a route of this endpoint is to be withdrawn.
	Route *route.Route
	// Alias is the in-cluster Service to be published; nil: none may be.
	Alias *Alias
	// Accepted holds what is wrong with the spec itself. Without a Route, the path
	// belongs to another endpoint.
	Accepted Problems
	// ResolvedRefs holds what is wrong with the things that the endpoint names.
	ResolvedRefs Problems
	// Programmed holds what keeps the result from being published whole.
	Programmed Problems
	// Notes are remarks on references that are in order.
	Notes []string
	// Rotation is the change to a new secret that is under way; nil: none is.
	Rotation *Rotation
	// Recheck is when the result may change although nothing else does, because a
	// previous secret stops being valid; zero: never.
	Recheck time.Time
}

// recheck makes Recheck no later than at.
func (r *Result) recheck(at time.Time) {
	if r.Recheck.IsZero() || at.Before(r.Recheck) {
		r.Recheck = at
	}
}

// Rotation is the change to a new secret.
type Rotation struct {
	// Started is when the newest of the previous secrets was replaced.
	Started time.Time
	// PreviousEnds is when that secret stops being valid.
	PreviousEnds time.Time
}

// Alias is the ExternalName Service by which senders inside the cluster reach
// the endpoint.
type Alias struct {
	Name string
	// Host is the DNS name that the Service points at.
	Host string
}

// Problem is one mistake of a user: a reason of the API and a sentence.
type Problem struct {
	Reason  string
	Message string
}

// Problems are mistakes in order of weight, the heaviest first.
type Problems []Problem

// problem makes Problems of one mistake.
func problem(reason, format string, args ...any) Problems {
	return Problems{{reason, fmt.Sprintf(format, args...)}}
}

// Reason is the reason of the heaviest problem. Problems must not be empty.
func (p Problems) Reason() string { return p[0].Reason }

// Message is all sentences.
func (p Problems) Message() string {
	sentences := make([]string, len(p))
	for i, problem := range p {
		sentences[i] = problem.Message
	}
	return strings.Join(sentences, " ")
}
